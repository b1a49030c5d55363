// SPDX-License-Identifier: GPL-2.0
/*
 * Salvage: every node of varied pools destroyed, one at a time and in sets, and every case of damage there is. What comes
 * out must be clean, open, and hold in every volume what it held, but for what was said to be lost, which reads as zeros.
 *
 *   test_salvage test_cuts          only this test
 *   test_salvage [IMAGE [NODE]]     only this image of checklab.h, only the node of this number, with all that is said
 */
#include "checkcases.h"
#include "node.h"

#define LOSSES	20000u
#define NODES	2000u
#define SCAN	0x100u		/* for `how`, beside JUDGE_FALLBACK */
#define MARK_RANGES	4000u

static struct checklab *lab;
static int only_image = -1, only_node = -1;

/* ------------------------------------------------------------------ salvaging */

struct outcome {
	int err;
	struct lbck_salvage s;
	struct lbck_summary sum;
	struct lbck_loss losses[LOSSES];
	unsigned int count;
};

static void on_loss(void *arg, const struct lbck_loss *loss)
{
	struct outcome *o = arg;

	assert_true(o->count < LOSSES);
	o->losses[o->count++] = *loss;
	if (only_image >= 0)
		print_message("    %s\n", loss->text);
}

static void on_finding(void *arg, const struct lbck_finding *f)
{
	if (only_image >= 0 && f->severity != LBCK_NOTE)
		print_message("    LB-%04u %s\n", f->id, f->text);
}

static void salvage(struct port_dev *dev, bool write, unsigned int how, struct outcome *o)
{
	struct lbck_opts opts = { .fallback = how & JUDGE_FALLBACK };

	memset(&o->s, 0, sizeof(o->s));
	o->count = 0;
	o->s.write = write;
	o->s.scan = how & SCAN;
	o->s.on_loss = on_loss;
	o->s.arg = o;
	o->err = lbck_salvage(dev, &opts, &o->s, on_finding, o, &o->sum);
}

static bool said_lost(const struct outcome *o, u64 vol, u64 lblk)
{
	unsigned int i;

	for (i = 0; i < o->count; i++) {
		const struct lbck_loss *l = &o->losses[i];

		if (l->kind == LBCK_LOSS_RANGE && l->volume == vol && lblk >= l->lblk && lblk - l->lblk < l->count)
			return true;
	}
	return false;
}

static bool said(const struct outcome *o, enum lbck_loss_kind kind)
{
	unsigned int i;

	for (i = 0; i < o->count; i++)
		if (o->losses[i].kind == kind)
			return true;
	return false;
}

/* The mark in the pool says what was said. */
static void marked(struct host *h, const struct outcome *o, u64 vol)
{
	static char text[1u << 20];
	u32 len = sizeof(text) - 1;
	unsigned int i, ranges = 0;
	char *at = text;
	int err = lb_attr_get(h->pool, vol, LBCK_DAMAGED, sizeof(LBCK_DAMAGED) - 1, text, &len);

	for (i = 0; i < o->count; i++) {
		const struct lbck_loss *l = &o->losses[i];
		unsigned long long start, bytes;

		if (l->kind != LBCK_LOSS_RANGE || l->volume != vol || ranges == MARK_RANGES)
			continue;
		ranges++;
		assert_ok(err);
		text[len] = 0;
		assert_int_equal(sscanf(at, "%llu %llu", &start, &bytes), 2);
		assert_int_equal(start, l->lblk * LB_BLOCK_BYTES);
		/* The last of very many takes in all that follow. */
		if (ranges < MARK_RANGES)
			assert_int_equal(bytes, l->count * LB_BLOCK_BYTES);
		else
			assert_true(bytes > l->count * LB_BLOCK_BYTES);
		at = strchr(at, '\n') + 1;
	}
	if (ranges)
		assert_int_equal(*at, 0);
	else
		assert_int_equal(err, -ENOENT);
}

/* Every block as it was; or lost, as was said, and zeros. Returns how many are lost that held something. */
static u64 holds_but(struct host *h, const struct checklab_vol *v, const struct checklab_vol *before, const struct outcome *o,
		     const char *what)
{
	static u8 got[LB_BLOCK_BYTES], want[LB_BLOCK_BYTES], zeros[LB_BLOCK_BYTES];
	struct disk d;
	u64 b, lost = 0;

	assert_ok(disk_open(h, v->id, &d));
	for (b = 0; b < v->blocks && b < lb_vol_blocks(d.vol); b++) {
		memset(want, 0, sizeof(want));
		if (v->pattern[b])
			test_fill(want, v->pattern[b]);
		assert_ok(disk_read(&d, b * SECTORS, SECTORS, got));
		if (!memcmp(got, want, sizeof(got)))
			continue;
		lost++;
		/* Without the journal it is what was committed before. */
		if (said(o, LBCK_LOSS_JOURNAL) && before && before->pattern && before->pattern[b]) {
			test_fill(want, before->pattern[b]);
			if (!memcmp(got, want, sizeof(got)))
				continue;
		}
		if (memcmp(got, zeros, sizeof(got)))
			fail_msg("%s: volume %llu holds at block %llu neither what was written nor zeros", what,
				 (unsigned long long)v->id, (unsigned long long)b);
		if (!said_lost(o, v->id, b) && !said(o, LBCK_LOSS_JOURNAL))
			fail_msg("%s: volume %llu has lost block %llu, and nobody said so", what, (unsigned long long)v->id,
				 (unsigned long long)b);
	}
	for (; b < v->blocks; b++)
		if (v->pattern[b] && !said(o, LBCK_LOSS_NAME))
			fail_msg("%s: volume %llu ends before block %llu", what, (unsigned long long)v->id, (unsigned long long)b);
	disk_close(&d);
	return lost;
}

static void clean(struct port_dev *dev, const char *what)
{
	struct verdict *v = malloc(sizeof(*v));
	unsigned int id;

	checklab_judge(dev, 0, v);
	for (id = 0; id < ID_END; id++)
		if (v->told[id] && v->sum.remaining)
			fail_msg("%s: LB-%04u: %s", what, id, v->text[id]);
	assert_ok(v->err);
	assert_int_equal(v->sum.remaining, 0);
	free(v);
}

/* The pool opens; every volume is looked at; new writes do no harm to others; closed, it is clean. Blocks lost. */
static u64 opens_but(enum checklab_image image, struct port_dev *dev, unsigned int flags, const struct outcome *o, const char *what)
{
	u8 *buf = port_alloc_block(PORT_WAIT);
	struct lb_vol_stat st;
	struct host h;
	struct disk d;
	u64 lost = 0, id;
	unsigned int i, round;

	host_init(&h, dev);
	if (host_open(&h, flags))
		fail_msg("%s: the pool does not open", what);
	for (round = 0; round < 2; round++) {
		lost = 0;
		for (i = 0; i < CHECKLAB_VOLS; i++) {
			const struct checklab_vol *v = &lab->vols[image][i];

			if (!v->id)
				continue;
			if (lb_vol_stat(h.pool, v->id, false, &st) || st.hidden) {
				if (!said(o, LBCK_LOSS_CATALOG) && !said(o, LBCK_LOSS_JOURNAL))
					fail_msg("%s: volume %llu is not there", what, (unsigned long long)v->id);
				lost += v->blocks;
				continue;
			}
			lost += holds_but(&h, v, image == IMAGE_JOURNAL ? &lab->vols[IMAGE_PLAIN][i] : NULL, o, what);
			marked(&h, o, v->id);
		}
		/* A new volume: its blocks come from what is free now. */
		if (!round) {
			assert_ok(lb_vol_create(h.pool, name_of("afterwards"), 600, 0, NULL, &id));
			assert_ok(disk_open(&h, id, &d));
			memset(buf, 0xee, LB_BLOCK_BYTES);
			for (i = 0; i < 600; i++)
				assert_ok(disk_write(&d, i * SECTORS, SECTORS, buf, 0));
			disk_close(&d);
			assert_ok(lb_pool_commit(h.pool));
		}
	}
	assert_ok(host_close(&h));
	clean(dev, what);
	port_free_block(buf);
	return lost;
}

/* ------------------------------------------------------------------ the nodes of a pool */

struct target {
	u64 addr, addr2;
	u8 kind, level;			/* kind 0: of the region table */
	u64 vol;			/* whose tree it was found in first */
};

struct targets {
	struct port_dev *dev;
	struct target list[NODES];
	unsigned int count;
};

static void add_node(struct targets *t, const struct lb_ref *ref, u8 kind, u64 vol)
{
	struct lb_node *n;
	unsigned int i;

	for (i = 0; i < t->count; i++)
		if (t->list[i].addr == ref->addr)
			return;
	assert_true(t->count < NODES);
	t->list[t->count++] = (struct target){ .addr = ref->addr, .addr2 = ref->addr2, .kind = kind, .level = ref->level, .vol = vol };
	n = port_alloc_block(PORT_WAIT);
	port_sim_peek(t->dev, ref->addr, n);
	for (i = 0; i < lb_node_count(n); i++) {
		struct lb_ref child;

		if (ref->level) {
			child = lb_node_child(n, kind, i);
			add_node(t, &child, kind, vol);
		} else if (kind == LB_TREE_CATALOG && lb_node_item(n, i).key[0] == LB_KEY_MAP) {
			struct lb_item_cpu it = lb_node_item(n, i);
			struct lb_map_record m;

			memcpy(&m, it.value, sizeof(m));
			child = lb_ref_decode(&m.root);
			if (child.addr)
				add_node(t, &child, LB_TREE_MAP, it.key[8]);
		}
	}
	port_free_block(n);
}

static void find_targets(struct targets *t, struct port_dev *dev)
{
	struct damage d;
	struct lb_ref ref;

	memset(t, 0, sizeof(*t));
	t->dev = dev;
	damage_begin(&d, dev);
	ref = lb_ref_decode(&d.sb.catalog_root);
	if (ref.addr)
		add_node(t, &ref, LB_TREE_CATALOG, 0);
	ref = lb_ref_decode(&d.sb.region_root);
	if (ref.addr)
		t->list[t->count++] = (struct target){ .addr = ref.addr, .addr2 = ref.addr2 };
}

static void destroy(struct port_dev *dev, const struct target *t)
{
	damage_flip(dev, t->addr, 1000);
	if (t->addr2)
		damage_flip(dev, t->addr2, 2000);
}

static bool thorough(enum checklab_image image)
{
	static unsigned int n;

	return image != IMAGE_CHAIN || only_image >= 0 || test_rounds(1) > 1 || n++ % 8 == 0;
}

/* What a repair is enough for, a salvage leaves to it. */
static void mend(struct port_dev *dev, struct port_dev *before)
{
	struct verdict *v = malloc(sizeof(*v));

	assert_true(checklab_same(dev, before));
	checklab_judge(dev, JUDGE_REPAIR, v);
	assert_ok(v->err);
	free(v);
}

/* Without being told to write it says the same; and a second time there is nothing to do. */
static void dry_and_again(struct port_dev *dev, struct port_dev *before, const struct outcome *o)
{
	struct port_dev *clone = port_sim_clone(before);
	static struct outcome dry;
	unsigned int i;

	salvage(clone, false, 0, &dry);
	assert_true(checklab_same(clone, before));
	port_sim_free(clone);
	assert_int_equal(dry.err, o->err);
	assert_int_equal(dry.count, o->count);
	for (i = 0; i < o->count; i++)
		assert_string_equal(dry.losses[i].text, o->losses[i].text);
	clone = port_sim_clone(dev);
	salvage(dev, true, 0, &dry);
	assert_ok(dry.err);
	assert_false(dry.s.needed);
	assert_true(checklab_same(dev, clone));
	port_sim_free(clone);
}

/* Salvage a pool with this damage in it. Blocks lost. */
static u64 run(enum checklab_image image, struct port_dev *dev, struct outcome *o, const char *what)
{
	struct port_dev *before = port_sim_clone(dev);
	u64 lost;

	salvage(dev, true, 0, o);
	if (o->err)
		fail_msg("%s: error %d", what, o->err);
	assert_true(o->s.written == o->s.needed);
	if (!o->s.needed)
		mend(dev, before);
	if (thorough(image))
		dry_and_again(dev, before, o);
	clean(dev, what);
	lost = opens_but(image, dev, 0, o, what);
	port_sim_free(before);
	return lost;
}

/* ------------------------------------------------------------------ tests */

static void test_good_pools(void **state)
{
	static struct outcome o;
	unsigned int i;

	for (i = 0; i < IMAGES; i++) {
		struct port_dev *dev = port_sim_clone(lab->images[i]);

		salvage(dev, true, 0, &o);
		assert_ok(o.err);
		assert_false(o.s.needed);
		assert_false(o.s.written);
		assert_true(checklab_same(dev, lab->images[i]));
		port_sim_free(dev);
	}
}

/* In deep pools, of the many leaves that are like each other some; all of them with LB_TEST_ROUNDS. */
static bool worth_it(const struct targets *t, unsigned int i)
{
	if (only_node >= 0)
		return i == (unsigned int)only_node;
	return t->count < 60 || (t->list[i].level && i % 2) || t->list[i].level > 1 || t->list[i].addr2 || i % 67 == 0 ||
	       test_rounds(1) > 1;
}

static void test_each_node(void **state)
{
	static struct outcome o;
	static struct targets t;
	unsigned int image, i, runs = 0;
	char what[200];
	u64 lost, total = 0;

	for (image = 0; image < IMAGES; image++) {
		if (only_image >= 0 && image != (unsigned int)only_image)
			continue;
		find_targets(&t, lab->images[image]);
		for (i = 0; i < t.count; i++) {
			struct port_dev *dev;

			if (!worth_it(&t, i))
				continue;
			dev = port_sim_clone(lab->images[image]);
			destroy(dev, &t.list[i]);
			snprintf(what, sizeof(what), "image %u, node %u at %llu, kind %u, level %u, of volume %llu", image, i,
				 (unsigned long long)t.list[i].addr, t.list[i].kind, t.list[i].level,
				 (unsigned long long)t.list[i].vol);
			if (only_image >= 0)
				print_message("%s\n", what);
			lost = run(image, dev, &o, what);
			if (only_image >= 0)
				print_message("  %llu blocks lost\n", (unsigned long long)lost);
			total += lost;
			runs++;
			port_sim_free(dev);
		}
	}
	print_message("%u nodes, %llu blocks lost\n", runs, (unsigned long long)total);
}

/* Several nodes at once, of any kind. */
static void test_sets(void **state)
{
	static struct outcome o;
	static struct targets t;
	struct dice dice = { .state = test_seed(7) };
	u64 round, rounds = test_rounds(10);
	char what[200];

	for (round = 0; round < rounds && only_image < 0; round++) {
		enum checklab_image image = round % 5 == 4 ? IMAGE_CHAIN : (enum checklab_image)(round % 4);
		struct port_dev *dev = port_sim_clone(lab->images[image]);
		unsigned int n = 2 + (unsigned int)dice_below(&dice, 5), i;
		int len = snprintf(what, sizeof(what), "round %llu, image %u, nodes", (unsigned long long)round, image);

		find_targets(&t, lab->images[image]);
		for (i = 0; i < n; i++) {
			unsigned int k = (unsigned int)dice_below(&dice, t.count);

			destroy(dev, &t.list[k]);
			len += snprintf(what + len, sizeof(what) - (size_t)len, " %u", k);
		}
		run(image, dev, &o, what);
		port_sim_free(dev);
	}
}

/* Whatever else can be wrong: salvaged, or left exactly as it was. */
static void test_cases(void **state)
{
	static const struct {
		const struct check_case *list;
		const unsigned int *count;
	} families[] = {
		{ cases_space, &cases_space_count }, { cases_tree, &cases_tree_count }, { cases_catalog, &cases_catalog_count },
		{ cases_journal, &cases_journal_count },
	};
	static struct outcome o;
	unsigned int f, k, salvaged = 0, refused = 0, mended = 0, stuck = 0;
	char what[200];

	for (f = 0; f < ARRAY_SIZE(families) && only_image < 0; f++)
		for (k = 0; k < *families[f].count; k++) {
			const struct check_case *c = &families[f].list[k];
			struct port_dev *dev = port_sim_clone(lab->images[c->image]), *before;
			struct damage d;

			damage_begin(&d, dev);
			c->make(&d);
			before = port_sim_clone(dev);
			salvage(dev, true, c->how, &o);
			snprintf(what, sizeof(what), "LB-%04u, %s", c->id, c->what);
			if (o.err && o.err != -EUCLEAN)
				fail_msg("%s: error %d", what, o.err);
			if (o.err || !o.s.needed)
				assert_true(checklab_same(dev, before));
			refused += o.err != 0;
			mended += !o.err && !o.s.needed;
			salvaged += !o.err && o.s.needed;
			/* Only a superblock that nobody can tell is right stands in the way. */
			if (o.err && c->id / 100 != 1) {
				print_message("%s: cannot be salvaged\n", what);
				stuck++;
			}
			if (!o.err && o.s.needed) {
				if (!c->how)
					clean(dev, what);
				opens_but(c->image, dev, c->how ? LB_POOL_OPEN_FALLBACK : 0, &o, what);
			}
			port_sim_free(before);
			port_sim_free(dev);
		}
	print_message("%u salvaged, %u for a repair, %u neither\n", salvaged, mended, refused);
	assert_int_equal(stuck, 0);
}

/* Nothing under this node is an ancestor's: that would be reached, and not be found. */
static bool sole(enum checklab_image image, const struct target *n)
{
	return n->kind == LB_TREE_CATALOG || n->vol == 1 || (image <= IMAGE_JOURNAL && (n->vol == VOL_BASE || n->vol == VOL_SMALL));
}

/*
 * With a scan, a node above the leaves is no loss at all: what hung below it is found. Of a leaf, nothing more is found, and nothing
 * that is not true.
 */
static void test_scan(void **state)
{
	static const enum checklab_image images[] = { IMAGE_PLAIN, IMAGE_JOURNAL, IMAGE_CHAIN, IMAGE_COLLAPSE, IMAGE_FREE };
	static struct outcome o, plain;
	static struct targets t;
	unsigned int k, i;
	char what[200];
	u64 lost;

	for (k = 0; k < ARRAY_SIZE(images) && only_image < 0; k++) {
		find_targets(&t, lab->images[images[k]]);
		for (i = 0; i < t.count; i++) {
			const struct target *n = &t.list[i];
			struct port_dev *dev;

			if (!n->kind || (!n->level && n->kind == LB_TREE_MAP && i % 16) ||
			    (images[k] == IMAGE_CHAIN && i % 5))
				continue;
			dev = port_sim_clone(lab->images[images[k]]);
			destroy(dev, n);
			snprintf(what, sizeof(what), "scan, image %u, node %u at %llu, kind %u, level %u, of volume %llu", images[k], i,
				 (unsigned long long)n->addr, n->kind, n->level, (unsigned long long)n->vol);
			salvage(dev, false, 0, &plain);
			salvage(dev, true, SCAN, &o);
			if (o.err)
				fail_msg("%s: error %d", what, o.err);
			clean(dev, what);
			lost = opens_but(images[k], dev, 0, &o, what);
			if (n->level && lost && sole(images[k], n))
				fail_msg("%s: %llu blocks lost", what, (unsigned long long)lost);
			assert_true(o.s.lost_blocks <= plain.s.lost_blocks || n->kind == LB_TREE_CATALOG);
			port_sim_free(dev);
		}
	}
}

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

/* What a power cut leaves of a salvage is salvaged by another one, which loses nothing more; the same for a failing write. */
static void cut_everywhere(enum checklab_image image, const struct target *target, const char *what)
{
	static struct outcome o, full;
	struct port_dev *whole = port_sim_clone(lab->images[image]), *dev;
	struct port_sim_fault fault = { .op = PORT_SIM_WRITE, .times = 1 };
	struct cut cut;
	u64 n;

	destroy(whole, target);
	dev = port_sim_clone(whole);
	salvage(dev, true, 0, &full);
	assert_ok(full.err);
	assert_true(full.s.written);
	port_sim_free(dev);
	for (n = 1; ; n++) {
		dev = port_sim_clone(whole);
		cut = (struct cut){ .countdown = n, .seed = n * 31 };
		port_sim_set_hook(dev, cut_hook, &cut);
		salvage(dev, true, 0, &o);
		port_sim_free(dev);
		if (!cut.left)
			break;
		salvage(cut.left, true, 0, &o);
		assert_ok(o.err);
		assert_true(!o.s.needed || o.s.lost_blocks == full.s.lost_blocks);
		if (!o.s.needed)
			mend(cut.left, cut.left);
		clean(cut.left, what);
		opens_but(image, cut.left, 0, &full, what);
		port_sim_free(cut.left);

		dev = port_sim_clone(whole);
		fault.skip = n - 1;
		port_sim_add_fault(dev, &fault);
		salvage(dev, true, 0, &o);
		assert_true(!port_sim_fault_hits(dev) || o.err == -EIO);
		port_sim_clear_faults(dev);
		salvage(dev, true, 0, &o);
		assert_ok(o.err);
		if (!o.s.needed)
			mend(dev, dev);
		clean(dev, what);
		port_sim_free(dev);
	}
	assert_true(n > 5);
	port_sim_free(whole);
}

static void test_cuts(void **state)
{
	static struct targets t;
	unsigned int i, done = 0;

	find_targets(&t, lab->images[IMAGE_JOURNAL]);
	for (i = 0; i < t.count && only_image < 0; i++)
		if (t.list[i].kind == LB_TREE_MAP && t.list[i].vol == VOL_BASE && done++ < 2)
			cut_everywhere(IMAGE_JOURNAL, &t.list[i], "a node of base");
}

/* Without memory nothing is decided; what was written before it ran out does no harm. */
static void test_no_memory(void **state)
{
	static struct outcome o;
	static struct targets t;
	struct port_dev *whole = port_sim_clone(lab->images[IMAGE_PLAIN]), *dev;
	u64 before, total, live, n;
	unsigned int i;
	bool written;

	find_targets(&t, whole);
	for (i = 0; i < t.count && (t.list[i].kind != LB_TREE_MAP || t.list[i].vol != VOL_BASE || t.list[i].level); i++)
		;
	assert_true(i < t.count);
	destroy(whole, &t.list[i]);
	dev = port_sim_clone(whole);
	before = port_alloc_total();
	salvage(dev, true, SCAN, &o);
	assert_ok(o.err);
	total = port_alloc_total() - before;
	port_sim_free(dev);
	live = port_alloc_live();
	for (n = 1; n <= total && only_image < 0; n += 1 + total / 150) {
		dev = port_sim_clone(whole);
		port_fault_alloc(n, 1);
		salvage(dev, true, SCAN, &o);
		port_fault_alloc(0, 0);
		assert_int_equal(o.err, -ENOMEM);
		written = o.s.written;		/* only the look afterwards had no memory */
		assert_int_equal(port_alloc_live(), live);
		salvage(dev, true, SCAN, &o);
		assert_ok(o.err);
		assert_true(!written || !o.s.needed);
		if (!o.s.needed)
			mend(dev, dev);
		clean(dev, "memory");
		port_sim_free(dev);
	}
	port_sim_free(whole);
}

/* All bitmaps and the region table are gone: a repair makes them from the trees. */
static void test_no_space_map(void **state)
{
	struct verdict *v = malloc(sizeof(*v));
	unsigned int image, r, slot;

	for (image = 0; image < IMAGES && only_image < 0; image++) {
		struct port_dev *dev = port_sim_clone(lab->images[image]);
		struct lb_ref table;
		struct damage d;

		damage_begin(&d, dev);
		table = lb_ref_decode(&d.sb.region_root);
		if (table.addr) {
			damage_flip(dev, table.addr, 77);
			damage_flip(dev, table.addr2, 78);
		}
		for (r = 0; r < 2 && (u64)r * LB_REGION_BLOCKS < le64_to_cpu(d.sb.total_blocks); r++)
			for (slot = 0; slot < 2; slot++)
				damage_flip(dev, LB_BITMAP_BLOCK(r, slot), 79);
		checklab_judge(dev, JUDGE_REPAIR, v);
		assert_ok(v->err);
		assert_int_equal(v->sum.remaining, 0);
		assert_true(v->sum.repaired == (table.addr != 0));
		checklab_opens(lab, (enum checklab_image)image, dev);
		port_sim_free(dev);
	}
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
		cmocka_unit_test(test_each_node),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_no_space_map),
	};

	if (argc > 1 && (argv[1][0] < '0' || argv[1][0] > '9'))
		cmocka_set_test_filter(argv[1]);
	else
		only_image = argc > 1 ? atoi(argv[1]) : -1;
	only_node = argc > 2 ? atoi(argv[2]) : -1;
	return cmocka_run_group_tests(tests, setup, teardown);
}
