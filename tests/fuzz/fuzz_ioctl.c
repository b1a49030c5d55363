// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctl decoder and all requests behind it: kmod/control.c, ioctl_*.c, events.c and pool.c as they are, on kshim/, with the engine and simulated disks below. Any command number, any struct,
 * pointers good and bad, memory that changes while it is read, allocations that fail, any order of requests. No crash, no leak, nothing asleep under a lock, no copy of more than there is; and
 * the pools are clean in the end, whatever was asked.
 *
 * An input is a list of cells of 8 bytes: a kind (1), a small number (1), a place (2), a value (4); see run_cell().
 */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "kshim/below.h"
#include "control.h"
#include "events.h"
#include "layerblk.h"
#include "pool/bases.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#define POOLS		4u		/* devices 8:0 to 8:3; 4 is zoned, 5 has blocks that are too large */
#define CELLS_MAX	160u
#define ARG_MAX		1024u

static const unsigned int bases_used[POOLS] = { IMAGE_PLAIN, BASE_CHAIN, BASE_FULL, IMAGE_NEW };
static bool verbose;

struct cell {
	u8 kind, small;
	u16 place;
	u32 value;
} __attribute__((packed));

enum cell_kind {
	CELL_CALL,		/* the request `small`, its struct filled in as usual and then by the fields before */
	CELL_CALL_RAW,		/* command `value`, argument at `place` in the user's memory, or nowhere */
	CELL_FIELD,		/* a field at `place` of the next call's struct: small: 1 to 8 bytes, 0x10: + the user's memory, 0x20: 2^value */
	CELL_POKE,		/* the user's memory at `place`: small bytes of value, repeated */
	CELL_READ,		/* events into the user's memory */
	CELL_WORK,		/* the background works, and time passes */
	CELL_DISK,		/* the disk of volume `value` is opened, or all are closed */
	CELL_FATE,		/* what may go wrong from now on */
	CELL_KINDS,
};

struct run {
	struct file file;
	bool open;
	struct cell fields[16];
	unsigned int field_count;
	u8 uuids[POOLS][16];
};

/* ------------------------------------------------------------------ requests */

struct request {
	unsigned int cmd;
	u16 size;
};
#define REQUEST(c, type) { c, sizeof(struct type) }
static const struct request requests[] = {
	REQUEST(LB_IOC_VERSION, lb_ioc_version), REQUEST(LB_IOC_POOL_OPEN, lb_ioc_pool_open), REQUEST(LB_IOC_POOL_CLOSE, lb_ioc_pool_ref),
	REQUEST(LB_IOC_POOL_STATUS, lb_ioc_pool_status), REQUEST(LB_IOC_POOL_NEXT, lb_ioc_pool_status), REQUEST(LB_IOC_POOL_SET, lb_ioc_pool_set),
	REQUEST(LB_IOC_POOL_GROW, lb_ioc_pool_grow), REQUEST(LB_IOC_POOL_SYNC, lb_ioc_pool_ref), REQUEST(LB_IOC_POOL_SCRUB, lb_ioc_pool_scrub),
	REQUEST(LB_IOC_VOL_CREATE, lb_ioc_vol_create), REQUEST(LB_IOC_VOL_SNAPSHOT, lb_ioc_vol_snapshot), REQUEST(LB_IOC_VOL_FREEZE, lb_ioc_vol_freeze),
	REQUEST(LB_IOC_VOL_RM, lb_ioc_vol_rm), REQUEST(LB_IOC_VOL_SET, lb_ioc_vol_set), REQUEST(LB_IOC_VOL_ROLLBACK, lb_ioc_vol_rollback),
	REQUEST(LB_IOC_VOL_STAT, lb_ioc_vol_stat), REQUEST(LB_IOC_VOL_ACTIVATE, lb_ioc_vol_activate), REQUEST(LB_IOC_VOL_DEACTIVATE, lb_ioc_vol_activate),
	REQUEST(LB_IOC_ATTR_GET, lb_ioc_attr_get), REQUEST(LB_IOC_ATTR_NEXT, lb_ioc_attr_next), REQUEST(LB_IOC_DIFF, lb_ioc_diff),
};

static long call(struct run *r, unsigned int cmd, unsigned long arg)
{
	long err = kshim_control->unlocked_ioctl(&r->file, cmd, arg);

	if (verbose)
		fprintf(stderr, "ioctl %08x: %ld\n", cmd, err);
	if (err > 0 || err < -MAX_ERRNO)
		kshim_die("an ioctl returns what no error is");
	return err;
}

static void put_field(u8 *arg, const struct cell *c)
{
	unsigned int width = (c->small & 7u) + 1;
	u64 value = c->value;
	__le64 le;

	if (c->small & 0x10)
		value = KSHIM_USER + (value & 0xffff);
	if (c->small & 0x20)
		value = 1ull << (c->value & 63);
	if (c->small & 0x40)
		value = (u64)-(s64)(c->value & 0xff);
	le = cpu_to_le64(value);
	if (c->place % ARG_MAX + width <= ARG_MAX)
		memcpy(arg + c->place % ARG_MAX, &le, width);
}

/* size, the UUID of pool `place` and, but for those without, the fields; the struct lies in the user's memory at its end. */
static void call_filled(struct run *r, const struct cell *c)
{
	const struct request *q = &requests[c->small % ARRAY_SIZE(requests)];
	const unsigned long at = KSHIM_USER_BYTES - ARG_MAX;
	u8 arg[ARG_MAX] = { 0 };
	__le32 size = cpu_to_le32(q->size);
	unsigned int i;

	memcpy(arg, &size, sizeof(size));
	if (q->cmd == LB_IOC_POOL_OPEN) {
		__le32 major = cpu_to_le32(BELOW_MAJOR), minor = cpu_to_le32(c->place % BELOW_DISKS);

		memcpy(arg + offsetof(struct lb_ioc_pool_open, dev_major), &major, 4);
		memcpy(arg + offsetof(struct lb_ioc_pool_open, dev_minor), &minor, 4);
	} else if (q->cmd != LB_IOC_VERSION) {
		memcpy(arg + 8, r->uuids[c->place % POOLS], 16);
	}
	for (i = 0; i < r->field_count; i++)
		put_field(arg, &r->fields[i]);
	r->field_count = 0;
	memcpy(kshim_user + at, arg, sizeof(arg));
	call(r, q->cmd, KSHIM_USER + at);
}

/* ------------------------------------------------------------------ cells */

static void poke(const struct cell *c)
{
	unsigned int i, n = c->small;

	for (i = 0; i < n && c->place + i < KSHIM_USER_BYTES; i++)
		kshim_user[c->place + i] = (u8)(c->value >> 8 * (i & 3));
}

static void fate(const struct cell *c)
{
	static const int freeze[] = { 0, -EBUSY, -EIO, -EINTR };

	kshim_capable = c->small != 1;
	kshim_race = c->small == 2 ? c->value % 64 : 0;
	kshim_fail_alloc = c->small == 3 ? c->value % 64 : 0;
	if (c->small == 4)
		port_fault_alloc(c->value % 256, 1 + c->place % 4);
	below_freeze_error = c->small == 5 ? freeze[c->value % ARRAY_SIZE(freeze)] : 0;
}

static void run_cell(struct run *r, const struct cell *c)
{
	loff_t pos = 0;

	switch (c->kind % CELL_KINDS) {
	case CELL_CALL:
		call_filled(r, c);
		break;
	case CELL_CALL_RAW:
		call(r, c->value, c->small & 1 ? KSHIM_USER + c->place : (unsigned long)c->place << (c->small & 62));
		break;
	case CELL_FIELD:
		if (r->field_count < ARRAY_SIZE(r->fields))
			r->fields[r->field_count++] = *c;
		break;
	case CELL_POKE:
		poke(c);
		break;
	case CELL_READ:
		kshim_control->poll(&r->file, NULL);
		r->file.f_flags = c->small & 1 ? O_NONBLOCK : 0;
		kshim_control->read(&r->file, (void *)(KSHIM_USER + c->place), c->value % 100000, &pos);
		break;
	case CELL_WORK:
		port_clock_advance(3600000000000ull);
		kshim_run_works();
		break;
	case CELL_DISK:
		if (c->small & 1)
			below_close_disks();
		else
			below_open_disk(r->uuids[c->place % POOLS], c->value);
		break;
	default:
		fate(c);
		break;
	}
}

/* ------------------------------------------------------------------ all of it */

static void take_finding(void *arg, const struct lbck_finding *f)
{
	(void)arg;
	if (f->severity != LBCK_NOTE)
		fprintf(stderr, "LB-%04u %s: %s\n", f->id, f->what, f->text);
}

static void check_disk(struct port_dev *sim)
{
	struct lbck_opts opts = { .limit = 10 };
	struct port_sim_stat st;
	struct lbck_summary sum;

	port_sim_get_stat(sim, &st);
	if (!st.writes)
		return;
	if (lbck_check(sim, &opts, take_finding, NULL, &sum) || sum.remaining)
		kshim_die("a pool is not clean after requests");
}

static void no_log(void *arg, int level, const char *line)
{
	(void)arg;
	(void)level;
	if (verbose)
		fprintf(stderr, "log: %s\n", line);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *s = getenv("FUZZ_VERBOSE");

	(void)argc;
	(void)argv;
	verbose = s && *s == '1';
	port_log_set_sink(no_log, NULL);
	base_get(0);
	if (lbk_events_init() || lbk_pools_init() || lbk_control_init())
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u64 engine_before = port_alloc_live(), kernel_before = kshim_alloc_live();
	struct port_dev *sims[POOLS];
	struct run r = { .open = false };
	struct cell c;
	unsigned int i;

	kshim_reset();
	port_clock_fake(3600000000000ull, 1700000000);
	port_random_seed(1);
	for (i = 0; i < POOLS; i++) {
		sims[i] = base_clone(bases_used[i], 0);
		below_set(i, sims[i]);
		memcpy(r.uuids[i], base_get(bases_used[i])->sb.uuid, 16);
	}
	below_set(4, sims[3]);
	below_set(5, sims[3]);
	r.open = !kshim_control->open(NULL, &r.file);
	for (i = 0; r.open && i < CELLS_MAX && (i + 1) * sizeof(c) <= size; i++) {
		memcpy(&c, data + i * sizeof(c), sizeof(c));
		run_cell(&r, &c);
	}
	memset(&c, 0, sizeof(c));
	fate(&c);
	port_fault_alloc(0, 0);
	if (r.open)
		kshim_control->release(NULL, &r.file);
	below_close_pools();
	if (kshim_alloc_live() != kernel_before || port_alloc_live() != engine_before)
		kshim_die("memory is not given back");
	for (i = 0; i < POOLS; i++) {
		check_disk(sims[i]);
		port_sim_free(sims[i]);
	}
	return 0;
}
