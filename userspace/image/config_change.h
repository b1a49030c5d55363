/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes of an image's config by the instructions of a Dockerfile: what build does for each such line, and import and commit for
 * each --change.
 *
 * CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME, WORKDIR.
 */
#ifndef IMAGE_CONFIG_CHANGE_H
#define IMAGE_CONFIG_CHANGE_H

#include <stdbool.h>
#include <json-c/json.h>
#include <layerblk.h>

/* Whether config_change() knows the instruction, whatever its case. */
bool config_instruction_known(const char *keyword);

/*
 * image is the whole config document; its member "config" is made if missing. arguments is what follows the instruction's name, with
 * lines joined and variables expanded already; escape the character that Dockerfiles escape with ('\\' or '`'). -EINVAL says
 * what is wrong with it; nothing has been changed then.
 */
int config_change(json_object *image, const char *keyword, const char *arguments, char escape, struct layerblk_error *err);

/* One whole --change: "ENV A=b". */
int config_change_line(json_object *image, const char *line, struct layerblk_error *err);

/* ------------------------------------------------------------------ their parts, for build */

/* A JSON list of strings and nothing else ("exec form"), or NULL: then the text is for the shell. */
json_object *config_exec_form(const char *text);

/*
 * Words of a line, with quotes ('...', "...") and the escape character taken away. *words is a NULL-terminated list of malloc()ed
 * texts; config_words_free() it. -EINVAL for a quote that is not closed.
 */
int config_words(const char *text, char escape, char ***words, size_t *count, struct layerblk_error *err);
void config_words_free(char **words);

/* Sets or replaces NAME=value in a list of such texts. */
void config_set_env(json_object *list, const char *name, const char *value);

#endif
