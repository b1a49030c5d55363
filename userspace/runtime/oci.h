/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The OCI runtime (crun): what is asked of it, and the directory with a container's bundle. conmon starts it; see conmon.h. */
#ifndef RUNTIME_OCI_H
#define RUNTIME_OCI_H

#include <stdbool.h>
#include <sys/types.h>
#include <layerblk.h>
#include "work.h"

#define OCI_RUNTIME	"crun"		/* unless a container names another */
#define OCI_RUNTIME_FILE "runtime"	/* in the bundle: the path of the one that made it */
#define OCI_ROOT	RUN_DIR "/oci"
#define OCI_LOG		"oci.log"
#define CGROUP_ROOT	"/layerblk"

#define STATUS_FAILED		125	/* layerctl's own failure */
#define STATUS_CANNOT_EXECUTE	126
#define STATUS_NOT_FOUND	127

/* RUN_DIR/containers/ID, where config.json and rootfs/ are while the container runs. */
void oci_bundle_path(const char *id, char *path, size_t size);
/* Makes it, with an empty rootfs directory. */
int oci_bundle_make(const char *id, struct layerblk_error *err);
/* A file in it. */
int oci_bundle_write(const char *id, const char *name, const char *text, struct layerblk_error *err);
/* Removes it with all that is in it; what is mounted there stays, and it with it. */
void oci_bundle_remove(const char *id);
/* Removes a directory in it, with all that is in it. */
void oci_directory_remove(const char *path);

/*
 * Why the runtime failed, from its log in `bundle` (or from `said`, which may be ""): a sentence in *err, and the exit status that a shell
 * would give for it, one of STATUS_*.
 */
int oci_failure(const char *bundle, const char *said, const char *command, struct layerblk_error *err);

/* The program that runs a container: its own, from its bundle, or the usual one; malloc()ed. NULL: err says to install it. */
char *oci_runtime(const char *id, struct layerblk_error *err);

int oci_start(const char *id, struct layerblk_error *err);
int oci_signal(const char *id, int number, struct layerblk_error *err);
int oci_pause(const char *id, struct layerblk_error *err);
int oci_resume(const char *id, struct layerblk_error *err);
/* Kills what is left of a container and lets the runtime forget it. No error when there is nothing. */
void oci_delete(const char *id);

/* Whether a process of the container lives, and whether it is paused: by its cgroup. */
bool oci_is_alive(const char *id);
bool oci_is_paused(const char *id);
/* Its first process, as we see it; 0: none. */
pid_t oci_pid(const char *id);
/* A file of its cgroup: its beginning as text. False: there is none. */
bool oci_cgroup_read(const char *id, const char *file, char *text, size_t size);

#endif
