/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The OCI runtime (crun): running a container in the foreground, ending one, and the directory with its bundle. */
#ifndef RUNTIME_OCI_H
#define RUNTIME_OCI_H

#include <stdbool.h>
#include <json-c/json.h>
#include <layerblk.h>

#define OCI_RUNTIME	"crun"

#define STATUS_FAILED		125	/* layerctl's own failure */
#define STATUS_CANNOT_EXECUTE	126
#define STATUS_NOT_FOUND	127

/* RUN_DIR/containers/ID, where config.json and rootfs/ are. */
void oci_bundle_path(const char *id, char *path, size_t size);
/* Makes it, with an empty rootfs directory. */
int oci_bundle_make(const char *id, struct layerblk_error *err);
/* A file in it. */
int oci_bundle_write(const char *id, const char *name, const char *text, struct layerblk_error *err);
/* Removes it with all that is known to be in it; nothing may be mounted there any more. */
void oci_bundle_remove(const char *id);

/*
 * Runs the bundle to its end with our standard streams (input only when `input`). Signals that we are sent are
 * passed on. *status is what a shell would show: the container's exit status, 128 + the signal that ended it, or one of STATUS_* when
 * it did not start, which has then been said on standard error. A negative errno: the runtime could not be run.
 */
int oci_run(const char *id, bool input, int *status, struct layerblk_error *err);

/* Kills what is left of a container and lets the runtime forget it. No error when there is nothing. */
void oci_delete(const char *id);

#endif
