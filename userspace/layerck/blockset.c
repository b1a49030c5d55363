// SPDX-License-Identifier: GPL-2.0
/* Sets of blocks: see blockset.h. */
#include "blockset.h"
#include "port.h"

int blockset_init(struct blockset *s, u64 total)
{
	s->total = total;
	s->regions = total / LB_REGION_BLOCKS + 1;
	s->count = 0;
	s->bits = port_alloc(s->regions * sizeof(*s->bits), PORT_WAIT);
	return s->bits ? 0 : -ENOMEM;
}

void blockset_free(struct blockset *s)
{
	u64 r;

	if (!s->bits)
		return;
	for (r = 0; r < s->regions; r++)
		port_free(s->bits[r]);
	port_free(s->bits);
	s->bits = NULL;
}

int blockset_add(struct blockset *s, u64 block)
{
	u64 region = block / LB_REGION_BLOCKS;
	u32 bit = (u32)(block % LB_REGION_BLOCKS);

	if (!s->bits[region]) {
		s->bits[region] = port_alloc(LB_PAYLOAD_BYTES, PORT_WAIT);
		if (!s->bits[region])
			return -ENOMEM;
	}
	if (bit_get(s->bits[region], bit))
		return 1;
	bit_set(s->bits[region], bit);
	s->count++;
	return 0;
}

void blockset_remove(struct blockset *s, u64 block)
{
	if (!blockset_has(s, block))
		return;
	bit_clear(s->bits[block / LB_REGION_BLOCKS], (u32)(block % LB_REGION_BLOCKS));
	s->count--;
}

bool blockset_has(const struct blockset *s, u64 block)
{
	const u8 *bits = s->bits[block / LB_REGION_BLOCKS];

	return bits && bit_get(bits, (u32)(block % LB_REGION_BLOCKS));
}

const u8 *blockset_region(const struct blockset *s, u64 region)
{
	return s->bits[region];
}
