// SPDX-License-Identifier: GPL-2.0
/*
 * The catalog's tree against a sorted array: random keys and values of all sizes up to the limits, put and deleted in
 * bulk.
 */
#include "treelab.h"

struct entry {
	u8 key[LB_CAT_KEY_MAX], value[LB_CAT_VALUE_MAX];
	u32 key_len, value_len;
};

struct cat {
	struct lab *lab;
	struct entry *e;	/* sorted */
	u64 n, room;
	struct lb_ref root;
	u64 nodes, max_level;
};

struct batch {
	struct entry *e;	/* sorted; value_len ~0: delete */
	u64 n, at;
};

static int entry_cmp(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return lb_key_cmp(x->key, x->key_len, y->key, y->key_len);
}

static bool batch_next(void *arg, struct lb_cat_change *ch)
{
	struct batch *b = arg;
	struct entry *e = &b->e[b->at];

	assert_true(b->at <= b->n);
	if (b->at++ == b->n)
		return false;
	*ch = (struct lb_cat_change){ .key = e->key, .key_len = e->key_len };
	if (e->value_len != ~0u) {
		ch->value = e->value;
		ch->value_len = e->value_len;
	}
	return true;
}

/* Sort, and keep the last of equal keys. */
static void batch_sort(struct batch *b)
{
	u64 i, n = 0;

	qsort(b->e, b->n, sizeof(b->e[0]), entry_cmp);
	for (i = 0; i < b->n; i++) {
		if (n && !entry_cmp(&b->e[n - 1], &b->e[i]))
			n--;
		if (n != i)
			b->e[n] = b->e[i];
		n++;
	}
	b->n = n;
}

static void model_apply(struct cat *c, const struct batch *b)
{
	struct entry *out = calloc(c->n + b->n + 1, sizeof(*out));
	u64 i = 0, k = 0, n = 0;

	assert_non_null(out);
	while (i < c->n || k < b->n) {
		int cmp = i == c->n ? 1 : k == b->n ? -1 : entry_cmp(&c->e[i], &b->e[k]);

		if (cmp < 0) {
			out[n++] = c->e[i++];
			continue;
		}
		i += cmp == 0;
		if (b->e[k].value_len != ~0u)
			out[n++] = b->e[k];
		k++;
	}
	free(c->e);
	c->e = out;
	c->n = n;
}

static int merge(struct cat *c, struct batch *b)
{
	struct lb_cat_source src = { .next = batch_next, .arg = b };
	u64 worst = lb_cat_merge_worst(c->nodes, c->root.level, b->n), before = c->lab->w.nodes_written;
	struct lb_merge_result res;
	int err;

	b->at = 0;
	err = lb_cat_merge(&c->lab->w, &c->root, &src, &res);
	if (c->lab->w.nodes_written - before > worst)
		fail_msg("wrote %llu nodes, promised %llu", (unsigned long long)(c->lab->w.nodes_written - before), (unsigned long long)worst);
	if (!err) {
		assert_int_equal(res.owned, 0);
		c->root = res.root;
		c->nodes += (u64)res.nodes;
	}
	return err;
}

struct compare {
	struct cat *c;
	u64 at;
};

static void compare_item(void *arg, const struct lb_item_cpu *it)
{
	struct compare *cmp = arg;
	struct entry *e = &cmp->c->e[cmp->at];

	assert_true(cmp->at < cmp->c->n);
	assert_int_equal(lb_key_cmp(e->key, e->key_len, it->key, it->key_len), 0);
	assert_int_equal(e->value_len, it->value_len);
	assert_memory_equal(e->value, it->value, it->value_len);
	cmp->at++;
}

static void check_lookups(struct cat *c)
{
	unsigned int n;

	for (n = 0; n < 60; n++) {
		struct entry probe, want, *hit;
		u32 len = sizeof(probe.value);
		u64 lo = 0;

		probe.key_len = 1 + (u32)lab_rand(3);
		probe.key[0] = (u8)lab_rand(256);
		probe.key[1] = probe.key[2] = (u8)lab_rand(256);
		if (c->n && lab_rand(2))
			probe = c->e[lab_rand(c->n)];
		hit = c->n ? bsearch(&probe, c->e, c->n, sizeof(probe), entry_cmp) : NULL;
		memset(want.value, 0, sizeof(want.value));
		assert_int_equal(lb_cat_lookup(c->lab->cache, &c->root, probe.key, probe.key_len, want.value, &len), hit ? 0 : -ENOENT);
		if (hit) {
			assert_int_equal(len, hit->value_len);
			assert_memory_equal(want.value, hit->value, len);
			if (len) {
				len--;
				assert_int_equal(lb_cat_lookup(c->lab->cache, &c->root, probe.key, probe.key_len, want.value, &len), -ERANGE);
				assert_int_equal(len, hit->value_len);
			}
		}
		/* The next one: the first in the model that is greater. */
		while (lo < c->n && entry_cmp(&c->e[lo], &probe) <= 0)
			lo++;
		len = sizeof(probe.value);
		assert_int_equal(lb_cat_next(c->lab->cache, &c->root, probe.key, &probe.key_len, probe.value, &len), lo < c->n ? 0 : -ENOENT);
		if (lo < c->n) {
			assert_int_equal(entry_cmp(&c->e[lo], &probe), 0);
			assert_int_equal(len, c->e[lo].value_len);
		}
	}
}

static void check_cat(struct cat *c)
{
	struct compare cmp = { .c = c };
	struct lab_visit visit = { .item = compare_item, .arg = &cmp };

	assert_int_equal(lab_check_tree(c->lab, &c->root, LB_TREE_CATALOG, &visit), c->nodes);
	assert_int_equal(cmp.at, c->n);
	check_lookups(c);
	lab_mark_clear(c->lab);
	lab_mark_tree(c->lab, &c->root, LB_TREE_CATALOG, 0);
	lab_mark_compare(c->lab);
	c->max_level = max_t(u64, c->max_level, c->root.level);
}

/* Every key and value in order, by lb_cat_next alone. */
static void check_scan(struct cat *c)
{
	struct entry at = { .key_len = 0 };
	u64 n = 0;

	for (;;) {
		int err;

		at.value_len = sizeof(at.value);
		err = lb_cat_next(c->lab->cache, &c->root, at.key, &at.key_len, at.value, &at.value_len);
		if (err) {
			assert_int_equal(err, -ENOENT);
			break;
		}
		assert_true(n < c->n);
		assert_int_equal(entry_cmp(&c->e[n], &at), 0);
		assert_memory_equal(c->e[n].value, at.value, at.value_len);
		n++;
	}
	assert_int_equal(n, c->n);
}

/* ------------------------------------------------------------------ histories */

/* How large things are: 0 small, 1 all sizes, 2 the largest, 3 long keys without values. */
static void random_entry(struct entry *e, int shape, u64 keys)
{
	u64 id = lab_rand(keys);
	u32 i, pad;

	memset(e, 0, sizeof(*e));
	e->key[0] = (u8)(id >> 16);
	e->key[1] = (u8)(id >> 8);
	e->key[2] = (u8)id;
	/* The rest of a key follows from its number, so that keys meet again. */
	pad = shape == 0 ? (u32)(id % 7) : shape == 1 ? (u32)(id * 37 % (LB_CAT_KEY_MAX - 2)) : LB_CAT_KEY_MAX - 3;
	e->key_len = 3 + pad;
	for (i = 0; i < pad; i++)
		e->key[3 + i] = (u8)(id + i);
	e->value_len = shape == 0 ? (u32)lab_rand(30) : shape == 1 ? (u32)lab_rand(LB_CAT_VALUE_MAX + 1) : shape == 2 ? LB_CAT_VALUE_MAX : 0;
	for (i = 0; i < e->value_len; i++)
		e->value[i] = (u8)lab_rand(256);
}

static void batch_delete(struct batch *b, const struct entry *e)
{
	b->e[b->n] = *e;
	b->e[b->n++].value_len = ~0u;
}

static void make_batch(struct cat *c, struct batch *b, int shape, u64 keys)
{
	u64 n = 1 + lab_rand(lab_rand(3) ? 20 : 400), i, del = lab_rand(4), from;

	b->e = calloc(n + 2 * c->n + 1, sizeof(b->e[0]));
	assert_non_null(b->e);
	b->n = n;
	for (i = 0; i < n; i++) {
		random_entry(&b->e[i], shape, keys);
		if (lab_rand(4) < del) {
			if (c->n && lab_rand(4))
				b->e[i] = c->e[lab_rand(c->n)];
			b->e[i].value_len = ~0u;
		}
	}
	if (!lab_rand(12) && c->n) {		/* a whole range goes */
		from = lab_rand(2) ? lab_rand(c->n) : 0;
		for (i = from; i < c->n && (from || lab_rand(400)); i++)
			batch_delete(b, &c->e[i]);
	}
	if (!lab_rand(15) && c->n) {		/* or all but one */
		b->n = 0;
		from = lab_rand(c->n);
		n = from + lab_rand(30);
		for (i = 0; i < c->n; i++)
			if (i < from || i > n)
				batch_delete(b, &c->e[i]);
	}
	batch_sort(b);
}

static void history(u64 seed, int shape, u64 keys, unsigned int commits)
{
	struct cat c = { .lab = lab_new(2 * LB_REGION_BLOCKS, 1 << 20) };
	unsigned int n;
	struct batch b;

	lab_srand(seed);
	for (n = 0; n < commits; n++) {
		struct lb_ref root = c.root;
		u64 nodes = c.nodes;

		make_batch(&c, &b, shape, keys);
		lab_begin(c.lab);
		assert_int_equal(merge(&c, &b), 0);
		if (lab_rand(10)) {
			lab_commit(c.lab);
			model_apply(&c, &b);
		} else {
			lab_abort(c.lab);
			c.root = root;
			c.nodes = nodes;
		}
		free(b.e);
		check_cat(&c);
	}
	check_scan(&c);
	/* All of it goes. */
	b = (struct batch){ .e = c.e, .n = c.n };
	for (n = 0; n < c.n; n++)
		c.e[n].value_len = ~0u;
	lab_begin(c.lab);
	assert_int_equal(merge(&c, &b), 0);
	lab_commit(c.lab);
	assert_int_equal(c.root.addr, 0);
	assert_int_equal(c.nodes, 0);
	c.n = 0;
	check_cat(&c);
	print_message("shape %d: top level %llu\n", shape, (unsigned long long)c.max_level);
	free(c.e);
	lab_free(c.lab);
}

static void test_small_items(void **state)
{
	(void)state;
	history(1, 0, 5000, 150);
	history(2, 0, 100000, 60);
}

static void test_all_sizes(void **state)
{
	(void)state;
	history(3, 1, 800, 120);
	history(4, 1, 4000, 60);
}

static void test_largest(void **state)
{
	(void)state;
	history(5, 2, 1200, 80);
	history(6, 3, 3000, 80);
}

/* Sizes changing from one commit to the next: what was full of small items gets large ones. */
static void test_mixed(void **state)
{
	struct cat c = { .lab = lab_new(2 * LB_REGION_BLOCKS, 1 << 20) };
	unsigned int n;
	struct batch b;

	(void)state;
	lab_srand(7);
	for (n = 0; n < 120; n++) {
		make_batch(&c, &b, (int)lab_rand(4), 2000);
		lab_begin(c.lab);
		assert_int_equal(merge(&c, &b), 0);
		lab_commit(c.lab);
		model_apply(&c, &b);
		free(b.e);
		check_cat(&c);
	}
	free(c.e);
	lab_free(c.lab);
}

/* The tightest case for the promise: one item at a time, the largest, into full nodes. */
static void test_one_by_one(void **state)
{
	struct cat c = { .lab = lab_new(2 * LB_REGION_BLOCKS, 1 << 20) };
	unsigned int n;

	(void)state;
	lab_srand(8);
	for (n = 0; n < 600; n++) {
		struct entry e;
		struct batch b = { .e = &e, .n = 1 };

		random_entry(&e, n % 3 ? 2 : 0, 1 << 20);
		if (c.n && !lab_rand(3)) {
			e = c.e[lab_rand(c.n)];
			e.value_len = ~0u;
		}
		lab_begin(c.lab);
		assert_int_equal(merge(&c, &b), 0);
		lab_commit(c.lab);
		model_apply(&c, &b);
		if (n % 20 == 0)
			check_cat(&c);
	}
	check_cat(&c);
	free(c.e);
	lab_free(c.lab);
}

static void test_refused(void **state)
{
	struct cat c = { .lab = lab_new(2 * LB_REGION_BLOCKS, 1 << 20) };
	struct entry e[2] = { { .key = "b", .key_len = 1 }, { .key = "a", .key_len = 1 } };
	struct batch b = { .e = e, .n = 2 };
	u8 buf[4];
	u32 len = sizeof(buf);

	(void)state;
	assert_int_equal(lb_cat_lookup(c.lab->cache, &c.root, e[0].key, 1, buf, &len), -ENOENT);
	assert_int_equal(lb_cat_next(c.lab->cache, &c.root, e[0].key, &len, NULL, &len), -ENOENT);
	lab_begin(c.lab);
	assert_int_equal(merge(&c, &b), -EINVAL);	/* not ascending */
	lab_abort(c.lab);
	e[1] = e[0];
	lab_begin(c.lab);
	assert_int_equal(merge(&c, &b), -EINVAL);	/* twice */
	lab_abort(c.lab);
	b.n = 1;
	e[0].key_len = 0;
	lab_begin(c.lab);
	assert_int_equal(merge(&c, &b), -EINVAL);
	lab_abort(c.lab);
	e[0].key_len = LB_CAT_KEY_MAX + 1;
	lab_begin(c.lab);
	assert_int_equal(merge(&c, &b), -EINVAL);
	lab_abort(c.lab);
	e[0].key_len = 1;
	e[0].value_len = LB_CAT_VALUE_MAX + 1;
	lab_begin(c.lab);
	assert_int_equal(merge(&c, &b), -EINVAL);
	lab_abort(c.lab);
	/* Deleting what is not there, in nothing. */
	e[0].value_len = ~0u;
	lab_begin(c.lab);
	assert_int_equal(merge(&c, &b), 0);
	lab_commit(c.lab);
	assert_int_equal(c.root.addr, 0);
	lab_free(c.lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_items), cmocka_unit_test(test_all_sizes), cmocka_unit_test(test_largest), cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_one_by_one), cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
