// SPDX-License-Identifier: GPL-2.0
/* See exercise.h. One thread: what waits for background work runs it (host.h). */
#include <stdio.h>
#include <stdlib.h>

#include "exercise.h"
#include "port_user.h"

#define LOOK_VOLS	24u
#define LOOK_RUNS	200u
#define LOOK_ATTRS	40u
#define LOOK_VALUE	(64u << 10)
#define WRITE_BLOCKS	32u
#define DISKS		4u
#define HOUR_NS		3600000000000ull

struct run {
	struct exercise *x;
	struct disk disks[DISKS];	/* open when vol is set */
	u64 ids[LOOK_VOLS];
	unsigned int id_count;
	u64 names;
	u8 *buf;			/* WRITE_BLOCKS blocks */
};

/* ------------------------------------------------------------------ looking */

static void look_map(struct exercise *x, u64 id)
{
	u8 *buf = port_alloc_block(PORT_WAIT);
	struct lb_mapping m;
	unsigned int runs;
	struct disk d;
	u64 at = 0;
	int idx, err = disk_open(&x->h, id, &d);

	for (runs = 0; !err && runs < LOOK_RUNS && at < lb_vol_blocks(d.vol); runs++) {
		idx = lb_io_enter(d.vol);
		err = lb_read_map(d.vol, at, lb_vol_blocks(d.vol) - at, 0, &m);
		if (!err && (!m.count || m.count > lb_vol_blocks(d.vol) - at)) {
			fprintf(stderr, "a look-up gives %llu blocks\n", (unsigned long long)m.count);
			abort();
		}
		if (!err && m.pblk != LB_PBLK_HOLE)
			port_read(x->h.dev, m.pblk, buf);
		lb_io_leave(d.vol, idx);
		at += m.count;
	}
	if (d.vol)
		disk_close(&d);
	port_free_block(buf);
}

static void look_attrs(struct exercise *x, u64 id)
{
	char key[256];
	u8 *value = malloc(LOOK_VALUE);
	u32 key_len = 0, value_len, len;
	unsigned int i;

	for (i = 0; i < LOOK_ATTRS && !lb_attr_next(x->h.pool, id, key, &key_len, &value_len); i++) {
		len = LOOK_VALUE;
		lb_attr_get(x->h.pool, id, key, key_len, value, &len);
	}
	free(value);
}

static void look_diff(struct exercise *x, u64 a, u64 b)
{
	struct lb_diff_range ranges[8];
	unsigned int n, i;
	u64 cursor = 0;

	for (i = 0; i < LOOK_RUNS && cursor != ~0ull; i++) {
		n = ARRAY_SIZE(ranges);
		if (lb_diff(x->h.pool, a, b, &cursor, ranges, &n))
			return;
	}
}

void exercise_look(struct exercise *x)
{
	struct lb_pool_stat ps;
	struct lb_vol_stat st;
	u64 id = 0, last = 0, found;
	unsigned int i;

	lb_pool_stat(x->h.pool, &ps);
	look_attrs(x, 0);
	for (i = 0; i < LOOK_VOLS && !lb_vol_next(x->h.pool, id, true, &id); i++) {
		if (!lb_vol_stat(x->h.pool, id, true, &st))
			lb_vol_find(x->h.pool, (struct lb_name){ .s = st.name, .len = st.name_len }, &found);
		look_map(x, id);
		look_attrs(x, id);
		look_diff(x, last, id);
		last = id;
	}
}

/* ------------------------------------------------------------------ what operations work with */

static void list_vols(struct run *r)
{
	u64 id = 0;

	r->id_count = 0;
	while (r->id_count < LOOK_VOLS && !lb_vol_next(r->x->h.pool, id, true, &id))
		r->ids[r->id_count++] = id;
}

static u64 pick(const struct run *r, u8 which)
{
	if (which >= 0xf0)
		return (u64)which << 8;		/* none */
	return r->id_count ? r->ids[which % r->id_count] : which;
}

static struct disk *disk_of(struct run *r, u8 which)
{
	u64 id = pick(r, which);
	struct disk *empty = NULL;
	unsigned int i;

	for (i = 0; i < DISKS; i++) {
		if (r->disks[i].vol && r->disks[i].id == id)
			return &r->disks[i];
		if (!r->disks[i].vol)
			empty = &r->disks[i];
	}
	if (!empty) {
		disk_close(&r->disks[0]);
		empty = &r->disks[0];
	}
	return disk_open(&r->x->h, id, empty) ? NULL : empty;
}

static void close_disks(struct run *r)
{
	unsigned int i;

	for (i = 0; i < DISKS; i++)
		if (r->disks[i].vol)
			disk_close(&r->disks[i]);
}

static struct lb_name new_name(struct run *r, char *buf, size_t room)
{
	snprintf(buf, room, "fuzz%llu", (unsigned long long)r->names++);
	return (struct lb_name){ .s = buf, .len = (u32)strlen(buf) };
}

/* Within the volume, rather near extents: a's low bits are the place in 1/64 of it, the rest blocks beyond. */
static u64 place(const struct disk *d, u16 a)
{
	u64 blocks = lb_vol_blocks(d->vol);

	return blocks ? (a & 0x8000 ? blocks / 64 * (a & 63) + (a >> 6 & 0xff) : a) % blocks : 0;
}

/* ------------------------------------------------------------------ operations */

static void op_write(struct run *r, u8 which, u16 a, unsigned int flags)
{
	struct disk *d = disk_of(r, which);
	u64 at, n = 1 + a % WRITE_BLOCKS;

	if (!d)
		return;
	at = place(d, a);
	if (at >= lb_vol_blocks(d->vol))
		return;
	n = min_t(u64, n, lb_vol_blocks(d->vol) - at);
	memset(r->buf, which ^ (u8)a, WRITE_BLOCKS * LB_BLOCK_BYTES);
	disk_write(d, at * SECTORS, (u32)(n * SECTORS), r->buf, flags);
}

static void op_partial(struct run *r, u8 which, u16 a)
{
	struct disk *d = disk_of(r, which);
	u64 at;

	if (!d)
		return;
	at = place(d, a);
	if (at < lb_vol_blocks(d->vol))
		disk_write(d, at * SECTORS + a % 4, 1 + a % 4, r->buf, a & 16 ? DISK_FUA : 0);
}

static void op_discard(struct run *r, u8 which, u16 a)
{
	struct disk *d = disk_of(r, which);
	u64 at, n;

	if (!d)
		return;
	at = place(d, a);
	n = min_t(u64, 1ull << a % 20, lb_vol_blocks(d->vol) - at);
	if (at < lb_vol_blocks(d->vol))
		disk_discard(d, at, n);
}

static void op_create(struct run *r, u8 which, u16 a)
{
	struct lb_attr_change change = { .vol = LB_NEW_VOLUME, .key = "fuzz", .key_len = 4, .value = r->buf, .value_len = a };
	struct lb_tx tx = { .changes = &change, .count = which & 1 };
	char name[32];
	u64 id;

	lb_vol_create(r->x->h.pool, new_name(r, name, sizeof(name)), 1ull + a, which & 2 ? a / 2 : 0, &tx, &id);
}

static void op_snapshot(struct run *r, u8 which, u16 a)
{
	char name[32];
	u64 id;

	lb_vol_snapshot(r->x->h.pool, pick(r, which), new_name(r, name, sizeof(name)), a & 1, a & 2 ? a : 0, NULL, &id);
}

static void op_freeze(struct run *r, u8 which, u16 a)
{
	char name[32];
	struct lb_name keep = { .s = "", .len = 0 };

	lb_vol_freeze(r->x->h.pool, pick(r, which), a & 1 ? new_name(r, name, sizeof(name)) : keep, NULL);
}

static void op_remove(struct run *r, u8 which, u16 a)
{
	if (a & 2)
		close_disks(r);
	lb_vol_remove(r->x->h.pool, pick(r, which), a & 1, NULL);
}

static void op_rollback(struct run *r, u8 which, u16 a)
{
	struct lb_vol_stat st;
	u64 id = pick(r, which), to = pick(r, (u8)a);

	if (a & 0x100 && !lb_vol_stat(r->x->h.pool, id, false, &st))
		to = st.parent;
	close_disks(r);
	lb_vol_rollback(r->x->h.pool, id, to);
}

static void op_set(struct run *r, u8 which, u16 a)
{
	char name[32];
	struct lb_vol_change change = { .set = a % 16, .size_blocks = 1 + a / 16, .quota = a / 16 };

	change.name = new_name(r, name, sizeof(name));
	lb_vol_set(r->x->h.pool, pick(r, which), &change, NULL);
}

static void op_attr(struct run *r, u8 which, u16 a)
{
	struct lb_attr_change change = {
		.vol = which % 4 ? pick(r, which) : 0, .key = a & 1 ? "config" : "k", .key_len = a & 1 ? 6 : 1, .value = r->buf,
		.value_len = a & 2 ? 0 : a, .flags = a >> 2 & 7,
	};
	struct lb_tx tx = { .changes = &change, .count = 1 };
	struct lb_vol_change none = { 0 };

	lb_vol_set(r->x->h.pool, 0, &none, &tx);
}

static void op_policy(struct run *r, u8 which, u16 a)
{
	struct lb_pool_policy policy = {
		.set = which % 16, .queue_nospc = a & 1, .nospc_timeout_ms = a, .low_water_blocks = a, .commit_interval_ms = 100 + a,
		.cache_limit_bytes = 1u << 20,
	};

	lb_pool_set_policy(r->x->h.pool, &policy);
}

static void op_grow(struct run *r, u16 a)
{
	u64 now, blocks = port_dev_blocks(r->x->h.dev);

	/* The device itself does not grow: this grows a pool that was made smaller, or fails. */
	lb_pool_grow(r->x->h.pool, a & 1 ? 0 : blocks - a, &now);
}

static void op_time(struct run *r)
{
	port_clock_advance(HOUR_NS);
	lb_work_commit(r->x->h.pool);
	lb_work_reclaim(r->x->h.pool);
}

static int op_reopen(struct run *r, u16 a)
{
	close_disks(r);
	if (a & 1)
		host_close(&r->x->h);
	else
		host_abandon(&r->x->h);
	return host_open(&r->x->h, r->x->flags);
}

static int run_op(struct run *r, const u8 *op)
{
	u16 a = (u16)(op[2] | op[3] << 8);
	struct disk *d;

	switch (op[0] % 19) {
	case 0:
	case 1:
		op_write(r, op[1], a, op[0] & 32 ? DISK_FUA : 0);
		break;
	case 2:
		op_partial(r, op[1], a);
		break;
	case 3:
		op_discard(r, op[1], a);
		break;
	case 4:
		d = disk_of(r, op[1]);
		if (d)
			disk_flush(d);
		break;
	case 5:
		op_create(r, op[1], a);
		break;
	case 6:
	case 7:
		op_snapshot(r, op[1], a);
		break;
	case 8:
		op_freeze(r, op[1], a);
		break;
	case 9:
	case 10:
		op_remove(r, op[1], a);
		break;
	case 11:
		op_rollback(r, op[1], a);
		break;
	case 12:
		op_set(r, op[1], a);
		break;
	case 13:
		op_attr(r, op[1], a);
		break;
	case 14:
		op_policy(r, op[1], a);
		break;
	case 15:
		op_grow(r, a);
		break;
	case 16:
		lb_pool_scrub(r->x->h.pool, a & 1);
		op_time(r);
		break;
	case 17:
		op_time(r);
		break;
	default:
		return op_reopen(r, a);
	}
	return 0;
}

int exercise_run(struct exercise *x, const u8 *ops, size_t bytes)
{
	struct run r = { .x = x, .buf = calloc(WRITE_BLOCKS, LB_BLOCK_BYTES) };
	size_t i;
	int err = 0;

	if (!r.buf)
		abort();
	for (i = 0; !err && i < EXERCISE_OPS && (i + 1) * 4 <= bytes; i++) {
		list_vols(&r);
		err = run_op(&r, ops + i * 4);
		if (!err)
			host_work(&x->h);
	}
	if (!err)
		close_disks(&r);
	free(r.buf);
	return err;
}
