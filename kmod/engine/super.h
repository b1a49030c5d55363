/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Superblocks: two slots and a mirror of each. Generation g goes to slot g & 1: first the primary, with PREFLUSH and FUA, then, after that has
 * completed, the mirror (FUA). So a crash tears at most one copy; both copies of the newest being bad is damage, not a crash.
 */
#ifndef LB_SUPER_H
#define LB_SUPER_H

#include "ref.h"

/* What lb_super_read found out beside the superblock. */
struct lb_super_state {
	bool fallback;		/* a newer generation's copies are both damaged */
	unsigned int bad_copies;	/* of the chosen generation */
};

/*
 * The newest valid superblock (struct lb_super, caller's block buffer). 0; -EMEDIUMTYPE nothing of ours; -EUCLEAN ours, but no valid copy; -ESTALE only an older one while
 * allow_fallback is false; -EOPNOTSUPP version or incompat features from the future (also told by an unknown version before the checksum is judged); -EIO.
 * Field values are validated against each other and against the device size (-EFBIG: the device is smaller than the pool). Finds the mirrors also when both
 * primaries are gone (tries LB_MIRROR_BLOCK_LARGE and _SMALL).
 */
int lb_super_read(struct port_dev *dev, bool allow_fallback, struct lb_super *sb, struct lb_super_state *state);
/*
 * Seal and write as generation gen, as said above (fills in magic, version and block size). Any error means: the pool must not write on. A pool's first generation is 1: writing it wipes
 * what an earlier pool left, and writes the same as generation 0 first, so that both slots are whole from the start.
 */
int lb_super_write(struct port_dev *dev, struct lb_super *sb, u64 gen);
/*
 * After lb_super_read() with bad_copies: write the bad copies of the chosen generation again, from sb as it was read. The good one is not touched, so a
 * power cut leaves what there was. An error (the device's, -ENOMEM) harms nothing.
 */
int lb_super_heal(struct port_dev *dev, struct lb_super *sb);
/* Overwrite every place where a superblock can be, of any pool, with zeros. Goes on after an error and returns the first. */
int lb_super_wipe(struct port_dev *dev);

#endif /* LB_SUPER_H */
