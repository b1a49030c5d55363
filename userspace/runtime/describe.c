// SPDX-License-Identifier: GPL-2.0-or-later
/* Texts for people. See describe.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cleanup.h"
#include "describe.h"
#include "json.h"
#include "logs.h"
#include "output.h"

void describe_time(int64_t seconds, char *text, size_t size)
{
	if (seconds < 1)
		snprintf(text, size, "Less than a second");
	else if (seconds == 1)
		snprintf(text, size, "1 second");
	else if (seconds < 60)
		snprintf(text, size, "%d seconds", (int)seconds);
	else if (seconds < 120)
		snprintf(text, size, "About a minute");
	else if (seconds < 3600)
		snprintf(text, size, "%d minutes", (int)(seconds / 60));
	else if (seconds < 7200)
		snprintf(text, size, "About an hour");
	else if (seconds < 48 * 3600)
		snprintf(text, size, "%d hours", (int)(seconds / 3600));
	else if (seconds < 14 * 86400)
		snprintf(text, size, "%d days", (int)(seconds / 86400));
	else if (seconds < 60 * 86400)
		snprintf(text, size, "%d weeks", (int)(seconds / (7 * 86400)));
	else if (seconds < 2 * 365 * 86400)
		snprintf(text, size, "%d months", (int)(seconds / (30 * 86400)));
	else
		snprintf(text, size, "%d years", (int)(seconds / (365 * 86400)));
}

int64_t describe_when(const struct container *container, const char *key)
{
	const char *text = container_text(container, key);
	int64_t ns;

	return text && logs_parse_time(text, 0, &ns, NULL) == 0 ? ns / 1000000000 : 0;
}

void describe_status(const struct container *container, enum container_state state, char *text, size_t size)
{
	int64_t now = time(NULL);
	long long code = json_number(container->record, "exit_code");
	char ago[64];

	switch (state) {
	case CONTAINER_CREATED:
		snprintf(text, size, "Created");
		return;
	case CONTAINER_RUNNING:
	case CONTAINER_PAUSED:
		describe_time(now - describe_when(container, "started"), ago, sizeof(ago));
		snprintf(text, size, "Up %s%s", ago, state == CONTAINER_PAUSED ? " (Paused)" : "");
		return;
	default:
		describe_time(now - describe_when(container, "finished"), ago, sizeof(ago));
		snprintf(text, size, "Exited (%lld) %s ago", code < 0 ? 0 : code, ago);
	}
}

json_object *describe_command(const struct container *container, bool whole)
{
	json_object *words = json_member(container->record, "command", json_type_array);
	cleanup_free char *text = NULL, *shown = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; out && words && i < json_object_array_length(words); i++)
		fprintf(out, "%s%s", i ? " " : "", json_object_get_string(json_object_array_get_idx(words, i)));
	if (!out || fclose(out) != 0)
		return NULL;
	if (whole)
		return output_string(text);
	text[strcspn(text, "\n")] = '\0';
	if (asprintf(&shown, strlen(text) > 20 ? "\"%.19s\u2026\"" : "\"%s\"", text) < 0)
		shown = NULL;
	return shown ? output_string(shown) : NULL;
}

json_object *describe_ports(const struct container *container, bool running)
{
	json_object *ports = json_member(container->record, "ports", json_type_array);
	cleanup_free char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; out && running && ports && i < json_object_array_length(ports); i++) {
		json_object *port = json_object_array_get_idx(ports, i);
		const char *ip = json_text(port, "host_ip");

		fprintf(out, "%s%s:%lld->%lld/%s", i ? ", " : "", ip && *ip ? ip : "0.0.0.0", json_number(port, "host_port"),
			json_number(port, "port"), json_text(port, "protocol"));
	}
	if (!out || fclose(out) != 0)
		return NULL;
	return json_object_new_string(text);
}

json_object *describe_mounts(const struct container *container)
{
	json_object *mounts = json_member(container->record, "mounts", json_type_array), *array = json_object_new_array();

	for (size_t i = 0; mounts && i < json_object_array_length(mounts); i++) {
		json_object *mount = json_object_array_get_idx(mounts, i);
		const char *source = json_text(mount, "source");

		if (source)
			json_object_array_add(array, output_string(source));
	}
	return array;
}

json_object *describe_labels(const struct container *container)
{
	json_object *labels = json_member(container->record, "labels", json_type_object);
	cleanup_free char *text = NULL;
	const char *comma = "";
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out && labels) {
		json_object_object_foreach(labels, key, value) {
			fprintf(out, "%s%s=%s", comma, key, json_object_get_string(value));
			comma = ",";
		}
	}
	if (!out || fclose(out) != 0)
		return NULL;
	return output_string(text);
}
