// SPDX-License-Identifier: GPL-2.0-or-later
/* Looks through /proc by device number, so that deleted files and other mount namespaces count too. */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "cleanup.h"
#include "holders.h"

#define SHOWN	3

static bool link_is_on(const char *path, dev_t device)
{
	struct stat st;

	return !stat(path, &st) && st.st_dev == device;
}

static bool fd_is_on(const char *pid, dev_t device)
{
	cleanup_dir DIR *dir = NULL;
	struct dirent *entry;
	char path[600];

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%s/fd/%s", pid, entry->d_name);
		if (entry->d_name[0] != '.' && link_is_on(path, device))
			return true;
	}
	return false;
}

static bool map_is_on(const char *pid, dev_t device)
{
	cleanup_file FILE *file = NULL;
	unsigned int major, minor;
	char line[512], path[300];

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*s %*s %*s %x:%x", &major, &minor) == 2 && makedev(major, minor) == device)
			return true;
	}
	return false;
}

static bool holds(const char *pid, dev_t device)
{
	char path[300];

	snprintf(path, sizeof(path), "/proc/%s/cwd", pid);
	if (link_is_on(path, device))
		return true;
	snprintf(path, sizeof(path), "/proc/%s/root", pid);
	return link_is_on(path, device) || fd_is_on(pid, device) || map_is_on(pid, device);
}

static void add_name(FILE *out, const char *pid, int shown)
{
	cleanup_file FILE *file = NULL;
	char path[300], name[64] = "";

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	file = fopen(path, "re");
	if (!file || !fgets(name, sizeof(name), file))
		snprintf(name, sizeof(name), "process");
	name[strcspn(name, "\n")] = 0;
	fprintf(out, "%s%s (pid %s)", shown ? ", " : "", name, pid);
}

char *holders_of_mount(const char *directory)
{
	cleanup_dir DIR *proc = opendir("/proc");
	struct dirent *entry;
	struct stat st;
	size_t size;
	char *text = NULL;
	FILE *out;
	int n = 0;

	if (!proc || stat(directory, &st))
		return NULL;
	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	while ((entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]) || !holds(entry->d_name, st.st_dev))
			continue;
		if (n < SHOWN)
			add_name(out, entry->d_name, n);
		n++;
	}
	if (n > SHOWN)
		fprintf(out, " and %d more", n - SHOWN);
	fclose(out);
	if (!n) {
		free(text);
		return NULL;
	}
	return text;
}
