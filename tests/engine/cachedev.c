// SPDX-License-Identifier: GPL-2.0
/*
 * The cache of cachedev.h: a hash table of blocks, all under one lock. A slot whose block has gone down keeps its place, empty, until the table is
 * rebuilt.
 */
#include <stdlib.h>

#include "cachedev.h"
#include "support.h"

#define SLOTS	8192u		/* as many writes as it can hold; then it flushes by itself */

struct slot {
	u64 block;
	bool used, dirty;
	u8 *data;
};

struct cachedev {
	struct port_dev dev;
	struct port_dev *below;
	pthread_mutex_t lock;
	struct dice dice;
	struct slot slots[SLOTS];
	unsigned int used;
	u8 *bounce;
};

static struct cachedev *cachedev(struct port_dev *dev)
{
	return lb_container_of(dev, struct cachedev, dev);
}

/* ------------------------------------------------------------------ lock held */

static struct slot *find(struct cachedev *c, u64 block)
{
	u64 i = block * 0x9e3779b97f4a7c15ull >> 51;	/* 13 bits */

	while (c->slots[i].used && c->slots[i].block != block)
		i = (i + 1) % SLOTS;
	return &c->slots[i];
}

static int write_below(struct cachedev *c, u64 block, const u8 *data, unsigned int flags)
{
	void *buf = c->bounce;

	memcpy(buf, data, LB_BLOCK_BYTES);
	return c->below->ops->write(c->below, block, &buf, 1, flags);
}

static int write_back(struct cachedev *c, struct slot *s)
{
	int err = s->dirty ? write_below(c, s->block, s->data, 0) : 0;

	s->dirty = false;
	return err;
}

/* In an order that has nothing to do with that of the writes. */
static int write_back_all(struct cachedev *c)
{
	unsigned int i, start = (unsigned int)dice_below(&c->dice, SLOTS);
	int err = 0;

	for (i = 0; i < SLOTS && !err; i++)
		if (c->slots[(start + i) % SLOTS].used)
			err = write_back(c, &c->slots[(start + i) % SLOTS]);
	if (c->used < SLOTS / 2 || err)
		return err;
	for (i = 0; i < SLOTS; i++) {
		free(c->slots[i].data);
		c->slots[i] = (struct slot){ .block = 0 };
	}
	c->used = 0;
	return 0;
}

static int put(struct cachedev *c, u64 block, const void *buf)
{
	struct slot *s = find(c, block);

	if (!s->used) {
		if (c->used >= SLOTS * 3 / 4) {
			int err = write_back_all(c);

			if (err)
				return err;
			s = find(c, block);
		}
		s->data = malloc(LB_BLOCK_BYTES);
		if (!s->data)
			abort();
		s->used = true;
		s->block = block;
		c->used++;
	}
	memcpy(s->data, buf, LB_BLOCK_BYTES);
	s->dirty = true;
	/* A cache writes back when it likes. */
	return dice_below(&c->dice, 4) ? 0 : write_back(c, find(c, c->slots[dice_below(&c->dice, SLOTS)].block));
}

static int flush_locked(struct cachedev *c)
{
	int err = write_back_all(c);

	return err ? err : c->below->ops->flush(c->below);
}

/* ------------------------------------------------------------------ the device */

static u64 cached_blocks(struct port_dev *dev)
{
	return port_dev_blocks(cachedev(dev)->below);
}

static int cached_read(struct port_dev *dev, u64 block, void *buf)
{
	struct cachedev *c = cachedev(dev);
	struct slot *s;
	int err = 0;

	pthread_mutex_lock(&c->lock);
	s = find(c, block);
	if (s->used && s->dirty)
		memcpy(buf, s->data, LB_BLOCK_BYTES);
	else
		err = c->below->ops->read(c->below, block, buf);
	pthread_mutex_unlock(&c->lock);
	return err;
}

static int cached_write(struct port_dev *dev, u64 block, void *const *bufs, unsigned int count, unsigned int flags)
{
	struct cachedev *c = cachedev(dev);
	unsigned int i;
	int err = 0;

	pthread_mutex_lock(&c->lock);
	if (flags & PORT_PREFLUSH)
		err = flush_locked(c);
	for (i = 0; i < count && !err; i++)
		err = put(c, block + i, bufs[i]);
	for (i = 0; i < count && !err && flags & PORT_FUA; i++)
		err = write_back(c, find(c, block + i));
	pthread_mutex_unlock(&c->lock);
	return err;
}

static int cached_flush(struct port_dev *dev)
{
	struct cachedev *c = cachedev(dev);
	int err;

	pthread_mutex_lock(&c->lock);
	err = flush_locked(c);
	pthread_mutex_unlock(&c->lock);
	return err;
}

static int cached_discard(struct port_dev *dev, u64 block, u64 count)
{
	struct cachedev *c = cachedev(dev);
	u64 i;
	int err;

	pthread_mutex_lock(&c->lock);
	for (i = 0; i < SLOTS; i++)
		if (c->slots[i].used && c->slots[i].block >= block && c->slots[i].block - block < count)
			c->slots[i].dirty = false;
	err = c->below->ops->discard(c->below, block, count);
	pthread_mutex_unlock(&c->lock);
	return err;
}

static const struct port_dev_ops cached_ops = {
	.blocks = cached_blocks, .read = cached_read, .write = cached_write, .flush = cached_flush, .discard = cached_discard,
};

struct port_dev *cachedev_new(struct port_dev *below, u64 seed)
{
	struct cachedev *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->dev.ops = &cached_ops;
	c->dev.check_batches = true;
	c->below = below;
	c->dice.state = seed;
	c->bounce = aligned_alloc(LB_BLOCK_BYTES, LB_BLOCK_BYTES);
	if (!c->bounce)
		abort();
	pthread_mutex_init(&c->lock, NULL);
	return &c->dev;
}

void cachedev_free(struct port_dev *dev)
{
	struct cachedev *c = cachedev(dev);
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		free(c->slots[i].data);
	free(c->bounce);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
