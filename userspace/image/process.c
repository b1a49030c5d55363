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

#define TAIL	400			/* bytes of its words that are kept */

static void child(const char *const argv[], int output, pid_t parent)
{
	const char *path = getenv("PATH");
	char *full = NULL;
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
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

int process_run(const char *const argv[], const char *what, const char *subject, struct layerblk_error *err)
{
	char tail[TAIL + 1];
	pid_t parent = getpid(), pid;
	int pipes[2], status;

	if (pipe2(pipes, O_CLOEXEC) != 0)
		return layerblk_error_set(err, errno, what, subject, "no pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		child(argv, pipes[1], parent);
	close(pipes[1]);
	if (pid < 0) {
		close(pipes[0]);
		return layerblk_error_set(err, errno, what, subject, "no process: %s", strerror(errno));
	}
	read_tail(pipes[0], tail);
	close(pipes[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		layerblk_error_set(err, ENOENT, what, subject, "%s cannot be run: %s", argv[0], tail);
		return layerblk_error_hint(err, "Install the package that has it");
	}
	if (WIFSIGNALED(status))
		return layerblk_error_set(err, EIO, what, subject, "%s was ended by signal %d", argv[0], WTERMSIG(status));
	return layerblk_error_set(err, EIO, what, subject, "%s failed with status %d: %s", argv[0], WEXITSTATUS(status),
				  *tail ? tail : "it gave no reason");
}
