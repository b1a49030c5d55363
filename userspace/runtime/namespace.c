// SPDX-License-Identifier: GPL-2.0-or-later
/* See namespace.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cleanup.h"
#include "namespace.h"
#include "work.h"

struct answer {				/* through the pipe; both ends are the same program */
	int rc;
	struct layerblk_error err;
};

/*
 * What the host unmounts goes here too, so that a container that was started meanwhile keeps no disk of the host busy; what is mounted here
 * stays here.
 */
static int leave_namespace(struct layerblk_error *err)
{
	if (unshare(CLONE_NEWNS) != 0)
		return layerblk_error_set(err, errno, "make a mount namespace", "", "%s", strerror(errno));
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0)
		return layerblk_error_set(err, errno, "make the mounts ours", "", "%s", strerror(errno));
	return 0;
}

static int enter_root(int root, struct layerblk_error *err)
{
	if (fchdir(root) == 0 && chroot(".") == 0)
		return 0;
	return layerblk_error_set(err, errno, "enter the container's root", "", "%s", strerror(errno));
}

/* Does not return. */
static void give_answer(int to, int rc, struct layerblk_error *err)
{
	struct answer answer = { .rc = rc, .err = *err };

	fflush(NULL);
	_exit(write(to, &answer, sizeof(answer)) == sizeof(answer) ? 0 : 1);
}

/* root: a directory to make the root, or -1: a mount namespace of its own. */
static void work(int root, namespace_fn *fn, void *arg, int to, pid_t parent)
{
	struct layerblk_error err = { 0 };
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	rc = root < 0 ? leave_namespace(&err) : enter_root(root, &err);
	give_answer(to, rc ? rc : fn(arg, &err), &err);
}

static int no_process(int error, struct layerblk_error *err)
{
	return layerblk_error_set(err, error, "start a process", "", "%s", strerror(error));
}

static int child_start(int root, namespace_fn *fn, void *arg, struct child *out, struct layerblk_error *err)
{
	pid_t parent = getpid();
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC) != 0)
		return no_process(errno, err);
	fflush(NULL);
	out->pid = fork();
	if (out->pid == 0)
		work(root, fn, arg, pipes[1], parent);
	close(pipes[1]);
	out->answer = pipes[0];
	out->alive = -1;
	if (out->pid > 0)
		return 0;
	close(pipes[0]);
	return no_process(errno, err);
}

int child_start_in(int root, namespace_fn *fn, void *arg, struct child *out, struct layerblk_error *err)
{
	return child_start(root, fn, arg, out, err);
}

/* In a PID namespace of its own: our id says nothing, and only the pipe tells whether we are still there. */
static void work_alone(namespace_fn *fn, void *arg, int to, int alive)
{
	struct pollfd parent = { .fd = alive };
	struct layerblk_error err = { 0 };
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&parent, 1, 0) != 0)
		_exit(1);
	setsid();
	rc = mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0 &&
	     mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0 ? 0 : -errno;
	if (rc)
		layerblk_error_set(&err, -rc, "mount", "/proc", "%s", strerror(-rc));
	give_answer(to, rc ? rc : fn(arg, &err), &err);
}

int child_start_alone(namespace_fn *fn, void *arg, struct child *out, struct layerblk_error *err)
{
	struct clone_args args = { .flags = CLONE_NEWPID | CLONE_NEWNS, .exit_signal = SIGCHLD };
	int answers[2], alive[2], error;

	if (pipe2(answers, O_CLOEXEC) != 0)
		return no_process(errno, err);
	if (pipe2(alive, O_CLOEXEC) != 0) {
		error = errno;
		close(answers[0]);
		close(answers[1]);
		return no_process(error, err);
	}
	fflush(NULL);
	out->pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	error = errno;
	if (out->pid == 0) {
		close(alive[1]);
		work_alone(fn, arg, answers[1], alive[0]);
	}
	close(answers[1]);
	close(alive[0]);
	out->answer = answers[0];
	out->alive = alive[1];
	if (out->pid > 0)
		return 0;
	close(answers[0]);
	close(alive[1]);
	return no_process(error, err);
}

int child_wait(struct child *child, struct layerblk_error *err)
{
	struct answer answer;
	ssize_t got;

	do
		got = read(child->answer, &answer, sizeof(answer));
	while (got < 0 && errno == EINTR);
	close(child->answer);
	if (child->alive >= 0)
		close(child->alive);
	while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (got != sizeof(answer))
		return layerblk_error_set(err, EIO, "wait for a process", "", "it ended early");
	if (answer.rc && err)
		*err = answer.err;
	return answer.rc;
}

int namespace_run(namespace_fn *fn, void *arg, struct layerblk_error *err)
{
	struct child child;
	int rc = child_start(-1, fn, arg, &child, err);

	return rc ? rc : child_wait(&child, err);
}

void namespace_unmount_all(void)
{
	cleanup_file FILE *file = fopen("/proc/self/mounts", "re");
	char device[256], path[PATH_MAX], type[32], line[PATH_MAX + 1024], **paths = NULL, **more;
	size_t count = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%255s %4095s %31s", device, path, type) != 3 || strncmp(path, RUN_DIR "/", sizeof(RUN_DIR)) != 0 ||
		    (strncmp(device, "/dev/layerblk", 13) != 0 && strcmp(type, "overlay") != 0))
			continue;
		more = reallocarray(paths, count + 1, sizeof(*paths));
		if (!more)
			break;
		paths = more;
		paths[count] = strdup(path);
		if (!paths[count])
			break;
		count++;
	}
	while (count > 0) {		/* what was mounted last goes first */
		if (umount2(paths[--count], UMOUNT_NOFOLLOW) != 0)
			umount2(paths[count], MNT_DETACH | UMOUNT_NOFOLLOW);
		free(paths[count]);
	}
	free(paths);
}
