// SPDX-License-Identifier: GPL-2.0-or-later
/* See conf.h. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "conf.h"

static const struct conf_key {
	const char *name;
	const char *const *values;	/* those that it may have; ends with NULL */
} keys[] = {
	{ "root", (const char *const[]){ "plain", "shared", NULL } },
};

#define KEYS	(sizeof(keys) / sizeof(*keys))

struct conf {
	const char *path;
	size_t line;
	char *values[KEYS];
	struct layerblk_error *err;
};

__attribute__((format(printf, 2, 3))) static int wrong(const struct conf *conf, const char *format, ...)
{
	char subject[512], why[512];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	snprintf(subject, sizeof(subject), "%.450s:%zu", conf->path, conf->line);
	return layerblk_error_set(conf->err, EINVAL, "use the configuration", subject, "%s", why);
}

/* Without blanks at both ends. */
static char *trim(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text;
}

static bool may_be(const struct conf_key *key, const char *value)
{
	for (const char *const *one = key->values; *one; one++)
		if (strcmp(*one, value) == 0)
			return true;
	return false;
}

static int set(struct conf *conf, const char *name, const char *value)
{
	size_t i = 0;

	while (i < KEYS && strcmp(keys[i].name, name) != 0)
		i++;
	if (i == KEYS)
		return wrong(conf, "there is no setting \"%.100s\"", name);
	if (!may_be(&keys[i], value))
		return wrong(conf, "\"%.100s\" is no value of \"%s\"", value, name);
	if (conf->values[i])
		return wrong(conf, "\"%s\" is set twice", name);
	conf->values[i] = strdup(value);
	return conf->values[i] ? 0 : layerblk_error_set(conf->err, ENOMEM, "read", conf->path, "no memory");
}

static int take_line(struct conf *conf, char *line)
{
	char *text = trim(line), *equals;

	if (!*text || *text == '#')
		return 0;
	equals = strchr(text, '=');
	if (!equals || equals == text)
		return wrong(conf, "it is not of the form KEY = VALUE");
	*equals = '\0';
	return set(conf, trim(text), trim(equals + 1));
}

static int load(struct conf *conf)
{
	cleanup_file FILE *file = fopen(conf->path, "re");
	cleanup_free char *line = NULL;
	size_t room = 0;
	int rc = 0;

	if (!file)
		return errno == ENOENT ? 0 : layerblk_error_set(conf->err, errno, "read the configuration", conf->path, "%s", strerror(errno));
	while (!rc && getline(&line, &room, file) >= 0) {
		conf->line++;
		rc = take_line(conf, line);
	}
	if (!rc && ferror(file))
		rc = layerblk_error_set(conf->err, EIO, "read the configuration", conf->path, "%s", strerror(EIO));
	return rc;
}

int conf_get(const char *path, const char *key, char **value, struct layerblk_error *err)
{
	struct conf conf = { .path = path ? path : CONF_PATH, .err = err };
	int rc = load(&conf);

	*value = NULL;
	for (size_t i = 0; i < KEYS; i++) {
		if (!rc && strcmp(keys[i].name, key) == 0)
			*value = take_ptr(conf.values[i]);
		free(conf.values[i]);
	}
	return rc;
}
