// SPDX-License-Identifier: GPL-2.0-or-later
/* Hints of where pools were last seen. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include "cleanup.h"
#include "known.h"
#include "ref.h"

static void link_path(const uint8_t *uuid, char *path, size_t size)
{
	char text[UUID_TEXT];

	snprintf(path, size, KNOWN_DIRECTORY "/%s", uuid_text(uuid, text));
}

void known_remember(const uint8_t uuid[LB_UUID_LEN], const char *path)
{
	cleanup_free char *whole = realpath(path, NULL);
	char link[128], fresh[160];

	if (!whole)
		return;
	mkdir("/var/lib/layerblk", 0755);
	mkdir(KNOWN_DIRECTORY, 0755);
	link_path(uuid, link, sizeof(link));
	snprintf(fresh, sizeof(fresh), "%s.%d", link, (int)getpid());
	unlink(fresh);
	if (symlink(whole, fresh) || rename(fresh, link))
		unlink(fresh);
}

void known_forget(const uint8_t uuid[LB_UUID_LEN])
{
	char link[128];

	link_path(uuid, link, sizeof(link));
	unlink(link);
}

int known_each(int (*each)(void *arg, const char *uuid, const char *path), void *arg)
{
	cleanup_dir DIR *dir = opendir(KNOWN_DIRECTORY);
	char link[PATH_MAX], target[PATH_MAX];
	struct dirent *entry;
	uint8_t uuid[LB_UUID_LEN];
	ssize_t len;
	int ret;

	while (dir && (entry = readdir(dir))) {
		if (uuid_from_text(entry->d_name, uuid))
			continue;
		snprintf(link, sizeof(link), KNOWN_DIRECTORY "/%s", entry->d_name);
		len = readlink(link, target, sizeof(target) - 1);
		if (len <= 0)
			continue;
		target[len] = 0;
		ret = each(arg, entry->d_name, target);
		if (ret)
			return ret;
	}
	return 0;
}
