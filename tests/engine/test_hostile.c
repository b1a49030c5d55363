// SPDX-License-Identifier: GPL-2.0
/*
 * The engine and pools that no engine made: journal entries with sound checksums that make no sense, and every case of damage that
 * the checker's tests have. It may refuse them, or parts of them, with the right errors; it must not believe them, write to what it has
 * refused, or show a volume what is another's.
 */
#include "checkcases.h"

static struct checklab *lab;

/* ------------------------------------------------------------------ journal entries */

#define GOOD_GEN	(~0ULL)		/* of the next commit */

/* An entry as raw numbers: header, then up to four words. */
struct raw_entry {
	const char *what;
	u16 type, bytes;
	u64 gen;
	u64 word[4];
	u32 left_out;			/* bytes at the end that the record does not have */
};

#define MAP_BYTES	(u16)sizeof(struct lb_map_entry)
#define RAW(t, b, ...)	.type = (t), .bytes = (b), .gen = GOOD_GEN, .word = __VA_ARGS__
#define CAT(key_len, value_len)	((u64)(key_len) | (u64)(value_len) << 16)

static const struct raw_entry nonsense[] = {
	{ "a mapping of no blocks", RAW(LB_ENTRY_MAP, MAP_BYTES, { VOL_DATA, 5, 30000, 0 }) },
	{ "a mapping behind all that can be", RAW(LB_ENTRY_MAP, MAP_BYTES, { VOL_DATA, LB_LBLK_MAX + 1, 30000, 1 }) },
	{ "a mapping across the end of all that can be", RAW(LB_ENTRY_MAP, MAP_BYTES, { VOL_DATA, LB_LBLK_MAX, 0, 2 }) },
	{ "an extent that is too long", RAW(LB_ENTRY_MAP, MAP_BYTES, { VOL_DATA, 5, 30000, LB_EXTENT_MAX_BLOCKS + 1 }) },
	{ "a volume that was never there", RAW(LB_ENTRY_MAP, MAP_BYTES, { 99, 5, 30000, 1 }) },
	{ "a block of another volume", RAW(LB_ENTRY_MAP, MAP_BYTES, { VOL_DATA, 5, LB_JOURNAL_BLOCK, 1 }) },
	{ "a block behind the pool's end", RAW(LB_ENTRY_MAP, MAP_BYTES, { VOL_DATA, 5, CHECKLAB_BLOCKS, 1 }) },
	{ "a mapping that is too short", RAW(LB_ENTRY_MAP, 40, { VOL_DATA, 5, 30000, 1 }) },
	{ "a catalog entry without a key", RAW(LB_ENTRY_PUT, 32, { CAT(0, 4), 0 }) },
	{ "a key that is too long", RAW(LB_ENTRY_PUT, 48, { CAT(LB_CAT_KEY_MAX + 1, 0), 0 }) },
	{ "a value that is too long", RAW(LB_ENTRY_PUT, 48, { CAT(4, LB_CAT_VALUE_MAX + 1), 0 }) },
	{ "a key longer than its entry", RAW(LB_ENTRY_PUT, 32, { CAT(200, 0), 0 }) },
	{ "a value longer than its entry", RAW(LB_ENTRY_PUT, 32, { CAT(4, 100), 0 }) },
	{ "a deletion with a value", RAW(LB_ENTRY_DELETE, 32, { CAT(4, 4), 0 }) },
	{ "a catalog entry that is too short", RAW(LB_ENTRY_PUT, 16, { 0 }) },
	{ "no type", RAW(0, 32, { 0 }) },
	{ "an unknown type", RAW(4, 32, { 0 }) },
	{ "shorter than a header", RAW(LB_ENTRY_MAP, 8, { 0 }) },
	{ "an odd length", RAW(LB_ENTRY_MAP, 44, { VOL_DATA, 5, 30000, 1 }) },
	{ "longer than what is left", RAW(LB_ENTRY_MAP, MAP_BYTES, { VOL_DATA, 5, 30000, 1 }), .left_out = 8 },
	{ "half a header", RAW(LB_ENTRY_MAP, MAP_BYTES, { VOL_DATA, 5, 30000, 1 }), .left_out = 40 },
};

static void put_raw(struct damage *d, const struct raw_entry *e)
{
	struct lb_entry_header h = { .type = cpu_to_le16(e->type), .bytes = cpu_to_le16(e->bytes) };
	u8 buf[64] = { 0 };
	unsigned int i;

	h.gen = cpu_to_le64(e->gen == GOOD_GEN ? le64_to_cpu(d->sb.header.gen) + 1 : e->gen);
	memcpy(buf, &h, sizeof(h));
	for (i = 0; i < 4; i++)
		memcpy(buf + sizeof(h) + i * 8, &(__le64){ cpu_to_le64(e->word[i]) }, 8);
	damage_record(d, buf, (e->bytes > 16 ? (e->bytes + 7u) & ~7u : 16u) - e->left_out, 0);
}

static void entries_that_make_no_sense(void **state)
{
	unsigned int i, ro;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(nonsense); i++)
		for (ro = 0; ro < 2; ro++) {
			struct port_dev *dev = port_sim_clone(lab->images[IMAGE_PLAIN]), *before;
			u64 live = port_alloc_live();
			struct damage d;
			struct host h;
			int err;

			damage_begin(&d, dev);
			put_raw(&d, &nonsense[i]);
			before = port_sim_clone(dev);
			host_init(&h, dev);
			err = host_open(&h, ro ? LB_POOL_OPEN_RO : 0);
			if (err != -EUCLEAN)
				fail_msg("%s: opening gives %d", nonsense[i].what, err);
			assert_int_equal(port_alloc_live(), live);
			assert_true(checklab_same(dev, before));
			port_sim_free(before);
			port_sim_free(dev);
		}
}

/* What the superblock holds already is skipped, whatever it says; and the next id is beyond any that the journal names. */
static void entries_of_before(void **state)
{
	static const struct raw_entry old = { "old", LB_ENTRY_MAP, MAP_BYTES, 1, { VOL_DATA, 4, 30000, 1 }, 0 };
	struct port_dev *dev = port_sim_clone(lab->images[IMAGE_PLAIN]);
	struct lb_vol_record v = { .id = cpu_to_le64(41), .size_blocks = cpu_to_le64(8), .name_len = cpu_to_le16(2) };
	struct lb_map_record m = { .parent = 0 };
	struct lb_name_record name = { .id = cpu_to_le64(41) };
	u8 key[DAMAGE_KEY], value[sizeof(v) + 2], buf[1024];
	struct damage d;
	struct host h;
	u64 gen, id;
	u32 n;

	(void)state;
	damage_begin(&d, dev);
	put_raw(&d, &old);
	gen = le64_to_cpu(d.sb.header.gen) + 1;
	memcpy(value, &v, sizeof(v));
	memcpy(value + sizeof(v), "41", 2);
	n = damage_cat_entry(buf, gen, key, damage_key_id(key, LB_KEY_VOL, 41), value, sizeof(value));
	n += damage_cat_entry(buf + n, gen, key, damage_key_id(key, LB_KEY_MAP, 41), &m, sizeof(m));
	n += damage_cat_entry(buf + n, gen, key, damage_key_name(key, "41"), &name, sizeof(name));
	n += damage_cat_entry(buf + n, gen, key, damage_key_child(key, 0, 41), "", 0);
	damage_record(&d, buf, n, 0);
	host_init(&h, dev);
	assert_ok(host_open(&h, 0));
	assert_ok(lb_vol_find(h.pool, name_of("41"), &id));
	assert_int_equal(id, 41);
	assert_ok(lb_vol_create(h.pool, name_of("another"), 8, 0, NULL, &id));
	assert_int_equal(id, 42);
	assert_ok(host_close(&h));
	checklab_opens(lab, IMAGE_PLAIN, dev);
	port_sim_free(dev);
}

/* ------------------------------------------------------------------ damaged pools */

static bool is_clean_error(int err)
{
	return err == -EUCLEAN || err == -EIO || err == -ENOENT || err == -EINVAL || err == -EROFS || err == -ENOSPC;
}

static const struct checklab_vol *whose(enum checklab_image image, const u8 *got)
{
	static u8 want[LB_BLOCK_BYTES];
	unsigned int i;
	u64 b;

	for (i = 0; i < CHECKLAB_VOLS; i++) {
		const struct checklab_vol *v = &lab->vols[image][i];

		for (b = 0; v->id && b < v->blocks; b++) {
			if (!v->pattern[b])
				continue;
			test_fill(want, v->pattern[b]);
			if (!memcmp(want, got, sizeof(want)))
				return v;
		}
	}
	return NULL;
}

/* Is what the volume holds an ancestor's or its own? By pattern: the volume's id is in it. */
static bool related(enum checklab_image image, u64 reader, u64 owner)
{
	if (reader == owner)
		return true;
	if (image == IMAGE_COLLAPSE || image == IMAGE_FREE)
		return true;		/* one family */
	return image != IMAGE_CHAIN && owner == VOL_BASE && (reader == VOL_WEB1 || reader == VOL_WEB2);
}

/* Reads every block: right, or an error, or (what was forged with sound checksums) at least not a stranger's. */
static void read_all(struct host *h, const struct check_case *c, bool forged)
{
	static u8 got[LB_BLOCK_BYTES], want[LB_BLOCK_BYTES];
	static const u8 zeros[LB_BLOCK_BYTES];
	unsigned int i;
	u64 b;
	int err;

	for (i = 0; i < CHECKLAB_VOLS; i++) {
		const struct checklab_vol *v = &lab->vols[c->image][i], *owner;
		struct disk d;

		if (!v->id)
			continue;
		err = disk_open(h, v->id, &d);
		if (err) {
			assert_true(is_clean_error(err));
			continue;
		}
		for (b = 0; b < v->blocks && b < lb_vol_blocks(d.vol); b++) {
			err = disk_read(&d, b * SECTORS, SECTORS, got);
			if (err) {
				assert_true(is_clean_error(err));
				continue;
			}
			memset(want, 0, sizeof(want));
			if (v->pattern[b])
				test_fill(want, v->pattern[b]);
			if (!memcmp(got, want, sizeof(got)) || !memcmp(got, zeros, sizeof(got)))
				continue;
			owner = whose(c->image, got);
			if (!forged && owner && !related(c->image, v->id, owner->id))
				fail_msg("LB-%04u, %s: volume %llu shows volume %llu's", c->id, c->what, (unsigned long long)v->id,
					 (unsigned long long)owner->id);
		}
		disk_close(&d);
	}
}

/* What a damaged pool can be asked to do: an error is fine, a crash is not, and neither is a leak. */
static void use(struct host *h)
{
	static const struct lb_tx none;
	struct lb_vol_stat st;
	char key[256];
	u32 key_len, len;
	u64 id = 0, made;

	while (!lb_vol_next(h->pool, id, true, &made)) {
		assert_true(made > id);
		id = made;
		lb_vol_stat(h->pool, id, true, &st);
		for (key_len = 0; !lb_attr_next(h->pool, id, key, &key_len, &len); ) {
			u8 value[4096];

			len = sizeof(value);
			lb_attr_get(h->pool, id, key, key_len, value, &len);
		}
	}
	if (!lb_vol_create(h->pool, name_of("more"), 64, 0, NULL, &made)) {
		struct disk d;

		if (!disk_open(h, made, &d)) {
			u8 *buf = calloc(1, LB_BLOCK_BYTES);

			disk_write(&d, 8, SECTORS, buf, DISK_FUA);
			free(buf);
			disk_close(&d);
		}
	}
	lb_vol_snapshot(h->pool, VOL_SMALL, name_of("snapshot"), false, 0, &none, &made);
	lb_vol_remove(h->pool, VOL_DATA, false, &none);
	lb_vol_remove(h->pool, VOL_WEB1, false, &none);
	lb_pool_commit(h->pool);
	lb_pool_scrub(h->pool, true);
	host_work(h);
	lb_pool_commit(h->pool);
}

/* Whose checksums are right though the content is forged can show what it says. */
static bool was_forged(const struct check_case *c)
{
	return c->id == 301 || c->id == 503 || c->id == 504 || c->id == 805 || c->id == 806 || c->id == 803;
}

static void one_case(const struct check_case *c, unsigned int *opened)
{
	struct port_dev *before = port_sim_clone(lab->images[c->image]);
	static struct damage d;
	unsigned int flags;

	damage_begin(&d, before);
	c->make(&d);
	for (flags = 0; flags < 4; flags++) {
		struct port_dev *try = port_sim_clone(before);
		u64 live = port_alloc_live();
		struct host h;
		int err;

		host_init(&h, try);
		err = host_open(&h, flags);
		if (!err) {
			read_all(&h, c, was_forged(c));
			if (!(flags & LB_POOL_OPEN_RO))
				use(&h);
			host_close(&h);
			(*opened)++;
		} else if (err != -EUCLEAN && err != -EIO && err != -EMEDIUMTYPE && err != -ESTALE && err != -EFBIG && err != -ENOENT &&
			   err != -ENOSPC && err != -EOPNOTSUPP) {
			fail_msg("LB-%04u, %s: opening gives %d", c->id, c->what, err);
		}
		if (err || (flags & LB_POOL_OPEN_RO))
			assert_true(checklab_same(try, before));
		assert_int_equal(port_alloc_live(), live);
		port_sim_free(try);
	}
	port_sim_free(before);
}

static void every_case_of_damage(void **state)
{
	static const struct {
		const struct check_case *list;
		const unsigned int *count;
	} families[] = {
		{ cases_space, &cases_space_count }, { cases_tree, &cases_tree_count }, { cases_catalog, &cases_catalog_count },
		{ cases_journal, &cases_journal_count },
	};
	unsigned int f, k, opened = 0;

	(void)state;
	for (f = 0; f < ARRAY_SIZE(families); f++)
		for (k = 0; k < *families[f].count; k++)
			one_case(&families[f].list[k], &opened);
	assert_true(opened > 50);
}

/* A volume's record in another one's place must not send whoever lists them round in circles, nor keep the others away; a short name record says nothing. */
static void records_in_the_wrong_place(void **state)
{
	struct port_dev *dev = port_sim_clone(lab->images[IMAGE_PLAIN]);
	u8 key[DAMAGE_KEY], value[LB_CAT_VALUE_MAX];
	static struct damage d;
	struct lb_vol_stat st;
	u64 id, next;
	struct host h;
	u32 len;

	(void)state;
	damage_begin(&d, dev);
	damage_put(&d, key, damage_key_name(key, "small"), "abc", 3);
	host_init(&h, dev);
	assert_ok(host_open(&h, 0));
	assert_int_equal(lb_vol_find(h.pool, name_of("small"), &id), -EUCLEAN);
	assert_int_equal(lb_vol_create(h.pool, name_of("small"), 8, 0, NULL, &id), -EEXIST);
	assert_ok(lb_vol_find(h.pool, name_of("data"), &id));
	assert_int_equal(id, VOL_DATA);
	host_abandon(&h);
	port_sim_free(dev);

	dev = port_sim_clone(lab->images[IMAGE_PLAIN]);
	damage_begin(&d, dev);
	len = sizeof(value);
	assert_true(damage_get(&d, key, damage_key_id(key, LB_KEY_VOL, VOL_DATA), value, &len));
	damage_put(&d, key, damage_key_id(key, LB_KEY_VOL, VOL_SMALL), value, len);
	host_init(&h, dev);
	assert_ok(host_open(&h, 0));
	for (id = 0; !lb_vol_next(h.pool, id, false, &next); id = next)
		assert_true(next > id);
	assert_int_equal(lb_vol_stat(h.pool, VOL_SMALL, false, &st), -EUCLEAN);
	assert_ok(lb_vol_stat(h.pool, VOL_DATA, false, &st));
	host_abandon(&h);
	port_sim_free(dev);
}

/* ------------------------------------------------------------------ attributes */

static void attr_error(const char *what, u32 chunk, const void *value, u32 len, int want)
{
	struct port_dev *dev = port_sim_clone(lab->images[IMAGE_PLAIN]);
	u8 key[DAMAGE_KEY], got[ATTR_BYTES];
	u32 room = sizeof(got);
	struct damage d;
	struct host h;
	int err;

	damage_begin(&d, dev);
	if (value)
		damage_put(&d, key, damage_key_attr(key, VOL_BASE, "config", chunk), value, len);
	else
		damage_delete(&d, key, damage_key_attr(key, VOL_BASE, "config", chunk));
	host_init(&h, dev);
	assert_ok(host_open(&h, 0));
	err = lb_attr_get(h.pool, VOL_BASE, "config", 6, got, &room);
	if (err != want)
		fail_msg("%s: reading it gives %d", what, err);
	/* The other ones are as they were. */
	room = sizeof(got);
	assert_ok(lb_attr_get(h.pool, VOL_BASE, "manifest", 8, got, &room));
	assert_int_equal(room, ATTR_BYTES);
	assert_ok(host_close(&h));
	port_sim_free(dev);
}

static void attributes_that_are_incomplete(void **state)
{
	static const u8 zeros[LB_CAT_VALUE_MAX];
	static const u8 huge[LB_CAT_VALUE_MAX] = { 0xff, 0xff, 0xff, 0x7f };
	static const u8 five[7] = { 5, 0, 0, 0 };

	(void)state;
	attr_error("no first chunk", 0, NULL, 0, -ENOENT);
	attr_error("a first chunk without a head", 0, zeros, 3, -EUCLEAN);
	attr_error("a length that no value has", 0, huge, sizeof(huge), -EUCLEAN);
	attr_error("a first chunk with less than it says", 0, five, sizeof(five), -EUCLEAN);
	attr_error("no second chunk", 1, NULL, 0, -EUCLEAN);
	attr_error("a second chunk that is too short", 1, zeros, 100, -EUCLEAN);
	attr_error("a last chunk that is too long", 2, zeros, 800, -EUCLEAN);
}

static int setup(void **state)
{
	(void)state;
	port_log_set_level(0);
	lab = checklab_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (lab)
		checklab_free(lab);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_that_make_no_sense),
		cmocka_unit_test(entries_of_before),
		cmocka_unit_test(every_case_of_damage),
		cmocka_unit_test(records_in_the_wrong_place),
		cmocka_unit_test(attributes_that_are_incomplete),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, setup, teardown);
}
