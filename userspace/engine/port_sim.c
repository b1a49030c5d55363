// SPDX-License-Identifier: GPL-2.0
/*
 * The simulated disk (see port_sim.h for the model).
 *
 * Three stores: `now` is what reads see, `medium` what a power cut leaves for certain, `before` what each block held before its last write. `pending` lists, in order, the
 * writes that are in `now` and not yet in `medium`; a slot of `now` counts those of its block. All under `lock`, which is not held while the hook runs.
 */
#include "port_sim.h"

#include <stdlib.h>

#include "sim_store.h"

#define SIM_FAULTS 16u

struct sim_pending {
	u64 block, serial;
	struct sim_page *page;	/* NULL: discard */
	bool discard, complete;
};

struct sim_fault {
	struct port_sim_fault f;
	u64 seen, hit;
};

struct sim_dev {
	struct port_dev dev;
	pthread_mutex_t lock;
	u64 blocks, serial;
	struct sim_store now, medium, before;
	struct sim_pending *pending;
	u64 n_pending, room_pending;
	struct port_sim_stat stat;
	struct sim_fault faults[SIM_FAULTS];
	unsigned int n_faults;
	u64 hits;
	port_sim_hook hook;
	void *hook_arg;
};

static struct sim_dev *sim_dev(struct port_dev *dev)
{
	return lb_container_of(dev, struct sim_dev, dev);
}

static void sim_lock(struct sim_dev *s) { pthread_mutex_lock(&s->lock); }
static void sim_unlock(struct sim_dev *s) { pthread_mutex_unlock(&s->lock); }

/* ------------------------------------------------------------------ pending writes; lock held */

static void pending_push(struct sim_dev *s, u64 block, struct sim_page *page, bool discard, u64 serial)
{
	if (s->n_pending == s->room_pending) {
		s->room_pending = s->room_pending ? s->room_pending * 2 : 64;
		s->pending = realloc(s->pending, s->room_pending * sizeof(*s->pending));
		if (!s->pending)
			abort();
	}
	s->pending[s->n_pending++] = (struct sim_pending){ .block = block, .serial = serial, .page = page, .discard = discard };
	sim_store_set(&s->before, block, sim_page_get(sim_store_page(&s->now, block)));
	sim_store_set(&s->now, block, sim_page_get(page));
	sim_store_slot(&s->now, block)->pending++;
}

static void pending_complete(struct sim_dev *s, u64 serial)
{
	u64 i;

	for (i = s->n_pending; i-- > 0 && s->pending[i].serial >= serial; )
		if (s->pending[i].serial == serial)
			s->pending[i].complete = true;
}

/* Make durable what is complete and either of an I/O up to `upto` or, with `only`, of that very one. Older writes to the same block are void then. */
static void pending_settle(struct sim_dev *s, u64 upto, bool only)
{
	u64 i, kept = 0;

	for (i = s->n_pending; i-- > 0; ) {
		struct sim_pending *p = &s->pending[i];
		struct sim_slot *slot = sim_store_slot(&s->now, p->block);
		bool match = p->complete && (only ? p->serial == upto : p->serial <= upto);

		if (slot->pending & (1ull << 63)) {	/* a newer one has settled */
			sim_page_put(p->page);
		} else if (match) {
			sim_store_set(&s->medium, p->block, p->page);
			slot->pending |= 1ull << 63;
		} else {
			continue;
		}
		slot->pending--;
		if (slot->pending == 1ull << 63)
			slot->pending = 0;
		p->serial = 0;
	}
	for (i = 0; i < s->n_pending; i++) {
		if (!s->pending[i].serial)
			continue;
		sim_store_slot(&s->now, s->pending[i].block)->pending &= ~(1ull << 63);
		s->pending[kept++] = s->pending[i];
	}
	s->n_pending = kept;
}

/* ------------------------------------------------------------------ faults; lock held */

static const struct port_sim_fault *fault_match(struct sim_dev *s, enum port_sim_op op, u64 block)
{
	unsigned int i;

	for (i = 0; i < s->n_faults; i++) {
		struct sim_fault *f = &s->faults[i];

		if (f->f.op != op || block < f->f.first || (f->f.last && block > f->f.last))
			continue;
		if (f->seen++ < f->f.skip || (f->f.times && f->hit >= f->f.times))
			continue;
		f->hit++;
		s->hits++;
		return &f->f;
	}
	return NULL;
}

static int fault_error(const struct port_sim_fault *f)
{
	return f->error ? f->error : -EIO;
}

static void fault_flip(const struct port_sim_fault *f, u8 *data)
{
	u64 bit = (u64)f->arg % (LB_BLOCK_BYTES * 8u);

	data[bit / 8] ^= (u8)(1u << (bit % 8));
}

/* ------------------------------------------------------------------ I/O */

static int run_hook(struct sim_dev *s, enum port_sim_op op, u64 block, u64 count, unsigned int flags, u64 serial)
{
	struct port_sim_io io = { .op = op, .block = block, .count = count, .flags = flags, .serial = serial };

	return s->hook ? s->hook(s->hook_arg, &s->dev, &io) : 0;
}

static u64 sim_blocks(struct port_dev *dev)
{
	struct sim_dev *s = sim_dev(dev);
	u64 n;

	sim_lock(s);
	n = s->blocks;
	sim_unlock(s);
	return n;
}

static u64 last_serial(struct sim_dev *s)
{
	u64 serial;

	sim_lock(s);
	serial = s->serial;
	sim_unlock(s);
	return serial;
}

static int sim_read(struct port_dev *dev, u64 block, void *buf)
{
	struct sim_dev *s = sim_dev(dev);
	const struct port_sim_fault *f;
	int err;

	err = run_hook(s, PORT_SIM_READ, block, 1, 0, last_serial(s));
	if (err)
		return err;
	sim_lock(s);
	s->stat.reads++;
	f = fault_match(s, PORT_SIM_READ, block);
	if (block >= s->blocks)
		err = -EIO;
	else if (f && f->effect == PORT_SIM_ERROR)
		err = fault_error(f);
	else if (f && f->effect == PORT_SIM_STALE)
		sim_page_copy(sim_store_page(&s->before, block), buf);
	else if (f && f->effect == PORT_SIM_MISDIRECT)
		sim_page_copy(sim_store_page(&s->now, block + (u64)f->arg), buf);
	else
		sim_page_copy(sim_store_page(&s->now, block), buf);
	if (f && f->effect == PORT_SIM_CORRUPT)
		fault_flip(f, buf);
	sim_unlock(s);
	return err;
}

static int do_flush(struct sim_dev *s, u64 serial)
{
	const struct port_sim_fault *f;
	int err;

	err = run_hook(s, PORT_SIM_FLUSH, 0, 0, 0, serial);
	if (err)
		return err;
	sim_lock(s);
	s->stat.flushes++;
	f = fault_match(s, PORT_SIM_FLUSH, 0);
	if (f && f->effect == PORT_SIM_ERROR)
		err = fault_error(f);
	else if (!f || f->effect != PORT_SIM_LOST)
		pending_settle(s, serial - 1, false);
	sim_unlock(s);
	return err;
}

static int write_block(struct sim_dev *s, u64 block, const void *buf, u64 serial)
{
	const struct port_sim_fault *f = fault_match(s, PORT_SIM_WRITE, block);
	struct sim_page *page;

	if (f && f->effect == PORT_SIM_ERROR)
		return fault_error(f);
	if (f && f->effect == PORT_SIM_LOST)
		return 0;
	if (f && f->effect == PORT_SIM_MISDIRECT)
		block += (u64)f->arg;
	if (block >= s->blocks)
		return f ? 0 : -EIO;
	page = sim_page_new(buf);
	if (f && f->effect == PORT_SIM_CORRUPT)
		fault_flip(f, page->data);
	pending_push(s, block, page, false, serial);
	return 0;
}

static u64 next_serial(struct sim_dev *s)
{
	u64 serial;

	sim_lock(s);
	serial = ++s->serial;
	sim_unlock(s);
	return serial;
}

static int sim_write(struct port_dev *dev, u64 block, void *const *bufs, unsigned int count, unsigned int flags)
{
	struct sim_dev *s = sim_dev(dev);
	u64 serial = next_serial(s);
	unsigned int i;
	int err = 0;

	if (flags & PORT_PREFLUSH)
		err = do_flush(s, serial);
	if (err)
		return err;
	sim_lock(s);
	s->stat.writes++;
	s->stat.write_blocks += count;
	s->stat.fuas += !!(flags & PORT_FUA);
	for (i = 0; i < count && !err; i++)
		err = write_block(s, block + i, bufs[i], serial);
	sim_unlock(s);
	if (!err)
		err = run_hook(s, PORT_SIM_WRITE, block, count, flags, serial);
	if (err)
		return err;
	sim_lock(s);
	pending_complete(s, serial);
	if (flags & PORT_FUA)
		pending_settle(s, serial, true);
	sim_unlock(s);
	return 0;
}

static int sim_flush(struct port_dev *dev)
{
	struct sim_dev *s = sim_dev(dev);

	return do_flush(s, next_serial(s));
}

static void discard_block(struct sim_dev *s, u64 block, u64 serial)
{
	if (sim_store_page(&s->now, block))
		pending_push(s, block, NULL, true, serial);
}

static int sim_discard(struct port_dev *dev, u64 block, u64 count)
{
	struct sim_dev *s = sim_dev(dev);
	u64 serial = next_serial(s), i, *all, n;
	const struct port_sim_fault *f;
	int err = 0;

	sim_lock(s);
	s->stat.discards++;
	s->stat.discard_blocks += count;
	f = fault_match(s, PORT_SIM_DISCARD, block);
	if (block > s->blocks || count > s->blocks - block)
		err = -EIO;
	else if (f)
		err = f->effect == PORT_SIM_LOST ? 0 : fault_error(f);
	if (f || err) {
		sim_unlock(s);
		return err;
	}
	for (i = 0; count <= 65536 && i < count; i++)
		discard_block(s, block + i, serial);
	sim_unlock(s);
	if (count > 65536) {
		all = port_sim_stored(dev, &n);
		sim_lock(s);
		for (i = 0; i < n; i++)
			if (all[i] >= block && all[i] - block < count)
				discard_block(s, all[i], serial);
		sim_unlock(s);
		free(all);
	}
	err = run_hook(s, PORT_SIM_DISCARD, block, count, 0, serial);
	sim_lock(s);
	if (!err)
		pending_complete(s, serial);
	sim_unlock(s);
	return err;
}

static const struct port_dev_ops sim_ops = {
	.blocks = sim_blocks, .read = sim_read, .write = sim_write, .flush = sim_flush, .discard = sim_discard,
};

static const struct port_dev_ops sim_ops_no_discard = {
	.blocks = sim_blocks, .read = sim_read, .write = sim_write, .flush = sim_flush,
};

/* ------------------------------------------------------------------ life */

struct port_dev *port_sim_new(u64 blocks)
{
	struct sim_dev *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->dev.ops = &sim_ops;
	s->dev.check_batches = true;
	s->blocks = blocks;
	pthread_mutex_init(&s->lock, NULL);
	return &s->dev;
}

void port_sim_free(struct port_dev *dev)
{
	struct sim_dev *s;
	u64 i;

	if (!dev)
		return;
	s = sim_dev(dev);
	for (i = 0; i < s->n_pending; i++)
		sim_page_put(s->pending[i].page);
	free(s->pending);
	sim_store_clear(&s->now);
	sim_store_clear(&s->medium);
	sim_store_clear(&s->before);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct port_dev *port_sim_clone(struct port_dev *dev)
{
	struct sim_dev *from = sim_dev(dev), *to = sim_dev(port_sim_new(0));
	u64 i;

	sim_lock(from);
	to->dev = from->dev;
	to->blocks = from->blocks;
	to->serial = from->serial;
	sim_store_copy(&to->now, &from->now);
	sim_store_copy(&to->medium, &from->medium);
	sim_store_copy(&to->before, &from->before);
	to->n_pending = to->room_pending = from->n_pending;
	if (to->n_pending) {
		to->pending = malloc(to->n_pending * sizeof(*to->pending));
		if (!to->pending)
			abort();
		memcpy(to->pending, from->pending, to->n_pending * sizeof(*to->pending));
	}
	for (i = 0; i < to->n_pending; i++)
		sim_page_get(to->pending[i].page);
	sim_unlock(from);
	return &to->dev;
}

void port_sim_resize(struct port_dev *dev, u64 blocks)
{
	struct sim_dev *s = sim_dev(dev);
	u64 i, kept = 0;

	sim_lock(s);
	for (i = 0; i < s->n_pending; i++) {
		if (s->pending[i].block >= blocks)
			sim_page_put(s->pending[i].page);
		else
			s->pending[kept++] = s->pending[i];
	}
	s->n_pending = kept;
	for (i = 0; i < s->now.room; i++)
		if (s->now.slots[i].key > blocks) {
			sim_store_set(&s->medium, s->now.slots[i].key - 1, NULL);
			sim_store_set(&s->now, s->now.slots[i].key - 1, NULL);
			s->now.slots[i].pending = 0;
		}
	s->blocks = blocks;
	sim_unlock(s);
}

void port_sim_set_discard(struct port_dev *dev, bool can)
{
	dev->ops = can ? &sim_ops : &sim_ops_no_discard;
}

void port_sim_get_stat(struct port_dev *dev, struct port_sim_stat *st)
{
	struct sim_dev *s = sim_dev(dev);

	sim_lock(s);
	*st = s->stat;
	st->pending = s->n_pending;
	st->stored = sim_store_count(&s->now);
	sim_unlock(s);
}

void port_sim_reset_stat(struct port_dev *dev)
{
	struct sim_dev *s = sim_dev(dev);

	sim_lock(s);
	memset(&s->stat, 0, sizeof(s->stat));
	sim_unlock(s);
}

/* ------------------------------------------------------------------ power cuts */

static struct port_sim_write pending_write(const struct sim_dev *s, u64 i)
{
	const struct sim_pending *p = &s->pending[i];

	return (struct port_sim_write){ .index = i, .serial = p->serial, .block = p->block, .discard = p->discard };
}

u64 port_sim_pending(struct port_dev *dev, struct port_sim_write *list, u64 room)
{
	struct sim_dev *s = sim_dev(dev);
	u64 i, n;

	sim_lock(s);
	n = s->n_pending;
	for (i = 0; i < n && i < room; i++)
		list[i] = pending_write(s, i);
	sim_unlock(s);
	return n;
}

struct port_dev *port_sim_crash(struct port_dev *dev, u8 (*pick)(void *arg, const struct port_sim_write *w), void *arg)
{
	struct sim_dev *from = sim_dev(dev), *to = sim_dev(port_sim_new(0));
	u64 i;

	sim_lock(from);
	to->dev = from->dev;
	to->blocks = from->blocks;
	sim_store_copy(&to->medium, &from->medium);
	for (i = 0; i < from->n_pending; i++) {
		const struct sim_pending *p = &from->pending[i];
		struct port_sim_write w = pending_write(from, i);
		u8 sectors = pick(arg, &w);
		struct sim_page *page;
		unsigned int k;

		if (!sectors)
			continue;
		if (sectors == 0xff) {
			sim_store_set(&to->medium, p->block, sim_page_get(p->page));
			continue;
		}
		page = sim_page_new(NULL);
		sim_page_copy(sim_store_page(&to->medium, p->block), page->data);
		for (k = 0; k < PORT_SIM_SECTORS; k++) {
			if (!(sectors & (1u << k)))
				continue;
			if (p->page)
				memcpy(page->data + k * 512u, p->page->data + k * 512u, 512);
			else
				memset(page->data + k * 512u, 0, 512);
		}
		sim_store_set(&to->medium, p->block, page);
	}
	sim_unlock(from);
	sim_store_copy(&to->now, &to->medium);
	return &to->dev;
}

struct crash_dice {
	u64 state;
	unsigned int percent;
};

static u64 dice_roll(struct crash_dice *d)
{
	u64 z = (d->state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static u8 pick_random(void *arg, const struct port_sim_write *w)
{
	struct crash_dice *d = arg;
	u64 roll = dice_roll(d);

	(void)w;
	if (roll % 8 == 0)
		return (u8)(roll >> 32);
	return (roll >> 8) % 100 < d->percent ? 0xff : 0;
}

struct port_dev *port_sim_crash_random(struct port_dev *dev, u64 seed)
{
	struct crash_dice d = { .state = seed };

	d.percent = (unsigned int)(dice_roll(&d) % 5) * 25;
	return port_sim_crash(dev, pick_random, &d);
}

static u8 pick_fixed(void *arg, const struct port_sim_write *w)
{
	(void)w;
	return *(u8 *)arg;
}

struct port_dev *port_sim_crash_none(struct port_dev *dev)
{
	u8 sectors = 0;

	return port_sim_crash(dev, pick_fixed, &sectors);
}

struct port_dev *port_sim_crash_all(struct port_dev *dev)
{
	u8 sectors = 0xff;

	return port_sim_crash(dev, pick_fixed, &sectors);
}

/* ------------------------------------------------------------------ handles */

void port_sim_set_hook(struct port_dev *dev, port_sim_hook hook, void *arg)
{
	struct sim_dev *s = sim_dev(dev);

	sim_lock(s);
	s->hook = hook;
	s->hook_arg = arg;
	sim_unlock(s);
}

void port_sim_add_fault(struct port_dev *dev, const struct port_sim_fault *fault)
{
	struct sim_dev *s = sim_dev(dev);

	sim_lock(s);
	if (s->n_faults == SIM_FAULTS)
		abort();
	s->faults[s->n_faults++] = (struct sim_fault){ .f = *fault };
	sim_unlock(s);
}

void port_sim_clear_faults(struct port_dev *dev)
{
	struct sim_dev *s = sim_dev(dev);

	sim_lock(s);
	s->n_faults = 0;
	s->hits = 0;
	sim_unlock(s);
}

u64 port_sim_fault_hits(struct port_dev *dev)
{
	struct sim_dev *s = sim_dev(dev);
	u64 n;

	sim_lock(s);
	n = s->hits;
	sim_unlock(s);
	return n;
}

void port_sim_peek(struct port_dev *dev, u64 block, void *buf)
{
	struct sim_dev *s = sim_dev(dev);

	sim_lock(s);
	sim_page_copy(sim_store_page(&s->now, block), buf);
	sim_unlock(s);
}

void port_sim_poke(struct port_dev *dev, u64 block, const void *buf)
{
	struct sim_dev *s = sim_dev(dev);

	sim_lock(s);
	pending_push(s, block, sim_page_new(buf), false, ++s->serial);
	pending_complete(s, s->serial);
	pending_settle(s, s->serial, true);
	sim_unlock(s);
}

bool port_sim_is_durable(struct port_dev *dev, u64 block)
{
	struct sim_dev *s = sim_dev(dev);
	struct sim_slot *slot;
	bool durable;

	sim_lock(s);
	slot = sim_store_find(&s->now, block);
	durable = !slot || !slot->pending;
	sim_unlock(s);
	return durable;
}

static int cmp_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

u64 *port_sim_stored(struct port_dev *dev, u64 *n)
{
	struct sim_dev *s = sim_dev(dev);
	u64 i, *all;

	*n = 0;
	sim_lock(s);
	all = malloc((s->now.used + 1) * sizeof(*all));
	if (!all)
		abort();
	for (i = 0; i < s->now.room; i++)
		if (s->now.slots[i].page)
			all[(*n)++] = s->now.slots[i].key - 1;
	sim_unlock(s);
	qsort(all, *n, sizeof(*all), cmp_u64);
	return all;
}
