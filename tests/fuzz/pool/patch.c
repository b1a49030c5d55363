// SPDX-License-Identifier: GPL-2.0
/* See patch.h: decoding an input and making the disk of it. */
#include "damage.h"
#include "patch.h"
#include "ring.h"

struct input input_parse(const u8 *data, size_t size)
{
	struct input in = { 0 };

	if (size < INPUT_HEAD)
		return in;
	in.base = data[0] % BASES;
	in.damage = data[1];
	in.flags = data[2];
	in.count = data[3];
	if (in.count > (size - INPUT_HEAD) / sizeof(struct patch))
		in.count = (unsigned int)((size - INPUT_HEAD) / sizeof(struct patch));
	in.patches = (const struct patch *)(data + INPUT_HEAD);
	in.ops = data + INPUT_HEAD + in.count * sizeof(struct patch);
	in.op_bytes = size - INPUT_HEAD - in.count * sizeof(struct patch);
	return in;
}

/* ------------------------------------------------------------------ fields */

static u64 new_value(const struct base *b, const struct patch *p, u64 old)
{
	switch (p->how % HOWS) {
	case HOW_SET:
		return (u64)(s64)p->value;
	case HOW_ADD:
		return old + (u64)(s64)p->value;
	case HOW_FLIP:
		return old ^ 1ull << (p->value & 63);
	case HOW_NODE:
		return b->map_count && p->value % 2 ? b->maps[(u32)p->value / 2 % b->map_count] :
		       b->cat_count ? b->cats[(u32)p->value / 2 % b->cat_count] : 0;
	case HOW_TOTAL:
		return le64_to_cpu(b->sb.total_blocks) + (u64)(s64)p->value;
	case HOW_GEN:
		return le64_to_cpu(b->sb.header.gen) + (u64)(s64)p->value;
	case HOW_POWER:
		return (1ull << p->extra % 64) + (u64)(s64)p->value;
	default:
		return b->free_block + (u32)p->value % 256;
	}
}

void patch_field(const struct base *b, const struct patch *p, void *at, unsigned int width)
{
	__le64 wide = 0;

	memcpy(&wide, at, width);
	wide = cpu_to_le64(new_value(b, p, le64_to_cpu(wide)));
	memcpy(at, &wide, width);
}

struct field {
	u16 at;
	u8 width;
};
#define FIELD(type, member) { offsetof(struct type, member), sizeof(((struct type *)0)->member) }

static const struct field super_fields[] = {
	FIELD(lb_super, header.gen), FIELD(lb_super, header.owner), FIELD(lb_super, version), FIELD(lb_super, block_size), FIELD(lb_super, compat),
	FIELD(lb_super, ro_compat), FIELD(lb_super, incompat), FIELD(lb_super, created), FIELD(lb_super, total_blocks), FIELD(lb_super, mirror_block),
	FIELD(lb_super, journal_block), FIELD(lb_super, journal_blocks), FIELD(lb_super, journal_epoch), FIELD(lb_super, journal_pos),
	FIELD(lb_super, journal_seq), FIELD(lb_super, journal_prev), FIELD(lb_super, region_depth), FIELD(lb_super, region_root.addr),
	FIELD(lb_super, region_root.addr2), FIELD(lb_super, region_root.gen), FIELD(lb_super, region_root.level), FIELD(lb_super, catalog_root.addr),
	FIELD(lb_super, catalog_root.addr2), FIELD(lb_super, catalog_root.gen), FIELD(lb_super, catalog_root.level), FIELD(lb_super, catalog_nodes),
	FIELD(lb_super, next_volume), FIELD(lb_super, data_blocks), FIELD(lb_super, meta_blocks), FIELD(lb_super, flags),
	FIELD(lb_super, commit_interval_ms), FIELD(lb_super, nospc_timeout_ms), FIELD(lb_super, low_water_blocks),
	{ offsetof(struct lb_super, magic), 8 }, { offsetof(struct lb_super, uuid), 8 }, { offsetof(struct lb_super, reserved), 8 },
};
static const struct field header_fields[] = {
	FIELD(lb_block_header, gen), FIELD(lb_block_header, owner), FIELD(lb_block_header, kind), FIELD(lb_block_header, level),
	FIELD(lb_block_header, count), FIELD(lb_block_header, used), FIELD(lb_block_header, pad), FIELD(lb_block_header, pad2),
	FIELD(lb_block_header, magic),
};
static const struct field entry_fields[] = {
	FIELD(lb_region_entry, gen), FIELD(lb_region_entry, free), FIELD(lb_region_entry, slot), FIELD(lb_region_entry, kind),
};
static const struct field ptr_fields[] = {
	FIELD(lb_ptr, addr), FIELD(lb_ptr, addr2), FIELD(lb_ptr, gen), FIELD(lb_ptr, level), FIELD(lb_ptr, pad[0]),
};
/* lblk_len is two fields in one; the length is its upper two bytes. */
static const struct field extent_fields[] = {
	{ 0, 4 }, { 4, 2 }, { 6, 2 }, FIELD(lb_extent, pblk), FIELD(lb_extent, birth), FIELD(lb_extent, lblk_len),
};

static void change(const struct base *b, const struct patch *p, u8 *at, const struct field *fields, unsigned int count, unsigned int nth)
{
	const struct field *f = &fields[nth % count];

	patch_field(b, p, at + f->at, f->width);
}
#define CHANGE(b, p, at, fields, nth) change(b, p, (u8 *)(at), fields, ARRAY_SIZE(fields), nth)

/* ------------------------------------------------------------------ changes of one block */

static void change_table(const struct base *b, const struct patch *p, struct lb_table_block *t)
{
	if (p->extra & 0x100)
		CHANGE(b, p, &t->header, header_fields, p->extra);
	else if (t->header.kind)
		CHANGE(b, p, &t->ptrs[p->where % LB_TABLE_FANOUT], ptr_fields, p->extra);
	else	/* rather one of the first, which are in use */
		CHANGE(b, p, &t->entries[(p->where & 0x8000 ? p->where : p->where % 2) % LB_TABLE_ENTRIES], entry_fields, p->extra);
}

static void change_bits(const struct patch *p, struct lb_bitmap_block *map)
{
	u32 first = p->where % LB_REGION_BLOCKS, count = (u32)p->value % 64 + 1, i;

	for (i = first; i < first + count && i < LB_REGION_BLOCKS; i++)
		map->bits[i / 8] = (u8)(p->how & 1 ? map->bits[i / 8] | 1u << i % 8 : map->bits[i / 8] & ~(1u << i % 8));
}

static void change_map(const struct base *b, const struct patch *p, struct lb_node *n)
{
	unsigned int count = le16_to_cpu(n->header.count), i = count ? p->where % count : 0;

	if (n->header.level && i < LB_MAP_NODE_MAX && p->extra % 6 < ARRAY_SIZE(ptr_fields))
		CHANGE(b, p, &n->children[i].ptr, ptr_fields, p->extra % 6);
	else if (n->header.level && i < LB_MAP_NODE_MAX)
		patch_field(b, p, &n->children[i].lblk, 8);
	else if (i < LB_MAP_LEAF_MAX)
		CHANGE(b, p, &n->extents[i], extent_fields, p->extra);
}

/* extra: bits 0-1 the field's width, bit 8: in the key. */
static void change_value(const struct base *b, const struct patch *p, struct lb_node *n, u32 at)
{
	unsigned int width = 1u << (p->extra & 3), len, where;
	struct lb_item item;

	memcpy(&item, n->bytes + at, sizeof(item));
	at += (u32)sizeof(item);
	len = le16_to_cpu(item.key_len);
	if (!(p->extra & 0x100)) {
		at += len;
		len = le16_to_cpu(item.value_len);
	}
	where = len ? p->where % len : 0;
	if (!(p->extra & 0x100))
		where -= where % width;
	if (where + width <= len && at + where + width <= LB_PAYLOAD_BYTES)
		patch_field(b, p, n->bytes + at + where, width);
}

static void with_block(struct seal *s, const struct base *b, const struct patch *p, u64 block)
{
	struct lb_node *n = aligned_alloc(LB_BLOCK_BYTES, LB_BLOCK_BYTES);

	assert_non_null(n);
	port_sim_peek(s->dev, block, n);
	switch (p->kind % PATCH_KINDS) {
	case PATCH_TABLE:
		change_table(b, p, (struct lb_table_block *)n);
		break;
	case PATCH_BITMAP:
		change_bits(p, (struct lb_bitmap_block *)n);
		break;
	case PATCH_HEADER:
		CHANGE(b, p, &n->header, header_fields, p->where);
		break;
	case PATCH_MAP:
		change_map(b, p, n);
		break;
	case PATCH_VALUE:
		change_value(b, p, n, b->items[p->which % b->item_count].at);
		break;
	default:
		break;
	}
	port_sim_poke(s->dev, block, n);
	seal_dirty(s, block);
	free(n);
}

static u64 any_node(const struct base *b, unsigned int which)
{
	unsigned int all = b->map_count + b->cat_count;

	if (!all)
		return 0;
	which %= all;
	return which < b->map_count ? b->maps[which] : b->cats[which - b->map_count];
}

static void copy_node(struct seal *s, const struct base *b, const struct patch *p)
{
	u64 from = any_node(b, p->where), to = any_node(b, p->which);
	u8 *buf = aligned_alloc(LB_BLOCK_BYTES, LB_BLOCK_BYTES);

	assert_non_null(buf);
	if (from && to) {
		port_sim_peek(s->dev, from, buf);
		port_sim_poke(s->dev, to, buf);
		seal_dirty(s, to);
	}
	free(buf);
}

/* ------------------------------------------------------------------ all of them */

struct disk_made {
	const struct base *b;
	struct seal seal;
	struct lb_super sb[2];		/* the newest, the other slot's */
	bool changed[2];
	struct ring *ring;
};

static void apply(struct disk_made *m, const struct patch *p)
{
	const struct base *b = m->b;
	unsigned int old;
	u64 block = 0;

	switch (p->kind % PATCH_KINDS) {
	case PATCH_SUPER:
		old = p->where & 1;
		CHANGE(b, p, &m->sb[old], super_fields, p->which);
		/* The journal may hold records of the true epoch; see ring.c. */
		if (le64_to_cpu(m->sb[old].journal_epoch) < le64_to_cpu(b->sb.journal_epoch))
			m->sb[old].journal_epoch = b->sb.journal_epoch;
		m->changed[old] = true;
		return;
	case PATCH_TABLE:
		block = b->table_count ? b->tables[p->which % b->table_count] : 0;
		break;
	case PATCH_BITMAP:
		block = b->bitmap_count ? b->bitmaps[p->which % b->bitmap_count] : 0;
		break;
	case PATCH_HEADER:
		block = any_node(b, p->which);
		break;
	case PATCH_MAP:
		block = b->map_count ? b->maps[p->which % b->map_count] : 0;
		break;
	case PATCH_VALUE:
		block = b->item_count ? b->items[p->which % b->item_count].block : 0;
		break;
	case PATCH_ITEM:
		patch_item(b, p, &m->seal);
		return;
	case PATCH_RECORD:
	case PATCH_ENTRY:
		if (!m->ring)
			m->ring = ring_open(b);
		(p->kind % PATCH_KINDS == PATCH_ENTRY ? ring_add : ring_change)(m->ring, p);
		return;
	case PATCH_COPY:
		copy_node(&m->seal, b, p);
		return;
	default:
		return;
	}
	if (block)
		with_block(&m->seal, b, p, block);
}

/* Where copy `side` of the newest (old 0) or the other superblock lies. */
static u64 super_place(const struct base *b, unsigned int old, unsigned int side)
{
	return (side ? le64_to_cpu(b->sb.mirror_block) : LB_SUPER_BLOCK) + ((le64_to_cpu(b->sb.header.gen) + old) & 1);
}

/* A byte anywhere that counts. */
static void apply_raw(struct disk_made *m, const struct patch *p)
{
	const struct base *b = m->b;
	u64 block;
	u8 *buf;

	switch (p->extra % 6) {
	case 0:
		block = super_place(b, p->which & 1, p->which >> 1 & 1);
		break;
	case 1:
		block = b->table_count ? b->tables[p->which % b->table_count] : 0;
		break;
	case 2:
		block = b->bitmap_count ? b->bitmaps[p->which % b->bitmap_count] : 0;
		break;
	case 3:
		block = LB_JOURNAL_BLOCK + le64_to_cpu(b->sb.journal_pos) + p->which % 16;
		break;
	default:
		block = any_node(b, p->which);
		break;
	}
	buf = aligned_alloc(LB_BLOCK_BYTES, LB_BLOCK_BYTES);
	assert_non_null(buf);
	port_sim_peek(m->seal.dev, block, buf);
	buf[p->where % LB_BLOCK_BYTES] ^= (u8)(p->value ? p->value : 1);
	port_sim_poke(m->seal.dev, block, buf);
	free(buf);
}

static void finish(struct disk_made *m, bool sealed)
{
	struct lb_super was = m->sb[0];
	unsigned int old, side;

	if (m->ring)
		ring_close(m->ring, m->seal.dev);
	if (!sealed)
		return;
	if (m->seal.dirty_count || m->changed[0])
		seal_tree(&m->seal, &m->sb[0]);
	m->changed[0] |= memcmp(&was, &m->sb[0], sizeof(was)) != 0;
	for (old = 0; old < 2; old++)
		for (side = 0; m->changed[old] && side < 2; side++)
			seal_super(m->seal.dev, &m->sb[old], super_place(m->b, old, side));
}

struct port_dev *input_disk(const struct input *in, u32 kinds)
{
	struct disk_made m = { .b = base_get(in->base), .seal = { .dev = base_clone(in->base, in->damage) } };
	struct patch p;
	unsigned int i, old;

	for (old = 0; old < 2; old++)
		port_sim_peek(m.seal.dev, super_place(m.b, old, 0), &m.sb[old]);
	for (i = 0; i < in->count; i++) {
		memcpy(&p, &in->patches[i], sizeof(p));
		if (kinds & 1u << p.kind % PATCH_KINDS)
			apply(&m, &p);
	}
	finish(&m, !(in->flags & INPUT_NO_SEAL));
	for (i = 0; i < in->count; i++) {
		memcpy(&p, &in->patches[i], sizeof(p));
		if (p.kind % PATCH_KINDS == PATCH_RAW && (kinds & 1u << PATCH_RAW))
			apply_raw(&m, &p);
	}
	return m.seal.dev;
}
