/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a container's record takes over from its image's config, under what the command line says. */
#ifndef RUNTIME_MERGE_H
#define RUNTIME_MERGE_H

#include <json-c/json.h>
#include "share.h"

/*
 * What is run, an array of texts, as Docker merges it: the entrypoint, and the command line's words or else the image's Cmd; an
 * entrypoint from the command line drops the image's Cmd. entrypoint NULL: the image's; "": none. -EINVAL when there is nothing to run.
 */
int merge_args(json_object *config, const char *entrypoint, int argc, char *const *argv, json_object **out,
	       struct layerblk_error *err);

/* Adds to the record what of the command is the entrypoint, and what its arguments: "entrypoint" and "cmd", as commit hands them on. */
void merge_words(json_object *record, json_object *config, const char *entrypoint, int argc, char *const *argv);

/* Adds to the record: env, labels, user, workdir, stop_signal, exposed. What is there already wins, entry by entry. */
void merge_config(json_object *record, json_object *config);

/* The image's VOLUMEs that nothing is mounted at become anonymous volumes. */
int merge_volumes(struct share_list *shares, json_object *config, struct layerblk_error *err);

/* KEY=VALUE takes the place of an earlier one of its key. */
void env_set(json_object *env, const char *item);
void env_pair(json_object *env, const char *key, const char *value);
bool env_has(json_object *env, const char *key);

#endif
