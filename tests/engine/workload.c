// SPDX-License-Identifier: GPL-2.0
/*
 * The random workload: choosing operations, doing each on the pool and on the model, and deciding when the power fails. What a power cut must leave is in crash.c.
 *
 * A request is atomic: a cut within it leaves the state before or that after. Sectors under a write are pending from its submission on. So the state before an operation is copied when a cut is to
 * come within it, and whatever the cut leaves must fit one of the two.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "pool_priv.h"
#include "workload_priv.h"

/* ------------------------------------------------------------------ chance and the log */

static u64 chance(struct workload *w, u64 n)
{
	u64 z = (w->state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (z ^ (z >> 31)) % n;
}

static bool permille(struct workload *w, u32 n)
{
	return chance(w, 1000) < n;
}

static void say(struct workload *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A line of the script: what is about to be done. */
static void say(struct workload *w, const char *fmt, ...)
{
	char *line = w->log[w->log_count++ % WORKLOAD_LOG];
	int n = snprintf(line, WORKLOAD_LINE, "%5u  ", w->op);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + n, WORKLOAD_LINE - (size_t)n, fmt, ap);
	va_end(ap);
}

static bool wrong(struct workload *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool wrong(struct workload *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->m->why, sizeof(w->m->why), fmt, ap);
	va_end(ap);
	return false;
}

/* ------------------------------------------------------------------ volumes and disks */

static struct model_vol *some_volume(struct workload *w, bool (*fits)(const struct model_vol *v))
{
	struct model_vol *list[MODEL_VOLS];
	unsigned int i, n = 0;

	for (i = 0; i < MODEL_VOLS; i++)
		if (w->m->vols[i].live && (!fits || fits(&w->m->vols[i])))
			list[n++] = &w->m->vols[i];
	return n ? list[chance(w, n)] : NULL;
}

static bool is_writable(const struct model_vol *v) { return !v->frozen; }
static bool is_frozen(const struct model_vol *v) { return v->frozen; }

/* No write is left half done (of this volume; NULL: of any). */
static void end_pending(struct workload *w, struct model_vol *v)
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

static void end_all_pending(void *arg)
{
	end_pending(arg, NULL);
}

/* Whatever commits may reclaim, and so wait for what is in flight, when space is tight or a round for space was asked for. */
static void end_pending_if_tight(struct workload *w)
{
	struct lb_pool *p = w->h.pool;
	struct lb_pool_stat st;

	if (!w->half_count)
		return;
	lb_pool_stat(p, &st);
	if (p->room_asked > p->room_done || st.free_blocks < st.total_blocks / 2 + 200)
		end_pending(w, NULL);
}

void workload_close_disk(struct workload *w, struct model_vol *v)
{
	if (!v->disk)
		return;
	end_pending(w, v);
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
	return !err || wrong(w, "reading after a failed write: error %d", err);
}

static bool do_write(struct workload *w, struct model_vol *v, u64 sector, u64 count, unsigned int flags)
{
	struct disk *d = disk_of(w, v);
	u32 version;
	u8 *buf;
	u64 i;
	int err;

	if (!d)
		return wrong(w, "opening volume %llu", (unsigned long long)v->id);
	end_pending(w, v);
	version = model_version(w->m, v->id);
	say(w, "write vol %llu sector %llu+%llu v%u%s%s", (unsigned long long)v->id, (unsigned long long)sector, (unsigned long long)count,
	    version, flags & DISK_PREFLUSH ? " preflush" : "", flags & DISK_FUA ? " fua" : "");
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
		return room_error(w, v, err) ? settle(w, v, sector, count, version) : wrong(w, "write: error %d", err);
	if (flags & DISK_PREFLUSH) {
		/* What was acknowledged before it; this write itself is not among that. */
		model_durable_before(v, sector, count);
	}
	model_ack(v, sector, count, version);
	if (flags & DISK_FUA)
		model_durable_range(v, sector, count);
	return true;
}

static bool op_write(struct workload *w)
{
	struct model_vol *v = some_volume(w, is_writable);
	u64 block, count;

	if (!v)
		return true;
	block = chance(w, v->blocks);
	count = 1 + chance(w, chance(w, 4) ? 4 : 100);
	return do_write(w, v, block * SECTORS, min_t(u64, count, v->blocks - block) * SECTORS, 0);
}

/* Few places, often: what lies under the same memtable entries, and in place. */
static bool op_write_hot(struct workload *w)
{
	struct model_vol *v = some_volume(w, is_writable);
	u64 block;

	if (!v)
		return true;
	block = chance(w, min_t(u64, v->blocks, 12));
	return do_write(w, v, block * SECTORS, min_t(u64, 1 + chance(w, 3), v->blocks - block) * SECTORS, 0);
}

static bool op_write_partial(struct workload *w)
{
	struct model_vol *v = some_volume(w, is_writable);
	u64 sector, count;

	if (!v)
		return true;
	sector = chance(w, v->blocks * SECTORS);
	count = 1 + chance(w, chance(w, 3) ? 7 : 40);
	return do_write(w, v, sector, min_t(u64, count, v->blocks * SECTORS - sector), permille(w, 200) ? DISK_FUA : 0);
}

static bool op_write_fua(struct workload *w)
{
	struct model_vol *v = some_volume(w, is_writable);
	u64 block;

	if (!v)
		return true;
	block = chance(w, v->blocks);
	return do_write(w, v, block * SECTORS, min_t(u64, 1 + chance(w, 8), v->blocks - block) * SECTORS,
			DISK_FUA | (permille(w, 300) ? DISK_PREFLUSH : 0));
}

/* Scattered single blocks: many extents, several leaves. */
static bool op_scatter(struct workload *w)
{
	struct model_vol *v = some_volume(w, is_writable);
	u64 block, step;

	if (!v)
		return true;
	step = 2 + chance(w, 5);
	for (block = chance(w, step); block < v->blocks; block += step * (1 + chance(w, 3)))
		if (!do_write(w, v, block * SECTORS, SECTORS, 0))
			return false;
	return true;
}

static bool op_discard(struct workload *w)
{
	struct model_vol *v = some_volume(w, is_writable);
	u64 block, count;
	int err;

	if (!v || !disk_of(w, v))
		return true;
	end_pending(w, v);
	block = chance(w, v->blocks);
	count = min_t(u64, 1 + chance(w, chance(w, 3) ? 20 : v->blocks), v->blocks - block);
	say(w, "discard vol %llu block %llu+%llu", (unsigned long long)v->id, (unsigned long long)block, (unsigned long long)count);
	model_submit(v, block * SECTORS, count * SECTORS, 0, false);
	workload_submit_too(w, v->id, block * SECTORS, count * SECTORS, 0);
	err = disk_discard(v->disk, block, count);
	if (err)
		return room_error(w, v, err) ? settle(w, v, block * SECTORS, count * SECTORS, 0) : wrong(w, "discard: error %d", err);
	model_ack(v, block * SECTORS, count * SECTORS, 0);
	return true;
}

static bool op_flush(struct workload *w)
{
	struct model_vol *v = some_volume(w, is_writable);
	int err;

	if (!v || !disk_of(w, v))
		return true;
	say(w, "flush vol %llu", (unsigned long long)v->id);
	err = disk_flush(v->disk);
	if (err)
		return wrong(w, "flush: error %d", err);
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
	say(w, "half a write vol %llu block %llu+%llu v%u", (unsigned long long)v->id, (unsigned long long)hw->block,
	    (unsigned long long)hw->count, hw->version);
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
static bool op_half_write(struct workload *w)
{
	struct model_vol *v = some_volume(w, is_writable);
	struct half_write *hw;
	u64 block, count;
	int err;

	if (!v || w->half_count == WORKLOAD_HALF || !disk_of(w, v))
		return true;
	block = chance(w, v->blocks);
	count = min_t(u64, 1 + chance(w, 6), v->blocks - block);
	if (half_overlaps(w, v->id, block, count))
		return true;
	hw = calloc(1, sizeof(*hw));
	assert(hw);
	hw->vol = v->id;
	hw->block = block;
	hw->count = count;
	err = half_begin(w, v, hw);
	if (!err) {
		w->half[w->half_count++] = hw;
		return true;
	}
	free(hw);
	return err == -ENOBUFS || err == -ENOSPC || err == -EDQUOT || wrong(w, "half a write: error %d", err);
}

static bool op_end_half(struct workload *w)
{
	say(w, "end %u half writes", w->half_count);
	end_pending(w, NULL);
	return true;
}

/* ------------------------------------------------------------------ requests */

static bool request_error(struct workload *w, int err, const char *what)
{
	struct lb_pool_stat st;

	if (!err)
		return true;
	lb_pool_stat(w->h.pool, &st);
	if (err == -ENOSPC && st.free_blocks < st.total_blocks / 16 + 64) {
		w->res->nospc++;
		return true;
	}
	return wrong(w, "%s: error %d (%llu blocks free)", what, err, (unsigned long long)st.free_blocks);
}

static void new_name(struct workload *w, char name[24])
{
	snprintf(name, 24, "v%u", w->names++);
}

/* Attributes that ride along with a request that makes a volume. */
struct riders {
	struct lb_attr_change changes[2];
	struct lb_tx tx;
	struct model_attr attr;
	unsigned int key;
	u8 value[3000];
};

static const struct lb_tx *riders_make(struct workload *w, struct riders *r)
{
	static const char *const keys[MODEL_ATTRS] = { "key0", "key1", "key2", "key3" };

	memset(r, 0, sizeof(*r));
	if (chance(w, 2))
		return NULL;
	r->attr = (struct model_attr){ .there = true, .len = (u32)chance(w, sizeof(r->value)), .seed = (u32)chance(w, 1000) };
	model_attr_value(&r->attr, r->value);
	r->key = (unsigned int)chance(w, MODEL_ATTRS);
	r->changes[0] = (struct lb_attr_change){ .vol = LB_NEW_VOLUME, .key = keys[r->key], .key_len = 4, .value = r->value, .value_len = r->attr.len };
	r->tx = (struct lb_tx){ .changes = r->changes, .count = 1 };
	return &r->tx;
}

static bool op_create(struct workload *w)
{
	struct model_vol *v = model_slot(w->m);
	struct riders r;
	const struct lb_tx *tx;
	char name[24];
	u64 blocks, quota, id;
	int err;

	if (!v)
		return true;
	new_name(w, name);
	blocks = 1 + chance(w, w->opts->vol_blocks);
	quota = chance(w, 6) ? 0 : 1 + chance(w, blocks);
	tx = riders_make(w, &r);
	say(w, "create %s of %llu blocks, quota %llu%s", name, (unsigned long long)blocks, (unsigned long long)quota, tx ? ", an attribute" : "");
	err = lb_vol_create(w->h.pool, name_of(name), blocks, quota, tx, &id);
	if (err)
		return request_error(w, err, "create");
	model_vol_init(v, id, name, blocks);
	v->quota = quota;
	if (tx)
		v->attrs[r.key] = r.attr;
	return true;
}

static bool op_child(struct workload *w)
{
	struct model_vol *p = some_volume(w, is_frozen), *v = model_slot(w->m);
	struct riders r;
	const struct lb_tx *tx;
	bool frozen;
	char name[24];
	u64 id;
	int err;

	if (!p || !v)
		return true;
	new_name(w, name);
	frozen = !chance(w, 6);
	tx = riders_make(w, &r);
	say(w, "snapshot of frozen vol %llu: %s%s", (unsigned long long)p->id, name, frozen ? ", frozen" : "");
	err = lb_vol_snapshot(w->h.pool, p->id, name_of(name), frozen, 0, tx, &id);
	if (err)
		return request_error(w, err, "snapshot of a frozen volume");
	model_vol_init(v, id, name, p->blocks);
	model_content_copy(v, p);
	v->frozen = frozen;
	v->parent = p->id;
	if (tx)
		v->attrs[r.key] = r.attr;
	return true;
}

static bool op_snapshot(struct workload *w)
{
	struct model_vol *v = some_volume(w, is_writable), *s = model_slot(w->m);
	char name[24];
	u64 id;
	int err;

	if (!v || !s)
		return true;
	/* Its I/O is held until what is in flight has ended. */
	end_pending(w, v);
	new_name(w, name);
	say(w, "snapshot of writable vol %llu: %s", (unsigned long long)v->id, name);
	err = lb_vol_snapshot(w->h.pool, v->id, name_of(name), true, 0, NULL, &id);
	if (err)
		return request_error(w, err, "snapshot of a writable volume");
	model_vol_init(s, id, name, v->blocks);
	model_content_copy(s, v);
	s->frozen = true;
	s->parent = v->parent;
	v->parent = id;
	model_durable(v);
	return true;
}

static bool op_freeze(struct workload *w)
{
	struct model_vol *v = some_volume(w, is_writable);
	int err;

	if (!v)
		return true;
	workload_close_disk(w, v);
	say(w, "freeze vol %llu", (unsigned long long)v->id);
	err = lb_vol_freeze(w->h.pool, v->id, (struct lb_name){ .s = "", .len = 0 }, NULL);
	if (err)
		return request_error(w, err, "freeze");
	v->frozen = true;
	model_durable(v);
	return true;
}

static bool op_remove(struct workload *w)
{
	struct model_vol *v = some_volume(w, NULL);
	unsigned int i;
	u64 id;
	int err;

	if (!v)
		return true;
	workload_close_disk(w, v);
	say(w, "remove vol %llu%s", (unsigned long long)v->id, v->frozen ? " (frozen)" : "");
	err = lb_vol_remove(w->h.pool, v->id, false, NULL);
	if (err)
		return wrong(w, "remove: error %d", err);
	id = v->id;
	for (i = 0; i < MODEL_VOLS; i++)
		if (w->m->vols[i].live && w->m->vols[i].parent == id)
			w->m->vols[i].parent = v->parent;
	model_vol_clear(v);
	return true;
}

static bool op_rollback(struct workload *w)
{
	struct model_vol *v = some_volume(w, is_writable), *s;
	unsigned int up;
	int err;

	if (!v || !v->parent)
		return true;
	s = model_find(w->m, v->parent);
	for (up = (unsigned int)chance(w, 3); up && s->parent; up--)
		s = model_find(w->m, s->parent);
	workload_close_disk(w, v);
	say(w, "roll vol %llu back to %llu", (unsigned long long)v->id, (unsigned long long)s->id);
	err = lb_vol_rollback(w->h.pool, v->id, s->id);
	if (err)
		return request_error(w, err, "rollback");
	model_content_copy(v, s);
	v->parent = s->id;
	return true;
}

static bool op_resize(struct workload *w)
{
	struct model_vol *v = some_volume(w, is_writable);
	struct lb_vol_change ch = { .set = LB_SET_SIZE };
	bool shrink;
	int err;

	if (!v)
		return true;
	end_pending(w, v);
	ch.size_blocks = 1 + chance(w, w->opts->vol_blocks);
	shrink = ch.size_blocks < v->blocks;
	if (shrink)
		ch.set |= LB_SET_SHRINK;
	say(w, "resize vol %llu from %llu to %llu", (unsigned long long)v->id, (unsigned long long)v->blocks, (unsigned long long)ch.size_blocks);
	err = lb_vol_set(w->h.pool, v->id, &ch, NULL);
	if (err)
		return request_error(w, err, "resize");
	if (v->disk && lb_vol_blocks(v->disk->vol) != ch.size_blocks)
		return wrong(w, "the open volume does not have the new size");
	model_resize(v, ch.size_blocks);
	if (shrink)
		model_durable(v);
	return true;
}

static bool op_rename(struct workload *w)
{
	struct model_vol *v = some_volume(w, NULL);
	struct lb_vol_change ch = { .set = LB_SET_NAME };
	char name[24];
	int err;

	if (!v)
		return true;
	new_name(w, name);
	ch.name = name_of(name);
	if (!v->frozen && chance(w, 2)) {
		ch.set |= LB_SET_QUOTA;
		ch.quota = chance(w, 2) ? 0 : 1 + chance(w, v->blocks);
	}
	say(w, "rename vol %llu to %s", (unsigned long long)v->id, name);
	err = lb_vol_set(w->h.pool, v->id, &ch, NULL);
	if (err)
		return request_error(w, err, "rename");
	memcpy(v->name, name, sizeof(v->name));
	if (ch.set & LB_SET_QUOTA)
		v->quota = ch.quota;
	return true;
}

static bool op_attr(struct workload *w)
{
	struct model_vol *v = chance(w, 4) ? some_volume(w, NULL) : NULL;
	unsigned int i = (unsigned int)chance(w, MODEL_ATTRS);
	struct model_attr *a = v ? &v->attrs[i] : &w->m->attrs[i], now = { .there = chance(w, 4) != 0 };
	struct lb_attr_change ch = { .vol = v ? v->id : 0, .key_len = 4 };
	struct lb_tx tx = { .changes = &ch, .count = 1 };
	char key[8];
	u8 *value;
	int err;

	if (now.there) {
		now.len = (u32)chance(w, chance(w, 8) ? 200 : chance(w, 8) ? 6000 : 600000);
		now.seed = (u32)chance(w, 100000);
	} else {
		ch.flags = LB_CHANGE_DELETE;
	}
	snprintf(key, sizeof(key), "key%u", i);
	value = malloc(now.len + 1);
	assert(value);
	model_attr_value(&now, value);
	ch.key = key;
	ch.value = value;
	ch.value_len = now.len;
	say(w, "attribute %s of vol %llu: %s%u bytes", key, (unsigned long long)ch.vol, now.there ? "" : "delete, ", now.len);
	err = lb_vol_set(w->h.pool, ch.vol, NULL, &tx);
	free(value);
	if (err)
		return request_error(w, err, "attribute");
	*a = now;
	return true;
}

/* ------------------------------------------------------------------ the pool */

static bool op_commit(struct workload *w)
{
	int err;

	say(w, "commit");
	err = lb_pool_commit(w->h.pool);
	if (err)
		return wrong(w, "commit: error %d", err);
	model_durable_all(w->m);
	return true;
}

/* One commit, not all that is due: with small steps, deletion stands still in the middle between two of these. */
static bool one_commit(struct workload *w)
{
	int err;

	say(w, "one commit");
	err = lb_commit(w->h.pool, NULL);
	return !err || wrong(w, "one commit: error %d", err);
}

static bool op_work(struct workload *w)
{
	u64 ms = chance(w, 40000);

	if (w->opts->step_budget && chance(w, 30))
		return one_commit(w);
	say(w, "work after %llu ms", (unsigned long long)ms);
	port_clock_advance(ms * 1000000);
	if (chance(w, 4))
		lb_work_commit(w->h.pool);
	if (chance(w, 3)) {
		/* Reclaim waits for whoever is within lb_io_enter(). */
		end_pending(w, NULL);
		lb_work_reclaim(w->h.pool);
	}
	return true;
}

static bool op_grow(struct workload *w)
{
	u64 now, want = w->m->total_blocks + 1 + chance(w, 3000);
	int err;

	if (want > w->opts->grow_blocks)
		return true;
	end_pending(w, NULL);
	say(w, "grow the pool from %llu to %llu", (unsigned long long)w->m->total_blocks, (unsigned long long)want);
	err = lb_pool_grow(w->h.pool, want, &now);
	if (err)
		return wrong(w, "grow: error %d", err);
	w->m->total_blocks = now;
	return now == want || wrong(w, "grow: %llu blocks", (unsigned long long)now);
}

/* Every block that differs between two frozen volumes must be in a range of their diff. */
static bool op_diff(struct workload *w)
{
	struct model_vol *a = some_volume(w, is_frozen), *b = some_volume(w, is_frozen);
	struct lb_diff_range r[7];
	u64 cursor = 0, block = 0, s;
	unsigned int n, i;
	int err;

	if (!a || !b)
		return true;
	say(w, "diff vol %llu and %llu", (unsigned long long)a->id, (unsigned long long)b->id);
	while (cursor != ~0ULL) {
		u64 from = cursor;

		n = ARRAY_SIZE(r);
		err = lb_diff(w->h.pool, a->id, b->id, &cursor, r, &n);
		if (err || cursor <= from)
			return wrong(w, "diff: error %d, cursor %llu", err, (unsigned long long)cursor);
		for (i = 0; i <= n; i++) {
			u64 end = i < n ? r[i].start : min_t(u64, cursor, a->blocks);

			for (; block < end; block++)
				for (s = block * SECTORS; s < (block + 1) * SECTORS; s++)
					if ((block < a->blocks ? a->now[s] : 0) != (block < b->blocks ? b->now[s] : 0))
						return wrong(w, "diff misses block %llu", (unsigned long long)block);
			if (i < n)
				block = r[i].start + r[i].count;
		}
	}
	return true;
}

static bool op_scrub(struct workload *w)
{
	struct lb_pool_stat st;
	int err;

	say(w, "scrub");
	err = lb_pool_scrub(w->h.pool, true);
	if (err)
		return wrong(w, "scrub: error %d", err);
	end_pending(w, NULL);
	lb_work_commit(w->h.pool);
	lb_pool_stat(w->h.pool, &st);
	return !st.scrub_errors || wrong(w, "scrub found %llu errors", (unsigned long long)st.scrub_errors);
}

static bool op_shrink_cache(struct workload *w)
{
	say(w, "shrink the cache");
	lb_cache_shrink(w->h.pool, chance(w, 2) ? ~0ULL : 3);
	return true;
}

static bool op_verify(struct workload *w)
{
	say(w, "verify");
	return model_verify(w->m, &w->h, MODEL_LIVE, false);
}

/* Reads of one volume, as a client does. */
static bool op_read(struct workload *w)
{
	struct model_vol *v = some_volume(w, NULL);

	if (!v)
		return true;
	say(w, "read vol %llu", (unsigned long long)v->id);
	return model_verify_content(w->m, &w->h, v, MODEL_LIVE, false);
}

static bool op_reopen(struct workload *w)
{
	int err;

	say(w, "close and open");
	workload_close_disks(w);
	err = host_close(&w->h);
	if (err)
		return wrong(w, "close: error %d", err);
	model_durable_all(w->m);
	if (!model_check(w->m, w->h.dev, "after closing"))
		return false;
	return workload_open(w) && model_verify(w->m, &w->h, MODEL_LIVE, false);
}

/* ------------------------------------------------------------------ the run */

static const struct {
	const char *name;
	bool (*run)(struct workload *w);
	unsigned int weight;
} ops[] = {
	{ "write", op_write, 14 }, { "write hot", op_write_hot, 10 }, { "write partial", op_write_partial, 10 },
	{ "write fua", op_write_fua, 6 }, { "scatter", op_scatter, 2 }, { "discard", op_discard, 7 }, { "flush", op_flush, 7 },
	{ "half write", op_half_write, 8 }, { "end half writes", op_end_half, 3 }, { "create", op_create, 5 }, { "child", op_child, 8 },
	{ "snapshot", op_snapshot, 6 }, { "freeze", op_freeze, 3 }, { "remove", op_remove, 7 }, { "rollback", op_rollback, 3 },
	{ "resize", op_resize, 4 }, { "rename", op_rename, 2 }, { "attribute", op_attr, 4 }, { "commit", op_commit, 4 },
	{ "work", op_work, 10 }, { "grow", op_grow, 1 }, { "diff", op_diff, 2 }, { "scrub", op_scrub, 1 }, { "shrink cache", op_shrink_cache, 2 },
	{ "verify", op_verify, 1 }, { "read", op_read, 4 }, { "reopen", op_reopen, 1 },
};

const char *workload_op_name(unsigned int i)
{
	return i < ARRAY_SIZE(ops) ? ops[i].name : NULL;
}

static unsigned int choose(struct workload *w)
{
	unsigned int i, sum = 0;
	u64 at;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		sum += ops[i].weight;
	at = chance(w, sum);
	for (i = 0; at >= ops[i].weight; i++)
		at -= ops[i].weight;
	return i;
}

bool workload_open(struct workload *w)
{
	int err = host_open(&w->h, 0);

	if (err)
		return wrong(w, "opening the pool: error %d", err);
	w->h.before_wait = end_all_pending;
	w->h.before_wait_arg = w;
	if (w->opts->step_budget)
		w->h.pool->step_budget = w->opts->step_budget;
	return true;
}

static bool one_op(struct workload *w)
{
	unsigned int i = choose(w);
	bool cut = permille(w, w->opts->crash_permille), ok;

	if (cut)
		workload_arm(w, 1 + chance(w, chance(w, 2) ? 4 : 40), chance(w, ~0ULL));
	end_pending_if_tight(w);
	ok = ops[i].run(w);
	if (ok)
		w->res->ops[i]++;
	if (cut)
		ok = workload_disarm(w) && ok;
	if (ok && permille(w, w->opts->reopen_permille))
		ok = workload_power_cut(w, chance(w, ~0ULL));
	return ok;
}

static bool all_ops(struct workload *w)
{
	for (w->op = 1; w->op <= w->opts->ops; w->op++) {
		if (!one_op(w))
			return false;
		w->res->done = w->op;
		/* The background comes when it was kicked, at times late. */
		if (!w->half_count && chance(w, 3) && (!w->opts->step_budget || !chance(w, 30)))
			host_work(&w->h);
	}
	say(w, "the end: delete everything");
	return op_reopen(w) && workload_delete_all(w);
}

/* All volumes go; then the pool must be as empty as a new one. */
bool workload_delete_all(struct workload *w)
{
	struct lb_pool_stat st;
	unsigned int i;

	for (i = 0; i < MODEL_VOLS; i++) {
		struct model_vol *v = &w->m->vols[i];

		if (!v->live)
			continue;
		workload_close_disk(w, v);
		if (lb_vol_remove(w->h.pool, v->id, false, NULL))
			return wrong(w, "removing vol %llu at the end", (unsigned long long)v->id);
		model_vol_clear(v);
	}
	for (i = 0; i < 2000; i++) {
		port_clock_advance(2000000000);
		if (lb_pool_commit(w->h.pool))
			return wrong(w, "committing at the end");
		lb_work_commit(w->h.pool);
		lb_work_reclaim(w->h.pool);
		lb_pool_stat(w->h.pool, &st);
		if (!st.hidden_volumes)
			break;
	}
	w->res->commits = st.generation;
	if (st.hidden_volumes || st.data_blocks)
		return wrong(w, "at the end %llu deleted volumes and %llu data blocks are left", (unsigned long long)st.hidden_volumes,
			     (unsigned long long)st.data_blocks);
	if (host_close(&w->h))
		return wrong(w, "closing at the end");
	return model_check(w->m, w->h.dev, "at the end");
}

static void tell_failure(struct workload *w)
{
	unsigned int i, n = w->log_count < WORKLOAD_LOG ? w->log_count : WORKLOAD_LOG;

	fprintf(stderr, "seed %llu, operation %u: %s\nthe last operations:\n", (unsigned long long)w->opts->seed, w->op, w->m->why);
	for (i = w->log_count - n; i < w->log_count; i++)
		fprintf(stderr, "  %s\n", w->log[i % WORKLOAD_LOG]);
	fprintf(stderr, "again: test_model --seed %llu --ops %u --profile %s\n", (unsigned long long)w->opts->seed, w->op, w->opts->profile);
}

bool workload_run(const struct workload_opts *opts, struct workload_result *res)
{
	struct workload *w = calloc(1, sizeof(*w));
	struct lb_format_opts format = { .total_blocks = opts->pool_blocks };
	u8 uuid[16];
	bool ok;

	assert(w);
	memset(res, 0, sizeof(*res));
	w->opts = opts;
	w->res = res;
	w->state = opts->seed * 0x2545f4914f6cdd1dULL + 1;
	port_random_seed(opts->seed + 1);
	port_clock_fake(1000000000, 1700000000);
	port_fault_nowait(opts->nowait_permille);
	w->m = model_new(opts->pool_blocks);
	host_init(&w->h, port_sim_new(opts->grow_blocks));
	ok = !lb_pool_format(w->h.dev, &format, uuid) && workload_open(w) && all_ops(w);
	if (!ok)
		tell_failure(w);
	workload_drop(w);
	port_fault_nowait(0);
	port_clock_real();
	free(w);
	return ok;
}
