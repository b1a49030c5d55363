// SPDX-License-Identifier: GPL-2.0
/*
 * One pool and many threads: writers, readers, a snapshotter, a deleter, an administrator, beside the host's commit and
 * reclaim workers. For ASan and UBSan, and above all for ThreadSanitizer: `make tsan T=threads`.
 *
 * Every sector written names its volume, its place and a version, so that what turns up in the wrong place says where
 * it comes from. Versions come from one counter; odd ones are discards, and stand for zeros. Each sector of a volume
 * has two bounds: the version last acknowledged and the one last submitted. A stripe of blocks has one writer, so that
 * what is read must lie between the first as of before the read and the second as of after it. A snapshot's bounds are
 * its source's, the first as of before the request, the second as of after it; and what it was seen to hold once, it
 * holds for ever. The bounds are relaxed atomics: nothing here orders what the engine does.
 *
 * Each thread makes a number of operations, by a sequence that the seed decides; how they meet is chance.
 * LB_TEST_SEED, LB_TEST_ROUNDS as in support.h.
 */
#include <pthread.h>
#include <sched.h>

#include "check.h"
#include "host.h"
#include "pool_priv.h"
#include "support.h"

#define SLOTS		14u
#define BLOCKS		160u
#define VOL_SECTORS	(BLOCKS * SECTORS)
#define STRIPE		8u		/* blocks */
#define WRITERS		3u
#define LINEAGE		24u
#define RUN		8u		/* blocks in one I/O at the most */

struct slot {
	pthread_rwlock_t lock;		/* shared: I/O and requests; exclusive: open, close, remove, roll back */
	bool live, open;
	bool frozen;			/* atomic */
	u64 id;
	unsigned int generations;	/* of ids in lineage */
	u64 lineage[LINEAGE];		/* whose writes may be found here */
	u32 acked[VOL_SECTORS], submitted[VOL_SECTORS];
	u32 seen[VOL_SECTORS];		/* of a frozen one: the version found, plus 1; 0: not looked at */
	u32 attr_acked, attr_submitted;	/* versions of its attribute; odd ones are deletions */
	struct disk disk;
};

struct crowd {
	struct host h;
	u64 seed, most_blocks;		/* most_blocks: to which the pool may grow */
	unsigned int ops;
	bool tight;			/* the pool is too small for all: -ENOSPC is no surprise */
	u32 version;
	u64 names;
	struct slot slots[SLOTS];
};

struct member {
	struct crowd *crowd;
	unsigned int number;
	struct dice dice;
	pthread_t thread;
	u8 buf[RUN * LB_BLOCK_BYTES];
};

#define load(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define store(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)

static void die(const struct crowd *c, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));

static void die(const struct crowd *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "seed %llu: ", (unsigned long long)c->seed);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	abort();
}

/* An error that a crowded pool, a volume frozen meanwhile or a quota explains. */
static bool explained(const struct crowd *c, int err)
{
	return !err || err == -EROFS || err == -EDQUOT || (c->tight && err == -ENOSPC);
}

static void must(const struct crowd *c, int err, const char *what)
{
	if (!explained(c, err) || err == -EROFS)
		die(c, "%s: error %d", what, err);
}

/* ------------------------------------------------------------------ content */

struct tag {
	u64 magic, vol, sector;
	u32 version;
	u32 fill[(SECTOR_BYTES - 28) / 4];
};

#define TAG_MAGIC 0x6c65616b6d61726bull

static bool is_zeros(u32 version)
{
	return !version || (version & 1);
}

static u32 new_version(struct crowd *c, bool discard)
{
	return __atomic_add_fetch(&c->version, 2, __ATOMIC_RELAXED) + discard;
}

static void fill_sector(u8 *buf, u64 vol, u64 sector, u32 version)
{
	struct tag t = { .magic = TAG_MAGIC, .vol = vol, .sector = sector, .version = version };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t.fill); i++)
		t.fill[i] = version * 2654435761u + i;
	memcpy(buf, &t, SECTOR_BYTES);
}

/* The version that a sector holds, after checking that it is wholly what somebody wrote there, by who may. */
static u32 judge_tag(const struct crowd *c, const struct slot *s, u64 sector, const u8 *buf)
{
	static const u8 zeros[SECTOR_BYTES];
	u8 want[SECTOR_BYTES];
	struct tag t;
	unsigned int i;

	if (!memcmp(buf, zeros, SECTOR_BYTES))
		return 0;
	memcpy(&t, buf, SECTOR_BYTES);
	fill_sector(want, t.vol, sector, t.version);
	if (memcmp(buf, want, SECTOR_BYTES))
		die(c, "volume %llu, sector %llu: holds %016llx, volume %llu, sector %llu, version %u",
		    (unsigned long long)s->id, (unsigned long long)sector, (unsigned long long)t.magic,
		    (unsigned long long)t.vol, (unsigned long long)t.sector, t.version);
	for (i = 0; i < s->generations; i++)
		if (s->lineage[i] == t.vol)
			return t.version;
	die(c, "volume %llu, sector %llu: holds what volume %llu wrote", (unsigned long long)s->id,
	    (unsigned long long)sector, (unsigned long long)t.vol);
}

/* frozen: it was before the read began. */
static void judge(const struct crowd *c, struct slot *s, u64 sector, u32 first, u32 last, bool frozen, const u8 *buf)
{
	u32 version = judge_tag(c, s, sector, buf), seen = 0;
	bool ok = version ? version >= first && version <= last : first != last || is_zeros(first);

	if (!ok)
		die(c, "volume %llu, sector %llu: holds version %u, acknowledged %u, submitted %u",
		    (unsigned long long)s->id, (unsigned long long)sector, version, first, last);
	if (!frozen)
		return;
	__atomic_compare_exchange_n(&s->seen[sector], &seen, version + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	if (seen && seen != version + 1)
		die(c, "frozen volume %llu, sector %llu: holds version %u, held %u before", (unsigned long long)s->id,
		    (unsigned long long)sector, version, seen - 1);
}

/* ------------------------------------------------------------------ slots */

static struct slot *some_slot(struct member *m)
{
	return &m->crowd->slots[dice_below(&m->dice, SLOTS)];
}

/* A live and open one, to be used with others; NULL by bad luck. */
static struct slot *share_slot(struct member *m)
{
	unsigned int tries;

	for (tries = 0; tries < 20; tries++) {
		struct slot *s = some_slot(m);

		if (pthread_rwlock_tryrdlock(&s->lock))
			continue;
		if (s->live && s->open)
			return s;
		pthread_rwlock_unlock(&s->lock);
	}
	return NULL;
}

/* One for oneself, live or not. */
static struct slot *own_slot(struct member *m, bool live)
{
	unsigned int tries;

	for (tries = 0; tries < 20; tries++) {
		struct slot *s = some_slot(m);

		if (pthread_rwlock_trywrlock(&s->lock))
			continue;
		if (s->live == live)
			return s;
		pthread_rwlock_unlock(&s->lock);
	}
	return NULL;
}

static void let_go(struct slot *s)
{
	pthread_rwlock_unlock(&s->lock);
}

static struct lb_name new_name(struct crowd *c, char text[32])
{
	snprintf(text, 32, "volume %llu", (unsigned long long)__atomic_add_fetch(&c->names, 1, __ATOMIC_RELAXED));
	return name_of(text);
}

static void open_slot(struct crowd *c, struct slot *s)
{
	must(c, disk_open(&c->h, s->id, &s->disk), "opening");
	s->open = true;
}

static void close_slot(struct slot *s)
{
	if (s->open)
		disk_close(&s->disk);
	s->open = false;
}

/* A new volume in a slot of one's own. `from`: whose content it has, with the bounds that were taken of it. */
static void begin_slot(struct crowd *c, struct slot *s, u64 id, const struct slot *from, bool frozen)
{
	s->id = id;
	s->live = true;
	store(&s->frozen, frozen);
	s->generations = 0;
	if (from) {
		memcpy(s->lineage, from->lineage, sizeof(s->lineage));
		s->generations = from->generations;
	}
	s->lineage[s->generations++] = id;
	memset(s->seen, 0, sizeof(s->seen));
	store(&s->attr_acked, 0);
	store(&s->attr_submitted, 0);
	if (!from) {
		memset(s->acked, 0, sizeof(s->acked));
		memset(s->submitted, 0, sizeof(s->submitted));
	}
	open_slot(c, s);
}

static void copy_bounds(u32 *to, u32 *from)
{
	unsigned int i;

	for (i = 0; i < VOL_SECTORS; i++)
		store(&to[i], load(&from[i]));
}

/* ------------------------------------------------------------------ the members */

static void note(u32 *bounds, u64 sector, u32 count, u32 version)
{
	while (count--)
		store(&bounds[sector++], version);
}

/* Sectors or blocks of a stripe that is this writer's. */
static void write_some(struct member *m, struct slot *s)
{
	u64 stripe = dice_below(&m->dice, BLOCKS / STRIPE / WRITERS) * WRITERS + m->number, block, sector, i;
	unsigned int how = dice_below(&m->dice, 8), flags = dice_below(&m->dice, 16) ? 0 : DISK_FUA;
	u32 count, version;
	int err;

	block = stripe * STRIPE + dice_below(&m->dice, STRIPE);
	sector = block * SECTORS;
	count = (u32)(1 + dice_below(&m->dice, (stripe + 1) * STRIPE - block)) * SECTORS;
	version = new_version(m->crowd, how == 0);
	if (how == 1) {
		sector += dice_below(&m->dice, SECTORS);
		count = 1 + (u32)dice_below(&m->dice, SECTORS - sector % SECTORS);
	}
	note(s->submitted, sector, count, version);
	if (how == 0) {
		err = disk_discard(&s->disk, block, count / SECTORS);
	} else {
		for (i = 0; i < count; i++)
			fill_sector(m->buf + i * SECTOR_BYTES, s->id, sector + i, version);
		err = disk_write(&s->disk, sector, count, m->buf, flags);
	}
	if (!explained(m->crowd, err))
		die(m->crowd, "writing volume %llu: error %d", (unsigned long long)s->id, err);
	if (!err)
		note(s->acked, sector, count, version);
}

static void read_some(struct member *m, struct slot *s, u64 block, u32 blocks)
{
	u32 first[RUN * SECTORS], i, count = blocks * SECTORS;
	bool frozen = load(&s->frozen);
	u64 sector = block * SECTORS;
	int err;

	for (i = 0; i < count; i++)
		first[i] = load(&s->acked[sector + i]);
	err = disk_read(&s->disk, sector, count, m->buf);
	if (err)
		die(m->crowd, "reading volume %llu: error %d", (unsigned long long)s->id, err);
	for (i = 0; i < count; i++)
		judge(m->crowd, s, sector + i, first[i], load(&s->submitted[sector + i]), frozen, m->buf + i * SECTOR_BYTES);
}

static void *writer(void *arg)
{
	struct member *m = arg;
	unsigned int op;

	for (op = 0; op < m->crowd->ops; op++) {
		struct slot *s = share_slot(m);

		if (!s)
			continue;
		if (!load(&s->frozen))
			write_some(m, s);
		if (!dice_below(&m->dice, 20) && disk_flush(&s->disk))
			die(m->crowd, "flushing");
		let_go(s);
	}
	return NULL;
}

/* An attribute's value: whose it is and which version, and so much of it that it takes two items of the catalog. */
#define ATTR_WORDS 375u

static void attr_fill(u32 *value, u64 vol, u32 version)
{
	unsigned int i;

	for (i = 0; i < ATTR_WORDS; i++)
		value[i] = (u32)vol * 31 + version;
	value[0] = version;
}

static void read_attr(struct member *m, struct slot *s)
{
	u32 value[ATTR_WORDS] = { 0 }, want[ATTR_WORDS], len = sizeof(value), first = load(&s->attr_acked), last;
	int err = lb_attr_get(m->crowd->h.pool, s->id, "key", 3, value, &len);

	last = load(&s->attr_submitted);
	if (err == -ENOENT && (first != last || is_zeros(first)))
		return;
	attr_fill(want, s->id, value[0]);
	if (err || len != sizeof(value) || memcmp(value, want, len) || (value[0] & 1) || value[0] < first || value[0] > last)
		die(m->crowd, "volume %llu: attribute: error %d, version %u, acknowledged %u, submitted %u", (unsigned long long)s->id, err,
		    value[0], first, last);
}

static void *reader(void *arg)
{
	struct member *m = arg;
	unsigned int op;

	for (op = 0; op < m->crowd->ops; op++) {
		struct slot *s = share_slot(m);

		if (!s)
			continue;
		read_some(m, s, dice_below(&m->dice, BLOCKS - RUN), 1 + (u32)dice_below(&m->dice, RUN));
		if (!dice_below(&m->dice, 8))
			read_attr(m, s);
		let_go(s);
	}
	return NULL;
}

/* A snapshot or a child of a volume that others use meanwhile. */
static void snapshot_some(struct member *m)
{
	struct slot *from = share_slot(m), *to = from ? own_slot(m, false) : NULL;
	struct crowd *c = m->crowd;
	char name[32];
	bool frozen;
	u64 id;
	int err;

	if (to && from->generations + 1 < LINEAGE) {
		frozen = load(&from->frozen);
		copy_bounds(to->acked, from->acked);
		err = lb_vol_snapshot(c->h.pool, from->id, new_name(c, name), false, 0, NULL, &id);
		copy_bounds(to->submitted, from->submitted);
		must(c, err, "a snapshot");
		/* Of a writable one it is frozen, of a frozen one writable. Which it was just now, the pool knows. */
		if (!err) {
			struct lb_vol_stat st;

			must(c, lb_vol_stat(c->h.pool, id, false, &st), "asking for a snapshot");
			if (frozen && st.frozen)
				die(c, "a frozen volume's child is frozen");
			begin_slot(c, to, id, from, st.frozen);
		}
	}
	if (to)
		let_go(to);
	if (from)
		let_go(from);
}

static void create_some(struct member *m)
{
	struct slot *s = own_slot(m, false);
	struct crowd *c = m->crowd;
	char name[32];
	u64 id;
	int err;

	if (!s)
		return;
	err = lb_vol_create(c->h.pool, new_name(c, name), BLOCKS, 0, NULL, &id);
	must(c, err, "creating");
	if (!err)
		begin_slot(c, s, id, NULL, false);
	let_go(s);
}

/* Frozen under its writers' hands: they get -EROFS, and what they had not been acknowledged may be there or not. */
static void freeze_some(struct member *m)
{
	struct slot *s = share_slot(m);
	int err;

	if (!s)
		return;
	if (!load(&s->frozen)) {
		err = lb_vol_freeze(m->crowd->h.pool, s->id, name_of(""), NULL);
		must(m->crowd, err, "freezing");
		if (!err)
			store(&s->frozen, true);
	}
	let_go(s);
}

static void *snapshotter(void *arg)
{
	struct member *m = arg;
	unsigned int op;

	for (op = 0; op < m->crowd->ops / 8; op++) {
		u64 what = dice_below(&m->dice, 10);

		if (what < 6)
			snapshot_some(m);
		else if (what < 9)
			create_some(m);
		else
			freeze_some(m);
		sched_yield();
	}
	return NULL;
}

static void remove_some(struct member *m)
{
	struct slot *s = own_slot(m, true);

	if (!s)
		return;
	close_slot(s);
	must(m->crowd, lb_vol_remove(m->crowd->h.pool, s->id, false, NULL), "removing");
	s->live = false;
	let_go(s);
}

/* To any volume that happens to be an ancestor; what is open meanwhile is none. */
static void rollback_some(struct member *m)
{
	struct slot *s = own_slot(m, true), *to = s ? share_slot(m) : NULL;
	struct crowd *c = m->crowd;
	int err;

	if (to && !s->frozen) {
		close_slot(s);
		err = lb_vol_rollback(c->h.pool, s->id, to->id);
		if (err && err != -EINVAL)
			must(c, err, "rolling back");
		if (!err) {
			copy_bounds(s->acked, to->acked);
			copy_bounds(s->submitted, to->submitted);
			memcpy(s->lineage, to->lineage, sizeof(s->lineage));
			s->generations = to->generations;
			s->lineage[s->generations++] = s->id;
		}
		open_slot(c, s);
	}
	if (to)
		let_go(to);
	if (s)
		let_go(s);
}

static void *deleter(void *arg)
{
	struct member *m = arg;
	unsigned int op;

	for (op = 0; op < m->crowd->ops / 10; op++) {
		if (dice_below(&m->dice, 4))
			remove_some(m);
		else
			rollback_some(m);
		sched_yield();
	}
	return NULL;
}

/* Only the administrator sets attributes. */
static int set_attr(struct member *m, struct slot *s, bool delete)
{
	u32 value[ATTR_WORDS], version = new_version(m->crowd, delete);
	struct lb_attr_change attr = { .vol = s->id, .key = "key", .key_len = 3, .value = value, .value_len = sizeof(value),
				       .flags = delete ? LB_CHANGE_DELETE : 0 };
	const struct lb_tx tx = { .changes = &attr, .count = 1 };
	int err;

	attr_fill(value, s->id, version);
	store(&s->attr_submitted, version);
	err = lb_vol_set(m->crowd->h.pool, s->id, NULL, &tx);
	if (!err)
		store(&s->attr_acked, version);
	else if (m->crowd->tight)
		store(&s->attr_submitted, load(&s->attr_acked));
	return err;
}

/* Larger, and back again with a cut, under the hands of those who read and write what stays. */
static int resize(struct member *m, struct slot *s)
{
	struct lb_vol_change change = { .set = LB_SET_SIZE | LB_SET_SHRINK, .size_blocks = BLOCKS + dice_below(&m->dice, 3) * 40 };

	return lb_vol_set(m->crowd->h.pool, s->id, &change, NULL);
}

static int grow_pool(struct member *m)
{
	struct crowd *c = m->crowd;
	struct lb_pool_stat st;
	u64 now;

	lb_pool_stat(c->h.pool, &st);
	return st.total_blocks + 100 > c->most_blocks ? 0 : lb_pool_grow(c->h.pool, st.total_blocks + 100, &now);
}

static int set_policy(struct member *m)
{
	struct lb_pool_policy policy = { .set = LB_POLICY_INTERVAL | LB_POLICY_LOW_WATER, .commit_interval_ms = 100 + dice_below(&m->dice, 200),
					 .low_water_blocks = dice_below(&m->dice, 2000) };

	return lb_pool_set_policy(m->crowd->h.pool, &policy);
}

/* Everything that may differ, with another that stays meanwhile; either may be writable, which is refused. */
static int diff_some(struct member *m, struct slot *s)
{
	struct slot *other = share_slot(m);
	struct lb_diff_range r[4];
	unsigned int n;
	u64 cursor = 0;
	int err = 0;

	while (other && !err && cursor != ~0ULL) {
		n = ARRAY_SIZE(r);
		err = lb_diff(m->crowd->h.pool, other->id, s->id, &cursor, r, &n);
	}
	if (other)
		let_go(other);
	return err == -EINVAL ? 0 : err;
}

/* Everything else that may be asked of a pool in use. */
static void administrate(struct member *m, u64 what)
{
	struct crowd *c = m->crowd;
	struct lb_pool *p = c->h.pool;
	struct slot *s = what < 8 ? share_slot(m) : NULL;
	struct lb_vol_change change = { .set = LB_SET_QUOTA, .quota = dice_below(&m->dice, 3) * BLOCKS };
	struct lb_pool_stat st;
	struct lb_vol_stat vst;
	char name[32];
	u32 len = 0;
	u64 id = 0;
	int err;

	switch (what) {
	case 0:
		err = s ? lb_vol_stat(p, s->id, dice_below(&m->dice, 2), &vst) : 0;
		break;
	case 1:
		change.set |= dice_below(&m->dice, 2) ? LB_SET_NAME : 0;
		change.name = new_name(c, name);
		err = s ? lb_vol_set(p, s->id, &change, NULL) : 0;
		break;
	case 2:
	case 3:
		err = s ? set_attr(m, s, what == 3) : 0;
		break;
	case 4:
		err = s ? lb_attr_get(p, s->id, "key", 3, NULL, &len) : 0;
		err = err == -ERANGE || err == -ENOENT ? 0 : err;
		break;
	case 5:
		err = s ? disk_flush(&s->disk) : 0;
		break;
	case 6:
		err = s ? resize(m, s) : 0;
		break;
	case 7:
		err = s ? diff_some(m, s) : 0;
		break;
	case 8:
		lb_pool_stat(p, &st);
		lb_cache_shrink(p, 50);
		err = lb_pool_scrub(p, dice_below(&m->dice, 4));
		break;
	case 9:
		while (!lb_vol_next(p, id, true, &id))
			;
		lb_work_due_ms(p);
		err = 0;
		break;
	case 10:
		err = grow_pool(m);
		break;
	case 11:
		err = set_policy(m);
		break;
	default:
		err = lb_pool_commit(p);
	}
	if (!explained(c, err))
		die(c, "request %llu: error %d", (unsigned long long)what, err);
	if (s)
		let_go(s);
}

/* Really smaller: what lay behind the new end reads as zeros when it is large again. */
static void cut_short(struct member *m)
{
	struct lb_vol_change change = { .set = LB_SET_SIZE | LB_SET_SHRINK };
	struct slot *s = own_slot(m, true);
	u64 blocks = BLOCKS / 2 + dice_below(&m->dice, BLOCKS / 2);
	struct crowd *c = m->crowd;
	u32 version;
	int err;

	if (!s)
		return;
	change.size_blocks = blocks;
	version = new_version(c, true);
	err = s->frozen ? 0 : lb_vol_set(c->h.pool, s->id, &change, NULL);
	must(c, err, "shrinking");
	if (!s->frozen && !err) {
		note(s->submitted, blocks * SECTORS, (u32)(BLOCKS - blocks) * SECTORS, version);
		note(s->acked, blocks * SECTORS, (u32)(BLOCKS - blocks) * SECTORS, version);
		change.size_blocks = BLOCKS;
		err = lb_vol_set(c->h.pool, s->id, &change, NULL);
		must(c, err, "enlarging");
		if (err) {
			/* No room for that; for a removal there is. */
			close_slot(s);
			must(c, lb_vol_remove(c->h.pool, s->id, false, NULL), "removing");
			s->live = false;
		}
	}
	let_go(s);
}

/* Closed with changes pending, changed while it is closed, and opened again. */
static void set_aside(struct member *m)
{
	struct lb_vol_change change = { .set = LB_SET_QUOTA, .quota = dice_below(&m->dice, 2) * BLOCKS };
	struct slot *s = own_slot(m, true);
	struct crowd *c = m->crowd;
	int err;

	if (!s)
		return;
	close_slot(s);
	err = lb_vol_set(c->h.pool, s->id, &change, NULL);
	if (!explained(c, err))
		die(c, "setting the quota of a closed volume: error %d", err);
	open_slot(c, s);
	let_go(s);
}

static void *administrator(void *arg)
{
	struct member *m = arg;
	unsigned int op;

	for (op = 0; op < m->crowd->ops / 4; op++) {
		u64 what = dice_below(&m->dice, 16);

		if (what == 15)
			set_aside(m);
		else if (what == 14)
			cut_short(m);
		else
			administrate(m, what);
	}
	return NULL;
}

/* ------------------------------------------------------------------ the whole */

/*
 * Some I/Os take longer than others, so that what follows on them meets what does not. And the thread that commits in the background is refused an
 * allocation now and then: its commits are merged again, while others go on.
 */
static int dawdle(void *arg, struct port_dev *dev, const struct port_sim_io *io)
{
	static __thread unsigned int n;
	struct crowd *c = arg;

	(void)dev;
	if (n % 32 == 0 && pthread_equal(pthread_self(), c->h.commit_thread))
		port_fault_alloc_thread(1 + n / 32 % 13, 1);
	if (++n % 16 == 0)
		sched_yield();
	if (io->op == PORT_SIM_FLUSH || n % 128 == 0) {
		struct timespec t = { .tv_nsec = 30000 };

		nanosleep(&t, NULL);
	}
	return 0;
}

static void take_finding(void *arg, const struct lbck_finding *f)
{
	(void)arg;
	if (f->severity != LBCK_NOTE)
		print_error("LB-%04u %s: %s\n", f->id, f->what, f->text);
}

static void check_device(struct port_dev *dev)
{
	struct lbck_opts opts = { .limit = 10 };
	struct lbck_summary sum;

	assert_ok(lbck_check(dev, &opts, take_finding, NULL, &sum));
	assert_int_equal(sum.remaining, 0);
}

static void read_everything(struct member *m)
{
	unsigned int i;
	u64 block;

	for (i = 0; i < SLOTS; i++) {
		struct slot *s = &m->crowd->slots[i];

		if (!s->live)
			continue;
		if (!s->open)
			open_slot(m->crowd, s);
		for (block = 0; block < BLOCKS; block += RUN)
			read_some(m, s, block, RUN);
	}
}

static void close_everything(struct crowd *c)
{
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		close_slot(&c->slots[i]);
}

static void run_crowd(u64 seed, u64 pool_blocks, unsigned int ops, bool tight)
{
	static void *(*const jobs[])(void *) = {
		writer, writer, writer, reader, reader, snapshotter, deleter, administrator,
	};
	struct lb_format_opts opts = { .total_blocks = pool_blocks };
	struct lb_pool_policy policy = { .set = LB_POLICY_INTERVAL | LB_POLICY_CACHE, .commit_interval_ms = 100,
					 .cache_limit_bytes = 1 << 20 };
	struct crowd *c = calloc(1, sizeof(*c));
	struct member *members = calloc(ARRAY_SIZE(jobs), sizeof(*members));
	struct lb_pool_stat st;
	unsigned int i;
	u8 uuid[16];

	assert_true(c && members);
	c->seed = seed;
	c->ops = ops;
	c->tight = tight;
	port_random_seed(seed);
	c->most_blocks = pool_blocks + pool_blocks / 20;
	host_init(&c->h, port_sim_new(c->most_blocks));
	assert_ok(lb_pool_format(c->h.dev, &opts, uuid));
	assert_ok(host_open(&c->h, 0));
	assert_ok(lb_pool_set_policy(c->h.pool, &policy));
	for (i = 0; i < SLOTS; i++)
		pthread_rwlock_init(&c->slots[i].lock, NULL);
	port_sim_set_hook(c->h.dev, dawdle, c);
	host_workers_start(&c->h);
	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		members[i].crowd = c;
		members[i].number = i < WRITERS ? i : 0;
		members[i].dice.state = seed * 100 + i;
		if (i < 4)
			create_some(&members[i]);
	}
	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		assert_ok(pthread_create(&members[i].thread, NULL, jobs[i], &members[i]));
	for (i = 0; i < ARRAY_SIZE(jobs); i++)
		pthread_join(members[i].thread, NULL);
	host_workers_stop(&c->h);
	port_sim_set_hook(c->h.dev, NULL, NULL);
	assert_false(c->h.events[LB_EV_POOL_FAILED]);
	lb_pool_stat(c->h.pool, &st);
	assert_int_equal(st.scrub_errors, 0);
	for (i = 0; i < 2; i++) {
		read_everything(&members[0]);
		close_everything(c);
		assert_ok(host_close(&c->h));
		check_device(c->h.dev);
		assert_ok(host_open(&c->h, 0));
	}
	assert_ok(host_close(&c->h));
	for (i = 0; i < SLOTS; i++)
		pthread_rwlock_destroy(&c->slots[i].lock);
	port_sim_free(c->h.dev);
	free(c);
	free(members);
	port_random_seed(0);
	assert_int_equal(port_alloc_live(), 0);
}

static void crowd_rounds(u64 first, u64 rounds, u64 pool_blocks, unsigned int ops, bool tight)
{
	u64 seed = test_seed(first), end = seed + test_rounds(rounds);

	for (; seed < end; seed++) {
		print_message("seed %llu\n", (unsigned long long)seed);
		run_crowd(seed, pool_blocks, ops, tight);
	}
}

static void a_crowd_with_room(void **state)
{
	(void)state;
	crowd_rounds(1, 3, 40000, 1500, false);
}

/* In the smallest pool, full now and then. */
static void a_crowd_without_room(void **state)
{
	(void)state;
	crowd_rounds(100, 3, 8192, 1500, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crowd_with_room),
		cmocka_unit_test(a_crowd_without_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
