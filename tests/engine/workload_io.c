// SPDX-License-Identifier: GPL-2.0
/*
 * What clients do to a volume's disk, on the pool and on the model: reads, writes, discards, flushes.
 *
 * Sectors under a write are pending from its submission on, in the model and in its copy of before the operation.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "pool_priv.h"
#include "workload_priv.h"

bool workload_wrong(struct workload *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->m->why, sizeof(w->m->why), fmt, ap);
	va_end(ap);
	return false;
}

/* ------------------------------------------------------------------ volumes and disks */

struct model_vol *workload_vol(struct workload *w, const struct script_op *op)
{
	return model_find_label(w->m, op->vol);
}

struct model_vol *workload_writable(struct workload *w, const struct script_op *op)
{
	struct model_vol *v = workload_vol(w, op);

	return v && !v->frozen ? v : NULL;
}

/* No write is left half done (of this volume; NULL: of any). */
void workload_end_pending(struct workload *w, struct model_vol *v)
{
	unsigned int i, kept = 0;

	for (i = 0; i < w->half_count; i++) {
		struct half_write *hw = w->half[i];

		if (v && hw->vol != v->id) {
			w->half[kept++] = hw;
			continue;
		}
		disk_write_end(&hw->pending, 0);
		model_ack(model_find(w->m, hw->vol), hw->block * SECTORS, hw->count * SECTORS, hw->version);
		free(hw);
	}
	w->half_count = kept;
}

void workload_close_disk(struct workload *w, struct model_vol *v)
{
	if (!v->disk)
		return;
	workload_end_pending(w, v);
	disk_close(v->disk);
	free(v->disk);
	v->disk = NULL;
}

void workload_close_disks(struct workload *w)
{
	unsigned int i;

	for (i = 0; i < MODEL_VOLS; i++)
		if (w->m->vols[i].live)
			workload_close_disk(w, &w->m->vols[i]);
}

static struct disk *disk_of(struct workload *w, struct model_vol *v)
{
	if (v->disk)
		return v->disk;
	v->disk = malloc(sizeof(*v->disk));
	assert(v->disk);
	if (disk_open(&w->h, v->id, v->disk)) {
		free(v->disk);
		v->disk = NULL;
	}
	return v->disk;
}

/* ------------------------------------------------------------------ I/O */

/* An error that a full pool or a quota explains. */
static bool room_error(struct workload *w, const struct model_vol *v, int err)
{
	struct lb_pool_stat st;

	if (err == -EDQUOT)
		return v->quota != 0;
	if (err != -ENOSPC)
		return false;
	w->res->nospc++;
	lb_pool_stat(w->h.pool, &st);
	return st.free_blocks < st.total_blocks / 16 + 64;
}

/* Of a write or discard that failed half way, some sectors are new: what is read counts. */
static bool settle(struct workload *w, struct model_vol *v, u64 sector, u64 count, u32 version)
{
	u8 *buf = malloc(count * SECTOR_BYTES), *expect = malloc(SECTOR_BYTES);
	int err = disk_read(v->disk, sector, (u32)count, buf);
	u64 i;

	assert(buf && expect);
	for (i = 0; i < count && !err; i++) {
		model_fill(w->m, version, sector + i, expect);
		if (!memcmp(buf + i * SECTOR_BYTES, expect, SECTOR_BYTES))
			model_ack(v, sector + i, 1, version);
	}
	free(buf);
	free(expect);
	return !err || workload_wrong(w, "reading after a failed write: error %d", err);
}

/* What is asked for, cut to the volume. False: nothing is left. */
static bool clip(u64 at, u64 *count, u64 size)
{
	if (at >= size || !*count)
		return false;
	*count = min_t(u64, *count, size - at);
	return true;
}

/* A write of one version, from its submission to its acknowledgement. */
static bool write_sectors(struct workload *w, struct model_vol *v, u64 sector, u64 count, unsigned int flags)
{
	struct disk *d = disk_of(w, v);
	u32 version;
	u8 *buf;
	u64 i;
	int err;

	if (!d)
		return workload_wrong(w, "opening volume %llu", (unsigned long long)v->id);
	workload_end_pending(w, v);
	version = model_version(w->m, v->id);
	buf = malloc(count * SECTOR_BYTES);
	assert(buf);
	for (i = 0; i < count; i++)
		model_fill(w->m, version, sector + i, buf + i * SECTOR_BYTES);
	model_submit(v, sector, count, version, false);
	/* The model's copy of before this operation knows these sectors as pending, too: they are on their way. */
	workload_submit_too(w, v->id, sector, count, version);
	err = disk_write(d, sector, (u32)count, buf, flags);
	free(buf);
	if (err)
		return room_error(w, v, err) ? settle(w, v, sector, count, version) : workload_wrong(w, "write: error %d", err);
	if (flags & DISK_PREFLUSH) {
		/* What was acknowledged before it; this write itself is not among that. */
		model_durable_before(v, sector, count);
	}
	model_ack(v, sector, count, version);
	if (flags & DISK_FUA)
		model_durable_range(v, sector, count);
	return true;
}

bool workload_op_write(struct workload *w, const struct script_op *op)
{
	struct model_vol *v = workload_writable(w, op);
	unsigned int flags = (op->flags & OPF_FUA ? DISK_FUA : 0) | (op->flags & OPF_PREFLUSH ? DISK_PREFLUSH : 0);
	u64 count = op->count;

	return !v || !clip(op->at, &count, v->blocks * SECTORS) || write_sectors(w, v, op->at, count, flags);
}

bool workload_op_scatter(struct workload *w, const struct script_op *op)
{
	struct model_vol *v = workload_writable(w, op);
	u64 state = op->seed, step = 2 + workload_chance(&state, 5), block;

	for (block = workload_chance(&state, step); v && block < v->blocks; block += step * (1 + workload_chance(&state, 3)))
		if (!write_sectors(w, v, block * SECTORS, SECTORS, 0))
			return false;
	return true;
}

/* Version 0 on its way to these sectors. */
static void submit_zeros(struct workload *w, struct model_vol *v, u64 sector, u64 count)
{
	model_submit(v, sector, count, 0, false);
	workload_submit_too(w, v->id, sector, count, 0);
}

bool workload_op_discard(struct workload *w, const struct script_op *op)
{
	struct model_vol *v = workload_writable(w, op);
	u64 count = op->count;
	int err;

	if (!v || !clip(op->at, &count, v->blocks) || !disk_of(w, v))
		return true;
	workload_end_pending(w, v);
	submit_zeros(w, v, op->at * SECTORS, count * SECTORS);
	err = disk_discard(v->disk, op->at, count);
	if (err)
		return room_error(w, v, err) ? settle(w, v, op->at * SECTORS, count * SECTORS, 0) : workload_wrong(w, "discard: error %d", err);
	model_ack(v, op->at * SECTORS, count * SECTORS, 0);
	return true;
}

/* As the module does it: whole blocks are unmapped, parts of blocks at the ends are written. */
static int zero_sectors(struct disk *d, u64 sector, u64 count)
{
	static const u8 zeros[LB_BLOCK_BYTES];
	u64 end = sector + count, n;
	int err = 0;

	for (; sector < end && !err; sector += n) {
		if (sector % SECTORS || end - sector < SECTORS) {
			n = min_t(u64, end - sector, SECTORS - sector % SECTORS);
			err = disk_write(d, sector, (u32)n, zeros, 0);
		} else {
			n = (end - sector) / SECTORS * SECTORS;
			err = disk_discard(d, sector / SECTORS, n / SECTORS);
		}
	}
	return err;
}

bool workload_op_zero(struct workload *w, const struct script_op *op)
{
	struct model_vol *v = workload_writable(w, op);
	u64 count = op->count;
	int err;

	if (!v || !clip(op->at, &count, v->blocks * SECTORS) || !disk_of(w, v))
		return true;
	workload_end_pending(w, v);
	submit_zeros(w, v, op->at, count);
	err = zero_sectors(v->disk, op->at, count);
	if (err)
		return room_error(w, v, err) ? settle(w, v, op->at, count, 0) : workload_wrong(w, "write-zeroes: error %d", err);
	model_ack(v, op->at, count, 0);
	return true;
}

bool workload_op_flush(struct workload *w, const struct script_op *op)
{
	struct model_vol *v = workload_writable(w, op);
	int err;

	if (!v || !disk_of(w, v))
		return true;
	err = disk_flush(v->disk);
	if (err)
		return workload_wrong(w, "flush: error %d", err);
	model_durable(v);
	return true;
}

static bool half_overlaps(const struct workload *w, u64 vol, u64 block, u64 count)
{
	unsigned int i;

	for (i = 0; i < w->half_count; i++)
		if (w->half[i]->vol == vol && block < w->half[i]->block + w->half[i]->count && w->half[i]->block < block + count)
			return true;
	return false;
}

static int half_begin(struct workload *w, struct model_vol *v, struct half_write *hw)
{
	u64 asked = hw->count, i, sector = hw->block * SECTORS;
	u8 *buf = malloc(hw->count * LB_BLOCK_BYTES);
	int err;

	assert(buf);
	hw->version = model_version(w->m, v->id);
	for (i = 0; i < asked * SECTORS; i++)
		model_fill(w->m, hw->version, sector + i, buf + i * SECTOR_BYTES);
	model_submit(v, sector, asked * SECTORS, hw->version, true);
	workload_submit_too(w, v->id, sector, asked * SECTORS, hw->version);
	err = disk_write_begin(v->disk, hw->block, &hw->count, buf, &hw->pending);
	free(buf);
	if (err)
		hw->count = 0;
	model_unsubmit(v, sector + hw->count * SECTORS, (asked - hw->count) * SECTORS, hw->version);
	return err;
}

/* A write whose entry comes later: commits, flushes and other volumes' requests go on meanwhile. */
bool workload_op_begin(struct workload *w, const struct script_op *op)
{
	struct model_vol *v = workload_writable(w, op);
	u64 count = op->count;
	struct half_write *hw;
	int err;

	if (!v || w->half_count == WORKLOAD_HALF || !clip(op->at, &count, v->blocks) || !disk_of(w, v))
		return true;
	if (half_overlaps(w, v->id, op->at, count))
		return true;
	hw = calloc(1, sizeof(*hw));
	assert(hw);
	hw->vol = v->id;
	hw->block = op->at;
	hw->count = count;
	err = half_begin(w, v, hw);
	if (!err) {
		w->half[w->half_count++] = hw;
		return true;
	}
	free(hw);
	return err == -ENOBUFS || err == -ENOSPC || err == -EDQUOT || workload_wrong(w, "half a write: error %d", err);
}

bool workload_op_end(struct workload *w, const struct script_op *op)
{
	(void)op;
	workload_end_pending(w, NULL);
	return true;
}

/* Reads of one volume, as a client does. */
bool workload_op_read(struct workload *w, const struct script_op *op)
{
	struct model_vol *v = workload_vol(w, op);

	return !v || model_verify_content(w->m, &w->h, v, MODEL_LIVE, false);
}

