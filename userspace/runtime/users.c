// SPDX-License-Identifier: GPL-2.0-or-later
/* See users.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "cleanup.h"
#include "open_in_root.h"
#include "users.h"

#define FILE_MAX	(4U << 20)
#define FIELDS		7		/* of a passwd line */

char *read_beneath(int root, const char *path, size_t max)
{
	cleanup_fd int fd = open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	cleanup_free char *text = NULL;
	struct stat st;
	size_t used = 0;
	ssize_t got;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return NULL;
	text = malloc(max + 1);
	while (text && used < max && (got = read(fd, text + used, max - used)) > 0)
		used += (size_t)got;
	if (text)
		text[used] = '\0';
	return take_ptr(text);
}

static bool number(const char *text, uint32_t *out)
{
	char *end;
	unsigned long long value;

	if (!*text || strspn(text, "0123456789") != strlen(text))
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || value >= UINT32_MAX)
		return false;
	*out = (uint32_t)value;
	return true;
}

/* The next line of *rest split at colons, in place; how many fields it has, or 0 at the end. */
static size_t next_line(char **rest, char *fields[FIELDS])
{
	char *line = strsep(rest, "\n");
	size_t count = 0;

	if (!line)
		return 0;
	while (count < FIELDS && line)
		fields[count++] = strsep(&line, ":");
	return count;
}

/* By name, or by number when `name` is one. */
static bool find_passwd(int root, const char *name, struct user *out, char found[256])
{
	cleanup_free char *text = read_beneath(root, "/etc/passwd", FILE_MAX);
	char *rest = text, *fields[FIELDS];
	uint32_t wanted = 0, uid, gid;
	bool by_number = number(name, &wanted);
	size_t count;

	while (rest && (count = next_line(&rest, fields))) {
		if (count < 6 || !number(fields[2], &uid) || !number(fields[3], &gid))
			continue;
		if (strcmp(fields[0], name) != 0 && !(by_number && uid == wanted))
			continue;
		out->uid = uid;
		out->gid = gid;
		if (fields[5][0] == '/')
			snprintf(out->home, sizeof(out->home), "%s", fields[5]);
		snprintf(found, 256, "%s", fields[0]);
		return true;
	}
	return false;
}

static bool listed(char *members, const char *name)
{
	char *member;

	while ((member = strsep(&members, ",")) != NULL)
		if (strcmp(member, name) == 0)
			return true;
	return false;
}

/* The groups that have `name` as a member. */
static void find_memberships(int root, const char *name, struct user *out)
{
	cleanup_free char *text = read_beneath(root, "/etc/group", FILE_MAX);
	char *rest = text, *fields[FIELDS];
	size_t count;
	uint32_t gid;

	while (rest && (count = next_line(&rest, fields))) {
		if (count < 4 || !number(fields[2], &gid) || gid == out->gid || out->group_count == GROUPS_MAX)
			continue;
		if (listed(fields[3], name))
			out->groups[out->group_count++] = gid;
	}
}

static bool find_group(int root, const char *name, uint32_t *out)
{
	cleanup_free char *text = read_beneath(root, "/etc/group", FILE_MAX);
	char *rest = text, *fields[FIELDS];
	size_t count;

	while (rest && (count = next_line(&rest, fields)))
		if (count >= 3 && strcmp(fields[0], name) == 0 && number(fields[2], out))
			return true;
	return number(name, out);
}

int user_find(int root, const char *text, struct user *out, struct layerblk_error *err)
{
	char name[256], found[256] = "";
	const char *group;
	uint32_t uid;

	memset(out, 0, sizeof(*out));
	strcpy(out->home, "/");
	if (!text || !*text)
		text = "0";
	if (strlen(text) >= sizeof(name))
		return layerblk_error_set(err, EINVAL, "run as the user", text, "the name is too long");
	strcpy(name, text);
	group = strchr(name, ':') ? strchr(text, ':') + 1 : NULL;
	name[strcspn(name, ":")] = '\0';
	if (!*name)
		strcpy(name, "0");
	if (!find_passwd(root, name, out, found)) {
		if (!number(name, &uid))
			return layerblk_error_set(err, ENOENT, "run as the user", name, "the image's /etc/passwd has no such user");
		out->uid = uid;
	}
	if (group && *group) {
		if (!find_group(root, group, &out->gid))
			return layerblk_error_set(err, ENOENT, "run as the group", group, "the image's /etc/group has no such group");
	} else if (*found) {
		find_memberships(root, found, out);
	}
	return 0;
}
