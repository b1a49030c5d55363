// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See spec.h. Defaults are those that containers have with Podman: few capabilities, a seccomp filter, masked and read-only kernel files,
 * namespaces and a cgroup of its own, no device but the harmless ones that the runtime makes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "caps.h"
#include "cleanup.h"
#include "json.h"
#include "resources.h"
#include "merge.h"
#include "oci.h"
#include "seccomp.h"
#include "spec.h"
#include "users.h"

#define PATH_DEFAULT	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *const masked[] = {
	"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
	"/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/fs/selinux", "/sys/dev/block", "/sys/devices/virtual/powercap",
	NULL
};
static const char *const read_only_paths[] = {
	"/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL
};

struct mount_row {
	const char *target;
	const char *type;
	const char *source;
	const char *options;		/* separated by commas */
	const char *privileged;		/* the same of a privileged container; NULL: no others */
};

static const struct mount_row mounts[] = {
	{ "/proc", "proc", "proc", "nosuid,noexec,nodev", NULL },
	{ "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k", NULL },
	{ "/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5", NULL },
	{ "/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k", NULL },
	{ "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev", NULL },
	{ "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro", "nosuid,noexec,nodev,rw" },
	{ "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro", "nosuid,noexec,nodev,relatime,rw" },
};

/* ------------------------------------------------------------------ small pieces */

static json_object *texts(const char *const *list)
{
	json_object *array = json_object_new_array();

	for (; *list; list++)
		json_object_array_add(array, json_object_new_string(*list));
	return array;
}

static json_object *split(const char *list)
{
	json_object *array = json_object_new_array();
	size_t length;

	for (;; list += length + 1) {
		length = strcspn(list, ",");
		if (length)
			json_object_array_add(array, json_object_new_string_len(list, (int)length));
		if (!list[length])
			return array;
	}
}

static void add_text(json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

static json_object *copy_array(json_object *from)
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; from && i < json_object_array_length(from); i++)
		json_object_array_add(array, json_object_get(json_object_array_get_idx(from, i)));
	return array;
}

/* ------------------------------------------------------------------ process */

static json_object *build_env(const struct container *container, json_object *more, bool tty, const struct user *user)
{
	json_object *env = json_object_new_array(), *own = json_member(container->record, "env", json_type_array);
	const char *hostname = container_text(container, "hostname");

	env_pair(env, "PATH", PATH_DEFAULT);
	env_pair(env, "HOSTNAME", hostname ? hostname : "");
	if (tty)
		env_pair(env, "TERM", "xterm");
	for (size_t i = 0; own && i < json_object_array_length(own); i++)
		env_set(env, json_object_get_string(json_object_array_get_idx(own, i)));
	for (size_t i = 0; more && i < json_object_array_length(more); i++)
		env_set(env, json_object_get_string(json_object_array_get_idx(more, i)));
	if (!env_has(env, "HOME"))
		env_pair(env, "HOME", user->home);
	return env;
}

static json_object *build_user(const struct user *user)
{
	json_object *object = json_object_new_object(), *groups = json_object_new_array();

	json_object_object_add(object, "uid", json_object_new_int64(user->uid));
	json_object_object_add(object, "gid", json_object_new_int64(user->gid));
	for (size_t i = 0; i < user->group_count; i++)
		json_object_array_add(groups, json_object_new_int64(user->groups[i]));
	json_object_object_add(object, "additionalGids", groups);
	return object;
}

static void add_console(json_object *process)
{
	json_object *size;
	struct winsize window;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &window) != 0 || !window.ws_row || !window.ws_col)
		return;
	size = json_object_new_object();
	json_object_object_add(size, "height", json_object_new_int(window.ws_row));
	json_object_object_add(size, "width", json_object_new_int(window.ws_col));
	json_object_object_add(process, "consoleSize", size);
}

static int build_process(const struct container *container, int root, const struct spec_exec *how, json_object **out,
			 struct layerblk_error *err)
{
	const char *text = how->user ? how->user : container_text(container, "user");
	const char *cwd = how->workdir ? how->workdir : container_text(container, "workdir");
	bool privileged = how->privileged || container_flag(container, "privileged");
	json_object *process;
	struct user user;
	int rc = user_find(root, text, &user, err);

	if (rc)
		return rc;
	if (cwd && *cwd && *cwd != '/')
		return layerblk_error_set(err, EINVAL, "use the working directory", cwd, "it is not an absolute path");
	process = json_object_new_object();
	json_object_object_add(process, "terminal", json_object_new_boolean(how->tty));
	if (how->tty)
		add_console(process);
	json_object_object_add(process, "user", build_user(&user));
	json_object_object_add(process, "args", json_object_get(how->args));
	json_object_object_add(process, "env", build_env(container, how->env, how->tty, &user));
	add_text(process, "cwd", cwd && *cwd ? cwd : "/");
	json_object_object_add(process, "capabilities", caps_build(container->record, user.uid == 0, privileged));
	json_object_object_add(process, "rlimits", limits_ulimits(container->record));
	json_object_object_add(process, "noNewPrivileges",
			       json_object_new_boolean(container_flag(container, "no_new_privileges")));
	*out = process;
	return 0;
}

int spec_exec_build(const struct container *container, int root, const struct spec_exec *exec, json_object **out,
		    struct layerblk_error *err)
{
	return build_process(container, root, exec, out, err);
}

/* ------------------------------------------------------------------ mounts */

static json_object *mount_object(const char *target, const char *type, const char *source, const char *options)
{
	json_object *object = json_object_new_object();

	add_text(object, "destination", target);
	add_text(object, "type", type);
	add_text(object, "source", source);
	json_object_object_add(object, "options", split(options));
	return object;
}

static void bind_file(const struct spec *spec, json_object *array, const char *file, const char *target)
{
	cleanup_free char *source = NULL;

	if (asprintf(&source, "%s/%s", spec->bundle, file) < 0) {
		source = NULL;
		return;
	}
	if (!shares_have(spec->shares, target) && access(source, F_OK) == 0)
		json_object_array_add(array, mount_object(target, "bind", source, "bind,rprivate,rw"));
}

static json_object *share_mount_object(const struct share *share)
{
	char options[1024];

	if (share->kind == SHARE_TMPFS) {
		snprintf(options, sizeof(options), "nosuid,nodev%s,%s%s%s", share->options && strstr(share->options, "exec") ? "" : ",noexec",
			 share->read_only ? "ro" : "rw", share->options ? "," : "", share->options ? share->options : "");
		return mount_object(share->target, "tmpfs", "tmpfs", options);
	}
	snprintf(options, sizeof(options), "rbind,%s,%s%s", share->options ? share->options : "rprivate", share->read_only ? "ro" : "rw",
		 share->kind == SHARE_BIND ? "" : ",nodev");
	return mount_object(share->target, "bind", share->kind == SHARE_BIND ? share->source : share->path, options);
}

static json_object *build_mounts(const struct spec *spec)
{
	bool privileged = container_flag(spec->container, "privileged");
	long long shm = json_number(spec->container->record, "shm_size");
	json_object *array = json_object_new_array();
	char shm_options[80];

	snprintf(shm_options, sizeof(shm_options), "nosuid,noexec,nodev,mode=1777,size=%lld", shm);
	for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		const struct mount_row *row = &mounts[i];

		const char *options = privileged && row->privileged ? row->privileged : row->options;

		if (shm > 0 && strcmp(row->target, "/dev/shm") == 0)
			options = shm_options;
		if (!shares_have(spec->shares, row->target))
			json_object_array_add(array, mount_object(row->target, row->type, row->source, options));
	}
	bind_file(spec, array, "hostname", "/etc/hostname");
	bind_file(spec, array, "hosts", "/etc/hosts");
	bind_file(spec, array, "resolv.conf", "/etc/resolv.conf");
	for (size_t i = 0; i < spec->shares->count; i++)
		json_object_array_add(array, share_mount_object(&spec->shares->shares[i]));
	if (container_text(spec->container, "init"))
		json_object_array_add(array, mount_object("/sbin/layerblk-init", "bind", container_text(spec->container, "init"),
							  "bind,rprivate,ro"));
	return array;
}

/* ------------------------------------------------------------------ the whole */

static json_object *build_namespaces(const struct container *container)
{
	static const char *const spaces[] = { "pid", "ipc", "uts", "mount", "cgroup", "network" };
	const char *network = container_text(container, "network");
	json_object *array = json_object_new_array();

	for (size_t i = 0; i < sizeof(spaces) / sizeof(*spaces); i++) {
		json_object *space;

		if (network && strcmp(network, "host") == 0 && strcmp(spaces[i], "network") == 0)
			continue;
		space = json_object_new_object();
		add_text(space, "type", spaces[i]);
		json_object_array_add(array, space);
	}
	return array;
}

static int build_linux(const struct spec *spec, json_object **out, struct layerblk_error *err)
{
	const struct container *container = spec->container;
	json_object *object = json_object_new_object(), *seccomp, *sysctls;
	bool privileged = container_flag(container, "privileged");
	char cgroup[128];
	int rc;

	*out = object;
	json_object_object_add(object, "namespaces", build_namespaces(container));
	snprintf(cgroup, sizeof(cgroup), CGROUP_ROOT "/%s", container->id);
	add_text(object, "cgroupsPath", cgroup);
	json_object_object_add(object, "resources", limits_resources(container->record, privileged));
	sysctls = json_member(container->record, "sysctls", json_type_object);
	if (sysctls)
		json_object_object_add(object, "sysctl", json_object_get(sysctls));
	rc = limits_devices(container->record, privileged, object, err);
	if (rc || privileged)
		return rc;
	json_object_object_add(object, "maskedPaths", texts(masked));
	json_object_object_add(object, "readonlyPaths", texts(read_only_paths));
	seccomp = container_flag(container, "seccomp_unconfined") ? NULL : seccomp_build(container->record);
	if (seccomp)
		json_object_object_add(object, "seccomp", seccomp);
	return 0;
}

/* The image's command, or with --init a small program that starts it and reaps what it leaves. */
static json_object *build_args(const struct container *container)
{
	json_object *command = copy_array(json_member(container->record, "command", json_type_array)), *args;

	if (!container_text(container, "init"))
		return command;
	args = json_object_new_array();
	json_object_array_add(args, json_object_new_string("/sbin/layerblk-init"));
	json_object_array_add(args, json_object_new_string("--"));
	for (size_t i = 0; i < json_object_array_length(command); i++)
		json_object_array_add(args, json_object_get(json_object_array_get_idx(command, i)));
	json_object_put(command);
	return args;
}

int spec_build(const struct spec *spec, json_object **out, struct layerblk_error *err)
{
	const struct container *container = spec->container;
	struct spec_exec how = { .args = build_args(container), .tty = container_flag(container, "tty") };
	cleanup_json json_object *document = json_object_new_object();
	json_object *process = NULL, *root, *limits = NULL;
	const char *hostname = container_text(container, "hostname");
	int rc = build_process(container, spec->root, &how, &process, err);

	json_object_put(how.args);
	if (rc)
		return rc;
	add_text(document, "ociVersion", "1.0.2");
	json_object_object_add(document, "process", process);
	root = json_object_new_object();
	add_text(root, "path", spec->rootfs ? spec->rootfs : "rootfs");
	json_object_object_add(root, "readonly", json_object_new_boolean(container_flag(container, "read_only")));
	json_object_object_add(document, "root", root);
	add_text(document, "hostname", hostname ? hostname : container->name);
	json_object_object_add(document, "mounts", build_mounts(spec));
	rc = build_linux(spec, &limits, err);
	json_object_object_add(document, "linux", limits);
	if (!rc)
		*out = take_ptr(document);
	return rc;
}

char *spec_hosts(const struct container *container, const char *address)
{
	json_object *more = json_member(container->record, "add_host", json_type_array);
	const char *hostname = container_text(container, "hostname");
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"
		"ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n");
	for (size_t i = 0; more && i < json_object_array_length(more); i++) {
		const char *item = json_object_get_string(json_object_array_get_idx(more, i)), *colon = strchr(item, ':');

		if (colon)
			fprintf(out, "%s\t%.*s\n", colon + 1, (int)(colon - item), item);
	}
	fprintf(out, "%s\t%s\n", address ? address : "127.0.1.1", hostname ? hostname : container->name);
	return fclose(out) == 0 ? text : NULL;
}
