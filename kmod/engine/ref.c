// SPDX-License-Identifier: GPL-2.0
/*
 * Sealing and verifying metadata blocks. The checksum takes csum and self as zero, so that both copies of a block have one; self is
 * checked by comparison instead. Stateless.
 */
#include "ref.h"

lb_static_assert(offsetof(struct lb_block_header, csum) == 4 && offsetof(struct lb_block_header, self) == 8 &&
		 offsetof(struct lb_block_header, gen) == 16);

u32 lb_block_csum(const void *block)
{
	static const u8 zeros[12];
	const u8 *p = block;
	u32 crc;

	crc = port_crc32c(~0u, p, 4);
	crc = port_crc32c(crc, zeros, sizeof(zeros));
	return port_crc32c(crc, p + 16, LB_BLOCK_BYTES - 16);
}

u32 lb_block_seal(void *block, u32 magic, u64 self, u64 gen, u64 owner)
{
	struct lb_block_header *h = block;
	u32 csum;

	h->magic = cpu_to_le32(magic);
	h->self = cpu_to_le64(self);
	h->gen = cpu_to_le64(gen);
	h->owner = cpu_to_le64(owner);
	csum = lb_block_csum(block);
	h->csum = cpu_to_le32(csum);
	return csum;
}

int lb_block_verify(const void *block, u32 magic, u64 self, u64 gen, u32 csum, const char **why)
{
	const struct lb_block_header *h = block;

	*why = NULL;
	if (le32_to_cpu(h->magic) != magic)
		*why = "magic";
	else if (le64_to_cpu(h->self) != self)
		*why = "self";
	else if (le64_to_cpu(h->gen) != gen)
		*why = "generation";
	else if (le32_to_cpu(h->csum) != csum || lb_block_csum(block) != csum)
		*why = "checksum";
	return *why ? -EUCLEAN : 0;
}
