// SPDX-License-Identifier: GPL-2.0-or-later
/* See exits.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cleanup.h"
#include "exits.h"
#include "filesystem.h"
#include "json.h"
#include "oci.h"
#include "wait.h"

#define EXIT_DIR	RUN_DIR "/exits"
#define LOOK_MS		400		/* how often it is looked whether somebody is left to tell us */

static void exit_path(const char *id, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", EXIT_DIR, id);
}

int exit_watch_open(const char *id, struct exit_watch *watch, struct layerblk_error *err)
{
	char path[PATH_MAX];
	struct stat st;
	int rc = directory_make(EXIT_DIR, err);

	*watch = (struct exit_watch){ .file = -1, .notify = -1 };
	if (rc)
		return rc;
	snprintf(watch->id, sizeof(watch->id), "%s", id);
	exit_path(id, path);
	watch->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	while (watch->notify >= 0) {
		watch->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (watch->file < 0)
			break;
		/* What is told from now on is seen; told before, the name is gone, and another file is needed. */
		if (inotify_add_watch(watch->notify, path, IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF) >= 0 &&
		    fstat(watch->file, &st) == 0 && st.st_nlink > 0)
			return 0;
		close(watch->file);
		watch->file = -1;
	}
	rc = layerblk_error_set(err, errno, "wait for the container", id, "%s", strerror(errno));
	exit_watch_close(watch);
	return rc;
}

void exit_watch_close(struct exit_watch *watch)
{
	if (watch->file >= 0)
		close(watch->file);
	if (watch->notify >= 0)
		close(watch->notify);
	watch->file = watch->notify = -1;
}

void exit_announce(const char *id, int status)
{
	char path[PATH_MAX], text[16];
	cleanup_fd int fd = -1;
	int length = snprintf(text, sizeof(text), "%d\n", status);

	exit_path(id, path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && pwrite(fd, text, (size_t)length, 0) == length)
		unlink(path);
}

static bool told(const struct exit_watch *watch, int *status)
{
	char text[16] = "";

	if (pread(watch->file, text, sizeof(text) - 1, 0) <= 0 || !strchr(text, '\n'))
		return false;
	*status = atoi(text);
	return true;
}

/* Nobody is left who would tell: what the record says. 1, 0 (it lives, or is being cleared up after), or an error. */
static int look(const struct pool *pool, const struct exit_watch *watch, int *status, struct layerblk_error *err)
{
	struct layerblk_error why = { 0 };
	struct container container;
	int rc;

	if (work_is_alive(pool, watch->id) || oci_is_alive(watch->id))
		return 0;
	work_sweep(pool, CONTAINER_KIND, container_clean);
	if (told(watch, status))
		return 1;
	rc = container_find(pool, watch->id, &container, &why);
	if (rc == -ENOENT) {
		*status = 137;
		return 1;
	}
	if (rc) {
		if (err)
			*err = why;
		return rc;
	}
	rc = strcmp(container_text(&container, "status"), "running") != 0;
	*status = (int)json_number(container.record, "exit_code");
	container_clear(&container);
	return rc;
}

int exit_watch_wait(const struct pool *pool, struct exit_watch *watch, int64_t timeout_ms, const sigset_t *signals, int *status,
		    struct layerblk_error *err)
{
	cleanup_fd int signal_fd = signals ? signalfd(-1, signals, SFD_CLOEXEC) : -1;
	int64_t end = timeout_ms < 0 ? INT64_MAX : wait_clock_ms() + timeout_ms, left;
	struct pollfd polled[2] = { { .fd = watch->notify, .events = POLLIN }, { .fd = signal_fd, .events = POLLIN } };
	char events[1024];
	int rc;

	for (;;) {
		if (told(watch, status))
			return 1;
		left = end - wait_clock_ms();
		if (left <= 0)
			return 0;
		rc = poll(polled, 2, (int)(left < LOOK_MS ? left : LOOK_MS));
		if (rc > 0 && (polled[1].revents & POLLIN))
			return -EINTR;
		if (rc > 0) {
			while (read(watch->notify, events, sizeof(events)) > 0)
				;
			continue;
		}
		rc = look(pool, watch, status, err);
		if (rc)
			return rc;
	}
}
