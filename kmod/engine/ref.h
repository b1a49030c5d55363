/* SPDX-License-Identifier: GPL-2.0 */
/* A struct lb_ptr in the CPU's byte order, and the check that every metadata block must pass before it is believed. */
#ifndef LB_REF_H
#define LB_REF_H

#include "format.h"
#include "port.h"

struct lb_ref {
	u64 addr;	/* 0: none */
	u64 addr2;	/* second copy, 0: none */
	u64 gen;
	u32 csum;
	u8 level;
};

static inline struct lb_ref lb_ref_decode(const struct lb_ptr *p)
{
	return (struct lb_ref){ .addr = le64_to_cpu(p->addr), .addr2 = le64_to_cpu(p->addr2), .gen = le64_to_cpu(p->gen),
				.csum = le32_to_cpu(p->csum), .level = p->level };
}

static inline struct lb_ptr lb_ref_encode(const struct lb_ref *r)
{
	return (struct lb_ptr){ .addr = cpu_to_le64(r->addr), .addr2 = cpu_to_le64(r->addr2), .gen = cpu_to_le64(r->gen),
				.csum = cpu_to_le32(r->csum), .level = r->level };
}

/* The checksum of a metadata block as format.h defines it. */
u32 lb_block_csum(const void *block);
/* Fill header (magic, self, gen, owner, csum must come last: call this when all else is filled in) and return the checksum. The second copy differs in `self` alone. */
u32 lb_block_seal(void *block, u32 magic, u64 self, u64 gen, u64 owner);
/* 0, or -EUCLEAN with *why set to a constant string: "magic", "self", "generation", "checksum". Does not look into the payload. */
int lb_block_verify(const void *block, u32 magic, u64 self, u64 gen, u32 csum, const char **why);

#endif /* LB_REF_H */
