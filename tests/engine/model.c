// SPDX-License-Identifier: GPL-2.0
/* The model of model.h: versions and what may be where. Comparing with a pool is in model_verify.c. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "model.h"

#define TAG	0x6c61796572ULL		/* "layer" */

/* ------------------------------------------------------------------ life */

struct model *model_new(u64 total_blocks)
{
	struct model *m = calloc(1, sizeof(*m));

	assert(m);
	m->versions = calloc(1, sizeof(*m->versions));
	assert(m->versions);
	m->versions->count = 1;		/* 0: zeros */
	m->total_blocks = total_blocks;
	return m;
}

void model_vol_clear(struct model_vol *v)
{
	free(v->now);
	free(v->durable);
	free(v->pending);
	memset(v, 0, sizeof(*v));
}

void model_copy_free(struct model *m)
{
	unsigned int i;

	for (i = 0; i < MODEL_VOLS; i++)
		model_vol_clear(&m->vols[i]);
	free(m);
}

void model_free(struct model *m)
{
	free(m->versions->vol);
	free(m->versions);
	model_copy_free(m);
}

static void *dup_array(const void *from, size_t count, size_t item)
{
	void *to = malloc(count * item + 1);

	assert(to);
	if (count)
		memcpy(to, from, count * item);
	return to;
}

struct model *model_copy(const struct model *m)
{
	struct model *c = malloc(sizeof(*c));
	unsigned int i;

	assert(c);
	*c = *m;
	for (i = 0; i < MODEL_VOLS; i++) {
		struct model_vol *v = &c->vols[i];

		if (!v->live)
			continue;
		v->now = dup_array(v->now, v->blocks * SECTORS, sizeof(*v->now));
		v->durable = dup_array(v->durable, v->blocks * SECTORS, sizeof(*v->durable));
		v->pending = dup_array(v->pending, v->pending_count, sizeof(*v->pending));
		v->pending_room = v->pending_count;
		v->disk = NULL;
	}
	return c;
}

/* ------------------------------------------------------------------ volumes */

struct model_vol *model_find(struct model *m, u64 id)
{
	unsigned int i;

	for (i = 0; i < MODEL_VOLS; i++)
		if (m->vols[i].live && m->vols[i].id == id)
			return &m->vols[i];
	return NULL;
}

struct model_vol *model_find_label(struct model *m, u32 label)
{
	unsigned int i;

	for (i = 0; i < MODEL_VOLS && label; i++)
		if (m->vols[i].live && m->vols[i].label == label)
			return &m->vols[i];
	return NULL;
}

struct model_vol *model_slot(struct model *m)
{
	unsigned int i;

	for (i = 0; i < MODEL_VOLS; i++)
		if (!m->vols[i].live)
			return &m->vols[i];
	return NULL;
}

void model_vol_init(struct model_vol *v, u64 id, const char *name, u64 blocks)
{
	memset(v, 0, sizeof(*v));
	v->live = true;
	v->id = id;
	snprintf(v->name, sizeof(v->name), "%s", name);
	v->blocks = blocks;
	v->now = calloc(blocks * SECTORS, sizeof(*v->now));
	v->durable = calloc(blocks * SECTORS, sizeof(*v->durable));
	assert(v->now && v->durable);
}

void model_content_copy(struct model_vol *to, const struct model_vol *from)
{
	size_t bytes = from->blocks * SECTORS * sizeof(*from->now);

	if (to->blocks != from->blocks)
		model_resize(to, from->blocks);
	memcpy(to->now, from->now, bytes);
	memcpy(to->durable, from->now, bytes);
	to->pending_count = 0;
}

static void resize_array(u32 **array, u64 old, u64 now)
{
	*array = realloc(*array, now * sizeof(**array));
	assert(*array);
	if (now > old)
		memset(*array + old, 0, (now - old) * sizeof(**array));
}

void model_resize(struct model_vol *v, u64 blocks)
{
	size_t i, kept = 0;

	resize_array(&v->now, v->blocks * SECTORS, blocks * SECTORS);
	resize_array(&v->durable, v->blocks * SECTORS, blocks * SECTORS);
	v->blocks = blocks;
	for (i = 0; i < v->pending_count; i++)
		if (v->pending[i].sector < blocks * SECTORS)
			v->pending[kept++] = v->pending[i];
	v->pending_count = kept;
}

/* ------------------------------------------------------------------ versions */

u32 model_version(struct model *m, u64 vol)
{
	struct model_versions *vs = m->versions;

	if (vs->count >= vs->room) {
		vs->room = vs->room ? vs->room * 2 : 1024;
		vs->vol = realloc(vs->vol, vs->room * sizeof(*vs->vol));
		assert(vs->vol);
	}
	vs->vol[vs->count] = vol;
	return vs->count++;
}

void model_fill(const struct model *m, u32 version, u64 sector, void *buf)
{
	u64 *w = buf;
	unsigned int i;

	if (!version) {
		memset(buf, 0, SECTOR_BYTES);
		return;
	}
	w[0] = TAG << 32 | version;
	w[1] = m->versions->vol[version];
	w[2] = sector;
	for (i = 3; i < SECTOR_BYTES / 8; i++)
		w[i] = (w[0] ^ w[1] << 40 ^ w[2] << 20) * 0x9e3779b97f4a7c15ULL + i;
}

void model_attr_value(const struct model_attr *a, u8 *buf)
{
	u32 i;

	for (i = 0; i < a->len; i++)
		buf[i] = (u8)((i * 31 + a->seed) >> (i % 3));
}

/* ------------------------------------------------------------------ what may be where */

static void add_pending(struct model_vol *v, u64 sector, u32 version, bool in_flight)
{
	if (v->pending_count >= v->pending_room) {
		v->pending_room = v->pending_room ? v->pending_room * 2 : 256;
		v->pending = realloc(v->pending, v->pending_room * sizeof(*v->pending));
		assert(v->pending);
	}
	v->pending[v->pending_count++] = (struct model_pending){ .sector = sector, .version = version, .in_flight = in_flight };
}

void model_submit(struct model_vol *v, u64 sector, u64 count, u32 version, bool in_flight)
{
	u64 i;

	for (i = 0; i < count; i++)
		add_pending(v, sector + i, version, in_flight);
}

void model_ack(struct model_vol *v, u64 sector, u64 count, u32 version)
{
	size_t i;
	u64 s;

	for (s = sector; s < sector + count; s++)
		v->now[s] = version;
	for (i = 0; i < v->pending_count; i++)
		if (v->pending[i].in_flight && v->pending[i].sector >= sector && v->pending[i].sector < sector + count)
			v->pending[i].in_flight = false;
}

void model_durable_range(struct model_vol *v, u64 sector, u64 count)
{
	size_t i, kept = 0;

	for (i = 0; i < v->pending_count; i++) {
		struct model_pending *p = &v->pending[i];

		if (p->sector < sector || p->sector >= sector + count || p->in_flight)
			v->pending[kept++] = *p;
		else
			v->durable[p->sector] = v->now[p->sector];
	}
	v->pending_count = kept;
}

void model_durable_before(struct model_vol *v, u64 sector, u64 count)
{
	size_t i, kept = 0;

	for (i = 0; i < v->pending_count; i++) {
		struct model_pending *p = &v->pending[i];

		if (p->in_flight || (p->sector >= sector && p->sector < sector + count))
			v->pending[kept++] = *p;
		else
			v->durable[p->sector] = v->now[p->sector];
	}
	v->pending_count = kept;
}

void model_unsubmit(struct model_vol *v, u64 sector, u64 count, u32 version)
{
	size_t i, kept = 0;

	for (i = 0; i < v->pending_count; i++) {
		struct model_pending *p = &v->pending[i];

		if (p->version != version || p->sector < sector || p->sector >= sector + count)
			v->pending[kept++] = *p;
	}
	v->pending_count = kept;
}

void model_durable(struct model_vol *v)
{
	model_durable_range(v, 0, v->blocks * SECTORS);
}

void model_durable_all(struct model *m)
{
	unsigned int i;

	for (i = 0; i < MODEL_VOLS; i++)
		if (m->vols[i].live)
			model_durable(&m->vols[i]);
}
