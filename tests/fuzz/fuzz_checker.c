// SPDX-License-Identifier: GPL-2.0
/*
 * Arbitrary bytes as a pool: on an empty device or over a good one, anywhere in it, with the superblocks' checksums made right or not. Everything that opens pools must end in an error or
 * in a pool that can be used.
 *
 *   byte 0: the base below, BASES and more: an empty device     byte 1: INPUT_* flags, bit 4: seal the superblocks, bits 5-7: the empty device's size
 *   then pieces: block (2; see place()), offset in 16 bytes (1), length (1), bytes
 */
#include "pool/judge.h"
#include "ref.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#define SEAL_SUPERS	16u

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	judge_init();
	base_get(0);
	return 0;
}

static struct port_dev *empty_disk(unsigned int how)
{
	static const u64 sizes[] = { LB_POOL_MIN_BLOCKS, 0, 1, 5, LB_POOL_MIN_BLOCKS - 1, 32384 + 63, 1ull << 22, LB_POOL_MAX_BLOCKS };

	return port_sim_new(sizes[how % ARRAY_SIZE(sizes)]);
}

/* Superblocks, bitmaps and the journal's begin are near; nodes are named by their place in the base's lists. */
static u64 place(const struct base *b, unsigned int which)
{
	if (which & 0x8000 && b)
		return which & 1 && b->map_count ? b->maps[which / 2 % 0x2000 % b->map_count] :
		       b->cat_count ? b->cats[which / 2 % 0x2000 % b->cat_count] : 0;
	if (which & 0x4000)
		return (which & 0x2000 ? LB_MIRROR_BLOCK_LARGE : LB_MIRROR_BLOCK_SMALL) + (which & 3);
	return which % 0x800;
}

static void put(struct port_dev *dev, u64 block, unsigned int at, const u8 *bytes, size_t n)
{
	u8 *buf = aligned_alloc(LB_BLOCK_BYTES, LB_BLOCK_BYTES);

	assert_non_null(buf);
	if (block < dev->ops->blocks(dev)) {
		port_sim_peek(dev, block, buf);
		memcpy(buf + at, bytes, min_t(size_t, n, LB_BLOCK_BYTES - at));
		port_sim_poke(dev, block, buf);
	}
	free(buf);
}

static void seal_all(struct port_dev *dev)
{
	static const u64 at[] = { 0, 1, LB_MIRROR_BLOCK_SMALL, LB_MIRROR_BLOCK_SMALL + 1, LB_MIRROR_BLOCK_LARGE, LB_MIRROR_BLOCK_LARGE + 1 };
	struct lb_super *sb = aligned_alloc(LB_BLOCK_BYTES, LB_BLOCK_BYTES);
	unsigned int i;

	assert_non_null(sb);
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		if (at[i] >= dev->ops->blocks(dev))
			continue;
		port_sim_peek(dev, at[i], sb);
		if (le32_to_cpu(sb->header.magic) == LB_MAGIC_SUPER)
			seal_super(dev, sb, at[i]);
	}
	free(sb);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const struct base *b;
	struct port_dev *dev;
	size_t at, n;

	if (size < 2)
		return -1;
	b = data[0] < BASES ? base_get(data[0]) : NULL;
	dev = b ? base_clone(data[0], 0) : empty_disk(data[1] >> 5);
	for (at = 2; at + 4 < size; at += 4 + n) {
		n = min_t(size_t, data[at + 3] + 1u, size - at - 4);
		put(dev, place(b, (unsigned int)data[at] | (unsigned int)data[at + 1] << 8), data[at + 2] * 16u, data + at + 4, n);
	}
	if (data[1] & SEAL_SUPERS)
		seal_all(dev);
	judge_disk(dev, data[1] & (SEAL_SUPERS - 1), NULL, 0);
	return 0;
}
