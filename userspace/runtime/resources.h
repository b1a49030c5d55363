/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a container may use: memory, processors, processes, limits of its processes, devices. */
#ifndef RUNTIME_LIMITS_H
#define RUNTIME_LIMITS_H

#include <stdbool.h>
#include <json-c/json.h>
#include <layerblk.h>

#define LIMITS_PIDS		2048	/* when none is given, as Podman has it */
#define LIMITS_MEMORY_MIN	(6ULL << 20)

/* "1.5" processors in billionths; more than 0. */
int limits_parse_cpus(const char *text, int64_t *nano, struct layerblk_error *err);
/* "nofile=1024[:2048]" as {"type","soft","hard"}. */
int limits_parse_ulimit(const char *text, json_object **out, struct layerblk_error *err);
/* "/dev/x[:/dev/y[:rwm]]" as {"host","container","access"}. */
int limits_parse_device(const char *text, json_object **out, struct layerblk_error *err);

/* As in the runtime's config: linux.resources, process.rlimits, and linux.devices with their rules, which are added to linux. */
json_object *limits_resources(json_object *record, bool privileged);
json_object *limits_ulimits(json_object *record);
int limits_devices(json_object *record, bool privileged, json_object *to, struct layerblk_error *err);

#endif
