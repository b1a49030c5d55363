// SPDX-License-Identifier: GPL-2.0
/* Open addressing with linear probing; slots are never removed, only set to the page of zeros. Pages are shared between stores and counted. */
#include "sim_store.h"

#include <stdlib.h>

static void *must_alloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		abort();
	return p;
}

struct sim_page *sim_page_new(const void *data)
{
	struct sim_page *page = must_alloc(1, sizeof(*page));

	page->refs = 1;
	if (data)
		memcpy(page->data, data, LB_BLOCK_BYTES);
	return page;
}

struct sim_page *sim_page_get(struct sim_page *page)
{
	if (page)
		__atomic_add_fetch(&page->refs, 1, __ATOMIC_RELAXED);
	return page;
}

void sim_page_put(struct sim_page *page)
{
	if (page && !__atomic_sub_fetch(&page->refs, 1, __ATOMIC_ACQ_REL))
		free(page);
}

void sim_page_copy(const struct sim_page *page, void *buf)
{
	if (page)
		memcpy(buf, page->data, LB_BLOCK_BYTES);
	else
		memset(buf, 0, LB_BLOCK_BYTES);
}

static struct sim_slot *probe(const struct sim_store *s, u64 block)
{
	u64 i = (block * 0x9e3779b97f4a7c15ull) >> 20;

	for (;; i++) {
		struct sim_slot *slot = &s->slots[i & (s->room - 1)];

		if (!slot->key || slot->key == block + 1)
			return slot;
	}
}

struct sim_slot *sim_store_find(const struct sim_store *s, u64 block)
{
	struct sim_slot *slot = s->room ? probe(s, block) : NULL;

	return slot && slot->key ? slot : NULL;
}

static void grow(struct sim_store *s)
{
	struct sim_store old = *s;
	u64 i;

	s->room = old.room ? old.room * 2 : 64;
	s->slots = must_alloc(s->room, sizeof(*s->slots));
	for (i = 0; i < old.room; i++)
		if (old.slots[i].key)
			*probe(s, old.slots[i].key - 1) = old.slots[i];
	free(old.slots);
}

struct sim_slot *sim_store_slot(struct sim_store *s, u64 block)
{
	struct sim_slot *slot = sim_store_find(s, block);

	if (slot)
		return slot;
	if (s->used * 4 >= s->room * 3)
		grow(s);
	slot = probe(s, block);
	slot->key = block + 1;
	s->used++;
	return slot;
}

struct sim_page *sim_store_page(const struct sim_store *s, u64 block)
{
	struct sim_slot *slot = sim_store_find(s, block);

	return slot ? slot->page : NULL;
}

void sim_store_set(struct sim_store *s, u64 block, struct sim_page *page)
{
	struct sim_slot *slot = sim_store_slot(s, block);

	sim_page_put(slot->page);
	slot->page = page;
}

void sim_store_copy(struct sim_store *to, const struct sim_store *from)
{
	u64 i;

	*to = *from;
	if (!from->room)
		return;
	to->slots = must_alloc(from->room, sizeof(*to->slots));
	memcpy(to->slots, from->slots, from->room * sizeof(*to->slots));
	for (i = 0; i < to->room; i++)
		sim_page_get(to->slots[i].page);
}

void sim_store_clear(struct sim_store *s)
{
	u64 i;

	for (i = 0; i < s->room; i++)
		sim_page_put(s->slots[i].page);
	free(s->slots);
	memset(s, 0, sizeof(*s));
}

u64 sim_store_count(const struct sim_store *s)
{
	u64 i, n = 0;

	for (i = 0; i < s->room; i++)
		n += s->slots[i].page != NULL;
	return n;
}
