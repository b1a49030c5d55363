/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Work in a process of its own: with a mount namespace of its own, which ends with it, or with a container's root as its root. */
#ifndef RUNTIME_NAMESPACE_H
#define RUNTIME_NAMESPACE_H

#include <sys/types.h>
#include <layerblk.h>

/*
 * Runs fn in a child that has left our mount namespace; the child dies with us. Gives its result, and its error. What fn mounts is gone
 * when the child and all that it started have ended. fn must not leave results in memory: only files and streams reach us.
 */
typedef int namespace_fn(void *arg, struct layerblk_error *err);
int namespace_run(namespace_fn *fn, void *arg, struct layerblk_error *err);

struct child {
	pid_t pid;
	int answer;			/* its end of a pipe */
	int alive;			/* a pipe that tells it that we are there; -1: none */
};

/*
 * Starts fn in a child whose root is the directory `root`: no path leads out of it, whatever a container puts there. fn must not use what
 * looks into the root by itself (names of users, locales).
 */
int child_start_in(int root, namespace_fn *fn, void *arg, struct child *out, struct layerblk_error *err);
/*
 * Starts fn as the first process of a PID and a mount namespace of its own, with a /proc of its own, in a session of its own: all that it starts,
 * in whatever namespaces, ends with it, and it with us, however we end. It is the parent of what its children leave.
 */
int child_start_alone(namespace_fn *fn, void *arg, struct child *out, struct layerblk_error *err);
/* Its result, and its error, when it has ended. */
int child_wait(struct child *child, struct layerblk_error *err);

/* Unmounts (detaching what is busy) every disk of layerblk and every overlay that is mounted beneath RUN_DIR in this namespace. */
void namespace_unmount_all(void);

#endif
