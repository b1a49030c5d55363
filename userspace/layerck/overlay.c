// SPDX-License-Identifier: GPL-2.0
/* A device with its writes in memory: see overlay.h. A hash table from block to content, open addressing. */
#include <stdlib.h>

#include "overlay.h"

struct slot {
	u64 key;		/* block + 1; 0: empty */
	void *data;
};

struct overlay {
	struct port_dev dev;
	struct port_dev *below;
	struct slot *slots;
	u64 room, used;		/* room: a power of two */
};

static struct overlay *of_dev(struct port_dev *dev)
{
	return (struct overlay *)((char *)dev - offsetof(struct overlay, dev));
}

static struct slot *find(const struct overlay *o, u64 block)
{
	u64 i = (block + 1) * 0x9e3779b97f4a7c15ULL >> 20;

	for (i &= o->room - 1; o->slots[i].key && o->slots[i].key != block + 1; i = (i + 1) & (o->room - 1))
		;
	return &o->slots[i];
}

static int grow(struct overlay *o)
{
	struct overlay bigger = { .room = o->room * 2 };
	u64 i;

	bigger.slots = calloc(bigger.room, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (i = 0; i < o->room; i++)
		if (o->slots[i].key)
			*find(&bigger, o->slots[i].key - 1) = o->slots[i];
	free(o->slots);
	o->slots = bigger.slots;
	o->room = bigger.room;
	return 0;
}

static u64 overlay_blocks(struct port_dev *dev)
{
	return port_dev_blocks(of_dev(dev)->below);
}

static int overlay_read(struct port_dev *dev, u64 block, void *buf)
{
	const void *data = overlay_block(of_dev(dev), block);

	if (!data)
		return port_read(of_dev(dev)->below, block, buf);
	memcpy(buf, data, LB_BLOCK_BYTES);
	return 0;
}

static int overlay_write(struct port_dev *dev, u64 block, void *const *bufs, unsigned int count, unsigned int flags)
{
	struct overlay *o = of_dev(dev);
	unsigned int i;

	(void)flags;
	for (i = 0; i < count; i++) {
		struct slot *s;

		if (o->used * 2 >= o->room && grow(o))
			return -ENOMEM;
		s = find(o, block + i);
		if (!s->data) {
			s->data = port_alloc_block(PORT_WAIT);
			if (!s->data)
				return -ENOMEM;
			s->key = block + i + 1;
			o->used++;
		}
		memcpy(s->data, bufs[i], LB_BLOCK_BYTES);
	}
	return 0;
}

static int overlay_flush(struct port_dev *dev)
{
	(void)dev;
	return 0;
}

static const struct port_dev_ops overlay_ops = {
	.blocks = overlay_blocks,
	.read = overlay_read,
	.write = overlay_write,
	.flush = overlay_flush,
};

struct overlay *overlay_new(struct port_dev *below)
{
	struct overlay *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->dev.ops = &overlay_ops;
	o->below = below;
	o->room = 1024;
	o->slots = calloc(o->room, sizeof(*o->slots));
	if (o->slots)
		return o;
	free(o);
	return NULL;
}

void overlay_free(struct overlay *o)
{
	u64 i;

	if (!o)
		return;
	for (i = 0; i < o->room; i++)
		port_free_block(o->slots[i].data);
	free(o->slots);
	free(o);
}

struct port_dev *overlay_dev(struct overlay *o)
{
	return &o->dev;
}

const void *overlay_block(const struct overlay *o, u64 block)
{
	return find(o, block)->data;
}

int overlay_each(const struct overlay *o, int (*fn)(void *arg, u64 block, const void *data), void *arg)
{
	u64 i;
	int err = 0;

	for (i = 0; i < o->room && !err; i++)
		if (o->slots[i].key)
			err = fn(arg, o->slots[i].key - 1, o->slots[i].data);
	return err;
}
