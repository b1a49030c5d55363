/* SPDX-License-Identifier: GPL-2.0 */
/* The pools on which faultlab.h works, each made once. */
#ifndef TEST_FAULTSCENE_H
#define TEST_FAULTSCENE_H

#include "faultlab.h"

/* A clone of the scene's disk, not open, in h, and a copy of its model. */
void scene_take(enum fault_scene scene, struct host *h, struct model **m);

#endif /* TEST_FAULTSCENE_H */
