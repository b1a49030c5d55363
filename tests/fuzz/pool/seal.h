/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Making the checksums right again after blocks of a pool have been changed at will: from the leaves to the superblock, so that the change gets past every checksum, address and generation
 * test, and code behind them sees it. Whatever was changed, the walk ends: pointers may lead anywhere, in circles, or out of the device.
 */
#ifndef FUZZ_SEAL_H
#define FUZZ_SEAL_H

#include "format.h"
#include "port_sim.h"

#define SEAL_DIRTY	64u

struct seal {
	struct port_dev *dev;
	u64 dirty[SEAL_DIRTY];		/* blocks that were changed, and are not to be believed yet */
	unsigned int dirty_count;
};

void seal_dirty(struct seal *s, u64 block);

/*
 * Seals all that this superblock reaches: pointers get the checksum of their target, and targets the address and generation of the first pointer that leads to them; second copies
 * follow the first. Then *sb's own pointers are right; it is not written.
 */
void seal_tree(struct seal *s, struct lb_super *sb);
/* Writes *sb to a block as it is, but for checksum, magic and address. */
void seal_super(struct port_dev *dev, struct lb_super *sb, u64 block);

#endif /* FUZZ_SEAL_H */
