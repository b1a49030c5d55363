/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fuzzer's input for pools: a base, a list of changes to its structures, and operations to do on the result. Every string of bytes is an input; the changes have a fixed size, so
 * that the mutator can add, drop and alter them one by one.
 *
 *   byte 0   the base             byte 1   the nth case of the checker's tests first, 0: none
 *   byte 2   INPUT_* flags        byte 3   how many changes follow; what follows them are operations (see exercise.h)
 */
#ifndef FUZZ_PATCH_H
#define FUZZ_PATCH_H

#include "bases.h"
#include "seal.h"

#define INPUT_HEAD	4u
#define INPUT_FALLBACK	1u	/* accept an older superblock, a lost journal record */
#define INPUT_REPAIR	2u	/* work on what a repair leaves */
#define INPUT_NO_SEAL	4u	/* do not make the checksums right */
#define INPUT_READ_ONLY	8u	/* open so */

enum patch_kind {
	PATCH_SUPER,		/* a superblock's field */
	PATCH_TABLE,		/* a region's entry, a table block's header or pointer */
	PATCH_BITMAP,		/* bits */
	PATCH_HEADER,		/* a node's header */
	PATCH_MAP,		/* an extent's or a map child's field */
	PATCH_VALUE,		/* a field of a catalog item's value, or of its key */
	PATCH_ITEM,		/* a catalog item goes, comes, or gets another key */
	PATCH_RECORD,		/* a field of a journal record's header or of one of its entries */
	PATCH_ENTRY,		/* another journal entry at the journal's end; see ring.h */
	PATCH_COPY,		/* a node becomes another one */
	PATCH_RAW,		/* after all was sealed: a byte */
	PATCH_KINDS,
};

/* How a field changes; `value` and `extra` say by what. */
enum patch_how {
	HOW_SET,		/* to value */
	HOW_ADD,		/* by value (signed) */
	HOW_FLIP,		/* bit `value` */
	HOW_NODE,		/* to a node's address */
	HOW_TOTAL,		/* to the pool's size + value */
	HOW_GEN,		/* to the superblock's generation + value */
	HOW_POWER,		/* to 2 to the power of `extra`, + value */
	HOW_FREE,		/* to a free block's address */
	HOWS,
};

struct patch {
	u8 kind, how;		/* modulo */
	u16 which, where, extra;
	__s32 value;
} __attribute__((packed));
_Static_assert(sizeof(struct patch) == 12, "an input's bytes are patches");

struct input {
	unsigned int base, damage, flags, count;
	const struct patch *patches;	/* in the input, not aligned */
	const u8 *ops;
	size_t op_bytes;
};

struct input input_parse(const u8 *data, size_t size);
/* The disk that the input describes. kinds: a bit for each enum patch_kind that is obeyed. */
struct port_dev *input_disk(const struct input *in, u32 kinds);
/* A mutation of such an input, for LLVMFuzzerCustomMutator(); base_mask and kinds: those that it makes. */
size_t input_mutate(u8 *data, size_t size, size_t room, unsigned int seed, u32 bases, u32 kinds);

/* Field of `width` bytes (1, 2, 4, 8) at `p`, changed as the patch says. */
void patch_field(const struct base *b, const struct patch *p, void *at, unsigned int width);

/* items.c: PATCH_ITEM */
void patch_item(const struct base *b, const struct patch *p, struct seal *s);

#endif /* FUZZ_PATCH_H */
