// SPDX-License-Identifier: GPL-2.0
/*
 * Reading, choosing, writing and wiping superblocks.
 *
 * Four copies count: slots 0 and 1, and the mirror of each. In a pool that was made whole, each slot always has at least one intact copy: a write
 * touches one copy at a time and waits for it, so a power cut tears at most one. What a crash in lb_super_write() leaves:
 *   during the primary's write:  primary of the slot torn, its mirror still the generation before the last: the last one (other slot) is the newest
 *   between, or in the mirror's: primary new, mirror old or torn: the new one is the newest; its bad_copies says 1
 * So a slot without any intact copy is damage, and what it held may have been the newest: -ESTALE unless the caller accepts the other.
 *
 * The first write of a pool (generation 1) wipes what any earlier pool left and fills both slots (slot 0 with generation 0, the same content), which
 * makes the rule hold from the start.
 *
 * No state, no locks: the committing thread is the only writer.
 */
#include "super.h"
#include "geometry.h"

#define SUPER_PLACES	6u	/* two slots; their mirrors in a large pool, and in a small one */

static u64 super_place(unsigned int i)
{
	if (i < 2)
		return LB_SUPER_BLOCK + i;
	return (i < 4 ? LB_MIRROR_BLOCK_LARGE : LB_MIRROR_BLOCK_SMALL) + (i & 1);
}

/* What one of the places holds. */
struct super_copy {
	bool read_error;
	bool ours;		/* either magic is there */
	bool valid;		/* magic, self, slot and checksum are right */
	bool future;		/* ours, but of an unknown version */
	u32 csum;
	u64 gen, mirror;
	u8 uuid[16];
};

static bool super_ours(const struct lb_super *sb)
{
	return le32_to_cpu(sb->header.magic) == LB_MAGIC_SUPER && !memcmp(sb->magic, LB_SUPER_MAGIC, sizeof(sb->magic));
}

static void super_judge(struct super_copy *c, const struct lb_super *sb, u64 place)
{
	c->ours = super_ours(sb);
	if (!c->ours)
		return;
	c->future = le32_to_cpu(sb->version) != LB_FORMAT_VERSION;
	c->gen = le64_to_cpu(sb->header.gen);
	c->mirror = le64_to_cpu(sb->mirror_block);
	c->csum = le32_to_cpu(sb->header.csum);
	memcpy(c->uuid, sb->uuid, sizeof(c->uuid));
	c->valid = le64_to_cpu(sb->header.self) == place && (c->gen & 1) == (place & 1) &&
		   le32_to_cpu(sb->header.csum) == lb_block_csum(sb);
	/* A mirror counts only where its own superblock says that mirrors are. */
	if (place >= LB_SUPER_SLOTS && c->mirror != (place & ~1ULL))
		c->valid = false;
}

static void super_scan(struct port_dev *dev, void *buf, struct super_copy *copies)
{
	u64 blocks = port_dev_blocks(dev);
	unsigned int i;

	memset(copies, 0, SUPER_PLACES * sizeof(*copies));
	for (i = 0; i < SUPER_PLACES; i++) {
		if (super_place(i) >= blocks)
			continue;
		copies[i].read_error = port_read(dev, super_place(i), buf) != 0;
		if (!copies[i].read_error)
			super_judge(&copies[i], buf, super_place(i));
	}
}

/*
 * Leave as valid only the copies of one pool: the one that a valid primary names, else the one whose mirrors are found. Blocks at the place where another
 * pool size has its mirrors may be anybody's data, so with both primaries gone two different answers are none.
 */
static int super_one_pool(struct super_copy *copies)
{
	const struct super_copy *ref = NULL;
	unsigned int i;

	for (i = 0; i < SUPER_PLACES; i++) {
		struct super_copy *c = &copies[i];

		if (!c->valid)
			continue;
		if (!ref)
			ref = c;
		if (!memcmp(ref->uuid, c->uuid, sizeof(c->uuid)) && ref->mirror == c->mirror)
			continue;
		if (i < 2 || ref - copies >= 2)
			return -EUCLEAN;
		c->valid = false;
	}
	return ref ? 0 : -ENOENT;
}

/* No copy is valid: why? */
static int super_none_valid(const struct super_copy *copies)
{
	bool ours = false, unread = false;
	unsigned int i;

	for (i = 0; i < SUPER_PLACES; i++) {
		/* What is not at the start of the device is not ours by its magic alone: it may be data. */
		if (i < 2 && copies[i].future)
			return -EOPNOTSUPP;
		ours |= i < 2 && copies[i].ours;
		unread |= i < 2 && copies[i].read_error;
	}
	if (unread)
		return -EIO;
	return ours ? -EUCLEAN : -EMEDIUMTYPE;
}

/* Has slot `slot` lost both copies? *future: one of them looks like a version that we cannot judge. */
static bool super_slot_lost(const struct super_copy *copies, unsigned int slot, u64 mirror, bool *future)
{
	unsigned int i;
	bool lost = true;

	*future = false;
	for (i = slot; i < SUPER_PLACES; i += 2) {
		if (i >= 2 && super_place(i) != mirror + slot)
			continue;
		if (copies[i].valid)
			lost = false;
		else if (copies[i].future)
			*future = true;
	}
	return lost;
}

/* ------------------------------------------------------------------ validation of the fields */

static bool super_ref_ok(const struct lb_ptr *p, u64 total, u64 gen)
{
	struct lb_ref r = lb_ref_decode(p);

	if (!r.addr)
		return true;
	return r.addr < total && r.addr2 < total && r.addr2 != r.addr && r.gen <= gen;
}

static bool super_overlap(u64 a, u64 a_len, u64 b, u64 b_len)
{
	return a < b + b_len && b < a + a_len;
}

static bool super_layout_ok(const struct lb_super *sb, u64 total)
{
	u64 mirror = le64_to_cpu(sb->mirror_block);
	u64 start = le64_to_cpu(sb->journal_block), len = le64_to_cpu(sb->journal_blocks);
	u64 limit = min_t(u64, total, LB_REGION_BLOCKS);

	if (mirror != LB_MIRROR_BLOCK_LARGE && mirror != LB_MIRROR_BLOCK_SMALL)
		return false;
	if (mirror + LB_SUPER_SLOTS > limit)
		return false;
	if (len < LB_JOURNAL_MIN_BLOCKS || len > LB_JOURNAL_MAX_BLOCKS)
		return false;
	if (start < LB_JOURNAL_BLOCK || start >= limit || start + len > limit)
		return false;
	return !super_overlap(start, len, mirror, LB_SUPER_SLOTS) && le64_to_cpu(sb->journal_pos) < len;
}

static int super_check(const struct lb_super *sb, u64 device_blocks)
{
	u64 total = le64_to_cpu(sb->total_blocks), gen = le64_to_cpu(sb->header.gen);
	const char *bad = NULL;

	if (le32_to_cpu(sb->version) != LB_FORMAT_VERSION || (le64_to_cpu(sb->incompat) & ~LB_INCOMPAT_KNOWN))
		return -EOPNOTSUPP;
	if (le32_to_cpu(sb->block_size) != LB_BLOCK_BYTES)
		bad = "block size";
	else if (total < LB_POOL_MIN_BLOCKS || total > LB_POOL_MAX_BLOCKS)
		bad = "size";
	else if (!super_layout_ok(sb, total))
		bad = "layout";
	else if (sb->region_root.addr && le32_to_cpu(sb->region_depth) != lb_table_depth(lb_region_count(total)))
		bad = "region table depth";
	else if (!super_ref_ok(&sb->region_root, total, gen) || !super_ref_ok(&sb->catalog_root, total, gen))
		bad = "roots";
	else if (le64_to_cpu(sb->data_blocks) > total || le64_to_cpu(sb->meta_blocks) > total)
		bad = "block counts";
	if (bad) {
		port_log(PORT_LOG_ERR, "superblock: %s is not valid", bad);
		return -EUCLEAN;
	}
	return total > device_blocks ? -EFBIG : 0;
}

/* ------------------------------------------------------------------ reading */

/* The index of the newest valid copy; at equal generations the first place. */
static unsigned int super_newest(const struct super_copy *copies)
{
	unsigned int i, best = SUPER_PLACES;

	for (i = 0; i < SUPER_PLACES; i++)
		if (copies[i].valid && (best == SUPER_PLACES || copies[i].gen > copies[best].gen))
			best = i;
	return best;
}

static int super_choose(const struct super_copy *copies, bool allow_fallback, struct lb_super_state *state, unsigned int *best)
{
	bool future;
	unsigned int i;

	*best = super_newest(copies);
	state->bad_copies = LB_SUPER_SLOTS;
	for (i = 0; i < SUPER_PLACES; i++)
		if (copies[i].valid && copies[i].gen == copies[*best].gen)
			state->bad_copies--;
	if (!super_slot_lost(copies, !(*best & 1), copies[*best].mirror, &future))
		return 0;
	if (future)
		return -EOPNOTSUPP;
	state->fallback = true;
	return allow_fallback ? 0 : -ESTALE;
}

/* Read the chosen generation again, from any of its copies: the very block that was judged, not what this read says it is. */
static int super_fetch(struct port_dev *dev, const struct super_copy *copies, unsigned int best, struct lb_super *sb)
{
	int err = -EIO;
	unsigned int i;

	for (i = 0; i < SUPER_PLACES; i++) {
		if (!copies[i].valid || copies[i].gen != copies[best].gen)
			continue;
		err = port_read(dev, super_place(i), sb) ? -EIO : -EUCLEAN;
		if (err != -EIO && le64_to_cpu(sb->header.gen) == copies[i].gen && le32_to_cpu(sb->header.csum) == copies[i].csum &&
		    lb_block_csum(sb) == copies[i].csum)
			return 0;
	}
	return err;
}

int lb_super_read(struct port_dev *dev, bool allow_fallback, struct lb_super *sb, struct lb_super_state *state)
{
	struct super_copy copies[SUPER_PLACES];
	unsigned int best;
	int err;

	memset(state, 0, sizeof(*state));
	super_scan(dev, sb, copies);
	err = super_one_pool(copies);
	if (err == -ENOENT)
		return super_none_valid(copies);
	if (!err)
		err = super_choose(copies, allow_fallback, state, &best);
	if (err)
		return err;
	err = super_fetch(dev, copies, best, sb);
	return err ? err : super_check(sb, port_dev_blocks(dev));
}

/* ------------------------------------------------------------------ writing */

static int super_write_at(struct port_dev *dev, struct lb_super *sb, u64 place, u64 gen, unsigned int flags)
{
	void *buf = sb;

	lb_block_seal(sb, LB_MAGIC_SUPER, place, gen, 0);
	return port_write(dev, place, &buf, 1, flags | PORT_FUA);
}

static int super_write_slot(struct port_dev *dev, struct lb_super *sb, u64 gen)
{
	u64 slot = gen & 1;
	int err;

	err = super_write_at(dev, sb, LB_SUPER_BLOCK + slot, gen, PORT_PREFLUSH);
	if (!err)
		err = super_write_at(dev, sb, le64_to_cpu(sb->mirror_block) + slot, gen, 0);
	return err;
}

int lb_super_write(struct port_dev *dev, struct lb_super *sb, u64 gen)
{
	int err;

	memcpy(sb->magic, LB_SUPER_MAGIC, sizeof(sb->magic));
	sb->version = cpu_to_le32(LB_FORMAT_VERSION);
	sb->block_size = cpu_to_le32(LB_BLOCK_BYTES);
	if (gen == 1) {
		err = lb_super_wipe(dev);
		if (!err)
			err = super_write_slot(dev, sb, 0);
		if (err)
			return err;
	}
	return super_write_slot(dev, sb, gen);
}

int lb_super_heal(struct port_dev *dev, struct lb_super *sb)
{
	u64 gen = le64_to_cpu(sb->header.gen), place[2];
	struct lb_super *buf = port_alloc_block(PORT_WAIT);
	const char *why;
	unsigned int i;
	int err = 0;

	if (!buf)
		return -ENOMEM;
	place[0] = LB_SUPER_BLOCK + (gen & 1);
	place[1] = le64_to_cpu(sb->mirror_block) + (gen & 1);
	for (i = 0; i < 2 && !err; i++) {
		if (!port_read(dev, place[i], buf) &&
		    !lb_block_verify(buf, LB_MAGIC_SUPER, place[i], gen, le32_to_cpu(sb->header.csum), &why))
			continue;
		err = super_write_at(dev, sb, place[i], gen, 0);
	}
	port_free_block(buf);
	return err;
}

int lb_super_wipe(struct port_dev *dev)
{
	u64 blocks = port_dev_blocks(dev);
	void *buf = port_alloc_block(PORT_WAIT);
	int err = 0, one;
	unsigned int i;

	if (!buf)
		return -ENOMEM;
	memset(buf, 0, LB_BLOCK_BYTES);
	for (i = 0; i < SUPER_PLACES; i++) {
		if (super_place(i) >= blocks)
			continue;
		one = port_write(dev, super_place(i), &buf, 1, PORT_FUA);
		if (one && !err)
			err = one;
	}
	port_free_block(buf);
	return err;
}
