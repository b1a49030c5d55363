// SPDX-License-Identifier: GPL-2.0-or-later
/* See resources.h. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "cleanup.h"
#include "json.h"
#include "resources.h"

#define PERIOD_US	100000

/* ------------------------------------------------------------------ parsing */

int limits_parse_cpus(const char *text, int64_t *nano, struct layerblk_error *err)
{
	char *end;
	double value = strtod(text, &end);

	if (*end || end == text || !isfinite(value) || value < 0.01 || value > 100000)
		return layerblk_error_set(err, EINVAL, "limit the processors to", text, "it is not a number from 0.01 on");
	*nano = (int64_t)(value * 1e9 + 0.5);
	return 0;
}

static bool ulimit_value(const char *text, json_object **out)
{
	char *end;
	unsigned long long value;

	if (strcmp(text, "-1") == 0 || strcmp(text, "unlimited") == 0) {
		*out = json_object_new_int64(-1);
		return true;
	}
	errno = 0;
	value = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno || value > INT64_MAX)
		return false;
	*out = json_object_new_int64((int64_t)value);
	return true;
}

int limits_parse_ulimit(const char *text, json_object **out, struct layerblk_error *err)
{
	static const char *const names[] = { "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
					     "nproc", "rss", "rtprio", "rttime", "sigpending", "stack", NULL };
	cleanup_free char *copy = strdup(text);
	char *soft = copy ? strchr(copy, '=') : NULL, *hard = soft ? strchr(soft, ':') : NULL;
	json_object *low = NULL, *high = NULL;
	const char *const *name = names;

	if (hard)
		*hard++ = '\0';
	if (soft)
		*soft++ = '\0';
	while (soft && *name && strcmp(*name, copy) != 0)
		name++;
	if (!soft || !*name || !ulimit_value(soft, &low) || !ulimit_value(hard ? hard : soft, &high)) {
		json_object_put(low);
		layerblk_error_set(err, EINVAL, "set the limit", text, "it is not of the form NAME=SOFT[:HARD]");
		return layerblk_error_hint(err, "NAME is nofile, nproc, core, memlock, stack and so on");
	}
	*out = json_object_new_object();
	json_object_object_add(*out, "name", json_object_new_string(*name));
	json_object_object_add(*out, "soft", low);
	json_object_object_add(*out, "hard", high);
	return 0;
}

int limits_parse_device(const char *text, json_object **out, struct layerblk_error *err)
{
	cleanup_free char *copy = strdup(text);
	char *target = copy ? strchr(copy, ':') : NULL, *access = NULL;

	if (target) {
		*target++ = '\0';
		access = strchr(target, ':');
		if (access)
			*access++ = '\0';
		else if (*target != '/') {
			access = target;
			target = NULL;
		}
	}
	if (!copy || *copy != '/' || (target && *target != '/') || (access && (!*access || strspn(access, "rwm") != strlen(access))))
		return layerblk_error_set(err, EINVAL, "use the device", text, "it is not of the form /dev/x[:/dev/y][:rwm]");
	*out = json_object_new_object();
	json_object_object_add(*out, "host", json_object_new_string(copy));
	json_object_object_add(*out, "container", json_object_new_string(target ? target : copy));
	json_object_object_add(*out, "access", json_object_new_string(access ? access : "rwm"));
	return 0;
}

/* ------------------------------------------------------------------ the runtime's config */

static void add_memory(json_object *record, json_object *resources)
{
	long long limit = json_number(record, "memory"), swap = json_number(record, "memory_swap");
	json_object *memory;

	if (limit <= 0)
		return;
	memory = json_object_new_object();
	json_object_object_add(memory, "limit", json_object_new_int64(limit));
	json_object_object_add(memory, "swap", json_object_new_int64(swap > 0 ? swap : 2 * limit));
	json_object_object_add(resources, "memory", memory);
}

static void add_cpu(json_object *record, json_object *resources)
{
	long long nano = json_number(record, "nano_cpus"), shares = json_number(record, "cpu_shares");
	const char *set = json_text(record, "cpuset");
	json_object *cpu;

	if (nano <= 0 && shares <= 0 && !set)
		return;
	cpu = json_object_new_object();
	if (nano > 0) {
		json_object_object_add(cpu, "quota", json_object_new_int64(nano * PERIOD_US / 1000000000));
		json_object_object_add(cpu, "period", json_object_new_int64(PERIOD_US));
	}
	if (shares > 0)
		json_object_object_add(cpu, "shares", json_object_new_int64(shares));
	if (set)
		json_object_object_add(cpu, "cpus", json_object_new_string(set));
	json_object_object_add(resources, "cpu", cpu);
}

static json_object *rule(bool allow, const char *type, long long major, long long minor, const char *access)
{
	json_object *object = json_object_new_object();

	json_object_object_add(object, "allow", json_object_new_boolean(allow));
	if (type) {
		json_object_object_add(object, "type", json_object_new_string(type));
		json_object_object_add(object, "major", json_object_new_int64(major));
		json_object_object_add(object, "minor", json_object_new_int64(minor));
	}
	json_object_object_add(object, "access", json_object_new_string(access));
	return object;
}

json_object *limits_resources(json_object *record, bool privileged)
{
	json_object *resources = json_object_new_object(), *devices = json_object_new_array(), *pids;
	json_object *given = json_member(record, "pids_limit", json_type_int);
	int64_t most = given ? json_object_get_int64(given) : LIMITS_PIDS;

	json_object_array_add(devices, rule(privileged, NULL, 0, 0, "rwm"));
	json_object_object_add(resources, "devices", devices);
	add_memory(record, resources);
	add_cpu(record, resources);
	if (most > 0) {
		pids = json_object_new_object();
		json_object_object_add(pids, "limit", json_object_new_int64(most));
		json_object_object_add(resources, "pids", pids);
	}
	return resources;
}

json_object *limits_ulimits(json_object *record)
{
	json_object *given = json_member(record, "ulimits", json_type_array), *array = json_object_new_array();

	for (size_t i = 0; given && i < json_object_array_length(given); i++) {
		json_object *one = json_object_array_get_idx(given, i), *limit = json_object_new_object(), *soft, *hard;
		char type[32] = "RLIMIT_";
		const char *name = json_text(one, "name");

		for (size_t k = 0; name && name[k] && k < sizeof(type) - 8; k++)
			type[7 + k] = (char)toupper((unsigned char)name[k]);
		soft = json_object_object_get(one, "soft");
		hard = json_object_object_get(one, "hard");
		json_object_object_add(limit, "type", json_object_new_string(type));
		json_object_object_add(limit, "soft", json_object_new_uint64((uint64_t)json_object_get_int64(soft)));
		json_object_object_add(limit, "hard", json_object_new_uint64((uint64_t)json_object_get_int64(hard)));
		json_object_array_add(array, limit);
	}
	return array;
}

static int add_device(const char *host, const char *inside, const char *access, json_object *devices, json_object *rules,
		      struct layerblk_error *err)
{
	struct stat st;
	json_object *object;
	const char *type;

	if (stat(host, &st) != 0)
		return layerblk_error_set(err, errno, "use the device", host, "%s", strerror(errno));
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return layerblk_error_set(err, ENOTBLK, "use the device", host, "it is no device");
	type = S_ISCHR(st.st_mode) ? "c" : "b";
	object = json_object_new_object();
	json_object_object_add(object, "path", json_object_new_string(inside));
	json_object_object_add(object, "type", json_object_new_string(type));
	json_object_object_add(object, "major", json_object_new_int64(major(st.st_rdev)));
	json_object_object_add(object, "minor", json_object_new_int64(minor(st.st_rdev)));
	json_object_object_add(object, "fileMode", json_object_new_int(st.st_mode & 0777));
	json_object_object_add(object, "uid", json_object_new_int64(st.st_uid));
	json_object_object_add(object, "gid", json_object_new_int64(st.st_gid));
	json_object_array_add(devices, object);
	json_object_array_add(rules, rule(true, type, major(st.st_rdev), minor(st.st_rdev), access));
	return 0;
}

/* All devices of the host but terminals and what the runtime makes by itself. */
static void add_all(json_object *devices, json_object *rules)
{
	static const char *const skipped[] = { "console", "null", "zero", "full", "random", "urandom", "tty", "ptmx", NULL };
	cleanup_dir DIR *dir = opendir("/dev");
	struct dirent *entry;
	char path[300];

	while (dir && (entry = readdir(dir)) != NULL) {
		bool skip = entry->d_type != DT_CHR && entry->d_type != DT_BLK;

		for (const char *const *one = skipped; !skip && *one; one++)
			skip = strcmp(*one, entry->d_name) == 0;
		if (skip)
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		add_device(path, path, "rwm", devices, rules, NULL);
	}
}

int limits_devices(json_object *record, bool privileged, json_object *to, struct layerblk_error *err)
{
	json_object *given = json_member(record, "devices", json_type_array), *devices = json_object_new_array(), *rules;
	int rc = 0;

	rules = json_member(json_member(to, "resources", json_type_object), "devices", json_type_array);
	if (privileged)
		add_all(devices, rules);
	for (size_t i = 0; !rc && given && i < json_object_array_length(given); i++) {
		json_object *one = json_object_array_get_idx(given, i);

		rc = add_device(json_text(one, "host"), json_text(one, "container"), json_text(one, "access"), devices, rules, err);
	}
	json_object_object_add(to, "devices", devices);
	return rc;
}
