/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running a plugin of the Container Network Interface. */
#ifndef RUNTIME_PLUGIN_H
#define RUNTIME_PLUGIN_H

#include <stdbool.h>
#include <json-c/json.h>
#include <layerblk.h>

bool plugin_is_installed(const char *type);

/*
 * Runs the plugin that config's "type" names. command: "ADD" or "DEL"; netns: the path of the namespace, "" when it is gone. *result (may be
 * NULL) is what it answered, NULL when nothing. It dies with us.
 */
int plugin_run(json_object *config, const char *command, const char *id, const char *netns, json_object **result,
	       struct layerblk_error *err);

#endif
