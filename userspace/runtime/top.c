// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl top: the machine's ps, of which the lines of the container's processes are shown. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cleanup.h"
#include "oci.h"
#include "program.h"
#include "run_commands.h"
#include "words.h"

/* Whether a process is in the container: its cgroup's path holds the id. */
static bool is_in(const char *id, long pid)
{
	char path[64], text[4096];
	cleanup_file FILE *file = NULL;
	size_t got;

	snprintf(path, sizeof(path), "/proc/%ld/cgroup", pid);
	file = fopen(path, "re");
	got = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	text[got] = '\0';
	return strstr(text, id) != NULL;
}

/* Which word of the title is PID; -1: none. */
static int pid_column(const char *title)
{
	cleanup_free char *copy = strdup(title);
	char *rest = copy, *word;
	int column = 0;

	while (rest && (word = strsep(&rest, " \t\n")) != NULL) {
		if (!*word)
			continue;
		if (strcmp(word, "PID") == 0)
			return column;
		column++;
	}
	return -1;
}

static long pid_of(const char *line, int column)
{
	for (; column > 0; column--) {
		line += strspn(line, " \t");
		line += strcspn(line, " \t\n");
	}
	return strtol(line, NULL, 10);
}

static int show(FILE *from, const char *id, struct layerblk_error *err)
{
	cleanup_free char *line = NULL;
	size_t room = 0;
	int column = -1;

	while (getline(&line, &room, from) > 0) {
		if (column < 0) {
			column = pid_column(line);
			if (column < 0)
				return layerblk_error_set(err, EINVAL, "list the processes", "", "the options of ps leave out its column PID");
			fputs(line, stdout);
		} else if (is_in(id, pid_of(line, column))) {
			fputs(line, stdout);
		}
	}
	return 0;
}

static int run_ps(const struct command_call *call, const char *id, struct layerblk_error *err)
{
	cleanup_free char *program = program_path("ps", err);
	cleanup_words struct words words = { 0 };
	cleanup_file FILE *output = NULL;
	int pipes[2], status = 0, rc;
	pid_t pid;

	words_add(&words, "ps");
	for (int i = 1; i < call->argc; i++)
		words_add(&words, call->argv[i]);
	if (call->argc == 1)
		words_add(&words, "-ef");
	if (!program)
		return -ENOENT;
	if (words.failed || pipe2(pipes, O_CLOEXEC) != 0)
		return layerblk_error_set(err, errno, "run", "ps", "%s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		execv(program, words.list);
		_exit(127);
	}
	close(pipes[1]);
	output = fdopen(pipes[0], "r");
	rc = pid > 0 && output ? show(output, id, err) : layerblk_error_set(err, errno, "run", "ps", "%s", strerror(errno));
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!rc && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		return layerblk_error_set(err, EIO, "list the processes", "", "ps failed");
	return rc;
}

int run_top_run(struct command_call *call)
{
	struct container container;
	struct image_pool at;
	enum container_state state;
	int rc = container_argument(call, &at, &container);

	if (rc)
		return command_fail(call);
	state = container_state(&at.pool, &container);
	if (state == CONTAINER_RUNNING || state == CONTAINER_PAUSED)
		rc = run_ps(call, container.id, &call->error);
	else
		rc = layerblk_error_set(&call->error, ESRCH, "list the processes of", container.name, "it is not running");
	container_clear(&container);
	if (rc)
		return command_fail(call);
	return fflush(stdout) ? 1 : 0;
}
