// SPDX-License-Identifier: GPL-2.0
/* Mutations of an input for pools (patch.h): of its changes one by one, of its operations, of its head. Everything else is libFuzzer's own. */
#include "patch.h"
#include "support.h"

size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max_size);

#define PATCHES_MAX	24u
#define OPS_MAX		(4u * 64u)

struct mutable {
	u8 head[INPUT_HEAD];
	struct patch patches[PATCHES_MAX];
	unsigned int count;
	u8 ops[OPS_MAX];
	size_t op_bytes;
};

static void take(struct mutable *m, const u8 *data, size_t size)
{
	struct input in = input_parse(data, size);

	memset(m, 0, sizeof(*m));
	if (size < INPUT_HEAD)
		return;
	memcpy(m->head, data, INPUT_HEAD);
	m->count = min_t(unsigned int, in.count, PATCHES_MAX);
	memcpy(m->patches, in.patches, m->count * sizeof(struct patch));
	m->op_bytes = min_t(size_t, in.op_bytes, OPS_MAX);
	memcpy(m->ops, in.ops, m->op_bytes);
}

static size_t give(struct mutable *m, u8 *data, size_t room)
{
	size_t bytes;

	while (m->count && INPUT_HEAD + m->count * sizeof(struct patch) > room)
		m->count--;
	bytes = INPUT_HEAD + m->count * sizeof(struct patch);
	m->op_bytes = min_t(size_t, m->op_bytes, room - bytes);
	m->head[3] = (u8)m->count;
	memcpy(data, m->head, INPUT_HEAD);
	memcpy(data + INPUT_HEAD, m->patches, m->count * sizeof(struct patch));
	memcpy(data + bytes, m->ops, m->op_bytes);
	return bytes + m->op_bytes;
}

static u8 pick_bit(struct dice *d, u32 mask, unsigned int n)
{
	u8 i = (u8)dice_below(d, n);

	while (!(mask & 1u << i))
		i = (u8)((i + 1) % n);
	return i;
}

/* Values near 0 and near the ends are what matters. */
static __s32 some_value(struct dice *d)
{
	switch (dice_below(d, 4)) {
	case 0:
		return (__s32)dice_below(d, 4) - 1;
	case 1:
		return (__s32)dice_below(d, 64);
	case 2:
		return (__s32)dice_below(d, 70000) - 1000;
	default:
		return (__s32)dice_next(d);
	}
}

static u16 some_place(struct dice *d)
{
	return (u16)(dice_below(d, 3) ? dice_below(d, 16) : dice_below(d, 4) ? dice_below(d, 512) : dice_next(d));
}

static void new_patch(struct dice *d, struct patch *p, u32 kinds)
{
	*p = (struct patch){
		.kind = pick_bit(d, kinds, PATCH_KINDS), .how = (u8)dice_next(d), .which = some_place(d), .where = some_place(d),
		.extra = some_place(d), .value = some_value(d),
	};
}

static void change_patch(struct dice *d, struct patch *p)
{
	switch (dice_below(d, 6)) {
	case 0:
		p->how = (u8)dice_next(d);
		break;
	case 1:
		p->which = some_place(d);
		break;
	case 2:
		p->where = some_place(d);
		break;
	case 3:
		p->extra = some_place(d);
		break;
	case 4:
		p->value = some_value(d);
		break;
	default:
		p->value += (__s32)dice_below(d, 5) - 2;
		break;
	}
}

static void change_patches(struct dice *d, struct mutable *m, u32 kinds)
{
	unsigned int at = m->count ? (unsigned int)dice_below(d, m->count) : 0;

	if (!m->count || (m->count < PATCHES_MAX && !dice_below(d, 4))) {
		new_patch(d, &m->patches[m->count++], kinds);
		return;
	}
	switch (dice_below(d, 6)) {
	case 0:
		m->patches[at] = m->patches[--m->count];
		break;
	case 1:		/* the same again, elsewhere */
		if (m->count == PATCHES_MAX)
			break;
		m->patches[m->count] = m->patches[at];
		change_patch(d, &m->patches[m->count++]);
		break;
	case 2:
		new_patch(d, &m->patches[at], kinds);
		break;
	default:
		change_patch(d, &m->patches[at]);
		break;
	}
}

static void change_head(struct dice *d, struct mutable *m, u32 bases)
{
	switch (dice_below(d, 3)) {
	case 0:
		m->head[0] = pick_bit(d, bases, BASES);
		break;
	case 1:
		m->head[1] = (u8)dice_below(d, 100);
		break;
	default:
		m->head[2] = (u8)(dice_below(d, 2) ? 0 : 1u << dice_below(d, 4));
		break;
	}
}

size_t input_mutate(u8 *data, size_t size, size_t room, unsigned int seed, u32 bases, u32 kinds)
{
	struct dice d = { .state = seed };
	struct mutable m;
	unsigned int n = 1 + (unsigned int)dice_below(&d, 3);

	if (room < INPUT_HEAD)
		return LLVMFuzzerMutate(data, size, room);
	take(&m, data, size);
	while (n--) {
		switch (dice_below(&d, 8)) {
		case 0:
			change_head(&d, &m, bases);
			break;
		case 1:
		case 2:
			m.op_bytes = LLVMFuzzerMutate(m.ops, m.op_bytes, OPS_MAX);
			break;
		default:
			change_patches(&d, &m, kinds);
			break;
		}
	}
	return give(&m, data, room);
}
