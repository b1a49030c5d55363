// SPDX-License-Identifier: GPL-2.0-or-later
/* layerctl stats: what containers use at the moment, from their cgroups. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "cleanup.h"
#include "oci.h"
#include "output.h"
#include "run_commands.h"
#include "size.h"

#define PAUSE_MS	1000

struct usage {
	uint64_t cpu_us;
	uint64_t memory;
	uint64_t limit;			/* 0: the machine's */
	uint64_t pids;
	uint64_t read;
	uint64_t written;
	uint64_t received;
	uint64_t sent;
	int64_t at_us;
};

struct sampled {			/* one container */
	char id[CONTAINER_ID];
	char name[LB_NAME_MAX + 1];
	struct usage before;
	struct usage now;
};

struct sampling {
	const struct command_call *call;
	const struct pool *pool;
	struct sampled *list;
	size_t count;
};

/* ------------------------------------------------------------------ reading */

static uint64_t number_of(const char *id, const char *file)
{
	char text[64];

	return oci_cgroup_read(id, file, text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;
}

/* "usage_usec 123" */
static uint64_t field_of(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static void read_io(const char *id, struct usage *out)
{
	char text[8192];
	const char *at;

	if (!oci_cgroup_read(id, "io.stat", text, sizeof(text)))
		return;
	for (at = text; (at = strstr(at, "rbytes=")) != NULL; at++)
		out->read += strtoull(at + 7, NULL, 10);
	for (at = text; (at = strstr(at, "wbytes=")) != NULL; at++)
		out->written += strtoull(at + 7, NULL, 10);
}

/* Of all interfaces but loopback. */
static void read_net(const char *id, struct usage *out)
{
	cleanup_file FILE *file = NULL;
	char path[64], line[512], name[64];
	uint64_t received, sent;

	snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)oci_pid(id));
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, " %63[^:]: %" SCNu64 " %*u %*u %*u %*u %*u %*u %*u %" SCNu64, name, &received, &sent) != 3 ||
		    strcmp(name, "lo") == 0)
			continue;
		out->received += received;
		out->sent += sent;
	}
}

static void read_usage(const char *id, struct usage *out)
{
	char text[4096];
	struct timespec now;

	memset(out, 0, sizeof(*out));
	clock_gettime(CLOCK_MONOTONIC, &now);
	out->at_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	if (oci_cgroup_read(id, "cpu.stat", text, sizeof(text)))
		out->cpu_us = field_of(text, "usage_usec ");
	out->memory = number_of(id, "memory.current");
	if (oci_cgroup_read(id, "memory.stat", text, sizeof(text))) {
		uint64_t cache = field_of(text, "inactive_file ");

		out->memory -= cache < out->memory ? cache : 0;	/* what could be dropped at once, as Docker counts */
	}
	out->limit = number_of(id, "memory.max");
	out->pids = number_of(id, "pids.current");
	read_io(id, out);
	read_net(id, out);
}

/* ------------------------------------------------------------------ which */

static bool is_asked_for(const struct command_call *call, const struct container *container)
{
	if (!call->argc)
		return true;
	for (int i = 0; i < call->argc; i++)
		if (strcmp(call->argv[i], container->name) == 0 || strncmp(container->id, call->argv[i], strlen(call->argv[i])) == 0)
			return true;
	return false;
}

static int collect(void *arg, const struct container *container)
{
	struct sampling *sampling = arg;
	enum container_state state = container_state(sampling->pool, container);
	struct sampled *more;

	if (!is_asked_for(sampling->call, container) || (state != CONTAINER_RUNNING && state != CONTAINER_PAUSED))
		return 0;
	more = reallocarray(sampling->list, sampling->count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	sampling->list = more;
	more += sampling->count++;
	memset(more, 0, sizeof(*more));
	strcpy(more->id, container->id);
	strcpy(more->name, container->name);
	return 0;
}

/* Each that was named is there. */
static int check_names(struct command_call *call, const struct pool *pool)
{
	struct container container;
	int rc = 0;

	for (int i = 0; !rc && i < call->argc; i++) {
		rc = container_find(pool, call->argv[i], &container, &call->error);
		if (!rc)
			container_clear(&container);
	}
	return rc;
}

/* ------------------------------------------------------------------ showing */

static uint64_t machine_memory(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static json_object *pair(uint64_t a, uint64_t b)
{
	char one[SIZE_TEXT], two[SIZE_TEXT], text[2 * SIZE_TEXT + 4];

	snprintf(text, sizeof(text), "%s / %s", size_format(a, one), size_format(b, two));
	return json_object_new_string(text);
}

static json_object *percent(double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.2f%%", value);
	return json_object_new_string(text);
}

static json_object *row_of(const struct sampled *sampled)
{
	const struct usage *now = &sampled->now, *before = &sampled->before;
	int64_t elapsed = now->at_us - before->at_us;
	uint64_t limit = now->limit ? now->limit : machine_memory();
	json_object *row = json_object_new_object();

	json_object_object_add(row, "id", json_object_new_string(sampled->id));
	json_object_object_add(row, "name", output_string(sampled->name));
	json_object_object_add(row, "cpu", percent(elapsed > 0 ? 100.0 * (double)(now->cpu_us - before->cpu_us) / (double)elapsed : 0));
	json_object_object_add(row, "memory", pair(now->memory, limit));
	json_object_object_add(row, "memory_percent", percent(100.0 * (double)now->memory / (double)limit));
	json_object_object_add(row, "network", pair(now->received, now->sent));
	json_object_object_add(row, "block", pair(now->read, now->written));
	json_object_object_add(row, "pids", json_object_new_int64((int64_t)now->pids));
	return row;
}

static int print(struct command_call *call, const struct sampling *sampling)
{
	static const struct output_column columns[] = {
		{ "CONTAINER ID", "id", OUTPUT_SHORT_ID }, { "NAME", "name", OUTPUT_TEXT }, { "CPU %", "cpu", OUTPUT_TEXT },
		{ "MEM USAGE / LIMIT", "memory", OUTPUT_TEXT }, { "MEM %", "memory_percent", OUTPUT_TEXT },
		{ "NET I/O", "network", OUTPUT_TEXT }, { "BLOCK I/O", "block", OUTPUT_TEXT }, { "PIDS", "pids", OUTPUT_NUMBER }, { 0 },
	};
	cleanup_json json_object *rows = json_object_new_array();

	for (size_t i = 0; i < sampling->count; i++)
		json_object_array_add(rows, row_of(&sampling->list[i]));
	return output_rows(call, columns, rows);
}

/* One look at all, a second long. */
static int sample(struct command_call *call, const struct pool *pool, bool clear)
{
	struct timespec pause = { .tv_sec = PAUSE_MS / 1000, .tv_nsec = PAUSE_MS % 1000 * 1000000 };
	struct sampling sampling = { .call = call, .pool = pool };
	int status = container_each(pool, collect, &sampling, &call->error);

	for (size_t i = 0; i < sampling.count; i++)
		read_usage(sampling.list[i].id, &sampling.list[i].before);
	nanosleep(&pause, NULL);
	for (size_t i = 0; i < sampling.count; i++)
		read_usage(sampling.list[i].id, &sampling.list[i].now);
	if (status) {
		status = command_fail(call);
	} else {
		if (clear)
			fputs("\033[H\033[2J", stdout);
		status = print(call, &sampling);
		fflush(stdout);
	}
	free(sampling.list);
	return status;
}

int run_stats_run(struct command_call *call)
{
	bool once = option_is_set(call, "no-stream"), terminal = isatty(STDOUT_FILENO);
	enum output_format format;
	struct image_pool at;
	int status;

	if (output_format(call, &format))
		return 1;
	if (container_pool_open(call, &at) || check_names(call, &at.pool))
		return command_fail(call);
	do
		status = sample(call, &at.pool, !once && terminal && format == OUTPUT_TABLE);
	while (!status && !once && !ferror(stdout));
	return status;
}
