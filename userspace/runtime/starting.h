/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who starts a container. The OCI runtime makes a container first, with its process waiting, and lets it run when everything around it is there.
 * Whoever is killed in between leaves a process that would wait for ever, with a conmon that looks after it. So a file in the bundle is locked
 * from before the container is made until it runs; neither conmon nor the container inherits that lock.
 */
#ifndef RUNTIME_STARTING_H
#define RUNTIME_STARTING_H

#include <layerblk.h>

/* *fd: to be given to starting_end(). The bundle is there. */
int starting_begin(const char *id, int *fd, struct layerblk_error *err);
/* It runs, or is gone. */
void starting_end(const char *id, int *fd);

/* Ends the containers that wait for somebody who is gone; their conmons clear up. */
void starting_sweep(void);

#endif
