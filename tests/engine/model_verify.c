// SPDX-License-Identifier: GPL-2.0
/* Comparing a pool with the model: every volume, name, parent, size, attribute and sector, both ways; and the checker's verdict. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "model.h"

#define READ_BLOCKS	64u

static bool fail(struct model *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct model *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m->why, sizeof(m->why), fmt, ap);
	va_end(ap);
	return false;
}

/* ------------------------------------------------------------------ content */

/* May the sector hold this version? */
static bool allowed(const struct model_vol *v, u64 sector, u32 version, enum model_mode mode)
{
	size_t i;

	if (version == (mode == MODEL_LIVE ? v->now[sector] : v->durable[sector]))
		return true;
	for (i = 0; i < v->pending_count; i++) {
		const struct model_pending *p = &v->pending[i];

		if (p->sector == sector && p->version == version && (mode == MODEL_CRASHED || p->in_flight))
			return true;
	}
	return false;
}

static bool judge_sector(struct model *m, struct model_vol *v, u64 sector, const u8 *buf, enum model_mode mode, u32 *version)
{
	u8 expect[SECTOR_BYTES];
	u64 w[3];

	memcpy(w, buf, sizeof(w));
	*version = (u32)w[0];
	if (*version >= m->versions->count)
		return fail(m, "volume %llu \"%s\", sector %llu: no tag but %016llx %016llx %016llx", (unsigned long long)v->id, v->name,
			    (unsigned long long)sector, (unsigned long long)w[0], (unsigned long long)w[1], (unsigned long long)w[2]);
	model_fill(m, *version, sector, expect);
	if (!memcmp(expect, buf, SECTOR_BYTES) && allowed(v, sector, *version, mode))
		return true;
	return fail(m, "volume %llu \"%s\"%s, block %llu sector %llu: holds version %u, written by volume %llu for block %llu sector %llu; "
		    "now %u, durable %u (of volume %llu)%s",
		    (unsigned long long)v->id, v->name, v->frozen ? " (frozen)" : "", (unsigned long long)sector / SECTORS,
		    (unsigned long long)sector % SECTORS, *version, (unsigned long long)w[1], (unsigned long long)w[2] / SECTORS,
		    (unsigned long long)w[2] % SECTORS, v->now[sector], v->durable[sector],
		    (unsigned long long)(v->now[sector] ? m->versions->vol[v->now[sector]] : 0),
		    *version && w[1] == m->versions->vol[*version] && memcmp(expect, buf, SECTOR_BYTES) && w[2] == sector ? ", torn" : "");
}

bool model_verify_sector(struct model *m, struct model_vol *v, u64 sector, const u8 *buf, enum model_mode mode)
{
	u32 version;

	return judge_sector(m, v, sector, buf, mode, &version);
}

static bool verify_disk(struct model *m, struct disk *d, struct model_vol *v, enum model_mode mode, bool adopt)
{
	u8 *buf = malloc(READ_BLOCKS * LB_BLOCK_BYTES);
	u64 block, n, s;
	bool ok = true;
	u32 version;
	int err;

	assert(buf);
	for (block = 0; block < v->blocks && ok; block += n) {
		n = min_t(u64, v->blocks - block, READ_BLOCKS);
		err = disk_read(d, block * SECTORS, (u32)(n * SECTORS), buf);
		if (err)
			ok = fail(m, "volume %llu \"%s\": reading block %llu: error %d", (unsigned long long)v->id, v->name,
				  (unsigned long long)block, err);
		for (s = 0; s < n * SECTORS && ok; s++) {
			ok = judge_sector(m, v, block * SECTORS + s, buf + s * SECTOR_BYTES, mode, &version);
			if (ok && adopt)
				v->now[block * SECTORS + s] = v->durable[block * SECTORS + s] = version;
		}
	}
	if (ok && adopt)
		v->pending_count = 0;
	free(buf);
	return ok;
}

bool model_verify_content(struct model *m, struct host *h, struct model_vol *v, enum model_mode mode, bool adopt)
{
	struct disk d;
	bool ok;
	int err;

	if (v->disk)
		return verify_disk(m, v->disk, v, mode, adopt);
	err = disk_open(h, v->id, &d);
	if (err)
		return fail(m, "volume %llu \"%s\": opening it: error %d", (unsigned long long)v->id, v->name, err);
	ok = verify_disk(m, &d, v, mode, adopt);
	disk_close(&d);
	return ok;
}

/* ------------------------------------------------------------------ attributes */

static bool verify_attr(struct model *m, struct host *h, u64 vol, unsigned int i, const struct model_attr *a)
{
	char key[8];
	u32 len = 0;
	u8 *got, *want;
	bool ok;
	int err;

	snprintf(key, sizeof(key), "key%u", i);
	err = lb_attr_get(h->pool, vol, key, 4, NULL, &len);
	if (!a->there)
		return err == -ENOENT || fail(m, "volume %llu has the attribute %s (error %d)", (unsigned long long)vol, key, err);
	if (err != (a->len ? -ERANGE : 0) || len != a->len)
		return fail(m, "volume %llu, attribute %s: error %d, %u bytes, not %u", (unsigned long long)vol, key, err, len, a->len);
	got = malloc(a->len + 1);
	want = malloc(a->len + 1);
	assert(got && want);
	model_attr_value(a, want);
	err = lb_attr_get(h->pool, vol, key, 4, got, &len);
	ok = !err && len == a->len && !memcmp(got, want, len);
	free(got);
	free(want);
	return ok || fail(m, "volume %llu, attribute %s: another value (error %d)", (unsigned long long)vol, key, err);
}

/* And none but these. */
static bool verify_attrs(struct model *m, struct host *h, u64 vol, const struct model_attr *attrs)
{
	unsigned int i, count = 0, found = 0;
	u32 key_len = 0, value_len;
	char key[256];

	for (i = 0; i < MODEL_ATTRS; i++) {
		if (!verify_attr(m, h, vol, i, &attrs[i]))
			return false;
		count += attrs[i].there;
	}
	while (!lb_attr_next(h->pool, vol, key, &key_len, &value_len))
		found++;
	return found == count || fail(m, "volume %llu has %u attributes, not %u", (unsigned long long)vol, found, count);
}

/* ------------------------------------------------------------------ volumes */

/* The nearest live ancestor by the model's idea: parents that were deleted since are stepped over in the pool (hidden, or collapsed). */
static bool verify_parent(struct model *m, struct host *h, const struct model_vol *v, u64 parent)
{
	struct lb_vol_stat st;

	while (parent && !model_find(m, parent)) {
		if (lb_vol_stat(h->pool, parent, false, &st) || !st.hidden)
			return fail(m, "volume %llu has the parent %llu, which is neither known nor hidden", (unsigned long long)v->id,
				    (unsigned long long)parent);
		parent = st.parent;
	}
	return parent == v->parent || fail(m, "volume %llu has the ancestor %llu, not %llu", (unsigned long long)v->id,
					   (unsigned long long)parent, (unsigned long long)v->parent);
}

static bool verify_volume(struct model *m, struct host *h, struct model_vol *v)
{
	struct lb_vol_stat st;
	u64 id;
	int err = lb_vol_find(h->pool, name_of(v->name), &id);

	if (err || id != v->id)
		return fail(m, "\"%s\" is not volume %llu: error %d, %llu", v->name, (unsigned long long)v->id, err, (unsigned long long)id);
	err = lb_vol_stat(h->pool, v->id, false, &st);
	if (err)
		return fail(m, "volume %llu: error %d", (unsigned long long)v->id, err);
	if (st.size_blocks != v->blocks || st.quota != v->quota || !st.frozen != !v->frozen || st.hidden || strcmp(st.name, v->name))
		return fail(m, "volume %llu \"%s\": size %llu/%llu, quota %llu/%llu, frozen %llu/%d, name \"%s\"", (unsigned long long)v->id,
			    v->name, (unsigned long long)st.size_blocks, (unsigned long long)v->blocks, (unsigned long long)st.quota,
			    (unsigned long long)v->quota, (unsigned long long)st.frozen, v->frozen, st.name);
	return verify_parent(m, h, v, st.parent) && verify_attrs(m, h, v->id, v->attrs);
}

/* No volume that the model does not know, and the counts. */
static bool verify_list(struct model *m, struct host *h)
{
	struct lb_pool_stat st;
	u64 id = 0, live = 0;
	unsigned int i, known = 0;

	while (!lb_vol_next(h->pool, id, false, &id)) {
		live++;
		if (!model_find(m, id))
			return fail(m, "there is a volume %llu", (unsigned long long)id);
	}
	for (i = 0; i < MODEL_VOLS; i++)
		known += m->vols[i].live;
	lb_pool_stat(h->pool, &st);
	if (live != known || st.volumes != known)
		return fail(m, "%llu volumes are listed, %llu counted, %u known", (unsigned long long)live, (unsigned long long)st.volumes, known);
	if (st.total_blocks != m->total_blocks)
		return fail(m, "the pool has %llu blocks, not %llu", (unsigned long long)st.total_blocks, (unsigned long long)m->total_blocks);
	return !st.failed || fail(m, "the pool failed: error %d", st.failed_errno);
}

bool model_verify(struct model *m, struct host *h, enum model_mode mode, bool adopt)
{
	unsigned int i;

	if (!verify_list(m, h) || !verify_attrs(m, h, 0, m->attrs))
		return false;
	for (i = 0; i < MODEL_VOLS; i++)
		if (m->vols[i].live && !verify_volume(m, h, &m->vols[i]))
			return false;
	for (i = 0; i < MODEL_VOLS; i++)
		if (m->vols[i].live && !model_verify_content(m, h, &m->vols[i], mode, adopt))
			return false;
	return true;
}

/* ------------------------------------------------------------------ the checker */

static void take_finding(void *arg, const struct lbck_finding *f)
{
	struct model *m = arg;
	size_t len = strlen(m->why);

	if (f->severity != LBCK_NOTE)
		snprintf(m->why + len, sizeof(m->why) - len, "\n  LB-%04u %s: %s", f->id, f->what, f->text);
}

bool model_check(struct model *m, struct port_dev *dev, const char *when)
{
	struct lbck_opts opts = { .limit = 5 };
	struct lbck_summary sum;
	int err;

	snprintf(m->why, sizeof(m->why), "the checker, %s:", when);
	err = lbck_check(dev, &opts, take_finding, m, &sum);
	if (err)
		return fail(m, "the checker, %s: error %d", when, err);
	return !sum.remaining;
}
