// SPDX-License-Identifier: GPL-2.0
/*
 * See ring.h. Records are kept apart as bytes of entries and a few header changes, and laid out and chained when the ring is written.
 */
#include "damage.h"
#include "ring.h"

#define RING_RECORDS	(BASE_RECORDS + 64u)
#define RING_CHANGES	16u
#define RECORD_ROOM	((size_t)LB_RECORD_MAX_BLOCKS * LB_BLOCK_BYTES)

enum ring_type {
	RING_MAP,		/* volume `which`, lblk `extra`, `value` blocks into the free ones, len from `where` */
	RING_HOLE,		/* the same without blocks, any length */
	RING_VALUE,		/* the base's item `which` again, byte `where` of its value changed by `value` */
	RING_DELETE,		/* the base's item `which` goes */
	RING_NEW_VOLUME,	/* what makes a volume: the id is the next one + value, its parent `where` */
	RING_REMOVE,		/* what removes volume `which` */
	RING_ATTR,		/* an attribute's chunk of volume `which` */
	RING_ANY,		/* an entry of type `which`, `where` bytes said to be long */
};

struct record {
	u8 *bytes;		/* RECORD_ROOM: header and entries */
	u32 used;		/* of entries */
	u32 flags;
};

struct ring {
	const struct base *b;
	struct record records[RING_RECORDS];
	unsigned int count;
	bool open;		/* the last one takes further entries */
	struct {
		unsigned int record;
		struct patch patch;
	} changes[RING_CHANGES];	/* of headers */
	unsigned int change_count;
};

static struct record *record_new(struct ring *r)
{
	struct record *rec;

	if (r->count == RING_RECORDS)
		return NULL;
	rec = &r->records[r->count++];
	rec->bytes = calloc(1, RECORD_ROOM);
	assert_non_null(rec->bytes);
	return rec;
}

struct ring *ring_open(const struct base *b)
{
	struct ring *r = calloc(1, sizeof(*r));
	struct lb_record_header h;
	struct record *rec;
	unsigned int i;
	u32 k;

	assert_non_null(r);
	r->b = b;
	for (i = 0; i < b->record_count; i++) {
		rec = record_new(r);
		for (k = 0; k < b->records[i].blocks; k++)
			port_sim_peek(b->dev, b->records[i].block + k, rec->bytes + (size_t)k * LB_BLOCK_BYTES);
		memcpy(&h, rec->bytes, sizeof(h));
		rec->used = le32_to_cpu(h.bytes);
		rec->flags = le32_to_cpu(h.flags);
	}
	return r;
}

void ring_change(struct ring *r, const struct patch *p)
{
	static const u8 widths[] = { 8, 8, 4, 2 };
	struct record *rec;
	u32 at, width = widths[p->extra % ARRAY_SIZE(widths)];

	if (!r->count)
		return;
	if (p->where < 64) {
		if (r->change_count == RING_CHANGES)
			return;
		r->changes[r->change_count].record = p->which % r->count;
		r->changes[r->change_count++].patch = *p;
		return;
	}
	rec = &r->records[p->which % r->count];
	at = (p->where - 64u) * width;
	if (at + width <= rec->used)
		patch_field(r->b, p, rec->bytes + sizeof(struct lb_record_header) + at, width);
}

/* ------------------------------------------------------------------ entries */

static u64 entry_gen(const struct ring *r, const struct patch *p)
{
	static const s64 delta[] = { 1, 1, 1, 1, 2, 0, -1, 1ll << 40 };

	return le64_to_cpu(r->b->sb.header.gen) + (u64)delta[p->how >> 5];
}

/* Room for `bytes` more in the last record, or in a new one. */
static u8 *room_for(struct ring *r, u32 bytes)
{
	struct record *rec = r->open ? &r->records[r->count - 1] : NULL;
	u8 *at;

	if (!rec || rec->used + bytes + sizeof(struct lb_record_header) > RECORD_ROOM)
		rec = record_new(r);
	if (!rec)
		return NULL;
	r->open = true;
	at = rec->bytes + sizeof(struct lb_record_header) + rec->used;
	rec->used += bytes;
	return at;
}

static void add_item(struct ring *r, u64 gen, const u8 *key, u32 key_len, const void *value, u32 value_len)
{
	u8 buf[sizeof(struct lb_catalog_entry) + LB_CAT_KEY_MAX + LB_CAT_VALUE_MAX + 8], *at;
	u32 bytes = damage_cat_entry(buf, gen, key, key_len, value, value_len);

	at = room_for(r, bytes);
	if (at)
		memcpy(at, buf, bytes);
}

static void add_map(struct ring *r, const struct patch *p, u64 pblk, u64 len)
{
	struct lb_map_entry e = damage_map_entry(entry_gen(r, p), p->which % 128, p->extra, pblk, len);
	u8 *at = room_for(r, sizeof(e));

	if (at)
		memcpy(at, &e, sizeof(e));
}

/* The base's item, with key and value apart. */
static bool base_item(const struct base *b, unsigned int which, u8 *key, u32 *key_len, u8 *value, u32 *value_len)
{
	const struct base_item *it = b->item_count ? &b->items[which % b->item_count] : NULL;
	struct lb_node *n;
	struct lb_item head;

	if (!it)
		return false;
	n = malloc(sizeof(*n));
	assert_non_null(n);
	port_sim_peek(b->dev, it->block, n);
	memcpy(&head, n->bytes + it->at, sizeof(head));
	*key_len = le16_to_cpu(head.key_len);
	*value_len = le16_to_cpu(head.value_len);
	memcpy(key, n->bytes + it->at + sizeof(head), *key_len);
	memcpy(value, n->bytes + it->at + sizeof(head) + *key_len, *value_len);
	free(n);
	return true;
}

static void add_again(struct ring *r, const struct patch *p, bool remove)
{
	u8 key[LB_CAT_KEY_MAX], value[LB_CAT_VALUE_MAX];
	u32 key_len, value_len;

	if (!base_item(r->b, p->which, key, &key_len, value, &value_len))
		return;
	if (value_len)
		value[p->where % value_len] = (u8)(value[p->where % value_len] + p->value);
	add_item(r, entry_gen(r, p), key, key_len, remove ? NULL : value, remove ? 0 : value_len);
}

/* The item of a volume by its key's kind. */
static bool volume_item(const struct base *b, u8 kind, u64 id, u8 *value, u32 *value_len)
{
	u8 key[DAMAGE_KEY], want[DAMAGE_KEY];
	u32 key_len, want_len = damage_key_id(want, kind, id);
	unsigned int i;

	for (i = 0; i < b->item_count; i++)
		if (base_item(b, i, key, &key_len, value, value_len) && key_len == want_len && !memcmp(key, want, want_len))
			return true;
	return false;
}

static void add_volume(struct ring *r, const struct patch *p)
{
	u64 gen = entry_gen(r, p), id = le64_to_cpu(r->b->sb.next_volume) + (u64)(s64)p->value, parent = p->where % 64;
	u8 key[DAMAGE_KEY], value[LB_CAT_VALUE_MAX];
	struct lb_vol_record v = { .id = cpu_to_le64(id), .size_blocks = cpu_to_le64(1 + p->extra), .name_len = cpu_to_le16(2) };
	struct lb_map_record m = { .parent = cpu_to_le64(parent) }, pm;
	struct lb_vol_record pv;
	__le64 le_id = cpu_to_le64(id);
	char name[3] = { 'j', (char)('a' + (p->value & 15)), 0 };
	u32 len;

	if (parent && volume_item(r->b, LB_KEY_MAP, parent, value, &len) && len == sizeof(pm)) {
		memcpy(&pm, value, sizeof(pm));
		m.root = pm.root;
		m.nodes = pm.nodes;
		if (volume_item(r->b, LB_KEY_VOL, parent, value, &len) && len >= sizeof(pv)) {
			memcpy(&pv, value, sizeof(pv));
			m.origin = pv.frozen;
			v.size_blocks = pv.size_blocks;
		}
	}
	memcpy(value, &v, sizeof(v));
	memcpy(value + sizeof(v), name, 2);
	add_item(r, gen, key, damage_key_id(key, LB_KEY_VOL, id), value, sizeof(v) + 2);
	add_item(r, gen, key, damage_key_id(key, LB_KEY_MAP, id), &m, sizeof(m));
	add_item(r, gen, key, damage_key_name(key, name), &le_id, sizeof(le_id));
	add_item(r, gen, key, damage_key_child(key, parent, id), "", 0);
}

static void add_removal(struct ring *r, const struct patch *p)
{
	u64 gen = entry_gen(r, p), id = p->which % 128;
	u8 key[DAMAGE_KEY], value[LB_CAT_VALUE_MAX + 1];
	struct lb_vol_record v;
	u32 len;

	if (!volume_item(r->b, LB_KEY_VOL, id, value, &len) || len < sizeof(v))
		return;
	memcpy(&v, value, sizeof(v));
	v.state = cpu_to_le32(LB_VOL_DELETED);
	v.name_len = 0;
	value[len] = 0;
	add_item(r, gen, key, damage_key_name(key, (char *)value + sizeof(v)), NULL, 0);
	add_item(r, gen, key, damage_key_id(key, LB_KEY_VOL, id), &v, sizeof(v));
}

static void add_attr(struct ring *r, const struct patch *p)
{
	u8 key[DAMAGE_KEY], value[LB_CAT_VALUE_MAX] = { 0 };
	u32 len = p->where % (LB_CAT_VALUE_MAX + 1);
	__le32 total = cpu_to_le32((u32)p->value);

	if (!(p->extra % 8))
		memcpy(value, &total, sizeof(total));
	add_item(r, entry_gen(r, p), key, damage_key_attr(key, p->which % 128, "jk", p->extra % 8), p->extra & 0x100 ? NULL : value,
		 p->extra & 0x100 ? 0 : len);
}

static void add_any(struct ring *r, const struct patch *p)
{
	u32 bytes = (p->where % 2048 + 7) & ~7u;
	struct lb_entry_header h = {
		.type = cpu_to_le16(p->which), .bytes = cpu_to_le16(p->extra & 1 ? p->where : (u16)bytes), .gen = cpu_to_le64(entry_gen(r, p)),
	};
	u8 *at = room_for(r, bytes < sizeof(h) ? (u32)sizeof(h) : bytes);

	if (!at)
		return;
	memcpy(at, &h, sizeof(h));
	if (bytes >= sizeof(h) + sizeof(p->value))
		memcpy(at + sizeof(h), &p->value, sizeof(p->value));
}

void ring_add(struct ring *r, const struct patch *p)
{
	switch (p->how % 8) {
	case RING_MAP:
		add_map(r, p, r->b->free_block + (u64)(s64)p->value, p->where % 64 + 1);
		break;
	case RING_HOLE:
		add_map(r, p, LB_PBLK_HOLE, p->value & 1 ? (u64)p->where << 32 : p->where);
		break;
	case RING_VALUE:
		add_again(r, p, false);
		break;
	case RING_DELETE:
		add_again(r, p, true);
		break;
	case RING_NEW_VOLUME:
		add_volume(r, p);
		break;
	case RING_REMOVE:
		add_removal(r, p);
		break;
	case RING_ATTR:
		add_attr(r, p);
		break;
	default:
		add_any(r, p);
		break;
	}
	if (!(p->how & 8) || !r->open)
		return;
	r->records[r->count - 1].flags = p->how & 16 ? LB_RECORD_MORE : 0;
	r->open = false;
}

/* ------------------------------------------------------------------ writing it */

static void change_header(struct ring *r, unsigned int record, struct lb_record_header *h)
{
	static const struct {
		u16 at;
		u8 width;
	} fields[] = {
		{ offsetof(struct lb_record_header, bytes), 4 }, { offsetof(struct lb_record_header, blocks), 4 },
		{ offsetof(struct lb_record_header, flags), 4 }, { offsetof(struct lb_record_header, seq), 8 },
		{ offsetof(struct lb_record_header, epoch), 8 }, { offsetof(struct lb_record_header, prev), 4 },
		{ offsetof(struct lb_record_header, uuid), 8 }, { offsetof(struct lb_record_header, pad), 8 },
	};
	unsigned int i, f;

	for (i = 0; i < r->change_count; i++) {
		if (r->changes[i].record != record)
			continue;
		f = r->changes[i].patch.where % ARRAY_SIZE(fields);
		patch_field(r->b, &r->changes[i].patch, (u8 *)h + fields[f].at, fields[f].width);
	}
	/*
	 * No pool holds records of epochs to come: the superblock with a new epoch is durable before its first record is
	 * written. One that was made up would be found in the next life, and nothing but a search of all of the ring could tell before.
	 */
	if (le64_to_cpu(h->epoch) > le64_to_cpu(r->b->sb.journal_epoch))
		h->epoch = 0;
}

static void write_record(struct ring *r, unsigned int i, struct port_dev *dev, u64 *pos, u32 *prev)
{
	struct record *rec = &r->records[i];
	u32 n = (rec->used + (u32)sizeof(struct lb_record_header) + LB_BLOCK_BYTES - 1) / LB_BLOCK_BYTES, covered, k;
	u64 ring_block = le64_to_cpu(r->b->sb.journal_block), ring_blocks = le64_to_cpu(r->b->sb.journal_blocks);
	struct lb_record_header h = {
		.magic = cpu_to_le32(LB_MAGIC_JOURNAL), .epoch = r->b->sb.journal_epoch,
		.seq = cpu_to_le64(le64_to_cpu(r->b->sb.journal_seq) + i), .prev = cpu_to_le32(*prev), .flags = cpu_to_le32(rec->flags),
		.blocks = cpu_to_le32(n), .bytes = cpu_to_le32(rec->used),
	};

	memcpy(h.uuid, r->b->sb.uuid, sizeof(h.uuid));
	change_header(r, i, &h);
	covered = le32_to_cpu(h.blocks);
	if (covered < 1 || covered > LB_RECORD_MAX_BLOCKS)
		covered = n;
	if (*pos + covered > ring_blocks)
		*pos = 0;
	memcpy(rec->bytes, &h, sizeof(h));
	*prev = port_crc32c(~0u, rec->bytes, (size_t)covered * LB_BLOCK_BYTES);
	h.csum = cpu_to_le32(*prev);
	memcpy(rec->bytes, &h, sizeof(h));
	for (k = 0; k < covered; k++)
		port_sim_poke(dev, ring_block + *pos + k, rec->bytes + (size_t)k * LB_BLOCK_BYTES);
	*pos += covered;
}

void ring_close(struct ring *r, struct port_dev *dev)
{
	u64 pos = le64_to_cpu(r->b->sb.journal_pos);
	u32 prev = le32_to_cpu(r->b->sb.journal_prev);
	unsigned int i;

	for (i = 0; i < r->count; i++) {
		write_record(r, i, dev, &pos, &prev);
		free(r->records[i].bytes);
	}
	free(r);
}
