// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See jail.h. The thread never ends. A child process that the sanitizers start from it to find symbols is in the jail as well, and finds none: FUZZ_NO_JAIL=1 in the environment runs
 * inputs in the directory /work of the machine, for looking at one that is known.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "jail.h"

#define WATCHED		16

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	void (*fn)(const uint8_t *data, size_t size);
	const uint8_t *data;
	size_t size;
	int populated;
	int ready;			/* 1, or a negative errno */
	bool bare;			/* FUZZ_NO_JAIL */
	char artifacts[512];		/* the directory that libFuzzer writes crashes to, from the thread that crashes; "": none */
} jail = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "jail: %s: %s\n", what, strerror(errno));
	abort();
}

/* ------------------------------------------------------------------ one input's place */

static void put_file(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size, path);
	close(fd);
}

void jail_write(const char *name, const void *data, size_t size)
{
	char path[600], *slash;

	snprintf(path, sizeof(path), JAIL_IN "/%s", name);
	for (slash = strchr(path + sizeof(JAIL_IN), '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		must(mkdir(path, 0755) == 0 || errno == EEXIST, path);
		*slash = '/';
	}
	put_file(path, data, size);
}

static void populate(void)
{
	must(!mkdir(JAIL_TARGET "/usr", 0755) && !mkdir(JAIL_TARGET "/usr/lib", 0755) && !mkdir(JAIL_TARGET "/etc", 0755) &&
	     !mkdir(JAIL_TARGET "/etc/d", 0755), "directories of the layer below");
	put_file(JAIL_TARGET "/etc/passwd", "root:x:0:0::/root:/bin/sh\n", 26);
	put_file(JAIL_TARGET "/usr/lib/a", "a", 1);
	must(!link(JAIL_TARGET "/usr/lib/a", JAIL_TARGET "/b"), "a link of the layer below");
	must(!symlink("usr/lib", JAIL_TARGET "/lib") && !symlink("/work/guard", JAIL_TARGET "/abs") && !symlink("../guard", JAIL_TARGET "/up") &&
	     !symlink("../../../guard/dir", JAIL_TARGET "/usr/up") && !symlink("/work/guard/file", JAIL_TARGET "/etc/file") &&
	     !symlink("loop", JAIL_TARGET "/loop"), "symbolic links of the layer below");
	must(!mkfifo(JAIL_TARGET "/pipe", 0600), "a pipe of the layer below");
}

static void place_make(int populated)
{
	if (!jail.bare)
		must(!mount("jail", "/work", "tmpfs", 0, "size=48m,nr_inodes=4000,mode=755"), "tmpfs");
	must(!mkdir("/work/target", 0755) && !mkdir("/work/in", 0755) && !mkdir("/work/guard", 0755) && !mkdir("/work/guard/dir", 0755), "directories");
	put_file("/work/guard/file", "guarded", 7);
	put_file("/work/guard/dir/inner", "guarded", 7);
	if (populated)
		populate();
}

/* ------------------------------------------------------------------ what must not change */

static const char *const watched[] = {
	"/", "/work", "/work/guard", "/work/guard/file", "/work/guard/dir", "/work/guard/dir/inner",
};

struct seen {
	struct stat st[WATCHED];
	char content[2][8];
};

static void look(struct seen *s)
{
	size_t i;
	int fd;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < sizeof(watched) / sizeof(*watched); i++) {
		must(!lstat(watched[i], &s->st[i]), watched[i]);
		memset(&s->st[i].st_atim, 0, sizeof(s->st[i].st_atim));
	}
	for (i = 0; i < 2; i++) {
		fd = open(i ? "/work/guard/dir/inner" : "/work/guard/file", O_RDONLY | O_CLOEXEC);
		must(fd >= 0 && read(fd, s->content[i], sizeof(s->content[i])) == 7, "a guarded file");
		close(fd);
	}
}

static void check(const struct seen *before)
{
	struct seen after;
	size_t i;

	look(&after);
	for (i = 0; i < sizeof(watched) / sizeof(*watched); i++) {
		if (!memcmp(&before->st[i], &after.st[i], sizeof(after.st[i])))
			continue;
		fprintf(stderr, "jail: %s is not what it was: something got out of the target\n", watched[i]);
		abort();
	}
	must(!memcmp(before->content, after.content, sizeof(after.content)), "a guarded file's content is another one");
}

static void one_input(void)
{
	struct seen before;

	place_make(jail.populated);
	look(&before);
	jail.fn(jail.data, jail.size);
	check(&before);
	if (jail.bare)
		must(!system("rm -rf /work/target /work/in /work/guard"), "rm");
	else
		must(!umount2("/work", MNT_DETACH), "umount");
}

/* ------------------------------------------------------------------ the thread */

/* The same directory at the same place beneath `dir`. */
static int share_artifacts(const char *dir)
{
	char path[600], *slash;

	if (!*jail.artifacts)
		return 0;
	snprintf(path, sizeof(path), "%s%s", dir, jail.artifacts);
	for (slash = path + strlen(dir) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(path, 0755) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	return mount(jail.artifacts, path, NULL, MS_BIND, NULL) ? -errno : 0;
}

static int enter(void)
{
	char dir[] = "/tmp/layerblk-fuzz-XXXXXX", proc[64], work[64], null[64];

	if (unshare(CLONE_NEWNS))
		return -errno;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || !mkdtemp(dir))
		return -errno;
	if (mount("jail", dir, "tmpfs", 0, "size=4m,mode=755"))
		return -errno;
	snprintf(proc, sizeof(proc), "%s/proc", dir);
	snprintf(work, sizeof(work), "%s/work", dir);
	snprintf(null, sizeof(null), "%s/null", dir);
	if (mkdir(proc, 0755) || mkdir(work, 0755) || mount("/proc", proc, NULL, MS_BIND | MS_REC, NULL))
		return -errno;
	if (share_artifacts(dir))
		return -errno;
	return chroot(dir) || chdir("/") ? -errno : 0;
}

static void find_artifacts(int argc, char **argv)
{
	static const char option[] = "-artifact_prefix=";
	char prefix[512] = "./", *slash, *real;
	int i;

	for (i = 1; i < argc; i++)
		if (!strncmp(argv[i], option, sizeof(option) - 1))
			snprintf(prefix, sizeof(prefix), "%s%s", strchr(argv[i], '/') ? "" : "./", argv[i] + sizeof(option) - 1);
	slash = strrchr(prefix, '/');
	if (slash)
		slash[1] = '\0';
	real = realpath(prefix, NULL);
	/* A relative name means another directory in the jail. */
	if (real && prefix[0] == '/' && strcmp(real, "/"))
		snprintf(jail.artifacts, sizeof(jail.artifacts), "%s", real);
	free(real);
}

static void *worker(void *unused)
{
	int err = jail.bare ? (unshare(CLONE_FS) ? -errno : 0) : enter();

	pthread_mutex_lock(&jail.lock);
	jail.ready = err ? err : 1;
	pthread_cond_broadcast(&jail.changed);
	while (!err) {
		while (!jail.fn)
			pthread_cond_wait(&jail.changed, &jail.lock);
		one_input();
		jail.fn = NULL;
		pthread_cond_broadcast(&jail.changed);
	}
	pthread_mutex_unlock(&jail.lock);
	return unused;
}

/* Not root: root of a user namespace. Before there is a second thread. */
static int become_root(void)
{
	char map[64];
	int fd, uid = (int)getuid();

	if (!geteuid())
		return 0;
	if (unshare(CLONE_NEWUSER))
		return -errno;
	snprintf(map, sizeof(map), "0 %d 1", uid);
	fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, map, strlen(map)) < 0)
		return -errno;
	close(fd);
	return 0;
}

int jail_init(int argc, char **argv)
{
	const char *s = getenv("FUZZ_NO_JAIL");
	int err = become_root();
	pthread_t thread;

	jail.bare = s && *s == '1';
	setenv("TMPDIR", JAIL_IN, 1);
	find_artifacts(argc, argv);
	umask(022);
	if (!err)
		err = -pthread_create(&thread, NULL, worker, NULL);
	pthread_mutex_lock(&jail.lock);
	while (!err && !jail.ready)
		pthread_cond_wait(&jail.changed, &jail.lock);
	if (!err && jail.ready < 0)
		err = jail.ready;
	pthread_mutex_unlock(&jail.lock);
	if (err)
		fprintf(stderr, "jail: cannot be made here: %s\n", strerror(-err));
	return !err;
}

void jail_run(void (*fn)(const uint8_t *data, size_t size), const uint8_t *data, size_t size, int populated)
{
	pthread_mutex_lock(&jail.lock);
	jail.data = data;
	jail.size = size;
	jail.populated = populated;
	jail.fn = fn;
	pthread_cond_broadcast(&jail.changed);
	while (jail.fn)
		pthread_cond_wait(&jail.changed, &jail.lock);
	pthread_mutex_unlock(&jail.lock);
}
