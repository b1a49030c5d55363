// SPDX-License-Identifier: GPL-2.0-or-later
/* See caps.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include "caps.h"
#include "json.h"

#define PREFIX	"CAP_"

static const char *const names[] = {	/* in the kernel's order */
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW",
	"CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT",
	"CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD",
	"CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
	"CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
};

static const char *const defaults[] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",
	"CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
};

int caps_check(const char *text, const char **name, struct layerblk_error *err)
{
	const char *bare = strncasecmp(text, PREFIX, strlen(PREFIX)) == 0 ? text + strlen(PREFIX) : text;

	if (strcasecmp(bare, "ALL") == 0) {
		*name = "ALL";
		return 0;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcasecmp(bare, names[i] + strlen(PREFIX)) == 0) {
			*name = names[i];
			return 0;
		}
	}
	return layerblk_error_set(err, EINVAL, "use the capability", text, "there is none of this name");
}

static bool listed(json_object *record, const char *key, const char *name)
{
	json_object *array = json_member(record, key, json_type_array);

	for (size_t i = 0; array && i < json_object_array_length(array); i++)
		if (strcmp(json_object_get_string(json_object_array_get_idx(array, i)), name) == 0)
			return true;
	return false;
}

bool caps_has(json_object *record, const char *name)
{
	bool has = listed(record, "cap_add", "ALL");

	if (json_object_get_boolean(json_member(record, "privileged", json_type_boolean)))
		return true;
	for (size_t i = 0; !has && i < sizeof(defaults) / sizeof(*defaults); i++)
		has = strcmp(defaults[i], name) == 0 && !listed(record, "cap_drop", "ALL");
	return (has || listed(record, "cap_add", name)) && !listed(record, "cap_drop", name);
}

json_object *caps_build(json_object *record, bool root, bool privileged)
{
	json_object *object = json_object_new_object(), *bounding = json_object_new_array(), *active = json_object_new_array();

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!privileged && !caps_has(record, names[i]))
			continue;
		if (prctl(PR_CAPBSET_READ, i) != 1)
			continue;	/* we have it not ourselves, or the kernel is older */
		json_object_array_add(bounding, json_object_new_string(names[i]));
		if (root)
			json_object_array_add(active, json_object_new_string(names[i]));
	}
	json_object_object_add(object, "bounding", bounding);
	json_object_object_add(object, "effective", json_object_get(active));
	json_object_object_add(object, "permitted", active);
	return object;
}
