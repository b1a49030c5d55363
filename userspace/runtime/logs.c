// SPDX-License-Identifier: GPL-2.0-or-later
/* See logs.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "cleanup.h"
#include "logs.h"
#include "oci.h"
#include "size.h"

#define SECOND		1000000000LL
#define LOOK_MS		100

/* ------------------------------------------------------------------ parsing */

/* "2024-05-01T10:00:00.123456789+02:00", with as much of it missing from the end as makes sense. */
static bool parse_rfc3339(const char *text, int64_t *ns)
{
	struct tm tm = { .tm_mday = 1 };
	const char *rest = strptime(text, "%Y-%m-%d", &tm);
	int64_t fraction = 0, scale = SECOND / 10, zone = 0;
	int hours, minutes;

	if (rest && (*rest == 'T' || *rest == ' '))
		rest = strptime(rest + 1, "%H:%M:%S", &tm) ? strptime(rest + 1, "%H:%M:%S", &tm) : strptime(rest + 1, "%H:%M", &tm);
	if (!rest)
		return false;
	if (*rest == '.')
		for (rest++; *rest >= '0' && *rest <= '9'; rest++, scale /= 10)
			fraction += (*rest - '0') * scale;
	if ((*rest == '+' || *rest == '-') && sscanf(rest + 1, "%2d:%2d", &hours, &minutes) == 2)
		zone = (*rest == '-' ? -1 : 1) * (hours * 3600LL + minutes * 60LL);
	else if (*rest && strcmp(rest, "Z") != 0)
		return false;
	*ns = ((int64_t)timegm(&tm) - zone) * SECOND + fraction;
	return true;
}

int logs_parse_time(const char *text, int64_t now_ns, int64_t *ns, struct layerblk_error *err)
{
	uint64_t value;
	char *end;
	double seconds;

	if (parse_rfc3339(text, ns))
		return 0;
	seconds = strtod(text, &end);
	if (end != text && !*end && seconds >= 1e6) {
		*ns = (int64_t)(seconds * 1e9);
		return 0;
	}
	if (duration_parse(text, &value, "use the time", NULL) == 0) {
		*ns = now_ns - (int64_t)value * 1000000;
		return 0;
	}
	return layerblk_error_set(err, EINVAL, "use the time", text, "it is neither a time like 2024-05-01T10:00:00Z nor one like 10m");
}

bool logs_parse_line(char *line, struct log_line *out)
{
	char *stream = strchr(line, ' '), *mark, *text;

	if (!stream)
		return false;
	*stream++ = '\0';
	mark = strchr(stream, ' ');
	if (!mark || (mark[1] != 'F' && mark[1] != 'P') || mark[2] != ' ')
		return false;
	*mark++ = '\0';
	text = mark + 2;
	*out = (struct log_line){ .time = line, .error = strcmp(stream, "stderr") == 0, .partial = *mark == 'P', .text = text };
	return parse_rfc3339(line, &out->ns);
}

/* ------------------------------------------------------------------ printing */

struct printer {
	const struct logs *how;
	int64_t skip;			/* so many lines are not shown */
	bool inside;			/* of a line that goes on */
};

static bool put(struct printer *printer, char *line, size_t length)
{
	const struct logs *how = printer->how;
	bool inside = printer->inside;
	struct log_line parts;
	FILE *out;

	if (!logs_parse_line(line, &parts))
		return true;		/* torn by a full disk */
	printer->inside = parts.partial;
	if (printer->skip > 0) {
		printer->skip -= !parts.partial;
		return true;
	}
	if (parts.ns < how->since_ns || (how->until_ns && parts.ns > how->until_ns))
		return true;
	out = parts.error ? stderr : stdout;
	if (how->timestamps && !inside)
		fprintf(out, "%s ", parts.time);
	fwrite(parts.text, 1, length - (size_t)(parts.text - line), out);	/* may hold zero bytes */
	if (!parts.partial)
		fputc('\n', out);
	return fflush(out) == 0;
}

/* All whole lines from where the file is; what is begun is left for the next call. -EPIPE: nobody reads us. */
static int put_all(struct printer *printer, FILE *file, char **line, size_t *room)
{
	long at = ftell(file);
	ssize_t got;

	while ((got = getline(line, room, file)) > 0 && (*line)[got - 1] == '\n') {
		(*line)[got - 1] = '\0';
		if (!put(printer, *line, (size_t)got - 1))
			return -EPIPE;
		at = ftell(file);
	}
	clearerr(file);
	return fseek(file, at, SEEK_SET) == 0 ? 0 : -errno;
}

static int64_t count_lines(FILE *file, char **line, size_t *room)
{
	struct log_line parts;
	int64_t count = 0;

	while (getline(line, room, file) > 0)
		count += logs_parse_line(*line, &parts) && !parts.partial;
	rewind(file);
	return count;
}

/* conmon begins a new file when the old one is too large. */
static FILE *reopened(FILE *file, const char *path)
{
	struct stat now, ours;

	if (stat(path, &now) != 0 || fstat(fileno(file), &ours) != 0 || (now.st_ino == ours.st_ino && now.st_dev == ours.st_dev))
		return file;
	fclose(file);
	return fopen(path, "re");
}

static bool lives(const struct pool *pool, const struct container *container)
{
	struct container now;
	enum container_state state;

	if (container_load(pool, container->volume, &now, NULL) != 0)
		return false;
	state = container_state(pool, &now);
	container_clear(&now);
	return state == CONTAINER_RUNNING || state == CONTAINER_PAUSED;
}

static int print_file(const struct pool *pool, const struct container *container, const char *path, FILE **file,
		      struct printer *printer)
{
	struct timespec pause = { .tv_nsec = LOOK_MS * 1000000 };
	cleanup_free char *line = NULL;
	size_t room = 0;
	bool last;
	int rc;

	if (printer->how->tail >= 0) {
		printer->skip = count_lines(*file, &line, &room) - printer->how->tail;
	}
	do {
		last = !printer->how->follow || !lives(pool, container);	/* asked before the last look */
		rc = put_all(printer, *file, &line, &room);
		if (rc || last)
			return rc;
		nanosleep(&pause, NULL);
		*file = reopened(*file, path);
	} while (*file);
	return 0;
}

int logs_print(const struct pool *pool, const struct container *container, const struct logs *how, struct layerblk_error *err)
{
	const char *path = container_text(container, "log");
	struct printer printer = { .how = how };
	cleanup_file FILE *file = path ? fopen(path, "re") : NULL;
	int rc;

	if (!file && (!path || errno == ENOENT))
		return 0;		/* it never ran */
	if (!file)
		return layerblk_error_set(err, errno, "read the log", path, "%s", strerror(errno));
	rc = print_file(pool, container, path, &file, &printer);
	if (rc && rc != -EPIPE)
		return layerblk_error_set(err, -rc, "read the log", path, "%s", strerror(-rc));
	return 0;
}
