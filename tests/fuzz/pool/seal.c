// SPDX-License-Identifier: GPL-2.0
/* See seal.h. Only what was changed, and what lies above it, is read and written again: a walk costs what the upper nodes cost. */
#include <stdlib.h>

#include "geometry.h"
#include "ref.h"
#include "seal.h"

#define SEAL_DEPTH	14u
#define SEAL_SEEN	4096u		/* nodes; a larger tree is not sealed beyond */

struct walk {
	struct seal *s;
	u64 blocks;			/* of the device */
	u64 seen[2 * SEAL_SEEN];	/* open addressing; block + 1 */
	unsigned int seen_count;
};

void seal_dirty(struct seal *s, u64 block)
{
	unsigned int i;

	for (i = 0; i < s->dirty_count; i++)
		if (s->dirty[i] == block)
			return;
	if (s->dirty_count < SEAL_DIRTY)
		s->dirty[s->dirty_count++] = block;
}

static bool is_dirty(const struct seal *s, u64 block)
{
	unsigned int i;

	for (i = 0; i < s->dirty_count; i++)
		if (s->dirty[i] == block)
			return true;
	return false;
}

/* Is it new? */
static bool see(struct walk *w, u64 block)
{
	u64 i = (block * 0x9e3779b97f4a7c15ull) >> 40;

	for (;; i++) {
		u64 *slot = &w->seen[i % ARRAY_SIZE(w->seen)];

		if (*slot == block + 1)
			return false;
		if (*slot)
			continue;
		if (w->seen_count >= SEAL_SEEN)
			return false;
		w->seen_count++;
		*slot = block + 1;
		return true;
	}
}

static bool inside(const struct walk *w, u64 block)
{
	return block < w->blocks;
}

/* Seals the block in buf as *ptr says and lets *ptr have its checksum; both copies are written. */
static void put(struct walk *w, void *buf, u32 magic, struct lb_ptr *ptr)
{
	u64 owner = le64_to_cpu(((struct lb_block_header *)buf)->owner), addr = le64_to_cpu(ptr->addr), addr2 = le64_to_cpu(ptr->addr2);

	ptr->csum = cpu_to_le32(lb_block_seal(buf, magic, addr, le64_to_cpu(ptr->gen), owner));
	port_sim_poke(w->s->dev, addr, buf);
	if (!addr2 || addr2 == addr || !inside(w, addr2))
		return;
	lb_block_seal(buf, magic, addr2, le64_to_cpu(ptr->gen), owner);
	port_sim_poke(w->s->dev, addr2, buf);
}

enum tree { TREE_MAP, TREE_CATALOG, TREE_TABLE };

static bool seal_items(struct walk *w, void *block, enum tree tree, unsigned int depth, u64 index);

/* What lies under *ptr. Has *ptr changed? */
static bool seal_ptr(struct walk *w, struct lb_ptr *ptr, enum tree tree, unsigned int depth, u64 index)
{
	u32 magic = tree == TREE_TABLE ? LB_MAGIC_TABLE : LB_MAGIC_NODE;
	u64 addr = le64_to_cpu(ptr->addr);
	struct lb_block_header *buf;
	struct lb_ptr was = *ptr;
	bool changed;

	if (!addr || !inside(w, addr) || depth > SEAL_DEPTH)
		return false;
	buf = aligned_alloc(LB_BLOCK_BYTES, LB_BLOCK_BYTES);
	if (!buf)
		abort();
	port_sim_peek(w->s->dev, addr, buf);
	if (see(w, addr)) {
		changed = seal_items(w, buf, tree, depth, index);
		if (changed || is_dirty(w->s, addr) || buf->self != ptr->addr || buf->gen != ptr->gen || buf->csum != ptr->csum)
			put(w, buf, magic, ptr);
	} else {	/* by another way: it is as that one has left it */
		ptr->csum = buf->csum;
		ptr->gen = buf->gen;
	}
	free(buf);
	return memcmp(&was, ptr, sizeof(was)) != 0;
}

/* A pointer at any place in a block. */
static bool seal_at(struct walk *w, u8 *place, enum tree tree, unsigned int depth, u64 index)
{
	struct lb_ptr ptr;
	bool changed;

	memcpy(&ptr, place, sizeof(ptr));
	changed = seal_ptr(w, &ptr, tree, depth, index);
	if (changed)
		memcpy(place, &ptr, sizeof(ptr));
	return changed;
}

/* ------------------------------------------------------------------ what is in a block */

static bool seal_catalog(struct walk *w, struct lb_node *n, unsigned int depth)
{
	unsigned int i, at, key, value, count = le16_to_cpu(n->header.count);
	struct lb_item item;
	bool changed = false;

	for (i = 0; i < count && i < LB_PAYLOAD_BYTES / 2; i++) {
		at = le16_to_cpu(n->offsets[i]);
		if (at + sizeof(item) > LB_PAYLOAD_BYTES)
			continue;
		memcpy(&item, n->bytes + at, sizeof(item));
		key = at + (unsigned int)sizeof(item);
		value = key + le16_to_cpu(item.key_len);
		if (value + sizeof(struct lb_ptr) > LB_PAYLOAD_BYTES || le16_to_cpu(item.value_len) < sizeof(struct lb_ptr))
			continue;
		if (n->header.level)
			changed |= seal_at(w, n->bytes + value, TREE_CATALOG, depth + 1, 0);
		else if (n->bytes[key] == LB_KEY_MAP)
			changed |= seal_at(w, n->bytes + value, TREE_MAP, depth + 1, 0);
	}
	return changed;
}

static bool seal_map(struct walk *w, struct lb_node *n, unsigned int depth)
{
	unsigned int i, count = le16_to_cpu(n->header.count);
	bool changed = false;

	for (i = 0; n->header.level && i < count && i < LB_MAP_NODE_MAX; i++)
		changed |= seal_at(w, (u8 *)&n->children[i].ptr, TREE_MAP, depth + 1, 0);
	return changed;
}

static bool seal_bitmap(struct walk *w, struct lb_region_entry *e, u64 region)
{
	u64 block = LB_BITMAP_BLOCK(region, e->slot);
	struct lb_bitmap_block *b;
	__le32 was = e->csum;

	if (e->slot > 1 || !e->gen || !inside(w, block))
		return false;
	b = aligned_alloc(LB_BLOCK_BYTES, LB_BLOCK_BYTES);
	if (!b)
		abort();
	port_sim_peek(w->s->dev, block, b);
	if (is_dirty(w->s, block) || le64_to_cpu(b->header.self) != block || b->header.gen != e->gen || b->header.csum != e->csum) {
		e->csum = cpu_to_le32(lb_block_seal(b, LB_MAGIC_BITMAP, block, le64_to_cpu(e->gen), 0));
		port_sim_poke(w->s->dev, block, b);
	}
	free(b);
	return was != e->csum;
}

/* depth counts up from the root here; the table's own counts down to 0 and is in the header. */
static bool seal_table(struct walk *w, struct lb_table_block *t, unsigned int depth, u64 index)
{
	bool changed = false;
	unsigned int i;

	for (i = 0; t->header.kind && i < LB_TABLE_FANOUT; i++)
		changed |= seal_at(w, (u8 *)&t->ptrs[i], TREE_TABLE, depth + 1, index * LB_TABLE_FANOUT + i);
	for (i = 0; !t->header.kind && i < LB_TABLE_ENTRIES; i++)
		changed |= seal_bitmap(w, &t->entries[i], index * LB_TABLE_ENTRIES + i);
	return changed;
}

static bool seal_items(struct walk *w, void *block, enum tree tree, unsigned int depth, u64 index)
{
	switch (tree) {
	case TREE_MAP:
		return seal_map(w, block, depth);
	case TREE_CATALOG:
		return seal_catalog(w, block, depth);
	default:
		return seal_table(w, block, depth, index);
	}
}

/* ------------------------------------------------------------------ all of it */

void seal_tree(struct seal *s, struct lb_super *sb)
{
	struct walk *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->s = s;
	w->blocks = s->dev->ops->blocks(s->dev);
	seal_ptr(w, &sb->region_root, TREE_TABLE, 0, 0);
	seal_ptr(w, &sb->catalog_root, TREE_CATALOG, 0, 0);
	free(w);
}

void seal_super(struct port_dev *dev, struct lb_super *sb, u64 block)
{
	lb_block_seal(sb, LB_MAGIC_SUPER, block, le64_to_cpu(sb->header.gen), le64_to_cpu(sb->header.owner));
	port_sim_poke(dev, block, sb);
}
