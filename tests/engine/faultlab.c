// SPDX-License-Identifier: GPL-2.0
/* The bench of faultlab.h: counting and making faults, and judging what is there afterwards. The scenes are in faultscene.c, the operations in faultops.c. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "faultscene.h"
#include "pool_priv.h"
#include "port_user.h"

#define HOUR_NS		3600000000000ull
#define FOREVER		(1ull << 40)

const char *const fault_kind_names[LIE_KINDS] = {
	"alloc", "nomem", "read", "write", "flush", "discard", "dead", "rdonly", "corrupt", "stale", "misdirect", "bad-block",
};

s64 flab_misdirection = 1;

bool flab_say(struct faultlab *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->why, sizeof(l->why), fmt, ap);
	va_end(ap);
	return false;
}

/* ------------------------------------------------------------------ volumes, disks and I/O of operations */

struct model_vol *flab_vol(struct faultlab *l, const char *name)
{
	unsigned int i;

	for (i = 0; i < MODEL_VOLS; i++)
		if (l->m->vols[i].live && !strcmp(l->m->vols[i].name, name))
			return &l->m->vols[i];
	abort();
}

u64 flab_id(struct faultlab *l, const char *name)
{
	return flab_vol(l, name)->id;
}

struct disk *flab_disk(struct faultlab *l, const char *name)
{
	struct model_vol *v = flab_vol(l, name);

	if (v->disk)
		return v->disk;
	v->disk = malloc(sizeof(*v->disk));
	if (!v->disk || disk_open(&l->h, v->id, v->disk))
		abort();
	return v->disk;
}

void flab_close_disks(struct faultlab *l)
{
	unsigned int i;

	for (i = 0; i < MODEL_VOLS; i++) {
		struct model_vol *v = &l->m->vols[i];

		if (v->live && v->disk) {
			disk_close(v->disk);
			free(v->disk);
			v->disk = NULL;
		}
	}
	for (i = 0; l->after && i < MODEL_VOLS; i++)
		l->after->vols[i].disk = NULL;
}

static int write_version(struct faultlab *l, struct disk *d, u64 sector, u64 count, u32 version, unsigned int flags)
{
	u8 *buf = malloc(count * SECTOR_BYTES);
	u64 i;
	int err;

	assert(buf);
	for (i = 0; i < count; i++)
		model_fill(l->m, version, sector + i, buf + i * SECTOR_BYTES);
	err = disk_write(d, sector, (u32)count, buf, flags);
	free(buf);
	return err;
}

void flab_write(struct faultlab *l, const char *name, u64 sector, u64 count)
{
	struct model_vol *v = flab_vol(l, name);
	u32 version = model_version(l->m, v->id);

	model_submit(v, sector, count, version, false);
	if (write_version(l, flab_disk(l, name), sector, count, version, 0))
		abort();
	model_ack(v, sector, count, version);
}

void flab_plan_io(struct faultlab *l, struct model *after, const char *name, u64 sector, u64 count, unsigned int flags, bool discard)
{
	struct model_vol *v = flab_vol(l, name), *done = model_find(after, v->id);

	l->io_vol = v;
	l->io_sector = sector;
	l->io_count = count;
	l->io_flags = flags;
	l->io_version = discard ? 0 : model_version(l->m, v->id);
	model_submit(v, sector, count, l->io_version, true);
	model_submit(done, sector, count, l->io_version, false);
	model_ack(done, sector, count, l->io_version);
	if (flags & DISK_PREFLUSH)
		model_durable_before(done, sector, count);
	if (flags & DISK_FUA)
		model_durable_range(done, sector, count);
}

int flab_do_io(struct faultlab *l)
{
	if (!l->io_version)
		return disk_discard(l->io_vol->disk, l->io_sector / SECTORS, l->io_count / SECTORS);
	return write_version(l, l->io_vol->disk, l->io_sector, l->io_count, l->io_version, l->io_flags);
}

/* ------------------------------------------------------------------ counting, and making the nth fail */

static int counter_hook(void *arg, struct port_dev *dev, const struct port_sim_io *io)
{
	struct fault_counter *c = arg;

	(void)dev;
	c->ios++;
	c->changes += io->op == PORT_SIM_WRITE || io->op == PORT_SIM_FLUSH;
	c->reads += io->op == PORT_SIM_READ;
	c->writes += io->op == PORT_SIM_WRITE ? io->count : 0;
	c->flushes += io->op == PORT_SIM_FLUSH;
	c->discards += io->op == PORT_SIM_DISCARD;
	if (c->nth && c->kind == FAULT_DEAD && c->ios >= c->nth)
		return -EIO;
	if (c->nth && c->kind == FAULT_RDONLY && io->op != PORT_SIM_READ && c->changes >= c->nth)
		return -EIO;
	return 0;
}

static void fault_arm(struct faultlab *l, enum fault_kind kind, u64 nth)
{
	static const enum port_sim_op ops[LIE_KINDS] = {
		[FAULT_READ] = PORT_SIM_READ, [FAULT_WRITE] = PORT_SIM_WRITE, [FAULT_FLUSH] = PORT_SIM_FLUSH, [FAULT_DISCARD] = PORT_SIM_DISCARD,
	};
	static const enum port_sim_effect effects[LIE_KINDS] = {
		[LIE_CORRUPT] = PORT_SIM_CORRUPT, [LIE_STALE] = PORT_SIM_STALE, [LIE_MISDIRECT] = PORT_SIM_MISDIRECT, [LIE_BAD_BLOCK] = PORT_SIM_CORRUPT,
	};
	struct port_sim_fault f = { .op = ops[kind], .effect = effects[kind], .skip = nth - 1, .times = 1 };

	if (kind == LIE_CORRUPT)
		f.arg = (s64)(nth * 7919);	/* which bit */
	else if (kind == LIE_MISDIRECT)
		f.arg = flab_misdirection;
	else if (kind == LIE_BAD_BLOCK)
		f = (struct port_sim_fault){ .op = PORT_SIM_READ, .effect = PORT_SIM_CORRUPT, .first = nth, .last = nth, .arg = (s64)(nth * 7919) };

	l->counter = (struct fault_counter){ .kind = kind, .nth = nth };
	port_sim_set_hook(l->h.dev, counter_hook, &l->counter);
	l->allocs = port_alloc_total();
	if (!nth)
		return;
	if (kind == FAULT_ALLOC || kind == FAULT_NOMEM)
		port_fault_alloc(nth, kind == FAULT_ALLOC ? 1 : FOREVER);
	else if (kind != FAULT_DEAD && kind != FAULT_RDONLY)
		port_sim_add_fault(l->h.dev, &f);
}

static void fault_disarm(struct faultlab *l)
{
	port_fault_alloc(0, 0);
	l->allocs = port_alloc_total() - l->allocs;
	port_sim_set_hook(l->h.dev, NULL, NULL);
	port_sim_clear_faults(l->h.dev);
}

/* ------------------------------------------------------------------ one run */

void flab_begin(struct faultlab *l, const struct fault_op *op)
{
	unsigned int i;

	memset(l, 0, sizeof(*l));
	l->op = op;
	l->allocations = port_alloc_live();
	port_random_seed(1);
	port_clock_fake(HOUR_NS, 1700000000);
	scene_take(op->scene, &l->h, &l->m);
	if (!(op->flags & OP_OPENS)) {
		if (host_open(&l->h, 0))
			abort();
		l->h.pool->step_budget = 1;
	}
	if (op->setup)
		op->setup(l);
	l->next_id = l->h.pool ? l->h.pool->next_volume : 0;
	l->after = model_copy(l->m);
	for (i = 0; i < MODEL_VOLS; i++)
		l->after->vols[i].disk = l->m->vols[i].disk;
	if (op->expect)
		op->expect(l, l->after);
}

void flab_end(struct faultlab *l)
{
	flab_close_disks(l);
	if (l->h.pool)
		host_abandon(&l->h);
	model_copy_free(l->m);
	model_copy_free(l->after);
	port_sim_free(l->h.dev);
	port_random_seed(0);
	port_clock_real();
}

void flab_count(const struct fault_op *op, u64 places[FAULT_KINDS])
{
	struct faultlab l;

	flab_begin(&l, op);
	fault_arm(&l, FAULT_ALLOC, 0);
	if (op->run(&l)) {
		fprintf(stderr, "%s: fails without a fault\n", op->name);
		abort();
	}
	fault_disarm(&l);
	places[FAULT_ALLOC] = places[FAULT_NOMEM] = l.allocs;
	places[FAULT_READ] = l.counter.reads;
	places[FAULT_WRITE] = l.counter.writes;
	places[FAULT_FLUSH] = l.counter.flushes;
	places[FAULT_DISCARD] = l.counter.discards;
	places[FAULT_DEAD] = l.counter.ios;
	places[FAULT_RDONLY] = l.counter.changes;
	flab_end(&l);
}

/* ------------------------------------------------------------------ judging */

static bool pool_failed(struct faultlab *l)
{
	return l->h.pool && READ_ONCE(l->h.pool->failed);
}

static bool is_memory(enum fault_kind kind) { return kind == FAULT_ALLOC || kind == FAULT_NOMEM; }
static bool is_change(enum fault_kind kind) { return kind == FAULT_WRITE || kind == FAULT_FLUSH || kind == FAULT_RDONLY; }

static bool may_fail_pool(const struct fault_op *op, enum fault_kind kind)
{
	switch (kind) {
	case FAULT_READ:
	case LIE_CORRUPT:
	case LIE_STALE:
	case LIE_MISDIRECT:
	case LIE_BAD_BLOCK:
		return op->flags & OP_COMMITS;
	case FAULT_NOMEM:
		return op->flags & (OP_COMMITS | OP_JOURNALS);
	default:
		return kind != FAULT_ALLOC && kind != FAULT_DISCARD;
	}
}

/* Is that an answer that this fault explains? */
static bool error_fits(struct faultlab *l, enum fault_kind kind, int err, bool must_work)
{
	if (must_work && err)
		return flab_say(l, "error %d though there is a second copy", err);
	if (pool_failed(l) && !may_fail_pool(l->op, kind))
		return flab_say(l, "the pool failed with error %d", l->h.pool->failed);
	if (pool_failed(l) && !err && !(l->op->flags & OP_VOID))
		return flab_say(l, "the pool failed with error %d, and the operation says that all went well", l->h.pool->failed);
	/* A write that failed and is not reported would be a lie, but for what the background does. */
	if (!err)
		return !is_change(kind) || (l->op->flags & OP_VOID) || flab_say(l, "a failed %s is not reported", fault_kind_names[kind]);
	if (kind == FAULT_DISCARD)
		return flab_say(l, "a failed discard is taken seriously: error %d", err);
	if (is_memory(kind) ? err == -ENOMEM : err == -EIO)
		return true;
	if (kind >= FAULT_KINDS && err == -EUCLEAN)
		return true;
	/* Both copies of one superblock slot cannot be read: what it held may have been the newest. */
	if (kind == FAULT_DEAD && (l->op->flags & OP_OPENS) && err == -ESTALE)
		return true;
	return (pool_failed(l) && (err == -EIO || err == -EROFS)) || flab_say(l, "error %d", err);
}

static bool fits_one(struct faultlab *l, struct host *h, enum model_mode mode, bool done, bool either, const char *when)
{
	struct model *first = done ? l->after : l->m;

	if (model_verify(first, h, mode, false))
		return !l->op->holds || mode == MODEL_CRASHED || either || l->op->holds(l, done) || flab_say(l, "%s: what it changes is not as it should be", when);
	if (either && model_verify(done ? l->m : l->after, h, mode, false))
		return true;
	return flab_say(l, "%s: %s%s%s", when, first->why, either ? "\n and: " : "", either ? (done ? l->m : l->after)->why : "");
}

/* A volume that judge_helpless() asked a dead disk for: the disk may have kept what it said it could not write. */
#define HELPLESS "helpless"

static int open_without_helpless(struct host *h)
{
	int err = host_open(h, 0);
	u64 id;

	if (!err && !lb_vol_find(h->pool, name_of(HELPLESS), &id))
		err = lb_vol_remove(h->pool, id, false, NULL);
	return err;
}

/* Disks that are open belong to another pool than the one that is to be looked at: set aside, or (back) taken up again. */
static void disks_aside(struct faultlab *l, struct disk *disks[MODEL_VOLS], bool back)
{
	unsigned int i;

	for (i = 0; i < MODEL_VOLS; i++) {
		if (!back)
			disks[i] = l->m->vols[i].disk;
		l->m->vols[i].disk = l->after->vols[i].disk = back ? disks[i] : NULL;
	}
}

static bool image_fits(struct faultlab *l, struct port_dev *dev, bool done, const char *when)
{
	struct disk *disks[MODEL_VOLS];
	struct host h;
	bool ok;
	int err;

	if (!model_check(l->m, dev, when))
		return flab_say(l, "%s", l->m->why);
	host_init(&h, dev);
	err = open_without_helpless(&h);
	if (err)
		return flab_say(l, "%s: opening: error %d", when, err);
	disks_aside(l, disks, false);
	ok = fits_one(l, &h, MODEL_CRASHED, done, !done, when);
	disks_aside(l, disks, true);
	err = host_close(&h);
	if (ok && err)
		ok = flab_say(l, "%s: closing: error %d", when, err);
	if (ok && !model_check(l->m, dev, when))
		ok = flab_say(l, "after recovery, %s", l->m->why);
	return ok;
}

/* The power is cut: what was not durable is lost, or is not, or some of it. */
static bool judge_cuts(struct faultlab *l, bool done, unsigned int variant, u64 seed)
{
	struct port_dev *left = variant == 0 ? port_sim_crash_none(l->h.dev) : variant == 1 ? port_sim_crash_all(l->h.dev) :
				port_sim_crash_random(l->h.dev, seed);
	bool ok = image_fits(l, left, done, "a power cut after it");

	port_sim_free(left);
	return ok;
}

/* A failed pool goes on being readable, and what was acknowledged is there. */
static bool judge_readable(struct faultlab *l, bool writes_fail)
{
	unsigned int i;

	for (i = 0; i < MODEL_VOLS; i++) {
		struct model_vol *v = &l->m->vols[i], *w = &l->after->vols[i];
		struct disk d;
		int err;

		if (!v->live || !w->live)
			continue;
		if (!v->disk) {
			err = disk_open(&l->h, v->id, &d);
			if (err == -EIO || err == -EINVAL || err == -ENOENT)
				continue;	/* it was being cut, or is deleted by now */
			if (err)
				return flab_say(l, "opening %s in a failed pool: error %d", v->name, err);
			disk_close(&d);
		}
		if (!model_verify_content(l->m, &l->h, v, MODEL_LIVE, false) && !model_verify_content(l->after, &l->h, w, MODEL_LIVE, false))
			return flab_say(l, "%s: %s\n and: %s", writes_fail ? "while writes fail" : "in a failed pool", l->m->why, l->after->why);
	}
	return true;
}

/* What must not seem to work while nothing can be written. */
static bool judge_helpless(struct faultlab *l)
{
	struct model_vol *v = flab_vol(l, "web");
	u64 sector = 3 * SECTORS, id;
	u32 version;
	int err;

	if (!l->h.pool)
		return true;
	if (v->disk && !v->frozen && !l->after->vols[v - l->m->vols].frozen) {
		version = model_version(l->m, v->id);
		model_submit(v, sector, 1, version, true);
		model_submit(&l->after->vols[v - l->m->vols], sector, 1, version, true);
		err = write_version(l, v->disk, sector, 1, version, DISK_FUA);
		if (!err)
			return flab_say(l, "a write with FUA says that it worked on a dead disk");
	}
	if (!lb_vol_create(l->h.pool, name_of(HELPLESS), 10, 0, NULL, &id) || !lb_pool_commit(l->h.pool))
		return flab_say(l, "a request says that it worked on a dead disk");
	host_work(&l->h);
	return true;
}

/* Once more, without a fault. */
static bool judge_retry(struct faultlab *l)
{
	unsigned int i;
	int err;

	if (l->h.pool && l->next_id != l->h.pool->next_volume && l->op->expect) {
		/* The number was used up: the volume gets the next one. */
		for (i = 0; i < MODEL_VOLS; i++) {
			struct model_vol *v = &l->after->vols[i];

			if (v->live && v->id == l->next_id)
				v->id = l->h.pool->next_volume;
			if (v->live && v->parent == l->next_id)
				v->parent = l->h.pool->next_volume;
		}
	}
	err = l->op->run(l);
	return !err || flab_say(l, "tried again without a fault: error %d", err);
}

/* Close, ask the checker, open: all is durable now. */
static bool judge_reopened(struct faultlab *l, bool done, bool failed)
{
	bool ok;
	int err;

	flab_close_disks(l);
	if (l->h.pool) {
		err = host_close(&l->h);
		if (!err == failed)
			return flab_say(l, "closing: error %d", err);
	}
	if (!model_check(l->m, l->h.dev, "after closing"))
		return flab_say(l, "%s", l->m->why);
	err = open_without_helpless(&l->h);
	if (err)
		return flab_say(l, "opening again: error %d", err);
	ok = fits_one(l, &l->h, failed ? MODEL_CRASHED : MODEL_LIVE, done, failed && !done, "closed and opened again");
	err = host_close(&l->h);
	if (ok && err)
		return flab_say(l, "closing again: error %d", err);
	if (ok && !model_check(l->m, l->h.dev, "at the end"))
		return flab_say(l, "%s", l->m->why);
	return ok;
}

static bool judge(struct faultlab *l, u64 nth, unsigned int variant, int err)
{
	bool done = !err && !(l->op->flags & OP_VOID && pool_failed(l)), failed = pool_failed(l) || (!l->h.pool && err);

	if (!judge_cuts(l, done, variant % 3, nth))
		return false;
	if (l->op->flags & OP_OPENS && l->h.pool)
		l->h.pool->step_budget = 1;
	if (pool_failed(l)) {
		if (!judge_readable(l, false))
			return false;
	} else if (l->h.pool) {
		if (!fits_one(l, &l->h, MODEL_LIVE, done, false, "at once"))
			return false;
		if (err && variant & 1) {
			if (!judge_retry(l) || !fits_one(l, &l->h, MODEL_LIVE, true, false, "tried again"))
				return false;
			done = true;
		}
	} else if (l->op->flags & OP_OPENS) {
		failed = false;
	}
	return judge_reopened(l, done, failed);
}

bool flab_case(const struct fault_op *op, enum fault_kind kind, u64 nth, unsigned int variant, char why[FLAB_TEXT + 40])
{
	bool stays = kind == FAULT_DEAD || kind == FAULT_RDONLY, ok;
	struct faultlab l;
	u64 leaked;
	int err;

	flab_begin(&l, op);
	fault_arm(&l, kind, nth);
	err = op->run(&l);
	ok = error_fits(&l, kind, err, variant & FLAB_MUST_WORK);
	if (ok && kind == FAULT_RDONLY && l.h.pool)
		ok = judge_readable(&l, true);
	if (ok && stays)
		ok = judge_helpless(&l);
	fault_disarm(&l);
	ok = ok && judge(&l, nth, variant % FLAB_MUST_WORK, err);
	if (!ok)
		snprintf(why, FLAB_TEXT + 40, "(it gave %d) %s", err, l.why);
	leaked = l.allocations;
	flab_end(&l);
	if (ok && port_alloc_live() != leaked) {
		snprintf(why, FLAB_TEXT + 40, "%llu allocations are left", (unsigned long long)(port_alloc_live() - leaked));
		ok = false;
	}
	return ok;
}
