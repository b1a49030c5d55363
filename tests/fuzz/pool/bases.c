// SPDX-License-Identifier: GPL-2.0
/* See bases.h. All that is here runs on good pools: what goes wrong ends the program. */
#include "bases.h"
#include "checkcases.h"
#include "damage.h"
#include "pool_priv.h"

#define BIG_TABLE_BLOCKS	9000000u	/* a pool with a region table of two levels */

/* ------------------------------------------------------------------ making them */

struct maker {
	struct host h;
	u64 next_name;
};

static void maker_begin(struct maker *m, u64 blocks)
{
	struct lb_format_opts opts = { .uuid = "a fuzzed pool..", .total_blocks = blocks };
	u8 uuid[16];

	memset(m, 0, sizeof(*m));
	host_init(&m->h, port_sim_new(blocks));
	assert_ok(lb_pool_format(m->h.dev, &opts, uuid));
	assert_ok(host_open(&m->h, 0));
}

static struct port_dev *maker_close(struct maker *m)
{
	assert_ok(host_close(&m->h));
	return m->h.dev;
}

/* The power goes; all that was written got there. */
static struct port_dev *maker_cut(struct maker *m)
{
	struct port_dev *left = port_sim_crash_all(m->h.dev);

	host_abandon(&m->h);
	port_sim_free(m->h.dev);
	return left;
}

static void maker_work(struct maker *m, unsigned int rounds)
{
	while (rounds--) {
		port_clock_advance(3600000000000ull);
		lb_work_commit(m->h.pool);
		lb_work_reclaim(m->h.pool);
	}
}

static struct lb_name next_name(struct maker *m, char *buf, size_t room)
{
	snprintf(buf, room, "volume%llu", (unsigned long long)m->next_name++);
	return name_of(buf);
}

static u64 make_vol(struct maker *m, u64 blocks, u64 quota)
{
	char name[32];
	u64 id;

	assert_ok(lb_vol_create(m->h.pool, next_name(m, name, sizeof(name)), blocks, quota, NULL, &id));
	return id;
}

static u64 make_child(struct maker *m, u64 source, bool frozen)
{
	char name[32];
	u64 id;

	assert_ok(lb_vol_snapshot(m->h.pool, source, next_name(m, name, sizeof(name)), frozen, 0, NULL, &id));
	return id;
}

/* Maps `count` runs of `len` blocks, `step` apart. Nothing is written to the data blocks: they are zeros. Stops when there is no more room. */
static u64 make_runs(struct maker *m, u64 id, u64 first, u64 count, u64 len, u64 step)
{
	struct lb_write w;
	struct disk d;
	u64 i, done;
	int err, idx;

	assert_ok(disk_open(&m->h, id, &d));
	for (i = 0; i < count; i++)
		for (done = 0; done < len; done += w.count) {
			idx = lb_io_enter(d.vol);
			err = lb_write_begin(d.vol, first + i * step + done, len - done, 0, &w);
			if (!err)
				lb_write_end(&w, 0);
			lb_io_leave(d.vol, idx);
			if (err == -ENOBUFS) {
				maker_work(m, 1);
				w.count = 0;
			} else if (err) {
				disk_close(&d);
				return i;
			}
		}
	assert_ok(disk_flush(&d));
	disk_close(&d);
	return i;
}

static void make_attr(struct maker *m, u64 vol, const char *key, u32 bytes)
{
	u8 *value = calloc(1, bytes + 1);
	struct lb_attr_change change = { .vol = vol, .key = key, .key_len = (u32)strlen(key), .value = value, .value_len = bytes };
	struct lb_tx tx = { .changes = &change, .count = 1 };
	struct lb_vol_change none = { 0 };

	assert_non_null(value);
	memset(value, 'a' + (int)(bytes % 26), bytes);
	assert_ok(lb_vol_set(m->h.pool, 0, &none, &tx));
	free(value);
}

static struct port_dev *make_chain(void)
{
	struct maker m;
	u64 v, snap[24], i;

	maker_begin(&m, LB_POOL_MIN_BLOCKS);
	v = make_vol(&m, 4096, 0);
	for (i = 0; i < ARRAY_SIZE(snap); i++) {
		make_runs(&m, v, i * 16, 12, 3, 40);
		snap[i] = make_child(&m, v, true);
	}
	make_runs(&m, v, 5, 8, 2, 100);
	make_child(&m, snap[10], false);
	assert_ok(lb_vol_remove(m.h.pool, snap[10], false, NULL));	/* has two children: stays, hidden */
	assert_ok(lb_vol_rollback(m.h.pool, v, snap[20]));
	make_runs(&m, v, 7, 8, 2, 100);
	return maker_close(&m);
}

static struct port_dev *make_full(void)
{
	struct lb_pool_policy policy = { .set = LB_POLICY_QUEUE | LB_POLICY_LOW_WATER, .nospc_timeout_ms = 50, .low_water_blocks = 500 };
	struct maker m;
	u64 v, q;

	maker_begin(&m, LB_POOL_MIN_BLOCKS);
	assert_ok(lb_pool_set_policy(m.h.pool, &policy));
	q = make_vol(&m, 1000, 20);
	make_runs(&m, q, 0, 10, 4, 8);		/* the quota ends it */
	v = make_vol(&m, 100000, 0);
	make_runs(&m, v, 0, 300, 1, 2);
	make_runs(&m, v, 1000, 2000, 32, 40);	/* the pool's end ends it */
	assert_ok(lb_pool_commit(m.h.pool));
	return maker_close(&m);
}

static struct port_dev *make_catalog(void)
{
	struct maker m;
	char key[64];
	u64 base, i;

	maker_begin(&m, LB_POOL_MIN_BLOCKS);
	base = make_vol(&m, 256, 0);
	make_runs(&m, base, 0, 4, 2, 8);
	assert_ok(lb_vol_freeze(m.h.pool, base, name_of("base"), NULL));
	for (i = 0; i < 60; i++)
		make_child(&m, base, i % 3 == 0);
	for (i = 0; i < 30; i++)
		make_vol(&m, 64 + i, i);
	for (i = 0; i < 12; i++) {
		snprintf(key, sizeof(key), "key/%llu", (unsigned long long)i);
		make_attr(&m, i % 4 ? i : 0, key, (u32)(i * i * 31));
	}
	return maker_close(&m);
}

static struct port_dev *make_deep(void)
{
	struct maker m;
	u64 v;

	maker_begin(&m, CHECKLAB_BLOCKS);
	v = make_vol(&m, 1u << 20, 0);
	make_runs(&m, v, 0, 18000, 1, 3);
	make_child(&m, v, true);
	make_runs(&m, v, 9000, 3, 2, 3);
	return maker_close(&m);
}

static struct port_dev *make_regions(void)
{
	struct maker m;
	u64 v;

	maker_begin(&m, BIG_TABLE_BLOCKS);
	v = make_vol(&m, 1ull << 36, 0);
	make_runs(&m, v, 0, 3, 600, 1u << 20);
	make_runs(&m, v, 1ull << 35, 10, 2, 1000);
	return maker_close(&m);
}

static struct port_dev *make_group(void)
{
	struct maker m;
	u64 v, gone, base;

	maker_begin(&m, LB_POOL_MIN_BLOCKS);
	v = make_vol(&m, 1000, 0);
	gone = make_vol(&m, 1000, 0);
	make_runs(&m, gone, 0, 4, 4, 8);
	base = make_vol(&m, 1000, 0);
	make_runs(&m, base, 0, 4, 4, 8);
	assert_ok(lb_vol_freeze(m.h.pool, base, name_of(""), NULL));
	assert_ok(lb_pool_commit(m.h.pool));
	make_runs(&m, v, 0, 20, 2, 5);
	make_attr(&m, v, "config", 300000);
	make_runs(&m, make_child(&m, base, false), 0, 3, 2, 5);
	assert_ok(lb_vol_remove(m.h.pool, gone, false, NULL));
	make_attr(&m, v, "config", 10);
	return maker_cut(&m);
}

/* ------------------------------------------------------------------ the index */

static void add(u64 *list, unsigned int *n, u64 block)
{
	unsigned int i;

	for (i = 0; i < *n; i++)
		if (list[i] == block)
			return;
	if (*n < BASE_BLOCKS)
		list[(*n)++] = block;
}

static void index_map(struct base *b, const struct lb_ptr *ptr)
{
	struct lb_node *n;
	unsigned int i;

	if (!ptr->addr)
		return;
	add(b->maps, &b->map_count, le64_to_cpu(ptr->addr));
	n = malloc(sizeof(*n));
	port_sim_peek(b->dev, le64_to_cpu(ptr->addr), n);
	for (i = 0; n->header.level && i < le16_to_cpu(n->header.count); i++)
		index_map(b, &n->children[i].ptr);
	free(n);
}

static void index_leaf(struct base *b, u64 block, const struct lb_node *n)
{
	struct lb_map_record rec;
	struct lb_item item;
	unsigned int i, at;

	for (i = 0; i < le16_to_cpu(n->header.count); i++) {
		at = le16_to_cpu(n->offsets[i]);
		memcpy(&item, n->bytes + at, sizeof(item));
		if (b->item_count < BASE_ITEMS)
			b->items[b->item_count++] = (struct base_item){ .block = block, .at = at };
		at += sizeof(item);
		if (n->bytes[at] != LB_KEY_MAP)
			continue;
		memcpy(&rec, n->bytes + at + le16_to_cpu(item.key_len), sizeof(rec));
		index_map(b, &rec.root);
	}
}

static void index_catalog(struct base *b, const struct lb_ptr *ptr)
{
	u64 block = le64_to_cpu(ptr->addr);
	struct lb_node *n;
	struct lb_item item;
	struct lb_ptr child;
	unsigned int i, at;

	if (!block)
		return;
	add(b->cats, &b->cat_count, block);
	n = malloc(sizeof(*n));
	port_sim_peek(b->dev, block, n);
	if (!n->header.level)
		index_leaf(b, block, n);
	for (i = 0; n->header.level && i < le16_to_cpu(n->header.count); i++) {
		at = le16_to_cpu(n->offsets[i]);
		memcpy(&item, n->bytes + at, sizeof(item));
		memcpy(&child, n->bytes + at + sizeof(item) + le16_to_cpu(item.key_len), sizeof(child));
		index_catalog(b, &child);
	}
	free(n);
}

static void index_table(struct base *b, const struct lb_ptr *ptr, unsigned int depth, u64 index)
{
	struct lb_table_block *t;
	unsigned int i;

	if (!ptr->addr)
		return;
	if (b->table_count < ARRAY_SIZE(b->tables))
		b->tables[b->table_count++] = le64_to_cpu(ptr->addr);
	t = malloc(sizeof(*t));
	port_sim_peek(b->dev, le64_to_cpu(ptr->addr), t);
	for (i = 0; depth && i < LB_TABLE_FANOUT; i++)
		index_table(b, &t->ptrs[i], depth - 1, index * LB_TABLE_FANOUT + i);
	for (i = 0; !depth && i < LB_TABLE_ENTRIES; i++)
		if (t->entries[i].gen && t->entries[i].slot <= 1)
			add(b->bitmaps, &b->bitmap_count, LB_BITMAP_BLOCK(index * LB_TABLE_ENTRIES + i, t->entries[i].slot));
	free(t);
}

static void index_journal(struct base *b)
{
	u64 pos = le64_to_cpu(b->sb.journal_pos), seq = le64_to_cpu(b->sb.journal_seq);
	struct lb_record_header *h = malloc(LB_BLOCK_BYTES);

	while (b->record_count < BASE_RECORDS) {
		port_sim_peek(b->dev, LB_JOURNAL_BLOCK + pos, h);
		if (le32_to_cpu(h->magic) != LB_MAGIC_JOURNAL || h->epoch != b->sb.journal_epoch || le64_to_cpu(h->seq) != seq)
			break;
		b->records[b->record_count++] = (struct base_record){ .block = LB_JOURNAL_BLOCK + pos, .blocks = le32_to_cpu(h->blocks) };
		pos += le32_to_cpu(h->blocks);
		seq++;
	}
	free(h);
}

/* The longest run of blocks that the bitmaps of region 0 leave free, and that the journal does not name either. */
static u64 find_free(const struct base *b)
{
	struct lb_bitmap_block *map = malloc(sizeof(*map));
	u64 i, run = 0, best = 0, start = LB_POOL_MIN_BLOCKS / 2 + 64;

	port_sim_peek(b->dev, b->bitmap_count ? b->bitmaps[0] : 0, map);
	for (i = 0; b->bitmap_count && i < LB_REGION_BLOCKS; i++) {
		run = map->bits[i / 8] & (1u << i % 8) ? 0 : run + 1;
		if (run > best) {
			best = run;
			start = i + 1 - run;
		}
	}
	free(map);
	return start + best / 4;
}

static void index_base(struct base *b)
{
	struct damage d;

	damage_begin(&d, b->dev);
	b->sb = d.sb;
	index_table(b, &b->sb.region_root, le32_to_cpu(b->sb.region_depth), 0);
	index_catalog(b, &b->sb.catalog_root);
	index_journal(b);
	b->free_block = find_free(b);
}

/* ------------------------------------------------------------------ the cases of damage */

static const struct {
	const struct check_case *list;
	const unsigned int *count;
} families[] = {
	{ cases_space, &cases_space_count }, { cases_tree, &cases_tree_count }, { cases_catalog, &cases_catalog_count },
	{ cases_journal, &cases_journal_count },
};

static const struct check_case *nth_case(unsigned int kind, unsigned int n)
{
	unsigned int f, i;

	for (f = 0; f < ARRAY_SIZE(families); f++)
		for (i = 0; i < *families[f].count; i++)
			if ((unsigned int)families[f].list[i].image == kind && !--n)
				return &families[f].list[i];
	return NULL;
}

/* ------------------------------------------------------------------ all of them */

static struct base bases[BASES];

static void make_all(void)
{
	struct checklab *lab = checklab_new();
	unsigned int i;

	for (i = 0; i < IMAGES; i++)
		bases[i].dev = port_sim_clone(lab->images[i]);
	checklab_free(lab);
	port_random_seed(1);
	bases[BASE_CHAIN].dev = make_chain();
	bases[BASE_FULL].dev = make_full();
	bases[BASE_CATALOG].dev = make_catalog();
	bases[BASE_DEEP].dev = make_deep();
	bases[BASE_REGIONS].dev = make_regions();
	bases[BASE_GROUP].dev = make_group();
	for (i = 0; i < BASES; i++)
		index_base(&bases[i]);
}

const struct base *base_get(unsigned int kind)
{
	static bool made;

	if (!made) {
		make_all();
		made = true;
	}
	return &bases[kind % BASES];
}

struct port_dev *base_clone(unsigned int kind, unsigned int damage)
{
	const struct check_case *c = damage ? nth_case(kind % BASES, damage) : NULL;
	struct port_dev *dev = port_sim_clone(base_get(kind)->dev);
	struct damage d;

	if (c) {
		damage_begin(&d, dev);
		c->make(&d);
	}
	return dev;
}
