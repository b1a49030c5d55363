// SPDX-License-Identifier: GPL-2.0
/*
 * Damage to the journal: records with right checksums that say what they must not. Nothing of it can be repaired:
 * it was acknowledged.
 */
#include "checkcases.h"

#define NEXT_ID	7u		/* the id that the pool would give */

static u64 next_gen(const struct damage *d) { return le64_to_cpu(d->sb.header.gen) + 1; }

static void one_map(struct damage *d, u64 gen, u64 vol, u64 lblk, u64 pblk)
{
	struct lb_map_entry e = damage_map_entry(gen, vol, lblk, pblk, 1);

	damage_record(d, &e, sizeof(e), 0);
}

static void record_form(struct damage *d)
{
	struct lb_map_entry e = damage_map_entry(next_gen(d), VOL_SMALL, 0, FREE_BLOCK, 1);

	damage_record(d, &e, sizeof(e) - 4, 0);
}

static void record_flags(struct damage *d)
{
	struct lb_map_entry e = damage_map_entry(next_gen(d), VOL_SMALL, 0, FREE_BLOCK, 1);

	damage_record(d, &e, sizeof(e), 8);
}

static void entry_type(struct damage *d)
{
	struct lb_map_entry e = damage_map_entry(next_gen(d), VOL_SMALL, 0, FREE_BLOCK, 1);

	e.header.type = cpu_to_le16(9);
	damage_record(d, &e, sizeof(e), 0);
}

static void entry_length(struct damage *d)
{
	struct lb_map_entry e = damage_map_entry(next_gen(d), VOL_SMALL, 0, FREE_BLOCK, 1);

	e.header.bytes = cpu_to_le16(sizeof(e) + 8);
	damage_record(d, &e, sizeof(e), 0);
}

static void entry_pool(struct damage *d) { one_map(d, next_gen(d), VOL_SMALL, 0, CHECKLAB_BLOCKS); }
static void entry_volume_end(struct damage *d) { one_map(d, next_gen(d), VOL_SMALL, 512, FREE_BLOCK); }
static void entry_nobody(struct damage *d) { one_map(d, next_gen(d), 99, 0, FREE_BLOCK); }
static void entry_frozen(struct damage *d) { one_map(d, next_gen(d), VOL_BASE, 0, FREE_BLOCK); }
static void entry_fixed(struct damage *d) { one_map(d, next_gen(d), VOL_SMALL, 0, LB_JOURNAL_BLOCK); }
static void entry_gen(struct damage *d) { one_map(d, next_gen(d) + 2, VOL_SMALL, 0, FREE_BLOCK); }

static void entry_in_use(struct damage *d)
{
	static struct lb_node n;

	damage_map_read(d, VOL_DATA, 0, &n);
	one_map(d, next_gen(d), VOL_SMALL, 0, le64_to_cpu(n.extents[0].pblk));
}

static void entry_twice(struct damage *d)
{
	one_map(d, next_gen(d), VOL_SMALL, 0, FREE_BLOCK);
	one_map(d, next_gen(d), VOL_SMALL, 1, FREE_BLOCK);
}

static void group_open(struct damage *d)
{
	struct lb_map_entry e = damage_map_entry(next_gen(d), VOL_SMALL, 0, FREE_BLOCK, 1);

	damage_record(d, &e, sizeof(e), LB_RECORD_MORE);
}

/* The first of several records: those after it say that it was whole. */
static void record_lost(struct damage *d)
{
	static const u8 noise[LB_BLOCK_BYTES] = { 1, 2, 3 };

	port_sim_poke(d->dev, le64_to_cpu(d->sb.journal_block) + le64_to_cpu(d->sb.journal_pos), noise);
}

/* All items of a new volume, whose map is another volume's. */
static void entry_root(struct damage *d)
{
	struct lb_map_record small = damage_map_get(d, VOL_SMALL), m = { .root = small.root, .nodes = cpu_to_le64(1) };
	struct lb_vol_record v = {
		.id = cpu_to_le64(NEXT_ID), .size_blocks = cpu_to_le64(512), .name_len = cpu_to_le16(3),
	};
	struct lb_name_record name = { .id = cpu_to_le64(NEXT_ID) };
	u8 key[DAMAGE_KEY], value[sizeof(v) + 3], buf[1024];
	u32 n = 0;

	memcpy(value, &v, sizeof(v));
	memcpy(value + sizeof(v), "new", 3);
	n += damage_cat_entry(buf + n, next_gen(d), key, damage_key_id(key, LB_KEY_VOL, NEXT_ID), value, sizeof(value));
	n += damage_cat_entry(buf + n, next_gen(d), key, damage_key_id(key, LB_KEY_MAP, NEXT_ID), &m, sizeof(m));
	n += damage_cat_entry(buf + n, next_gen(d), key, damage_key_name(key, "new"), &name, sizeof(name));
	n += damage_cat_entry(buf + n, next_gen(d), key, damage_key_child(key, 0, NEXT_ID), "", 0);
	damage_record(d, buf, n, 0);
}

static void entry_map_record(struct damage *d)
{
	struct lb_map_record m = damage_map_get(d, VOL_SMALL);
	u8 key[DAMAGE_KEY], buf[512];

	m.root.addr2 = cpu_to_le64(FREE_BLOCK);
	damage_record(d, buf, damage_cat_entry(buf, next_gen(d), key, damage_key_id(key, LB_KEY_MAP, VOL_SMALL), &m, sizeof(m)), 0);
}

/* The record of the volume as it is but for what change() does. */
static void put_small(struct damage *d, void (*change)(struct lb_vol_record *v))
{
	u8 key[DAMAGE_KEY], value[LB_CAT_VALUE_MAX], buf[512];
	char name[LB_CAT_VALUE_MAX];
	struct lb_vol_record v = damage_vol_get(d, VOL_SMALL, name);

	change(&v);
	memcpy(value, &v, sizeof(v));
	memcpy(value + sizeof(v), name, strlen(name));
	damage_record(d, buf, damage_cat_entry(buf, next_gen(d), key, damage_key_id(key, LB_KEY_VOL, VOL_SMALL), value,
					       (u32)(sizeof(v) + strlen(name))), 0);
}

static void freeze_it(struct lb_vol_record *v) { v->frozen = cpu_to_le64(2); }
static void shrink_it(struct lb_vol_record *v) { v->size_blocks = cpu_to_le64(1); }
static void entry_freeze(struct damage *d) { put_small(d, freeze_it); }
static void entry_shrink(struct damage *d) { put_small(d, shrink_it); }

/* All that the catalog has of a volume goes. */
static void entry_gone(struct damage *d)
{
	u8 key[DAMAGE_KEY], buf[512];
	u32 n = 0;

	n += damage_cat_entry(buf + n, next_gen(d), key, damage_key_id(key, LB_KEY_VOL, VOL_SMALL), NULL, 0);
	n += damage_cat_entry(buf + n, next_gen(d), key, damage_key_id(key, LB_KEY_MAP, VOL_SMALL), NULL, 0);
	n += damage_cat_entry(buf + n, next_gen(d), key, damage_key_name(key, "small"), NULL, 0);
	n += damage_cat_entry(buf + n, next_gen(d), key, damage_key_child(key, 0, VOL_SMALL), NULL, 0);
	damage_record(d, buf, n, 0);
}

/* What replay would make of the catalog is judged as the catalog is. */
static void entry_orphan(struct damage *d)
{
	struct lb_name_record name = { .id = cpu_to_le64(99) };
	u8 key[DAMAGE_KEY], buf[256];
	u32 n = damage_cat_entry(buf, next_gen(d), key, damage_key_name(key, "ghost"), &name, sizeof(name));

	damage_record(d, buf, n, 0);
}

const struct check_case cases_journal[] = {
	CASE(801, KEPT, "a length that no entries have", record_form),
	CASE(801, KEPT, "an unknown flag", record_flags),
	CASE(802, KEPT, "an unknown type", entry_type),
	CASE(802, KEPT, "longer than its record", entry_length),
	CASE(802, KEPT, "an unknown type, behind good records", entry_type, .image = IMAGE_JOURNAL),
	CASE(803, KEPT, "beyond the pool", entry_pool),
	CASE(803, KEPT, "beyond the volume", entry_volume_end),
	CASE(804, KEPT, "a volume that is not there", entry_nobody),
	CASE(804, KEPT, "a frozen one", entry_frozen),
	CASE(805, KEPT, "another volume's block", entry_in_use),
	CASE(805, KEPT, "a block of the journal itself", entry_fixed),
	CASE(806, KEPT, "two logical blocks", entry_twice),
	CASE(807, KEPT, "three generations on", entry_gen),
	CASE(808, KEPT, "a group without its end", group_open),
	CASE(809, KEPT, "another volume's map", entry_root),
	CASE(810, KEPT, "the first of several", record_lost, .image = IMAGE_JOURNAL),
	CASE(811, KEPT, "another map", entry_map_record),
	CASE(811, KEPT, "frozen without a commit", entry_freeze),
	CASE(811, KEPT, "shrunk without a commit", entry_shrink),
	CASE(811, KEPT, "a volume gone", entry_gone),
	CASE(606, KEPT, "a name that replay would make", entry_orphan),
};
const unsigned int cases_journal_count = ARRAY_SIZE(cases_journal);
