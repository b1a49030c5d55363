// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * crun runs as our child in our process group, so that it owns the terminal and gets the keys' signals by itself; those
 * that were sent to us alone are passed on to it, and it passes them on to the container.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cleanup.h"
#include "container.h"
#include "filesystem.h"
#include "json.h"
#include "oci.h"
#include "process.h"
#include "report.h"

#define OCI_ROOT	RUN_DIR "/oci"
#define OCI_LOG		"oci.log"
#define LOG_MAX		(256U << 10)

static const char *const bundle_files[] = { "config.json", "hostname", "hosts", "resolv.conf", OCI_LOG };

/* ------------------------------------------------------------------ the bundle */

void oci_bundle_path(const char *id, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", CONTAINER_DIR, id);
}

int oci_bundle_make(const char *id, struct layerblk_error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/rootfs", CONTAINER_DIR, id);
	return directory_make(path, err);
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

void oci_bundle_remove(const char *id)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(bundle_files) / sizeof(*bundle_files); i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", CONTAINER_DIR, id, bundle_files[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/%s/rootfs", CONTAINER_DIR, id);
	rmdir(path);
	oci_bundle_path(id, path, sizeof(path));
	rmdir(path);
}

/* ------------------------------------------------------------------ running */

static void child(const char *id, bool input, const sigset_t *mask, pid_t parent)
{
	char bundle[PATH_MAX], log[PATH_MAX + 32];
	int null;

	/* A killed layerctl asks its container to end; what does not is ended by the next command. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(STATUS_FAILED);
	sigprocmask(SIG_SETMASK, mask, NULL);
	if (!input) {
		null = open("/dev/null", O_RDONLY);
		dup2(null, STDIN_FILENO);
	}
	oci_bundle_path(id, bundle, sizeof(bundle));
	snprintf(log, sizeof(log), "file:%s/%s", bundle, OCI_LOG);
	execlp(OCI_RUNTIME, OCI_RUNTIME, "--root", OCI_ROOT, "--log", log, "--log-format", "json", "run", "--bundle",
	       bundle, id, (char *)NULL);
	fprintf(stderr, "layerctl: cannot run %s: %s\n", OCI_RUNTIME, strerror(errno));
	_exit(STATUS_FAILED);
}

/* Waits for the child; signals that somebody sent to us go to it. Those of the terminal's keys it has got by itself. */
static int wait_for(pid_t pid, const sigset_t *signals)
{
	siginfo_t info;
	int status;

	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid)
			return status;
		if (got < 0 && errno != EINTR)
			return 0xff00;
		if (sigwaitinfo(signals, &info) > 0 && info.si_signo != SIGCHLD && info.si_code <= 0)
			kill(pid, info.si_signo);
	}
}

/* The last error that the runtime logged, malloc()ed, or NULL: then the container did run. */
static char *logged_error(const char *id)
{
	cleanup_free char *line = NULL;
	cleanup_file FILE *file = NULL;
	char path[PATH_MAX], *error = NULL;
	size_t room = 0;
	ssize_t got;

	snprintf(path, sizeof(path), "%s/%s/%s", CONTAINER_DIR, id, OCI_LOG);
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

int oci_run(const char *id, bool input, int *status, struct layerblk_error *err)
{
	static const int passed_on[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCONT, SIGWINCH, SIGCHLD,
	};
	cleanup_free char *error = NULL;
	pid_t parent = getpid(), pid;
	sigset_t signals, before;
	int got;

	if (directory_make(OCI_ROOT, err))
		return -err->code;
	sigemptyset(&signals);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(*passed_on); i++)
		sigaddset(&signals, passed_on[i]);
	sigprocmask(SIG_BLOCK, &signals, &before);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(id, input, &before, parent);
	if (pid < 0) {
		got = errno;
		sigprocmask(SIG_SETMASK, &before, NULL);
		return layerblk_error_set(err, got, "run", OCI_RUNTIME, "no process: %s", strerror(got));
	}
	got = wait_for(pid, &signals);
	*status = WIFEXITED(got) ? WEXITSTATUS(got) : 128 + WTERMSIG(got);
	error = *status == 1 ? logged_error(id) : NULL;
	if (error)
		*status = failed_start(error);
	return 0;		/* signals stay blocked: what is left to do is to be done */
}

void oci_delete(const char *id)
{
	const char *argv[] = { OCI_RUNTIME, "--root", OCI_ROOT, "delete", "--force", id, NULL };
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", OCI_ROOT, id);
	if (access(path, F_OK) == 0)
		process_run(argv, "end the container", id, NULL);
}
