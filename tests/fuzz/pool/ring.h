/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The journal of a fuzzed pool: records of the base with fields changed, further ones with any entries, all with the epoch, sequence and chained checksums that a replay follows.
 */
#ifndef FUZZ_RING_H
#define FUZZ_RING_H

#include "patch.h"

struct ring;

/* Reads the base's records. */
struct ring *ring_open(const struct base *b);
/* PATCH_RECORD: which: the record; where: the header's field (RING_HEADER_FIELDS), beyond: bytes of entries at 8 times the rest. */
void ring_change(struct ring *r, const struct patch *p);
/*
 * PATCH_ENTRY. how: bits 0-2 its type, RING_*; bit 3: its record ends here; bit 4: and says that more follow; bit 5: the generation's sign. which: the volume or key;
 * where, extra, value: as the type has it (ring.c).
 */
void ring_add(struct ring *r, const struct patch *p);
/* Writes all records, chained. Frees the ring. */
void ring_close(struct ring *r, struct port_dev *dev);

#endif /* FUZZ_RING_H */
