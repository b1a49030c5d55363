// SPDX-License-Identifier: GPL-2.0
/*
 * Disks that lie: a read that returns something else and says that it worked, a write that says so and did something else. Each block of metadata that an operation of faultops.c
 * reads or writes, one lie at a time. Whatever is read of a volume is right or an error; what has a second copy is right; nothing is freed or overwritten because of a lie.
 *
 * Two lies cannot be found, and are not told here: about blocks of data, which have no checksum, and (for good) about the last record of the journal, of which nothing says that
 * it was ever whole.
 *
 *   test_lies [--all | --op NAME]    a part, spread over all operations; all; of one operation
 */
#include <getopt.h>

#include "check.h"
#include "faultlab.h"
#include "pool_priv.h"
#include "support.h"

#define SHARE	5u

static struct {
	const char *op;
	u64 share;
} args = { .share = SHARE };

static u64 reads_tried, writes_tried, found, harmless, refused, failures;

static void fail_case(const struct fault_op *op, const char *lie, const struct flab_access *a, const char *why)
{
	print_error("%s, %s, number %llu, block %llu (%08x): %s\n", op->name, lie, (unsigned long long)a->nth, (unsigned long long)a->block, a->magic, why);
	failures++;
}

/* ------------------------------------------------------------------ reads */

static void lie_once(const struct fault_op *op, enum fault_kind kind, const struct flab_access *a, unsigned int variant)
{
	char why[FLAB_TEXT + 40];

	reads_tried++;
	if (!flab_case(op, kind, a->nth, variant | (a->twin ? FLAB_MUST_WORK : 0), why))
		fail_case(op, fault_kind_names[kind], a, why);
}

/* Another block instead: the next one, and the next one of this kind that the operation reads, which is a good block of its own. */
static void misdirect(const struct fault_op *op, const struct flab_trace *t, unsigned int i, unsigned int variant)
{
	unsigned int k;

	flab_misdirection = 1;
	if (variant % 2 || !args.share)
		lie_once(op, LIE_MISDIRECT, &t->reads[i], variant);
	for (k = i + 1; k < t->n_reads; k++) {
		if (t->reads[k].magic != t->reads[i].magic || t->reads[k].block == t->reads[i].block)
			continue;
		flab_misdirection = (s64)(t->reads[k].block - t->reads[i].block);
		lie_once(op, LIE_MISDIRECT, &t->reads[i], variant);
		break;
	}
}

/* A block that has gone bad, for as long as the operation lasts. */
static void bad_block(const struct fault_op *op, const struct flab_access *a, unsigned int variant)
{
	char why[FLAB_TEXT + 40];

	if (a->tail)
		return;
	reads_tried++;
	if (!flab_case(op, LIE_BAD_BLOCK, a->block, variant | (a->twin ? FLAB_MUST_WORK : 0), why))
		fail_case(op, fault_kind_names[LIE_BAD_BLOCK], a, why);
}

static void lie_about_reads(const struct fault_op *op, unsigned int turn)
{
	struct flab_trace t;
	unsigned int i, step;

	flab_trace(op, &t);
	/* All that opening a clean pool reads, for everything hangs on that. */
	step = args.share && t.n_reads > args.share && op != fault_ops ? t.n_reads / (unsigned int)args.share : 1;
	for (i = turn % step; i < t.n_reads; i += step) {
		const struct flab_access *a = &t.reads[i];

		if (step == 1 || turn % 4 == 0)
			lie_once(op, LIE_CORRUPT, a, i + turn);
		if (step == 1 || turn % 4 == 1)
			lie_once(op, LIE_STALE, a, i + turn);
		if (step == 1 || turn % 4 == 2)
			misdirect(op, &t, i, i + turn);
		if (step == 1 || turn % 4 == 3)
			bad_block(op, a, i + turn);
		turn += step > 1;
	}
	flab_trace_free(&t);
}

static void reads_that_lie(void **state)
{
	u64 before = failures;
	unsigned int i;

	(void)state;
	for (i = 0; i < fault_op_count; i++)
		if (!args.op || !strcmp(args.op, fault_ops[i].name))
			lie_about_reads(&fault_ops[i], i);
	assert_int_equal(failures, before);
}

/* ------------------------------------------------------------------ writes: what is left is read with errors allowed */

static bool error_of_damage(int err)
{
	return err == -EUCLEAN || err == -EIO;
}

/* One volume, block by block: right (by either model) or an error, which counts. */
static bool tolerant_content(struct faultlab *l, struct host *h, struct model_vol *v, struct model_vol *w, enum model_mode mode, unsigned int *errors)
{
	u8 buf[LB_BLOCK_BYTES];
	struct disk d;
	bool ok = true;
	u64 block, s;
	int err = disk_open(h, v->id, &d);

	if (err) {
		(*errors)++;
		return error_of_damage(err) || err == -ENOENT || err == -EINVAL || flab_say(l, "opening %s: error %d", v->name, err);
	}
	for (block = 0; block < min_t(u64, v->blocks, lb_vol_blocks(d.vol)) && ok; block++) {
		err = disk_read(&d, block * SECTORS, SECTORS, buf);
		if (err) {
			(*errors)++;
			ok = error_of_damage(err) || flab_say(l, "%s: reading: error %d", v->name, err);
			continue;
		}
		for (s = 0; s < SECTORS && ok; s++) {
			const u8 *at = buf + s * SECTOR_BYTES;
			u64 sector = block * SECTORS + s;

			ok = model_verify_sector(l->m, v, sector, at, mode) ||
			     (w->live && block < w->blocks && model_verify_sector(l->after, w, sector, at, mode)) || flab_say(l, "%s", l->m->why);
		}
	}
	disk_close(&d);
	return ok;
}

static bool attr_is(const struct model_attr *a, int err, const u8 *value, u32 len)
{
	u8 *want;
	bool same;

	if (!a->there || err)
		return err == -ENOENT && !a->there;
	want = malloc(a->len + 1);
	assert_non_null(want);
	model_attr_value(a, want);
	same = len == a->len && !memcmp(want, value, len);
	free(want);
	return same;
}

/* Name and attributes: the catalog says what one of the models says, or that it cannot say it. */
static bool tolerant_catalog(struct faultlab *l, struct host *h, const struct model_vol *v, const struct model_vol *w, unsigned int *errors)
{
	static u8 value[16384];
	unsigned int i;
	char key[8];
	u64 id;
	u32 len;
	int err = lb_vol_find(h->pool, name_of(v->name), &id);

	if (error_of_damage(err))
		(*errors)++;
	else if (err ? err != -ENOENT || (w->live && !strcmp(w->name, v->name)) : id != v->id)
		return flab_say(l, "finding %s: error %d", v->name, err);
	for (i = 0; i < MODEL_ATTRS; i++) {
		snprintf(key, sizeof(key), "key%u", i);
		len = sizeof(value);
		err = lb_attr_get(h->pool, v->id, key, 4, value, &len);
		if (error_of_damage(err))
			(*errors)++;
		else if (!attr_is(&v->attrs[i], err, value, len) && !attr_is(&w->attrs[i], err, value, len) && w->live)
			return flab_say(l, "%s: %s: error %d", v->name, key, err);
	}
	return true;
}

static bool tolerant_verify(struct faultlab *l, struct host *h, enum model_mode mode, unsigned int *errors)
{
	unsigned int i;

	for (i = 0; i < MODEL_VOLS; i++)
		if (l->m->vols[i].live && !tolerant_catalog(l, h, &l->m->vols[i], &l->after->vols[i], errors))
			return false;
	for (i = 0; i < MODEL_VOLS; i++)
		if (l->m->vols[i].live && !tolerant_content(l, h, &l->m->vols[i], &l->after->vols[i], mode, errors))
			return false;
	return true;
}

/* Fill some of the pool, as far as it lets us: what it takes for this must be nobody's. */
static void use_space(struct host *h)
{
	u8 *buf = calloc(100, LB_BLOCK_BYTES);
	struct disk d;
	u64 id, at;

	assert_non_null(buf);
	memset(buf, 0xa5, 100 * LB_BLOCK_BYTES);
	if (!lb_vol_create(h->pool, name_of("filler"), 1000, 0, NULL, &id) && !disk_open(h, id, &d)) {
		for (at = 0; at < 1000 && !disk_write(&d, at * SECTORS, 100 * SECTORS, buf, 0); at += 100)
			;
		disk_flush(&d);
		disk_close(&d);
	}
	lb_pool_commit(h->pool);
	lb_work_commit(h->pool);
	lb_work_reclaim(h->pool);
	free(buf);
}

static void ignore_finding(void *arg, const struct lbck_finding *f)
{
	(void)arg;
	(void)f;
}

static bool checker_finds(struct port_dev *dev)
{
	struct lbck_opts opts = { .limit = 10 };
	struct lbck_summary sum;
	int err = lbck_check(dev, &opts, ignore_finding, NULL, &sum);

	return err || sum.remaining;
}

/* After the lie and a power cut: opens with what is right, or with errors that the checker foretold, or says that it cannot. */
static bool judge_left(struct faultlab *l, struct port_dev *left, bool twin)
{
	bool damaged = checker_finds(left), ok;
	unsigned int errors = 0, later = 0;
	struct host h;
	int err;

	host_init(&h, left);
	err = host_open(&h, 0);
	if (err) {
		refused++;
		if (twin || !damaged)
			return flab_say(l, "opening: error %d, %s", err, twin ? "though there is a second copy" : "of which the checker knows nothing");
		return error_of_damage(err) || err == -ESTALE || flab_say(l, "opening: error %d", err);
	}
	ok = tolerant_verify(l, &h, MODEL_CRASHED, &errors);
	if (ok && errors && (twin || !damaged))
		ok = flab_say(l, "%u errors, %s", errors, twin ? "though there is a second copy" : "of which the checker knows nothing");
	if (ok) {
		use_space(&h);
		lb_cache_shrink(h.pool, ~0ull);
		ok = tolerant_verify(l, &h, MODEL_CRASHED, &later);
	}
	if (h.pool->failed)
		host_abandon(&h);
	else if (host_close(&h) && ok && !damaged)
		ok = flab_say(l, "closing");
	found += errors || damaged;
	harmless += !errors && !damaged;
	return ok;
}

/* ------------------------------------------------------------------ writes: the lies */

/* How far off a write can go without hitting data, which nothing would find. */
static s64 misdirection(const struct fault_op *op, const struct flab_access *a)
{
	static const u8 zeros[LB_BLOCK_BYTES];
	static u8 buf[LB_BLOCK_BYTES];
	struct faultlab l;
	s64 by;

	flab_begin(&l, op);
	for (by = 1; by < 200; by++) {
		port_sim_peek(l.h.dev, a->block + (u64)by, buf);
		if (flab_magic(l.h.dev, a->block + (u64)by) || !memcmp(buf, zeros, sizeof(buf)))
			break;
	}
	flab_end(&l);
	return by;
}

static const struct port_sim_fault write_lies[] = {
	{ .op = PORT_SIM_WRITE, .effect = PORT_SIM_LOST }, { .op = PORT_SIM_WRITE, .effect = PORT_SIM_CORRUPT },
	{ .op = PORT_SIM_WRITE, .effect = PORT_SIM_MISDIRECT },
};
static const char *const write_lie_names[] = { "lost write", "corrupted write", "misdirected write" };

static void lie_about_write(const struct fault_op *op, unsigned int lie, const struct flab_access *a)
{
	struct port_sim_fault f = write_lies[lie];
	bool twin = a->twin && lie != 2, ok = true;
	struct port_dev *left;
	unsigned int errors = 0;
	static struct faultlab l;

	f.skip = a->nth - 1;
	f.times = 1;
	f.arg = lie == 2 ? misdirection(op, a) : (s64)(a->nth * 7919);
	writes_tried++;
	flab_begin(&l, op);
	port_sim_add_fault(l.h.dev, &f);
	if (op->run(&l) && !(op->flags & OP_OPENS))
		ok = flab_say(&l, "the operation fails");
	if (!port_sim_fault_hits(l.h.dev))
		ok = flab_say(&l, "the lie was not told");
	port_sim_clear_faults(l.h.dev);
	left = port_sim_crash_all(l.h.dev);
	flab_close_disks(&l);
	/* At once, from the disk. */
	if (l.h.pool) {
		lb_cache_shrink(l.h.pool, ~0ull);
		ok = ok && tolerant_verify(&l, &l.h, MODEL_LIVE, &errors);
		if (ok && errors && twin)
			ok = flab_say(&l, "%u errors though there is a second copy", errors);
	}
	ok = ok && judge_left(&l, left, twin);
	if (!ok)
		fail_case(op, write_lie_names[lie], a, l.why);
	flab_end(&l);
	port_sim_free(left);
}

static void lie_about_writes(const struct fault_op *op, unsigned int turn)
{
	unsigned int i, lie, step;
	struct flab_trace t;

	flab_trace(op, &t);
	step = args.share && t.n_writes > args.share ? t.n_writes / (unsigned int)args.share : 1;
	for (i = turn % step; i < t.n_writes; i += step, turn++)
		for (lie = 0; lie < ARRAY_SIZE(write_lies); lie++)
			if (!args.share || turn % ARRAY_SIZE(write_lies) == lie)
				lie_about_write(op, lie, &t.writes[i]);
	flab_trace_free(&t);
}

static void writes_that_lie(void **state)
{
	u64 before = failures;
	unsigned int i;

	(void)state;
	for (i = 0; i < fault_op_count; i++)
		if (!args.op || !strcmp(args.op, fault_ops[i].name))
			lie_about_writes(&fault_ops[i], i);
	assert_int_equal(failures, before);
}

static int set_up(void **state)
{
	(void)state;
	port_log_set_level(0);
	fault_scenes_make();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fault_scenes_free();
	port_log_set_level(PORT_LOG_WARN);
	return 0;
}

static int parse(int argc, char **argv)
{
	static const struct option options[] = { { "all", no_argument, NULL, 'a' }, { "op", required_argument, NULL, 'o' }, { NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "ao:", options, NULL)) != -1) {
		switch (c) {
		case 'a': args.share = 0; break;
		case 'o': args.op = optarg; args.share = 0; break;
		default: return 2;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(reads_that_lie), cmocka_unit_test(writes_that_lie) };
	int failed = parse(argc, argv);

	if (failed)
		return failed;
	failed = cmocka_run_group_tests(tests, set_up, tear_down);
	printf("%llu lies about reads, %llu about writes (%llu found, %llu harmless; %llu pools refused to open)\n", (unsigned long long)reads_tried,
	       (unsigned long long)writes_tried, (unsigned long long)found, (unsigned long long)harmless, (unsigned long long)refused);
	return failed;
}
