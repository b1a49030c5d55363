// SPDX-License-Identifier: GPL-2.0-or-later
/* See oci.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cleanup.h"
#include "conmon.h"
#include "container.h"
#include "filesystem.h"
#include "json.h"
#include "oci.h"
#include "process.h"
#include "program.h"

#define CGROUP_FS	"/sys/fs/cgroup"

/* ------------------------------------------------------------------ the bundle */

void oci_bundle_path(const char *id, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", CONTAINER_DIR, id);
}

int oci_bundle_make(const char *id, struct layerblk_error *err)
{
	char path[PATH_MAX];
	int rc;

	snprintf(path, sizeof(path), "%s/%s/rootfs", CONTAINER_DIR, id);
	rc = directory_make(path, err);
	return rc ? rc : directory_make(OCI_ROOT, err);
}

int oci_bundle_write(const char *id, const char *name, const char *text, struct layerblk_error *err)
{
	cleanup_file FILE *file = NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/%s", CONTAINER_DIR, id, name);
	file = fopen(path, "we");
	if (!file || fputs(text, file) == EOF || fflush(file) != 0 || fchmod(fileno(file), 0644) != 0)
		return layerblk_error_set(err, errno, "write", path, "%s", strerror(errno));
	return 0;
}

/* Never goes into rootfs, whatever is mounted on it. */
void oci_directory_remove(const char *path)
{
	cleanup_dir DIR *dir = opendir(path);
	struct dirent *entry;
	char inner[PATH_MAX];

	while (dir && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name) >= (int)sizeof(inner))
			continue;
		if (unlink(inner) == 0)
			continue;
		if (strcmp(entry->d_name, "rootfs") == 0)
			rmdir(inner);
		else if (errno == EISDIR || errno == EPERM)
			oci_directory_remove(inner);
	}
	rmdir(path);
}

void oci_bundle_remove(const char *id)
{
	char path[PATH_MAX];

	oci_bundle_path(id, path, sizeof(path));
	oci_directory_remove(path);
}

/* ------------------------------------------------------------------ failures */

/* The last error that the runtime logged, malloc()ed, or NULL. */
static char *logged_error(const char *bundle)
{
	cleanup_free char *line = NULL;
	cleanup_file FILE *file = NULL;
	char path[PATH_MAX], *error = NULL;
	size_t room = 0;
	ssize_t got;

	snprintf(path, sizeof(path), "%s/%s", bundle, OCI_LOG);
	file = fopen(path, "re");
	while (file && (got = getline(&line, &room, file)) > 0) {
		cleanup_json json_object *json = NULL;
		const char *level, *message;

		if (json_parse(line, (size_t)got, json_type_object, path, &json, NULL) != 0)
			continue;
		level = json_text(json, "level");
		message = json_text(json, "msg");
		if (level && message && strcmp(level, "error") == 0) {
			free(error);
			error = strdup(message);
		}
	}
	return error;
}

/* What Docker makes of a command that cannot be started. */
static int failed_start(const char *error)
{
	if (strstr(error, "executable") && (strstr(error, "not found") || strstr(error, "No such file")))
		return STATUS_NOT_FOUND;
	if (strstr(error, "executable") || strstr(error, "exec "))
		return STATUS_CANNOT_EXECUTE;
	return STATUS_FAILED;
}

int oci_failure(const char *bundle, const char *said, const char *command, struct layerblk_error *err)
{
	cleanup_free char *error = logged_error(bundle);
	const char *why = error ? error : *said ? said : "the runtime gave no reason";

	layerblk_error_set(err, EIO, "start", command, "%s", why);
	return failed_start(why);
}

/* ------------------------------------------------------------------ requests */

char *oci_runtime(const char *id, struct layerblk_error *err)
{
	cleanup_file FILE *file = NULL;
	cleanup_free char *line = NULL;
	char path[PATH_MAX];
	size_t room = 0;

	snprintf(path, sizeof(path), "%s/%s/%s", CONTAINER_DIR, id, OCI_RUNTIME_FILE);
	file = fopen(path, "re");
	if (file && getline(&line, &room, file) > 1) {
		line[strcspn(line, "\n")] = '\0';
		return take_ptr(line);
	}
	return program_path(OCI_RUNTIME, err);
}

/* RUNTIME --root DIR VERB [OPTION] ID [ARG] */
static int request(const char *id, const char *verb, const char *option, const char *argument, const char *what,
		   struct layerblk_error *err)
{
	cleanup_free char *runtime = oci_runtime(id, err);
	const char *argv[8] = { runtime, "--root", OCI_ROOT, verb };
	size_t count = 4;

	if (!runtime)
		return -ENOENT;
	if (option)
		argv[count++] = option;
	argv[count++] = id;
	if (argument)
		argv[count++] = argument;
	return process_run(argv, what, id, err);
}

int oci_start(const char *id, struct layerblk_error *err)
{
	return request(id, "start", NULL, NULL, "start the container", err);
}

int oci_signal(const char *id, int number, struct layerblk_error *err)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	return request(id, "kill", NULL, text, "signal the container", err);
}

int oci_pause(const char *id, struct layerblk_error *err)
{
	return request(id, "pause", NULL, NULL, "pause the container", err);
}

int oci_resume(const char *id, struct layerblk_error *err)
{
	return request(id, "resume", NULL, NULL, "resume the container", err);
}

void oci_delete(const char *id)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", OCI_ROOT, id);
	if (access(path, F_OK) == 0)
		request(id, "delete", "--force", NULL, "end the container", NULL);
	snprintf(path, sizeof(path), CGROUP_FS CGROUP_ROOT "/%s", id);
	rmdir(path);			/* of one that the runtime has forgotten */
}

/* ------------------------------------------------------------------ the cgroup */

bool oci_cgroup_read(const char *id, const char *file, char *text, size_t size)
{
	char path[PATH_MAX];
	cleanup_fd int fd = -1;
	ssize_t got;

	snprintf(path, sizeof(path), CGROUP_FS CGROUP_ROOT "/%s/%s", id, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = fd >= 0 ? read(fd, text, size - 1) : -1;
	text[got > 0 ? got : 0] = '\0';
	return got >= 0;
}

/* Without the second version of cgroups: the process's own file names the container's. */
static bool pid_is_ours(const char *id, pid_t pid)
{
	char path[64], text[8192];
	cleanup_fd int fd = -1;
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	got = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	text[got > 0 ? got : 0] = '\0';
	return strstr(text, id) != NULL;
}

pid_t oci_pid(const char *id)
{
	char bundle[PATH_MAX - 64];
	long long pid;

	oci_bundle_path(id, bundle, sizeof(bundle));
	pid = conmon_number(bundle, CONMON_PID);
	return pid > 0 && pid_is_ours(id, (pid_t)pid) ? (pid_t)pid : 0;
}

bool oci_is_alive(const char *id)
{
	char text[256];

	if (oci_cgroup_read(id, "cgroup.events", text, sizeof(text)))
		return strstr(text, "populated 1") != NULL;
	return oci_pid(id) != 0;
}

bool oci_is_paused(const char *id)
{
	char text[256];

	return oci_cgroup_read(id, "cgroup.events", text, sizeof(text)) && strstr(text, "frozen 1") != NULL;
}
