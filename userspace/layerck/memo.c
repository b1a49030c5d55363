// SPDX-License-Identifier: GPL-2.0
/*
 * How many nodes lie under an upper node: a hash table, so that a subtree shared by a thousand volumes is counted
 * once.
 */
#include <stdlib.h>

#include "ck.h"

struct ck_memo {
	struct {
		u64 addr, nodes;
	} *slots;
	u64 room, count;		/* room: a power of two */
};

static u64 memo_slot(const struct ck_memo *m, u64 addr)
{
	u64 i = addr * 0x9e3779b97f4a7c15ULL >> 32;

	for (i &= m->room - 1; m->slots[i].addr && m->slots[i].addr != addr; i = (i + 1) & (m->room - 1))
		;
	return i;
}

struct ck_memo *ck_memo_alloc(void)
{
	struct ck_memo *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->room = 1024;
	m->slots = calloc(m->room, sizeof(*m->slots));
	if (m->slots)
		return m;
	free(m);
	return NULL;
}

void ck_memo_free(struct ck_memo *m)
{
	if (!m)
		return;
	free(m->slots);
	free(m);
}

static int memo_grow(struct ck_memo *m)
{
	struct ck_memo bigger = { .room = m->room * 2 };
	u64 i;

	bigger.slots = calloc(bigger.room, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (i = 0; i < m->room; i++)
		if (m->slots[i].addr)
			bigger.slots[memo_slot(&bigger, m->slots[i].addr)] = m->slots[i];
	free(m->slots);
	m->slots = bigger.slots;
	m->room = bigger.room;
	return 0;
}

int ck_memo_put(struct ck_memo *m, u64 addr, u64 nodes)
{
	u64 i;

	if (m->count * 2 >= m->room) {
		int err = memo_grow(m);

		if (err)
			return err;
	}
	i = memo_slot(m, addr);
	m->count += !m->slots[i].addr;
	m->slots[i].addr = addr;
	m->slots[i].nodes = nodes;
	return 0;
}

u64 ck_memo_get(const struct ck_memo *m, u64 addr)
{
	u64 i = memo_slot(m, addr);

	return m->slots[i].addr ? m->slots[i].nodes : 0;
}
