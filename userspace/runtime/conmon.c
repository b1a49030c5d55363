// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See conmon.h. conmon double-forks; what it has to say comes as lines of JSON through a pipe: {"data": N, "message": "..."}, where N is
 * the process's id, or negative when there is none, and in an exec session a second line has the exit status.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cleanup.h"
#include "conmon.h"
#include "json.h"
#include "oci.h"
#include "program.h"
#include "words.h"

#define LINE		(64U << 10)
#define CONMON_CGROUP	"/sys/fs/cgroup" CGROUP_ROOT "-conmon"

/* ------------------------------------------------------------------ its command line */

static void add_path(struct words *words, const char *option, const char *bundle, const char *file)
{
	words_add(words, option);
	words_addf(words, "%s/%s", bundle, file);
}

static void build(const struct conmon *conmon, const char *runtime, struct words *words)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	words_add_all(words, (const char *const[]){ CONMON, "--api-version", "1", "--cid", conmon->id, "--cuuid", conmon->id,
			"--name", conmon->name, "--runtime", runtime, "--bundle", conmon->bundle, "--persist-dir", conmon->bundle,
			"--full-attach", "--no-sync-log", "--log-level", "error", "--runtime-arg", "--root", "--runtime-arg", OCI_ROOT,
			"--runtime-arg", "--log-format", "--runtime-arg", "json", "--runtime-arg", "--log", "--runtime-arg", NULL });
	words_addf(words, "file:%s/%s", conmon->bundle, OCI_LOG);
	add_path(words, "--container-pidfile", conmon->bundle, CONMON_PID);
	add_path(words, "--conmon-pidfile", conmon->bundle, CONMON_OWN_PID);
	words_add(words, "--log-path");
	words_addf(words, conmon->log ? "k8s-file:%s" : "none%.0s", conmon->log ? conmon->log : "");
	if (conmon->tty)
		words_add(words, "--terminal");
	else if (conmon->input)
		words_add(words, "--stdin");
	if (conmon->keep_input)
		words_add(words, "--leave-stdin-open");
	if (conmon->exec_spec)
		words_add_all(words, (const char *const[]){ "--exec", "--exec-process-spec", conmon->exec_spec, NULL });
	if (conmon->exec_spec && conmon->attach)
		words_add(words, "--exec-attach");
	if (length > 0 && conmon->exit_args) {
		self[length] = '\0';
		words_add_all(words, (const char *const[]){ "--exit-command", self, NULL });
		for (size_t i = 0; conmon->exit_args[i]; i++)
			words_add_all(words, (const char *const[]){ "--exit-command-arg", conmon->exit_args[i], NULL });
	}
}

/* ------------------------------------------------------------------ starting */

struct pipes {
	int sync[2];
	int start[2];
	int attach[2];
};

static bool open_pipes(struct pipes *pipes)
{
	int *ends[] = { pipes->sync, pipes->start, pipes->attach };

	memset(pipes, 0xff, sizeof(*pipes));
	for (size_t i = 0; i < 3; i++)
		if (pipe2(ends[i], O_CLOEXEC) != 0)
			return false;
	return true;
}

static void close_pipes(struct pipes *pipes)
{
	int *ends[] = { pipes->sync, pipes->start, pipes->attach };

	for (size_t i = 0; i < 3; i++) {
		for (int k = 0; k < 2; k++) {
			if (ends[i][k] >= 0)
				close(ends[i][k]);
			ends[i][k] = -1;
		}
	}
}

/* The pipe's number goes into the environment; conmon keeps it from the runtime by itself. */
static void hand_over(const char *name, int fd)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	setenv(name, number, 1);
	fcntl(fd, F_SETFD, 0);
}

/* A container does not end with the service or session that started it. Without the second version of cgroups it stays where it is. */
static void leave_cgroup(void)
{
	cleanup_fd int fd = -1;

	mkdir(CONMON_CGROUP, 0755);
	fd = open(CONMON_CGROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "0", 1) != 1)
		return;
}

static void child(const struct conmon *conmon, const char *program, struct words *words, const struct pipes *pipes)
{
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	leave_cgroup();
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);	/* whatever the caller had open is not for a daemon */
	hand_over("_OCI_SYNCPIPE", pipes->sync[1]);
	hand_over("_OCI_STARTPIPE", pipes->start[0]);
	if (conmon->exec_spec && conmon->attach)
		hand_over("_OCI_ATTACHPIPE", pipes->attach[1]);
	for (size_t i = 0; i < conmon->lock_count; i++)
		if (conmon->locks[i] >= 0)
			fcntl(conmon->locks[i], F_SETFD, 0);
	if (chdir("/") == 0)
		execv(program, words->list);
	_exit(127);
}

/* One line; the length, 0 at the end, -1 on failure. */
static ssize_t read_line(int fd, char *line, size_t size)
{
	size_t used = 0;

	while (used < size - 1) {
		ssize_t got = read(fd, line + used, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		if (line[used++] == '\n')
			break;
	}
	line[used] = '\0';
	return (ssize_t)used;
}

/* The next thing it says: true and the number. */
static bool hear(int fd, long long *number, char *why, size_t why_size)
{
	cleanup_free char *line = malloc(LINE);
	cleanup_json json_object *json = NULL;
	json_object *data;
	const char *message;

	if (!line || read_line(fd, line, LINE) <= 0 ||
	    json_parse(line, strlen(line), json_type_object, CONMON, &json, NULL) != 0)
		return false;
	data = json_member(json, "data", json_type_int);
	message = json_text(json, "message");
	if (message && why)
		snprintf(why, why_size, "%s", message);
	*number = data ? json_object_get_int64(data) : -1;
	return data != NULL;
}

static int hear_pid(struct conmon_session *session, pid_t *pid, char *why, size_t why_size, struct layerblk_error *err)
{
	long long number;

	if (!hear(session->sync, &number, why, why_size) || number <= 0)
		return layerblk_error_set(err, ECHILD, "start", CONMON, "%s", *why ? why : "the runtime failed");
	*pid = (pid_t)number;
	return 0;
}

static int wait_for_first(pid_t pid, struct layerblk_error *err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return layerblk_error_set(err, errno, "start", CONMON, "%s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return layerblk_error_set(err, EIO, "start", CONMON, "it failed with status %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

int conmon_start(const struct conmon *conmon, struct conmon_session *session, pid_t *pid, char *why, size_t why_size,
		 struct layerblk_error *err)
{
	cleanup_words struct words words = { 0 };
	cleanup_free char *runtime = oci_runtime(conmon->id, err), *program = runtime ? program_path(CONMON, err) : NULL;
	struct pipes pipes;
	long long ready;
	pid_t first;
	int rc = 0;

	*session = (struct conmon_session){ -1, -1 };
	*why = '\0';
	if (!program)
		return -ENOENT;
	build(conmon, runtime, &words);
	if (words.failed || !open_pipes(&pipes))
		return layerblk_error_set(err, ENOMEM, "start", CONMON, "no memory or no pipe");
	fflush(NULL);
	first = fork();
	if (first == 0)
		child(conmon, program, &words, &pipes);
	if (first < 0)
		rc = layerblk_error_set(err, errno, "start", CONMON, "no process: %s", strerror(errno));
	session->sync = take_fd(&pipes.sync[0]);
	session->start = take_fd(&pipes.start[1]);
	close(pipes.sync[1]);
	close(pipes.attach[1]);
	pipes.sync[1] = pipes.attach[1] = -1;
	if (!rc && write(session->start, "", 1) != 1)
		rc = layerblk_error_set(err, EPIPE, "start", CONMON, "it does not listen");
	if (first > 0) {
		int ended = wait_for_first(first, rc ? NULL : err);

		rc = rc ? rc : ended;
	}
	if (!rc && conmon->exec_spec && conmon->attach) {
		if (!hear(pipes.attach[0], &ready, why, why_size))
			rc = layerblk_error_set(err, EIO, "start", CONMON, "no socket to attach to");
	} else if (!rc) {
		rc = hear_pid(session, pid, why, why_size, err);
	}
	close_pipes(&pipes);
	if (rc)
		conmon_close(session);
	return rc;
}

int conmon_begin(struct conmon_session *session, pid_t *pid, char *why, size_t why_size, struct layerblk_error *err)
{
	*why = '\0';
	if (write(session->start, "", 1) != 1)
		return layerblk_error_set(err, EPIPE, "start", CONMON, "it does not listen");
	return hear_pid(session, pid, why, why_size, err);
}

int conmon_status(struct conmon_session *session)
{
	long long status;

	return hear(session->sync, &status, NULL, 0) && status >= 0 ? (int)status : -1;
}

void conmon_close(struct conmon_session *session)
{
	if (session->sync >= 0)
		close(session->sync);
	if (session->start >= 0)
		close(session->start);
	*session = (struct conmon_session){ -1, -1 };
}

long long conmon_number(const char *bundle, const char *file)
{
	cleanup_file FILE *stream = NULL;
	char path[PATH_MAX];
	long long number;

	snprintf(path, sizeof(path), "%s/%s", bundle, file);
	stream = fopen(path, "re");
	return stream && fscanf(stream, "%lld", &number) == 1 ? number : -1;
}

bool conmon_lives(const char *id)
{
	char bundle[PATH_MAX - 64], path[64], text[8192];
	long long pid;
	cleanup_fd int fd = -1;
	ssize_t got;

	oci_bundle_path(id, bundle, sizeof(bundle));
	pid = conmon_number(bundle, CONMON_OWN_PID);
	snprintf(path, sizeof(path), "/proc/%lld/cmdline", pid);
	fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	got = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
	return got > 0 && memmem(text, (size_t)got, id, strlen(id)) != NULL;
}
