// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See spec.h. Defaults are those that containers have with Podman: few capabilities, masked and read-only kernel files, namespaces and a
 * cgroup of its own, no device but the harmless ones that the runtime makes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "cleanup.h"
#include "json.h"
#include "spec.h"
#include "users.h"

#define PATH_DEFAULT	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *const capabilities[] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",
	"CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT", NULL
};
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
};

static const struct mount_row mounts[] = {
	{ "/proc", "proc", "proc", "nosuid,noexec,nodev" },
	{ "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k" },
	{ "/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5" },
	{ "/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k" },
	{ "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev" },
	{ "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro" },
	{ "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro" },
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
		json_object_array_add(array, json_object_new_string_len(list, (int)length));
		if (!list[length])
			return array;
	}
}

static void add_text(json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

/* The "config" member of the image's config, which may be missing. */
static json_object *settings(json_object *config)
{
	return json_member(config, "config", json_type_object);
}

/* ------------------------------------------------------------------ the command */

static void append(json_object *to, json_object *from)
{
	for (size_t i = 0; from && i < json_object_array_length(from); i++) {
		json_object *item = json_object_array_get_idx(from, i);

		if (json_object_is_type(item, json_type_string))
			json_object_array_add(to, json_object_get(item));
	}
}

int spec_args(json_object *config, const char *entrypoint, int argc, char *const *argv, json_object **out,
	      struct layerblk_error *err)
{
	json_object *args = json_object_new_array();

	if (!entrypoint)
		append(args, json_member(settings(config), "Entrypoint", json_type_array));
	else if (*entrypoint)
		json_object_array_add(args, json_object_new_string(entrypoint));
	for (int i = 0; i < argc; i++)
		json_object_array_add(args, json_object_new_string(argv[i]));
	if (argc == 0 && !entrypoint)
		append(args, json_member(settings(config), "Cmd", json_type_array));
	if (json_object_array_length(args) == 0 || !*json_object_get_string(json_object_array_get_idx(args, 0))) {
		json_object_put(args);
		layerblk_error_set(err, EINVAL, "run the image", "", "no command is given, and the image names none");
		return layerblk_error_hint(err, "Give one after the image's name");
	}
	*out = args;
	return 0;
}

/* ------------------------------------------------------------------ the environment */

static bool same_key(const char *a, const char *b)
{
	size_t length = strcspn(a, "=");

	return strcspn(b, "=") == length && strncmp(a, b, length) == 0;
}

/* KEY=VALUE takes the place of an earlier one of its key. */
static void env_set(json_object *env, const char *item)
{
	for (size_t i = 0; i < json_object_array_length(env); i++) {
		if (!same_key(json_object_get_string(json_object_array_get_idx(env, i)), item))
			continue;
		json_object_array_put_idx(env, i, json_object_new_string(item));
		return;
	}
	json_object_array_add(env, json_object_new_string(item));
}

static bool env_has(json_object *env, const char *key)
{
	for (size_t i = 0; i < json_object_array_length(env); i++)
		if (same_key(json_object_get_string(json_object_array_get_idx(env, i)), key))
			return true;
	return false;
}

static void env_pair(json_object *env, const char *key, const char *value)
{
	cleanup_free char *item = NULL;

	if (asprintf(&item, "%s=%s", key, value) < 0)
		item = NULL;
	else
		env_set(env, item);
}

static json_object *build_env(const struct spec *spec, const struct user *user)
{
	json_object *env = json_object_new_array(), *of_image = json_member(settings(spec->config), "Env", json_type_array);

	env_pair(env, "PATH", PATH_DEFAULT);
	env_pair(env, "HOSTNAME", spec->hostname);
	if (spec->tty)
		env_pair(env, "TERM", "xterm");
	for (size_t i = 0; of_image && i < json_object_array_length(of_image); i++) {
		json_object *item = json_object_array_get_idx(of_image, i);

		if (json_object_is_type(item, json_type_string) && strchr(json_object_get_string(item), '='))
			env_set(env, json_object_get_string(item));
	}
	for (const char *const *item = spec->env; item && *item; item++) {
		const char *ours = strchr(*item, '=') ? NULL : getenv(*item);

		if (strchr(*item, '='))
			env_set(env, *item);
		else if (ours)
			env_pair(env, *item, ours);
	}
	if (!env_has(env, "HOME"))
		env_pair(env, "HOME", user->home);
	return env;
}

/* ------------------------------------------------------------------ process */

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

/* A user other than root has them only as the bound of what a set-id program may get. */
static json_object *build_capabilities(const struct user *user)
{
	static const char *const none[] = { NULL };
	json_object *object = json_object_new_object();

	json_object_object_add(object, "bounding", texts(capabilities));
	json_object_object_add(object, "effective", texts(user->uid == 0 ? capabilities : none));
	json_object_object_add(object, "permitted", texts(user->uid == 0 ? capabilities : none));
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

static int build_process(const struct spec *spec, json_object **out, struct layerblk_error *err)
{
	const char *cwd = spec->workdir ? spec->workdir : json_text(settings(spec->config), "WorkingDir");
	json_object *process;
	struct user user;
	int rc = user_find(spec->root, spec->user ? spec->user : json_text(settings(spec->config), "User"), &user, err);

	if (rc)
		return rc;
	if (cwd && *cwd && *cwd != '/')
		return layerblk_error_set(err, EINVAL, "use the working directory", cwd, "it is not an absolute path");
	process = json_object_new_object();
	json_object_object_add(process, "terminal", json_object_new_boolean(spec->tty));
	if (spec->tty)
		add_console(process);
	json_object_object_add(process, "user", build_user(&user));
	json_object_object_add(process, "args", json_object_get(spec->args));
	json_object_object_add(process, "env", build_env(spec, &user));
	add_text(process, "cwd", cwd && *cwd ? cwd : "/");
	json_object_object_add(process, "capabilities", build_capabilities(&user));
	json_object_object_add(process, "noNewPrivileges", json_object_new_boolean(false));
	*out = process;
	return 0;
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
	if (access(source, F_OK) == 0)
		json_object_array_add(array, mount_object(target, "bind", source, "bind,rprivate,rw"));
}

static json_object *build_mounts(const struct spec *spec)
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++)
		json_object_array_add(array, mount_object(mounts[i].target, mounts[i].type, mounts[i].source,
							  mounts[i].options));
	bind_file(spec, array, "hostname", "/etc/hostname");
	bind_file(spec, array, "hosts", "/etc/hosts");
	bind_file(spec, array, "resolv.conf", "/etc/resolv.conf");
	for (size_t i = 0; i < spec->share_count; i++) {
		const struct share *share = &spec->shares[i];

		char options[64];

		snprintf(options, sizeof(options), "rbind,rprivate,%s%s", share->read_only ? "ro" : "rw", share->bound ? "" : ",nodev");
		json_object_array_add(array, mount_object(share->target, "bind", share->bound ? share->source : share->path,
							  options));
	}
	return array;
}

/* ------------------------------------------------------------------ the whole */

static json_object *build_linux(const struct spec *spec)
{
	static const char *const spaces[] = { "pid", "ipc", "uts", "mount", "cgroup", "network" };
	json_object *object = json_object_new_object(), *array = json_object_new_array();
	json_object *resources = json_object_new_object(), *devices = json_object_new_array();
	json_object *all = json_object_new_object();
	char cgroup[128];

	for (size_t i = 0; i < sizeof(spaces) / sizeof(*spaces); i++) {
		json_object *space;

		if (spec->host_network && strcmp(spaces[i], "network") == 0)
			continue;
		space = json_object_new_object();
		add_text(space, "type", spaces[i]);
		json_object_array_add(array, space);
	}
	json_object_object_add(object, "namespaces", array);
	snprintf(cgroup, sizeof(cgroup), "/layerblk/%s", spec->id);
	add_text(object, "cgroupsPath", cgroup);
	json_object_object_add(all, "allow", json_object_new_boolean(false));
	add_text(all, "access", "rwm");
	json_object_array_add(devices, all);
	json_object_object_add(resources, "devices", devices);
	json_object_object_add(object, "resources", resources);
	json_object_object_add(object, "maskedPaths", texts(masked));
	json_object_object_add(object, "readonlyPaths", texts(read_only_paths));
	return object;
}

int spec_build(const struct spec *spec, json_object **out, struct layerblk_error *err)
{
	json_object *document, *process, *root;
	int rc = build_process(spec, &process, err);

	if (rc)
		return rc;
	document = json_object_new_object();
	add_text(document, "ociVersion", "1.0.2");
	json_object_object_add(document, "process", process);
	root = json_object_new_object();
	add_text(root, "path", "rootfs");
	json_object_object_add(root, "readonly", json_object_new_boolean(spec->read_only));
	json_object_object_add(document, "root", root);
	add_text(document, "hostname", spec->hostname);
	json_object_object_add(document, "mounts", build_mounts(spec));
	json_object_object_add(document, "linux", build_linux(spec));
	*out = document;
	return 0;
}

char *spec_hosts(const char *hostname)
{
	char *text = NULL;

	if (asprintf(&text, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"
		     "ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n127.0.1.1\t%s\n", hostname) < 0)
		return NULL;
	return text;
}
