// SPDX-License-Identifier: GPL-2.0-or-later
/* See namespace.h. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
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

/* root: a directory to make the root, or -1: a mount namespace of its own. */
static void work(int root, namespace_fn *fn, void *arg, int to, pid_t parent)
{
	struct answer answer = { 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	answer.rc = root < 0 ? leave_namespace(&answer.err) : enter_root(root, &answer.err);
	if (!answer.rc)
		answer.rc = fn(arg, &answer.err);
	fflush(NULL);
	_exit(write(to, &answer, sizeof(answer)) == sizeof(answer) ? 0 : 1);
}

static int child_start(int root, namespace_fn *fn, void *arg, struct child *out, struct layerblk_error *err)
{
	pid_t parent = getpid();
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC) != 0)
		return layerblk_error_set(err, errno, "start a process", "", "no pipe: %s", strerror(errno));
	fflush(NULL);
	out->pid = fork();
	if (out->pid == 0)
		work(root, fn, arg, pipes[1], parent);
	close(pipes[1]);
	out->answer = pipes[0];
	if (out->pid > 0)
		return 0;
	close(pipes[0]);
	return layerblk_error_set(err, errno, "start a process", "", "%s", strerror(errno));
}

int child_start_in(int root, namespace_fn *fn, void *arg, struct child *out, struct layerblk_error *err)
{
	return child_start(root, fn, arg, out, err);
}

int child_wait(struct child *child, struct layerblk_error *err)
{
	struct answer answer;
	ssize_t got;

	do
		got = read(child->answer, &answer, sizeof(answer));
	while (got < 0 && errno == EINTR);
	close(child->answer);
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
	char device[256], path[PATH_MAX], line[PATH_MAX + 1024], **paths = NULL, **more;
	size_t count = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%255s %4095s", device, path) != 2 || strncmp(device, "/dev/layerblk", 13) != 0 ||
		    strncmp(path, RUN_DIR "/", sizeof(RUN_DIR)) != 0)
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
