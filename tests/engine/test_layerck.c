// SPDX-License-Identifier: GPL-2.0
/*
 * The offline checker: silent about good pools, and for every finding that there is, pools damaged so that it must
 * be told. What can be repaired is repaired once and for all, also when the power fails meanwhile; what cannot is
 * left exactly as it is.
 *
 *   test_layerck [ID]     only the cases of this id, with what the checker says
 */
#include "checkcases.h"
#include "dump.h"

static struct checklab *lab;
static unsigned int only_id;

enum mend { MEND_NO, MEND_SOME, MEND_YES };

static const struct {
	unsigned int id;
	const char *name;
	enum mend mend;
} ids[] = {
#define FINDING(id, severity, name, mend, what) { id, #name, MEND_##mend },
#include "findings.def"
#undef FINDING
};

static const struct {
	const struct check_case *list;
	const unsigned int *count;
} families[] = {
	{ cases_space, &cases_space_count }, { cases_tree, &cases_tree_count }, { cases_catalog, &cases_catalog_count },
	{ cases_journal, &cases_journal_count },
};

/* ------------------------------------------------------------------ good pools */

static void test_good_pools(void **state)
{
	struct verdict *v = malloc(sizeof(*v));
	unsigned int i, id;

	for (i = 0; i < IMAGES; i++) {
		struct port_dev *dev = port_sim_clone(lab->images[i]);
		unsigned int how;

		for (how = 0; how <= JUDGE_REPAIR; how++) {
			checklab_judge(dev, how, v);
			assert_ok(v->err);
			for (id = 0; id < ID_END; id++)
				if (v->told[id])
					fail_msg("image %u: LB-%04u: %s", i, id, v->text[id]);
			assert_false(v->sum.repaired);
			assert_int_equal(lbck_status(&v->sum), 0);
			assert_true(checklab_same(dev, lab->images[i]));
		}
		checklab_opens(lab, i, dev);
		port_sim_free(dev);
	}
	free(v);
}

/* A pool with no region table yet, of a size for which one block will not do; and that table made anew by a repair. */
static void test_deep_table(void **state)
{
	struct lb_format_opts opts = { .total_blocks = 9000000 };
	struct port_dev *dev = port_sim_new(opts.total_blocks);
	struct verdict *v = malloc(sizeof(*v));
	static struct checklab empty;
	struct lb_name name = name_of("one");
	struct damage d;
	struct host h;
	u8 uuid[16];
	u64 id;

	assert_ok(lb_pool_format(dev, &opts, uuid));
	checklab_judge(dev, 0, v);
	assert_int_equal(v->sum.remaining, 0);
	host_init(&h, dev);
	assert_ok(host_open(&h, 0));
	assert_ok(lb_vol_create(h.pool, name, 100, 0, NULL, &id));
	assert_ok(host_close(&h));
	damage_begin(&d, dev);
	assert_int_equal(le32_to_cpu(d.sb.region_depth), 1);
	damage_flip(dev, le64_to_cpu(d.sb.region_root.addr), 0x40);
	damage_flip(dev, le64_to_cpu(d.sb.region_root.addr2), 0x40);
	checklab_judge(dev, JUDGE_REPAIR, v);
	assert_int_equal(v->told[201], 1);
	assert_int_equal(lbck_status(&v->sum), 1);
	checklab_opens(&empty, IMAGE_PLAIN, dev);
	port_sim_free(dev);
	free(v);
}

/* ------------------------------------------------------------------ every finding */

static void test_every_id_has_a_case(void **state)
{
	unsigned int i, f, k;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		unsigned int cases = 0, mended = 0;

		for (f = 0; f < ARRAY_SIZE(families); f++)
			for (k = 0; k < *families[f].count; k++) {
				const struct check_case *c = &families[f].list[k];

				cases += c->id == ids[i].id;
				mended += c->id == ids[i].id && c->fate == MENDED;
			}
		if (!cases)
			fail_msg("LB-%04u %s: no case", ids[i].id, ids[i].name);
		if (!mended != (ids[i].mend == MEND_NO))
			fail_msg("LB-%04u %s: findings.def and the cases differ on repair", ids[i].id, ids[i].name);
	}
}

static bool expected(const struct check_case *c, unsigned int id)
{
	unsigned int i;

	for (i = 0; i < CASE_ALSO; i++)
		if (c->also[i] == id)
			return true;
	return c->id == id;
}

static void told_as_expected(const struct check_case *c, const struct verdict *v)
{
	unsigned int id;

	if (v->err)
		fail_msg("LB-%04u, %s: error %d", c->id, c->what, v->err);
	for (id = 1; id < ID_END; id++) {
		if (only_id && v->told[id])
			print_message("%s: LB-%04u %s\n", c->what, id, v->text[id]);
		if (expected(c, id) && !v->told[id])
			fail_msg("LB-%04u, %s: LB-%04u was not told", c->id, c->what, id);
		if (!expected(c, id) && v->told[id])
			fail_msg("LB-%04u, %s: told LB-%04u: %s", c->id, c->what, id, v->text[id]);
	}
}

/* Nothing that is shown of a damaged pool may go astray in it. */
static void dumps(struct port_dev *dev)
{
	static const char *const whats[] = { NULL, "map:1", "map:web1", "map:5", "block:0", "block:2", "block:600" };
	FILE *f = fopen("/dev/null", "w");
	struct out o;
	unsigned int i;

	assert_non_null(f);
	for (i = 0; i < ARRAY_SIZE(whats); i++) {
		out_begin(&o, f, i & 1);
		dump_pool(dev, whats[i], true, &o);
		out_end(&o);
	}
	fclose(f);
}

static void left_as_expected(const struct check_case *c, const struct verdict *v)
{
	unsigned int id;

	for (id = 1; id < ID_END; id++) {
		bool stays = c->fate == PARTLY && id == c->id;

		if (!v->left[id] != !stays)
			fail_msg("LB-%04u, %s: after the repair LB-%04u is %s: %s", c->id, c->what, id,
				 v->left[id] ? "left" : "gone", v->text[id]);
	}
}

static void run_case(const struct check_case *c, struct verdict *v)
{
	struct port_dev *dev = port_sim_clone(lab->images[c->image]), *before, *mended;
	struct damage d;

	damage_begin(&d, dev);
	c->make(&d);
	before = port_sim_clone(dev);
	checklab_judge(dev, c->how, v);
	told_as_expected(c, v);
	/* What is promised is kept: see below. */
	if (!v->sum.repairable != (c->fate == KEPT))
		fail_msg("LB-%04u, %s: %llu findings are said to be repairable", c->id, c->what,
			 (unsigned long long)v->sum.repairable);
	dumps(dev);
	if (!checklab_same(dev, before))
		fail_msg("LB-%04u, %s: a check wrote", c->id, c->what);

	checklab_judge(dev, c->how | JUDGE_REPAIR, v);
	told_as_expected(c, v);
	if (v->sum.repaired != (c->fate != KEPT) || checklab_same(dev, before) != (c->fate == KEPT))
		fail_msg("LB-%04u, %s: a repair wrote %s", c->id, c->what, c->fate == KEPT ? "something" : "nothing");
	if (c->fate != KEPT)
		left_as_expected(c, v);
	mended = port_sim_clone(dev);
	checklab_judge(dev, c->how | JUDGE_REPAIR, v);
	if (v->sum.repaired || !checklab_same(dev, mended))
		fail_msg("LB-%04u, %s: a second repair wrote", c->id, c->what);
	if (c->fate == MENDED) {
		assert_int_equal(lbck_status(&v->sum), 0);
		checklab_opens(lab, c->image, dev);
	}
	port_sim_free(mended);
	port_sim_free(before);
	port_sim_free(dev);
}

static void test_cases(void **state)
{
	struct verdict *v = malloc(sizeof(*v));
	unsigned int f, k;

	for (f = 0; f < ARRAY_SIZE(families); f++)
		for (k = 0; k < *families[f].count; k++)
			if (!only_id || families[f].list[k].id == only_id)
				run_case(&families[f].list[k], v);
	free(v);
}

/* ------------------------------------------------------------------ a repair that is cut off */

struct cut {
	u64 countdown, seed;
	struct port_dev *left;
};

static int cut_hook(void *arg, struct port_dev *dev, const struct port_sim_io *io)
{
	struct cut *c = arg;

	if (io->op != PORT_SIM_READ && c->countdown && !--c->countdown)
		c->left = port_sim_crash_random(dev, c->seed);
	return 0;
}

/* What a power cut at any write leaves is mended by another repair, and nothing is lost. */
static void cut_everywhere(const struct check_case *c, struct verdict *v)
{
	struct cut cut;
	u64 n;

	for (n = 1; ; n++) {
		struct port_dev *dev = port_sim_clone(lab->images[c->image]);
		struct damage d;

		damage_begin(&d, dev);
		c->make(&d);
		cut = (struct cut){ .countdown = n, .seed = n * 77 + c->id };
		port_sim_set_hook(dev, cut_hook, &cut);
		checklab_judge(dev, JUDGE_REPAIR, v);
		port_sim_free(dev);
		if (!cut.left)
			break;
		checklab_judge(cut.left, JUDGE_REPAIR, v);
		if (v->err || v->sum.remaining)
			fail_msg("LB-%04u, %s: the power failed at write %llu of its repair: error %d, %llu findings left",
				 c->id, c->what, (unsigned long long)n, v->err, (unsigned long long)v->sum.remaining);
		checklab_opens(lab, c->image, cut.left);
		port_sim_free(cut.left);
	}
	assert_true(n > 1);
}

static void test_cut_repairs(void **state)
{
	static unsigned int seen[ID_END];
	struct verdict *v = malloc(sizeof(*v));
	unsigned int f, k;

	for (f = 0; f < ARRAY_SIZE(families); f++)
		for (k = 0; k < *families[f].count; k++) {
			const struct check_case *c = &families[f].list[k];

			if (c->fate != MENDED || (only_id && only_id != c->id))
				continue;
			/* One of a kind, and what has a journal. */
			if (!seen[c->id]++ || c->image == IMAGE_JOURNAL)
				cut_everywhere(c, v);
		}
	free(v);
}

/* ------------------------------------------------------------------ other ways to go wrong */

/* Without memory nothing is judged: damage that is not there must not be told, nor repaired. */
static void test_no_memory(void **state)
{
	struct port_dev *dev = port_sim_clone(lab->images[IMAGE_JOURNAL]);
	struct verdict *v = malloc(sizeof(*v));
	u64 before = port_alloc_total(), live, total, n;

	checklab_judge(dev, JUDGE_REPAIR, v);
	total = port_alloc_total() - before;
	live = port_alloc_live();
	for (n = 1; n <= total; n += 1 + total / 200) {
		port_fault_alloc(n, 1);
		checklab_judge(dev, JUDGE_REPAIR, v);
		port_fault_alloc(0, 0);
		assert_int_equal(v->err, -ENOMEM);
		assert_int_equal(v->sum.errors + v->sum.warnings + v->sum.notes, 0);
		assert_int_equal(port_alloc_live(), live);
		assert_true(checklab_same(dev, lab->images[IMAGE_JOURNAL]));
	}
	port_sim_free(dev);
	free(v);
}

/* A write that fails ends a repair with its error, and the pool is what it was or what it should be. */
static void test_failing_writes(void **state)
{
	struct verdict *v = malloc(sizeof(*v));
	const struct check_case *c = NULL;
	unsigned int k;
	u64 n;

	for (k = 0; k < cases_catalog_count; k++)
		if (cases_catalog[k].image == IMAGE_JOURNAL && cases_catalog[k].fate == MENDED)
			c = &cases_catalog[k];
	assert_non_null(c);
	for (n = 0; ; n++) {
		struct port_dev *dev = port_sim_clone(lab->images[c->image]);
		struct port_sim_fault fault = { .op = PORT_SIM_WRITE, .skip = n, .times = 1 };
		struct damage d;

		damage_begin(&d, dev);
		c->make(&d);
		port_sim_add_fault(dev, &fault);
		checklab_judge(dev, JUDGE_REPAIR, v);
		if (!port_sim_fault_hits(dev)) {
			port_sim_free(dev);
			break;
		}
		assert_int_equal(v->err, -EIO);
		port_sim_clear_faults(dev);
		checklab_judge(dev, JUDGE_REPAIR, v);
		assert_ok(v->err);
		assert_int_equal(v->sum.remaining, 0);
		checklab_opens(lab, c->image, dev);
		port_sim_free(dev);
	}
	assert_true(n > 0);
	free(v);
}

static void attrs_are_there(struct port_dev *dev)
{
	static const struct {
		u64 vol;
		const char *key;
	} attrs[] = { { VOL_BASE, "config" }, { VOL_BASE, "manifest" }, { 0, "pool" } };
	u8 value[ATTR_BYTES];
	struct host h;
	unsigned int i;
	u32 len;

	host_init(&h, dev);
	assert_ok(host_open(&h, 0));
	for (i = 0; i < ARRAY_SIZE(attrs); i++) {
		len = sizeof(value);
		assert_ok(lb_attr_get(h.pool, attrs[i].vol, attrs[i].key, (u32)strlen(attrs[i].key), value, &len));
		assert_int_equal(len, sizeof(value));
	}
	assert_ok(host_close(&h));
}

/* Both copies of something cannot be read for a moment, while looking or while repairing: nothing that could be read before and after it is lost. */
static void test_failing_reads(void **state)
{
	struct verdict *v = malloc(sizeof(*v));
	const struct check_case *c = NULL;
	unsigned int k;
	u64 n;

	for (k = 0; k < cases_catalog_count; k++)
		if (cases_catalog[k].image == IMAGE_PLAIN && cases_catalog[k].fate == MENDED)
			c = &cases_catalog[k];
	assert_non_null(c);
	for (n = 0; ; n++) {
		struct port_dev *dev = port_sim_clone(lab->images[c->image]);
		struct port_sim_fault fault = { .op = PORT_SIM_READ, .skip = n, .times = 2 };
		struct damage d;
		u64 hits;

		damage_begin(&d, dev);
		c->make(&d);
		port_sim_add_fault(dev, &fault);
		checklab_judge(dev, JUDGE_REPAIR, v);
		hits = port_sim_fault_hits(dev);
		port_sim_clear_faults(dev);
		if (hits) {
			checklab_judge(dev, JUDGE_REPAIR, v);
			assert_ok(v->err);
			assert_int_equal(v->sum.remaining, 0);
			attrs_are_there(dev);
			checklab_opens(lab, c->image, dev);
		}
		port_sim_free(dev);
		if (!hits)
			break;
	}
	assert_true(n > 50);
	free(v);
}

/* What is no pool, is too small, or comes from the future. */
static void test_refusals(void **state)
{
	struct port_dev *dev = port_sim_new(CHECKLAB_BLOCKS);
	struct verdict *v = malloc(sizeof(*v));
	struct damage d;

	checklab_judge(dev, JUDGE_REPAIR, v);
	assert_int_equal(v->err, -EMEDIUMTYPE);
	port_sim_free(dev);

	dev = port_sim_clone(lab->images[IMAGE_PLAIN]);
	port_sim_resize(dev, CHECKLAB_BLOCKS - 1);
	checklab_judge(dev, JUDGE_REPAIR, v);
	assert_int_equal(v->err, -EFBIG);
	port_sim_free(dev);

	dev = port_sim_clone(lab->images[IMAGE_PLAIN]);
	damage_begin(&d, dev);
	d.sb.incompat = cpu_to_le64(1);
	damage_super_put(&d);
	d.sb.header.gen = cpu_to_le64(le64_to_cpu(d.sb.header.gen) - 1);
	damage_super_put(&d);
	checklab_judge(dev, JUDGE_REPAIR, v);
	assert_int_equal(v->err, -EOPNOTSUPP);
	port_sim_free(dev);

	/* What may be read only may be judged, and not repaired. */
	dev = port_sim_clone(lab->images[IMAGE_PLAIN]);
	damage_begin(&d, dev);
	d.sb.ro_compat = cpu_to_le64(1);
	d.sb.data_blocks = 0;
	damage_super_put(&d);
	checklab_judge(dev, 0, v);
	assert_ok(v->err);
	assert_int_equal(v->told[701], 1);
	checklab_judge(dev, JUDGE_REPAIR, v);
	assert_int_equal(v->err, -EOPNOTSUPP);
	port_sim_free(dev);
	free(v);
}

/* A name on the disk is foreign bytes. */
static void test_text_is_plain(void **state)
{
	struct port_dev *dev = port_sim_clone(lab->images[IMAGE_PLAIN]);
	struct verdict *v = malloc(sizeof(*v));
	char name[LB_CAT_VALUE_MAX];
	struct lb_vol_record rec;
	struct damage d;
	unsigned int i;

	damage_begin(&d, dev);
	rec = damage_vol_get(&d, VOL_EMPTY, name);
	damage_vol_put(&d, VOL_EMPTY, &rec, "\033[2Jboo\n", 8);
	checklab_judge(dev, 0, v);
	assert_true(v->told[609] > 0);
	assert_non_null(strstr(v->text[609], "boo"));
	for (i = 0; v->text[609][i]; i++)
		assert_true(v->text[609][i] >= ' ');
	port_sim_free(dev);
	free(v);
}

static int setup(void **state)
{
	port_log_set_level(0);
	lab = checklab_new();
	return 0;
}

static int teardown(void **state)
{
	if (lab)
		checklab_free(lab);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_pools),
		cmocka_unit_test(test_deep_table),
		cmocka_unit_test(test_every_id_has_a_case),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_cut_repairs),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_failing_writes),
		cmocka_unit_test(test_failing_reads),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_text_is_plain),
	};

	only_id = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 0;
	return cmocka_run_group_tests(tests, setup, teardown);
}
