// SPDX-License-Identifier: GPL-2.0
/* The one that is killed (see kill.h): threads that write, read, snapshot, remove and administrate, for ever. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "cachedev.h"
#include "kill.h"
#include "pool_priv.h"

#define WRITERS	3u
#define STRIPE	8u		/* blocks; a stripe has one writer */
#define TORN_READS 20u		/* in a row, of one sector */

struct life {
	struct kill_shared *sh;
	struct host h;
	struct {
		pthread_rwlock_t lock;		/* shared: I/O and requests; exclusive: open, close, remove, roll back */
		bool open;
		struct disk disk;
	} slots[KILL_SLOTS];
};

struct member {
	struct life *life;
	unsigned int number;
	struct dice dice;
	u8 buf[KILL_RUN * LB_BLOCK_BYTES];
	u32 copy[KILL_SECTORS];
};

static void die(struct life *l) __attribute__((noreturn));

static void die(struct life *l)
{
	(void)l;
	_exit(3);
}

static void must(struct life *l, int err, const char *what)
{
	if (!err)
		return;
	kill_complain(l->sh, "%s: error %d", what, err);
	die(l);
}

/* ------------------------------------------------------------------ slots */

static struct kill_slot *shared(struct life *l, int i)
{
	return &l->sh->slots[i];
}

/* A live one to be used with others, or (own) for oneself; of this state. -1 by bad luck. */
static int take(struct member *m, bool own, enum kill_state state)
{
	unsigned int tries;

	for (tries = 0; tries < 20; tries++) {
		int i = (int)dice_below(&m->dice, KILL_SLOTS);
		pthread_rwlock_t *lock = &m->life->slots[i].lock;

		if (own ? pthread_rwlock_trywrlock(lock) : pthread_rwlock_tryrdlock(lock))
			continue;
		if (load(&shared(m->life, i)->state) == state)
			return i;
		pthread_rwlock_unlock(lock);
	}
	return -1;
}

static void let_go(struct member *m, int i)
{
	if (i >= 0)
		pthread_rwlock_unlock(&m->life->slots[i].lock);
}

static u64 id_of(struct life *l, int i)
{
	char name[32];
	u64 id = 0;

	kill_name(name, shared(l, i)->uid);
	must(l, lb_vol_find(l->h.pool, name_of(name), &id), "looking for a volume");
	return id;
}

static void open_slot(struct life *l, int i)
{
	must(l, disk_open(&l->h, id_of(l, i), &l->slots[i].disk), "opening a volume");
	l->slots[i].open = true;
}

static void close_slot(struct life *l, int i)
{
	if (l->slots[i].open)
		disk_close(&l->slots[i].disk);
	l->slots[i].open = false;
}

static void copy(u32 *to, const u32 *from)
{
	unsigned int i;

	for (i = 0; i < KILL_SECTORS; i++)
		store(&to[i], load(&from[i]));
}

static void note(u32 *bounds, u64 at, u32 count, u32 version)
{
	while (count--)
		store(&bounds[at++], version);
}

/* ------------------------------------------------------------------ I/O */

static bool mine(const struct member *m, u64 sector)
{
	return sector / SECTORS / STRIPE % WRITERS == m->number;
}

static void flush_some(struct member *m, int i)
{
	struct kill_slot *s = shared(m->life, i);
	u64 at;
	int err;

	copy(m->copy, s->b.acked);
	err = disk_flush(&m->life->slots[i].disk);
	must(m->life, err, "flushing");
	for (at = 0; at < KILL_SECTORS; at++)
		if (mine(m, at))
			store(&s->b.durable[at], m->copy[at]);
}

static void write_some(struct member *m, int i)
{
	u64 stripe = dice_below(&m->dice, KILL_BLOCKS / STRIPE / WRITERS) * WRITERS + m->number, block, at, k;
	unsigned int how = (unsigned int)dice_below(&m->dice, 8), flags = dice_below(&m->dice, 12) ? 0 : DISK_FUA;
	struct kill_slot *s = shared(m->life, i);
	struct disk *d = &m->life->slots[i].disk;
	u32 count, version;
	int err;

	block = stripe * STRIPE + dice_below(&m->dice, STRIPE);
	count = (u32)(1 + dice_below(&m->dice, (stripe + 1) * STRIPE - block)) * SECTORS;
	at = block * SECTORS;
	version = __atomic_add_fetch(&m->life->sh->version, 2, __ATOMIC_RELAXED) + (how == 0);
	if (how == 1) {
		at += dice_below(&m->dice, SECTORS);
		count = 1 + (u32)dice_below(&m->dice, SECTORS - at % SECTORS);
	}
	if (how == 0)
		note(s->b.discarded, at, count, version);
	note(s->b.submitted, at, count, version);
	if (how == 0) {
		err = disk_discard(d, block, count / SECTORS);
	} else {
		for (k = 0; k < count; k++)
			kill_fill(m->buf + k * SECTOR_BYTES, s->uid, at + k, version);
		err = disk_write(d, at, count, m->buf, flags);
	}
	if (err == -EROFS && load(&s->frozen_asked))
		return;
	must(m->life, err, "writing");
	note(s->b.acked, at, count, version);
	if (how && flags & DISK_FUA)
		note(s->b.durable, at, count, version);
}

static void *writer(void *arg)
{
	struct member *m = arg;

	for (;;) {
		int i = take(m, false, KILL_LIVE);

		if (i < 0)
			continue;
		if (!load(&shared(m->life, i)->frozen))
			write_some(m, i);
		if (!dice_below(&m->dice, 8))
			flush_some(m, i);
		__atomic_add_fetch(&m->life->sh->ops, 1, __ATOMIC_RELAXED);
		let_go(m, i);
	}
	return NULL;
}

/* The version of a sector that was read; one that was read while it was written is read again. */
static u32 version_read(struct member *m, int i, u64 at, u8 *sector)
{
	struct kill_slot *s = shared(m->life, i);
	unsigned int tries;
	u32 version;

	for (tries = 0; !kill_version(m->life->sh, s, at, sector, &version); tries++) {
		if (tries == TORN_READS || !kill_torn(s, at, sector))
			die(m->life);
		usleep(1000);
		must(m->life, disk_read(&m->life->slots[i].disk, at, 1, sector), "reading again");
	}
	return version;
}

static void read_some(struct member *m, int i)
{
	u64 at = dice_below(&m->dice, KILL_BLOCKS - KILL_RUN) * SECTORS, k;
	struct kill_slot *s = shared(m->life, i);
	u32 version, first, last;

	for (k = 0; k < KILL_RUN * SECTORS; k++)
		m->copy[k] = load(&s->b.acked[at + k]);
	must(m->life, disk_read(&m->life->slots[i].disk, at, KILL_RUN * SECTORS, m->buf), "reading");
	for (k = 0; k < KILL_RUN * SECTORS; k++) {
		version = version_read(m, i, at + k, m->buf + k * SECTOR_BYTES);
		first = m->copy[k];
		last = load(&s->b.submitted[at + k]);
		if (version ? version < first || version > last : !kill_is_zeros(first) && load(&s->b.discarded[at + k]) <= first) {
			kill_complain(m->life->sh, "while it ran: volume k%u, sector %llu: holds version %u, acknowledged %u, submitted %u",
				      s->uid, (unsigned long long)(at + k), version, first, last);
			die(m->life);
		}
	}
}

static void *reader(void *arg)
{
	struct member *m = arg;

	for (;;) {
		int i = take(m, false, KILL_LIVE);

		if (i >= 0)
			read_some(m, i);
		let_go(m, i);
	}
	return NULL;
}

/* ------------------------------------------------------------------ requests */

/* A slot of one's own becomes a volume that is asked for, with content from another one or none. */
static void begin_making(struct life *l, int i, int from)
{
	struct kill_slot *s = shared(l, i), *f = from >= 0 ? shared(l, from) : NULL;

	s->uid = __atomic_add_fetch(&l->sh->uids, 1, __ATOMIC_RELAXED);
	s->frozen_asked = s->frozen = s->attr = s->attr_asked = s->rolling_to = 0;
	memset(s->seen, 0, sizeof(s->seen));
	memset(&s->b, 0, sizeof(s->b));
	s->generations = 0;
	if (f) {
		memcpy(s->lineage, f->lineage, sizeof(s->lineage));
		s->generations = f->generations;
		copy(s->b.durable, f->b.acked);
		copy(s->b.acked, f->b.acked);
	}
	s->lineage[s->generations++] = s->uid;
	store(&s->made_from, (u32)(from + 1));
	__atomic_store_n(&s->state, KILL_MAKING, __ATOMIC_RELEASE);
}

static void end_making(struct life *l, int i, int from, u64 id)
{
	struct kill_slot *s = shared(l, i);
	struct lb_vol_stat st;

	must(l, lb_vol_stat(l->h.pool, id, false, &st), "asking for a new volume");
	if (from >= 0) {
		copy(s->b.submitted, shared(l, from)->b.submitted);
		copy(s->b.discarded, shared(l, from)->b.discarded);
	}
	store(&s->frozen, st.frozen != 0);
	store(&s->frozen_asked, st.frozen != 0);
	__atomic_store_n(&s->state, KILL_LIVE, __ATOMIC_RELEASE);
	__atomic_store_n(&s->made_from, 0, __ATOMIC_RELEASE);
	open_slot(l, i);
}

static void make_volume(struct member *m, bool of_another)
{
	int from = of_another ? take(m, false, KILL_LIVE) : -1, i = -1;
	struct life *l = m->life;
	char name[32];
	u64 id;
	int err;

	if (!of_another || (from >= 0 && shared(l, from)->generations + 1 < KILL_LINEAGE))
		i = take(m, true, KILL_FREE);
	if (i >= 0) {
		begin_making(l, i, from);
		kill_name(name, shared(l, i)->uid);
		err = from < 0 ? lb_vol_create(l->h.pool, name_of(name), KILL_BLOCKS, 0, NULL, &id) :
				 lb_vol_snapshot(l->h.pool, id_of(l, from), name_of(name), false, 0, NULL, &id);
		must(l, err, from < 0 ? "creating" : "a snapshot");
		end_making(l, i, from, id);
	}
	let_go(m, i);
	let_go(m, from);
}

static void freeze_some(struct member *m)
{
	int i = take(m, false, KILL_LIVE);
	struct kill_slot *s = i < 0 ? NULL : shared(m->life, i);

	if (s && !load(&s->frozen)) {
		store(&s->frozen_asked, 1);
		must(m->life, lb_vol_freeze(m->life->h.pool, id_of(m->life, i), name_of(""), NULL), "freezing");
		store(&s->frozen, 1);
	}
	let_go(m, i);
}

static void *snapshotter(void *arg)
{
	struct member *m = arg;

	for (;;) {
		u64 what = dice_below(&m->dice, 12);

		if (what < 7)
			make_volume(m, true);
		else if (what < 11)
			make_volume(m, false);
		else
			freeze_some(m);
		usleep((useconds_t)dice_below(&m->dice, 3000));
	}
	return NULL;
}

static void remove_some(struct member *m)
{
	int i = take(m, true, KILL_LIVE);
	u64 id;

	if (i >= 0) {
		close_slot(m->life, i);
		id = id_of(m->life, i);
		store(&shared(m->life, i)->state, KILL_REMOVING);
		must(m->life, lb_vol_remove(m->life->h.pool, id, false, NULL), "removing");
		store(&shared(m->life, i)->state, KILL_FREE);
	}
	let_go(m, i);
}

/* To any volume that happens to be an ancestor. */
static void rollback_some(struct member *m)
{
	int i = take(m, true, KILL_LIVE), to = i < 0 ? -1 : take(m, false, KILL_LIVE), err;
	struct life *l = m->life;

	if (to >= 0 && !shared(l, i)->frozen && load(&shared(l, to)->frozen)) {
		struct kill_slot *s = shared(l, i), *t = shared(l, to);

		close_slot(l, i);
		store(&s->rolling_to, (u32)to + 1);
		err = lb_vol_rollback(l->h.pool, id_of(l, i), id_of(l, to));
		if (err != -EINVAL)
			must(l, err, "rolling back");
		if (!err) {
			copy(s->b.durable, t->b.durable);
			copy(s->b.acked, t->b.acked);
			copy(s->b.discarded, t->b.discarded);
			copy(s->b.submitted, t->b.submitted);
		}
		__atomic_store_n(&s->rolling_to, 0, __ATOMIC_RELEASE);
		open_slot(l, i);
	}
	let_go(m, to);
	let_go(m, i);
}

static void *remover(void *arg)
{
	struct member *m = arg;

	for (;;) {
		if (dice_below(&m->dice, 3))
			remove_some(m);
		else
			rollback_some(m);
		usleep((useconds_t)dice_below(&m->dice, 5000));
	}
	return NULL;
}

/* Only this one sets attributes. */
static void set_attr(struct member *m, int i)
{
	bool delete = !dice_below(&m->dice, 4);
	u32 version = __atomic_add_fetch(&m->life->sh->version, 2, __ATOMIC_RELAXED) + delete, value[KILL_ATTR_WORDS];
	struct kill_slot *s = shared(m->life, i);
	struct lb_attr_change ch = { .vol = id_of(m->life, i), .key = "key", .key_len = 3, .value = value, .value_len = sizeof(value),
				     .flags = delete ? LB_CHANGE_DELETE : 0 };
	const struct lb_tx tx = { .changes = &ch, .count = 1 };

	kill_attr(value, s->uid, version);
	store(&s->attr_asked, version);
	must(m->life, lb_vol_set(m->life->h.pool, ch.vol, NULL, &tx), "an attribute");
	store(&s->attr, version);
}

static void *administrator(void *arg)
{
	struct member *m = arg;

	for (;;) {
		u64 what = dice_below(&m->dice, 8);
		int i = what < 5 ? take(m, false, KILL_LIVE) : -1;

		if (i >= 0)
			set_attr(m, i);
		else if (what == 5)
			must(m->life, lb_pool_commit(m->life->h.pool), "a commit");
		else if (what == 6)
			must(m->life, lb_pool_scrub(m->life->h.pool, true), "a scrub");
		else
			lb_cache_shrink(m->life->h.pool, 100);
		let_go(m, i);
		usleep((useconds_t)dice_below(&m->dice, 4000));
	}
	return NULL;
}

/* ------------------------------------------------------------------ the whole */

void kill_child(struct kill_shared *sh, const struct kill_opts *opts)
{
	static void *(*const jobs[])(void *) = { writer, writer, writer, reader, snapshotter, remover, administrator };
	struct lb_pool_policy policy = { .set = LB_POLICY_INTERVAL | LB_POLICY_CACHE, .commit_interval_ms = 100, .cache_limit_bytes = 1 << 20 };
	struct life *l = calloc(1, sizeof(*l));
	struct port_dev *dev;
	pthread_t thread;
	unsigned int i;
	int err;

	l->sh = sh;
	port_random_seed(opts->seed + 1);
	dev = port_file_open(opts->path, false, &err);
	must(l, err, "opening the file");
	host_init(&l->h, opts->cached ? cachedev_new(dev, opts->seed) : dev);
	must(l, host_open(&l->h, 0), "opening the pool");
	must(l, lb_pool_set_policy(l->h.pool, &policy), "setting the policy");
	l->h.pool->step_budget = 1;
	host_workers_start(&l->h);
	for (i = 0; i < KILL_SLOTS; i++) {
		pthread_rwlock_init(&l->slots[i].lock, NULL);
		if (sh->slots[i].state == KILL_LIVE)
			open_slot(l, (int)i);
	}
	for (i = 0; i < ARRAY_SIZE(jobs); i++) {
		struct member *m = calloc(1, sizeof(*m));

		m->life = l;
		m->number = i;
		m->dice.state = opts->seed * 100 + i;
		must(l, -pthread_create(&thread, NULL, jobs[i], m), "a thread");
	}
	store(&sh->ready, 1);
	for (;;)
		pause();
}
