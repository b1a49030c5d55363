// SPDX-License-Identifier: GPL-2.0
/* Good pools for the checker's tests: see checklab.h. */
#include "checklab.h"
#include "damage.h"
#include "pool_priv.h"

/* ------------------------------------------------------------------ making them */

struct maker {
	struct host h;
	struct checklab_vol *vols;	/* by id - 1 */
	u64 writes;
};

static void maker_begin(struct maker *m, struct checklab_vol *vols, u64 blocks)
{
	struct lb_format_opts opts = { .uuid = "checklab's pool" };
	u8 uuid[16];

	memset(m, 0, sizeof(*m));
	m->vols = vols;
	host_init(&m->h, port_sim_new(blocks));
	assert_ok(lb_pool_format(m->h.dev, &opts, uuid));
}

static void know_vol(struct maker *m, u64 id, u64 blocks)
{
	assert_true(id && id <= CHECKLAB_VOLS);
	m->vols[id - 1] = (struct checklab_vol){ .id = id, .blocks = blocks, .pattern = calloc(blocks, sizeof(u64)) };
	assert_non_null(m->vols[id - 1].pattern);
}

static u64 make_vol(struct maker *m, const char *name, u64 blocks)
{
	u64 id;

	assert_ok(lb_vol_create(m->h.pool, name_of(name), blocks, 0, NULL, &id));
	know_vol(m, id, blocks);
	return id;
}

static u64 make_child(struct maker *m, u64 parent, const char *name)
{
	const struct checklab_vol *p = &m->vols[parent - 1];
	u64 id;

	assert_ok(lb_vol_snapshot(m->h.pool, parent, name_of(name), false, 0, NULL, &id));
	know_vol(m, id, p->blocks);
	memcpy(m->vols[id - 1].pattern, p->pattern, p->blocks * sizeof(u64));
	return id;
}

static void make_attr(struct maker *m, u64 vol, const char *key, u8 fill)
{
	u8 value[ATTR_BYTES];
	struct lb_attr_change change = {
		.vol = vol, .key = key, .key_len = (u32)strlen(key), .value = value, .value_len = sizeof(value),
	};
	struct lb_tx tx = { .changes = &change, .count = 1 };
	struct lb_vol_change none = { 0 };

	memset(value, fill, sizeof(value));
	assert_ok(lb_vol_set(m->h.pool, 0, &none, &tx));
}

/* Single blocks, `step` apart: extents that cannot join. */
static void make_writes(struct maker *m, u64 vol, u64 first, u64 count, u64 step)
{
	struct checklab_vol *v = &m->vols[vol - 1];
	u8 *buf = port_alloc_block(PORT_WAIT);
	struct disk d;
	u64 i, b;

	assert_ok(disk_open(&m->h, vol, &d));
	for (i = 0; i < count; i++) {
		b = first + i * step;
		v->pattern[b] = vol * 1000000 + ++m->writes;
		test_fill(buf, v->pattern[b]);
		assert_ok(disk_write(&d, b * SECTORS, SECTORS, buf, 0));
	}
	assert_ok(disk_flush(&d));
	disk_close(&d);
	port_free_block(buf);
}

/* What a power cut leaves when all that was written got there. */
static struct port_dev *maker_cut(struct maker *m)
{
	struct port_dev *left = port_sim_crash_all(m->h.dev);

	host_abandon(&m->h);
	port_sim_free(m->h.dev);
	return left;
}

static void make_plain(struct maker *m, struct checklab_vol *vols)
{
	static const struct lb_tx none;

	maker_begin(m, vols, CHECKLAB_BLOCKS);
	assert_ok(host_open(&m->h, 0));
	assert_int_equal(make_vol(m, "data", 2048), VOL_DATA);
	make_writes(m, VOL_DATA, 4, 400, 2);
	assert_int_equal(make_vol(m, "base", 1024), VOL_BASE);
	make_writes(m, VOL_BASE, 4, 400, 2);
	make_attr(m, VOL_BASE, "config", 1);
	make_attr(m, VOL_BASE, "manifest", 2);
	make_attr(m, 0, "pool", 3);
	assert_ok(lb_pool_commit(m->h.pool));
	assert_ok(lb_vol_freeze(m->h.pool, VOL_BASE, name_of(""), &none));
	assert_ok(lb_pool_commit(m->h.pool));
	assert_int_equal(make_child(m, VOL_BASE, "web1"), VOL_WEB1);
	assert_int_equal(make_child(m, VOL_BASE, "web2"), VOL_WEB2);
	make_writes(m, VOL_WEB1, 4, 2, 2);
	assert_int_equal(make_vol(m, "small", 512), VOL_SMALL);
	make_writes(m, VOL_SMALL, 100, 4, 2);
	assert_int_equal(make_vol(m, "empty", 64), VOL_EMPTY);
	assert_ok(host_close(&m->h));
}

static struct port_dev *make_journal(struct checklab *lab)
{
	struct maker m = { .vols = lab->vols[IMAGE_JOURNAL] };
	unsigned int i;

	for (i = 0; i < CHECKLAB_VOLS; i++) {
		const struct checklab_vol *v = &lab->vols[IMAGE_PLAIN][i];

		m.vols[i] = *v;
		if (!v->id)
			continue;
		m.vols[i].pattern = calloc(v->blocks, sizeof(u64));
		memcpy(m.vols[i].pattern, v->pattern, v->blocks * sizeof(u64));
	}
	m.writes = 500000;
	host_init(&m.h, port_sim_clone(lab->images[IMAGE_PLAIN]));
	assert_ok(host_open(&m.h, 0));
	make_writes(&m, VOL_WEB2, 4, 3, 3);
	assert_int_equal(make_vol(&m, "next", 128), VOL_NEXT);
	make_writes(&m, VOL_NEXT, 10, 5, 2);
	make_attr(&m, VOL_NEXT, "config", 4);
	return maker_cut(&m);
}

/* How far the work on volume 2, or on its parent, has come in what is committed. */
static u64 work_cursor(struct port_dev *dev, u64 gone)
{
	struct lb_map_record r;
	struct damage d;

	damage_begin(&d, dev);
	r = damage_map_get(&d, 2);
	return le64_to_cpu(gone == 1 ? r.cursor : r.free_cursor);
}

/* Volumes 1, a frozen parent, and 2, its child; then the parent or the child is deleted, and work on that begun. */
static struct port_dev *make_halfway(struct checklab_vol *vols, u64 gone)
{
	static const struct lb_tx none;
	unsigned int commits;
	struct maker m;

	maker_begin(&m, vols, LB_POOL_MIN_BLOCKS);
	assert_ok(host_open(&m.h, 0));
	m.h.pool->step_budget = 1;
	make_vol(&m, "parent", 2048);
	make_writes(&m, 1, 0, 600, 2);
	assert_ok(lb_pool_commit(m.h.pool));
	assert_ok(lb_vol_freeze(m.h.pool, 1, name_of(""), &none));
	make_child(&m, 1, "child");
	make_writes(&m, 2, 1, 500, 2);
	make_writes(&m, 2, 0, 10, 20);
	assert_ok(lb_pool_commit(m.h.pool));
	assert_ok(lb_vol_remove(m.h.pool, gone, false, &none));
	for (commits = 0; !work_cursor(m.h.dev, gone); commits++) {
		assert_true(commits < 20);
		assert_ok(lb_pool_commit(m.h.pool));
	}
	free(m.vols[gone - 1].pattern);
	m.vols[gone - 1] = (struct checklab_vol){ 0 };
	return maker_cut(&m);
}

/*
 * Volume 1, frozen, with a tree of three levels; 2, its child, frozen; 3 and 4, children of that; 5, a snapshot of 3;
 * 6, a child of 1 that nothing was written to; 7, a snapshot of 4 that 4 has not changed since.
 */
static void make_chain(struct maker *m, struct checklab_vol *vols)
{
	static const struct lb_tx none;
	u64 id;

	maker_begin(m, vols, CHECKLAB_BLOCKS);
	assert_ok(host_open(&m->h, 0));
	assert_int_equal(make_vol(m, "base", 54100), 1);
	make_writes(m, 1, 2, 18000, 3);
	assert_ok(lb_pool_commit(m->h.pool));
	assert_ok(lb_vol_freeze(m->h.pool, 1, name_of(""), &none));
	assert_int_equal(make_child(m, 1, "layer"), 2);
	make_writes(m, 2, 5, 300, 6);
	make_writes(m, 2, 30001, 40, 300);
	assert_ok(lb_pool_commit(m->h.pool));
	assert_ok(lb_vol_freeze(m->h.pool, 2, name_of(""), &none));
	assert_int_equal(make_child(m, 2, "web"), 3);
	assert_int_equal(make_child(m, 2, "db"), 4);
	make_writes(m, 3, 17, 250, 9);
	make_writes(m, 4, 50000, 200, 2);
	assert_ok(lb_vol_snapshot(m->h.pool, 3, name_of("web-then"), false, 0, NULL, &id));
	assert_int_equal(id, 5);
	know_vol(m, 5, 54100);
	memcpy(m->vols[4].pattern, m->vols[2].pattern, 54100 * sizeof(u64));
	make_writes(m, 3, 10, 200, 11);
	assert_int_equal(make_child(m, 1, "idle"), 6);
	assert_ok(lb_vol_snapshot(m->h.pool, 4, name_of("db-then"), false, 0, NULL, &id));
	assert_int_equal(id, 7);
	know_vol(m, 7, 54100);
	memcpy(m->vols[6].pattern, m->vols[3].pattern, 54100 * sizeof(u64));
	assert_ok(host_close(&m->h));
}

struct checklab *checklab_new(void)
{
	struct checklab *lab = calloc(1, sizeof(*lab));
	struct maker m;

	assert_non_null(lab);
	port_random_seed(1);
	make_plain(&m, lab->vols[IMAGE_PLAIN]);
	lab->images[IMAGE_PLAIN] = m.h.dev;
	lab->images[IMAGE_JOURNAL] = make_journal(lab);
	lab->images[IMAGE_COLLAPSE] = make_halfway(lab->vols[IMAGE_COLLAPSE], 1);
	lab->images[IMAGE_FREE] = make_halfway(lab->vols[IMAGE_FREE], 2);
	make_chain(&m, lab->vols[IMAGE_CHAIN]);
	lab->images[IMAGE_CHAIN] = m.h.dev;
	maker_begin(&m, lab->vols[IMAGE_NEW], LB_POOL_MIN_BLOCKS);
	lab->images[IMAGE_NEW] = m.h.dev;
	port_random_seed(0);
	return lab;
}

void checklab_free(struct checklab *lab)
{
	unsigned int i, k;

	for (i = 0; i < IMAGES; i++) {
		for (k = 0; k < CHECKLAB_VOLS; k++)
			free(lab->vols[i][k].pattern);
		port_sim_free(lab->images[i]);
	}
	free(lab);
}

/* ------------------------------------------------------------------ judging */

static void take(void *arg, const struct lbck_finding *f)
{
	struct verdict *v = arg;

	assert_true(f->id < ID_END);
	assert_non_null(f->name);
	if (f->remains)
		v->left[f->id] += f->severity != LBCK_NOTE;
	else
		v->told[f->id]++;
	memcpy(v->text[f->id], f->text, sizeof(f->text));
}

void checklab_judge(struct port_dev *dev, unsigned int how, struct verdict *v)
{
	struct lbck_opts opts = { .repair = how & JUDGE_REPAIR, .fallback = how & JUDGE_FALLBACK };

	memset(v, 0, sizeof(*v));
	v->err = lbck_check(dev, &opts, take, v, &v->sum);
}

static bool same_blocks(struct port_dev *a, struct port_dev *b, const u64 *list, u64 n)
{
	static u8 x[LB_BLOCK_BYTES], y[LB_BLOCK_BYTES];
	u64 i;

	for (i = 0; i < n; i++) {
		port_sim_peek(a, list[i], x);
		port_sim_peek(b, list[i], y);
		if (memcmp(x, y, sizeof(x)))
			return false;
	}
	return true;
}

bool checklab_same(struct port_dev *a, struct port_dev *b)
{
	u64 na, nb, *la = port_sim_stored(a, &na), *lb = port_sim_stored(b, &nb);
	bool same = same_blocks(a, b, la, na) && same_blocks(a, b, lb, nb);

	free(la);
	free(lb);
	return same;
}

static void volume_holds(struct host *h, const struct checklab_vol *v)
{
	static u8 got[LB_BLOCK_BYTES], want[LB_BLOCK_BYTES];
	struct disk d;
	u64 b;

	assert_ok(disk_open(h, v->id, &d));
	assert_int_equal(lb_vol_blocks(d.vol), v->blocks);
	for (b = 0; b < v->blocks; b++) {
		memset(want, 0, sizeof(want));
		if (v->pattern[b])
			test_fill(want, v->pattern[b]);
		assert_ok(disk_read(&d, b * SECTORS, SECTORS, got));
		if (memcmp(got, want, sizeof(got)))
			fail_msg("volume %llu does not hold at block %llu what was written", (unsigned long long)v->id,
				 (unsigned long long)b);
	}
	disk_close(&d);
}

void checklab_opens(struct checklab *lab, enum checklab_image image, struct port_dev *dev)
{
	struct verdict *v = malloc(sizeof(*v));
	struct host h;
	unsigned int i;

	host_init(&h, dev);
	assert_ok(host_open(&h, 0));
	for (i = 0; i < CHECKLAB_VOLS; i++)
		if (lab->vols[image][i].id)
			volume_holds(&h, &lab->vols[image][i]);
	assert_ok(host_close(&h));
	checklab_judge(dev, 0, v);
	assert_ok(v->err);
	assert_int_equal(v->sum.remaining, 0);
	free(v);
}
