// SPDX-License-Identifier: GPL-2.0
/*
 * Makes or removes many volumes in one process, for tests in which the start of
 * a thousand processes would be what takes the time.
 *
 *	bulk create POOL-UUID PREFIX COUNT BYTES	PREFIX0, PREFIX1, ...
 *	bulk snapshot POOL-UUID SOURCE PREFIX COUNT	children of SOURCE
 *	bulk chain POOL-UUID SOURCE PREFIX COUNT	each a frozen child of the one before
 *	bulk rm POOL-UUID PREFIX COUNT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>
#include <layerblk.h>

static struct layerblk *lb;
static uint8_t uuid[LB_UUID_LEN];
static struct layerblk_error err;

static void die(void)
{
	char text[1024];

	fprintf(stderr, "bulk: %s\n", layerblk_error_format(&err, text, sizeof(text)));
	exit(1);
}

static uint64_t find(const char *name)
{
	struct lb_vol_info info;

	if (layerblk_vol_find(lb, uuid, name, 0, &info, &err))
		die();
	return info.id;
}

static void create(const char *prefix, int count, uint64_t bytes)
{
	char name[64];
	uint64_t id;

	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s%d", prefix, i);
		if (layerblk_vol_create(lb, uuid, name, bytes, 0, NULL, &id, &err))
			die();
	}
}

static void snapshot(const char *source, const char *prefix, int count, int chain)
{
	uint64_t from = find(source), id;
	char name[64];

	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s%d", prefix, i);
		if (layerblk_vol_snapshot(lb, uuid, from, name, chain ? LB_SNAP_FROZEN : 0, 0, NULL, &id, &err))
			die();
		if (chain)
			from = id;
	}
}

static void rm(const char *prefix, int count)
{
	char name[64];

	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s%d", prefix, i);
		if (layerblk_vol_rm(lb, uuid, find(name), 0, NULL, &err))
			die();
	}
}

int main(int argc, char **argv)
{
	if (argc < 5 || uuid_parse(argv[2], uuid)) {
		fprintf(stderr, "usage: bulk create|snapshot|chain|rm POOL-UUID ...\n");
		return 2;
	}
	if (layerblk_open(&lb, &err))
		die();
	if (!strcmp(argv[1], "create") && argc == 6)
		create(argv[3], atoi(argv[4]), strtoull(argv[5], NULL, 0));
	else if (!strcmp(argv[1], "snapshot") && argc == 6)
		snapshot(argv[3], argv[4], atoi(argv[5]), 0);
	else if (!strcmp(argv[1], "chain") && argc == 6)
		snapshot(argv[3], argv[4], atoi(argv[5]), 1);
	else if (!strcmp(argv[1], "rm") && argc == 5)
		rm(argv[3], atoi(argv[4]));
	else
		return 2;
	layerblk_close(lb);
	return 0;
}
