// SPDX-License-Identifier: GPL-2.0-or-later
/* See process.h. Standard output and error of the program go to a pipe, of which the end is kept for the error. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cleanup.h"
#include "process.h"
#include "spool.h"

#define TAIL	400			/* bytes of its words that are kept */

/* Does not return. input -1: none, 0: ours. */
static void child(const char *const argv[], int input, int output, int errors, pid_t parent)
{
	const char *path = getenv("PATH");
	char *full = NULL;
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(input < 0 ? open("/dev/null", O_RDONLY) : input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
	if (asprintf(&full, "%s%s/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin", path ? path : "", path ? ":" : "") > 0)
		setenv("PATH", full, 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	dprintf(STDERR_FILENO, "%s", strerror(errno));
	_exit(127);
}

/* The last bytes that come through, as one line. */
static void read_tail(int fd, char tail[TAIL + 1])
{
	size_t used = 0;
	char part[256];
	ssize_t got;

	while ((got = read(fd, part, sizeof(part))) > 0 || (got < 0 && errno == EINTR)) {
		for (ssize_t i = 0; i < got; i++) {
			if (used == TAIL) {
				memmove(tail, tail + TAIL / 2, TAIL / 2);
				used = TAIL / 2;
			}
			tail[used++] = part[i] == '\n' || part[i] == '\r' || part[i] == '\b' ? ' ' : part[i];
		}
	}
	while (used > 0 && tail[used - 1] == ' ')
		used--;
	tail[used] = '\0';
}

/* tail: its last words, may be "". */
static int wait_for(pid_t pid, const char *program, const char *tail, const char *what, const char *subject,
		    struct layerblk_error *err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		layerblk_error_set(err, ENOENT, what, subject, "%s cannot be run%s%s", program, *tail ? ": " : "", tail);
		return layerblk_error_hint(err, "Install the package that has it");
	}
	if (WIFSIGNALED(status))
		return layerblk_error_set(err, EIO, what, subject, "%s was ended by signal %d", program, WTERMSIG(status));
	return layerblk_error_set(err, EIO, what, subject, "%s failed with status %d%s%s", program, WEXITSTATUS(status),
				  *tail ? ": " : "", tail);
}

int process_run(const char *const argv[], const char *what, const char *subject, struct layerblk_error *err)
{
	char tail[TAIL + 1];
	pid_t parent = getpid(), pid;
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC) != 0)
		return layerblk_error_set(err, errno, what, subject, "no pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		child(argv, -1, pipes[1], pipes[1], parent);
	close(pipes[1]);
	if (pid < 0) {
		close(pipes[0]);
		return layerblk_error_set(err, errno, what, subject, "no process: %s", strerror(errno));
	}
	read_tail(pipes[0], tail);
	close(pipes[0]);
	return wait_for(pid, argv[0], tail, what, subject, err);
}

int process_run_shown(const char *const argv[], const char *input, const char *what, const char *subject,
		      struct layerblk_error *err)
{
	pid_t parent = getpid(), pid;
	int pipes[2] = { STDIN_FILENO, -1 };

	if (input && pipe2(pipes, O_CLOEXEC) != 0)
		return layerblk_error_set(err, errno, what, subject, "no pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		child(argv, pipes[0], STDERR_FILENO, STDERR_FILENO, parent);
	if (input) {
		close(pipes[0]);
		if (pid > 0)
			write_all(pipes[1], input, strlen(input));	/* it fits into the pipe */
		close(pipes[1]);
	}
	if (pid < 0)
		return layerblk_error_set(err, errno, what, subject, "no process: %s", strerror(errno));
	return wait_for(pid, argv[0], "", what, subject, err);
}
