// SPDX-License-Identifier: GPL-2.0
/*
 * The scenes of faultlab.h: a pool with a family of volumes, as a session of normal use leaves it.
 *
 *   base (frozen, attributes) - mid (frozen) - snap (frozen) - web (writable)
 *   base - side (writable)
 *   data (writable, wide)      gone (writable, wide; SCENE_BUSY: being deleted)
 *   fat (frozen, wide) - thin (writable)      (SCENE_BUSY: fat is being collapsed into thin)
 *
 * Wide ones have every second block written, so that their trees have several leaves.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "faultscene.h"
#include "pool_priv.h"

#define HOUR_NS 3600000000000ull

static struct scene {
	struct port_dev *dev;
	struct model *m;
} scenes[SCENES];

static struct model *original;

static void must(int err)
{
	if (err) {
		fprintf(stderr, "preparing a scene: error %d\n", err);
		abort();
	}
}

/* ------------------------------------------------------------------ what is done to both, pool and model */

static struct model_vol *add_volume(struct faultlab *l, const char *name, u64 id, u64 blocks)
{
	struct model_vol *v = model_slot(l->m);

	model_vol_init(v, id, name, blocks);
	return v;
}

static void create(struct faultlab *l, const char *name, u64 blocks)
{
	u64 id;

	must(lb_vol_create(l->h.pool, name_of(name), blocks, 0, NULL, &id));
	add_volume(l, name, id, blocks);
}

static void child(struct faultlab *l, const char *of, const char *name)
{
	struct model_vol *from = flab_vol(l, of), *v;
	u64 id;

	must(lb_vol_snapshot(l->h.pool, from->id, name_of(name), false, 0, NULL, &id));
	v = add_volume(l, name, id, from->blocks);
	model_content_copy(v, from);
	if (from->frozen) {
		v->parent = from->id;
		return;
	}
	v->frozen = true;
	v->parent = from->parent;
	from->parent = id;
}

static void freeze(struct faultlab *l, const char *name)
{
	must(lb_vol_freeze(l->h.pool, flab_id(l, name), name_of(""), NULL));
	flab_vol(l, name)->frozen = true;
}

static void attribute(struct faultlab *l, const char *vol, unsigned int i, u32 len)
{
	struct model_attr a = { .there = true, .len = len, .seed = len + i };
	struct model_vol *v = vol ? flab_vol(l, vol) : NULL;
	struct lb_attr_change ch = { .vol = v ? v->id : 0, .key_len = 4, .value_len = len };
	const struct lb_tx tx = { .changes = &ch, .count = 1 };
	u8 *value = malloc(len + 1);
	char key[8];

	assert(value);
	snprintf(key, sizeof(key), "key%u", i);
	model_attr_value(&a, value);
	ch.key = key;
	ch.value = value;
	must(lb_vol_set(l->h.pool, ch.vol, NULL, &tx));
	free(value);
	(v ? v->attrs : l->m->attrs)[i] = a;
}

void flab_remove(struct faultlab *l, const char *name)
{
	struct model_vol *v = flab_vol(l, name);
	unsigned int i;

	must(lb_vol_remove(l->h.pool, v->id, false, NULL));
	for (i = 0; i < MODEL_VOLS; i++)
		if (l->m->vols[i].live && l->m->vols[i].parent == v->id)
			l->m->vols[i].parent = v->parent;
	model_vol_clear(v);
}

static void write_blocks(struct faultlab *l, const char *name, u64 block, u64 count, u64 step)
{
	u64 end = block + count;

	if (step == 1)
		flab_write(l, name, block * SECTORS, count * SECTORS);
	for (; step > 1 && block < end; block += step)
		flab_write(l, name, block * SECTORS, SECTORS);
}

static void flush(struct faultlab *l, const char *name)
{
	must(disk_flush(flab_disk(l, name)));
	model_durable(flab_vol(l, name));
}

/* ------------------------------------------------------------------ the scenes */

static void make_family(struct faultlab *l)
{
	create(l, "base", 48);
	write_blocks(l, "base", 0, 40, 1);
	attribute(l, "base", 0, 3000);
	attribute(l, NULL, 1, 200);
	flab_close_disks(l);
	freeze(l, "base");
	child(l, "base", "mid");
	write_blocks(l, "mid", 10, 10, 1);
	flab_close_disks(l);
	freeze(l, "mid");
	child(l, "mid", "web");
	write_blocks(l, "web", 5, 10, 1);
	child(l, "web", "snap");
	write_blocks(l, "web", 0, 4, 1);
	attribute(l, "web", 2, 900);
	child(l, "base", "side");
	write_blocks(l, "side", 30, 18, 1);
	create(l, "data", FLAB_WIDE);
	write_blocks(l, "data", 0, FLAB_WIDE, 2);
	create(l, "gone", FLAB_WIDE);
	write_blocks(l, "gone", 0, FLAB_WIDE, 2);
	create(l, "fat", FLAB_WIDE);
	write_blocks(l, "fat", 1, FLAB_WIDE - 1, 2);
	flab_close_disks(l);
	freeze(l, "fat");
	child(l, "fat", "thin");
	write_blocks(l, "thin", 0, FLAB_WIDE, 3);
	flab_close_disks(l);
}

static void close_scene(struct faultlab *l)
{
	flab_close_disks(l);
	must(host_close(&l->h));
	model_durable_all(l->m);
}

static void save_scene(struct faultlab *l, enum fault_scene scene)
{
	/* With what each block held before: a stale read gives that. What the model knows as durable is. */
	scenes[scene].dev = port_sim_clone(l->h.dev);
	scenes[scene].m = model_copy(l->m);
}

static void make_journal(struct faultlab *l)
{
	struct disk *d;

	must(host_open(&l->h, 0));
	write_blocks(l, "web", 20, 6, 1);
	write_blocks(l, "data", 1, 60, 2);
	flush(l, "web");
	d = flab_disk(l, "data");
	model_submit(flab_vol(l, "data"), 100 * SECTORS, 40 * SECTORS, 0, false);
	must(disk_discard(d, 100, 40));
	model_ack(flab_vol(l, "data"), 100 * SECTORS, 40 * SECTORS, 0);
	flush(l, "data");
	create(l, "new", 30);
	write_blocks(l, "new", 3, 5, 1);
	attribute(l, "new", 3, 2500);
	flush(l, "new");
	write_blocks(l, "web", 22, 1, 1);
	flush(l, "web");
	save_scene(l, SCENE_JOURNAL);
	flab_close_disks(l);
	host_abandon(&l->h);
}

static void make_busy(struct faultlab *l)
{
	unsigned int i;

	must(host_open(&l->h, 0));
	l->h.pool->step_budget = 1;
	flab_remove(l, "gone");
	flab_remove(l, "fat");
	for (i = 0; i < 2; i++)
		must(lb_commit(l->h.pool, NULL));
	assert(l->h.pool->hidden_count);
	write_blocks(l, "thin", 1, 9, 3);
	flush(l, "thin");
	save_scene(l, SCENE_BUSY);
	flab_close_disks(l);
	host_abandon(&l->h);
}

void fault_scenes_make(void)
{
	struct lb_format_opts opts = { .total_blocks = FLAB_POOL_BLOCKS };
	struct port_dev *clean;
	struct faultlab l = { .op = NULL };
	u8 uuid[16];

	port_random_seed(1);
	port_clock_fake(HOUR_NS, 1700000000);
	l.m = original = model_new(FLAB_POOL_BLOCKS);
	host_init(&l.h, port_sim_new(FLAB_DEVICE_BLOCKS));
	must(lb_pool_format(l.h.dev, &opts, uuid));
	must(host_open(&l.h, 0));
	make_family(&l);
	close_scene(&l);
	save_scene(&l, SCENE_CLEAN);
	clean = port_sim_clone(l.h.dev);
	make_journal(&l);
	port_sim_free(l.h.dev);
	host_init(&l.h, clean);
	l.m = model_copy(scenes[SCENE_CLEAN].m);
	make_busy(&l);
	port_sim_free(l.h.dev);
	model_copy_free(l.m);
	port_random_seed(0);
	port_clock_real();
}

void fault_scenes_free(void)
{
	unsigned int i;

	for (i = 0; i < SCENES; i++) {
		port_sim_free(scenes[i].dev);
		model_copy_free(scenes[i].m);
	}
	model_free(original);
}

void scene_take(enum fault_scene scene, struct host *h, struct model **m)
{
	host_init(h, port_sim_clone(scenes[scene].dev));
	*m = model_copy(scenes[scene].m);
}
