// SPDX-License-Identifier: GPL-2.0-or-later
/* See dockerfile.h. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "cleanup.h"
#include "dockerfile.h"

struct parser {
	const char *name;
	struct lines lines;
	struct dockerfile *file;
	struct layerblk_error *err;
};

int dockerfile_error(struct layerblk_error *err, const char *name, int line, const char *format, ...)
{
	char subject[300], why[500];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	snprintf(subject, sizeof(subject), "%.250s:%d", name, line);
	return layerblk_error_set(err, EINVAL, "build from", subject, "%s", why);
}

static int no_memory(const struct parser *parser)
{
	return layerblk_error_set(parser->err, ENOMEM, "build from", parser->name, "no memory");
}

/* ------------------------------------------------------------------ heredocs */

/* "<<EOF", "<<-'EOF'", "3<<EOF" as a word: the parts of it. Gives the length of the name, 0 for none. */
static size_t heredoc_word(const char *word, size_t length, const char **name, bool *tabs, bool *quoted)
{
	size_t at = strspn(word, "0123456789");

	*tabs = *quoted = false;
	if (at + 2 >= length || strncmp(word + at, "<<", 2) != 0)
		return 0;
	at += 2;
	if (word[at] == '-') {
		*tabs = true;
		at++;
	}
	if (at < length && (word[at] == '"' || word[at] == '\'')) {
		if (length - at < 3 || word[length - 1] != word[at])
			return 0;
		*quoted = true;
		at++;
		length--;
	}
	*name = word + at;
	for (size_t i = at; i < length; i++)
		if (!isalnum((unsigned char)word[i]) && !strchr("_.-", word[i]))
			return 0;
	return length - at;
}

/* The length of the word at `at`; quotes hold blanks together. */
static size_t word_length(const char *at, char escape)
{
	char quote = 0;
	size_t i;

	for (i = 0; at[i] && (quote || !isspace((unsigned char)at[i])); i++) {
		if (at[i] == escape && at[i + 1] && quote != '\'')
			i++;
		else if (quote ? at[i] == quote : (at[i] == '"' || at[i] == '\''))
			quote = quote ? 0 : at[i];
	}
	return i;
}

static int append_line(char **content, size_t *used, const char *line, size_t length)
{
	char *larger = realloc(*content, *used + length + 2);

	if (!larger)
		return -ENOMEM;
	*content = larger;
	memcpy(larger + *used, line, length);
	*used += length;
	larger[(*used)++] = '\n';
	larger[*used] = '\0';
	return 0;
}

static int read_heredoc(struct parser *parser, struct instruction *instruction, struct heredoc *heredoc, bool tabs)
{
	size_t length, used = 0;
	const char *line;

	heredoc->content = strdup("");
	if (!heredoc->content)
		return no_memory(parser);
	while (lines_next(&parser->lines, &line, &length)) {
		while (tabs && length && *line == '\t')
			line++, length--;
		if (length == strlen(heredoc->name) && memcmp(line, heredoc->name, length) == 0)
			return 0;
		if (append_line(&heredoc->content, &used, line, length) != 0)
			return no_memory(parser);
	}
	return dockerfile_error(parser->err, parser->name, instruction->line, "the end of the heredoc, a line \"%s\", is missing",
				heredoc->name);
}

static int read_heredocs(struct parser *parser, struct instruction *instruction)
{
	const char *at = instruction->arguments, *name;
	size_t length, name_length;
	bool tabs, quoted;
	int rc = 0;

	for (; !rc && *(at += strspn(at, " \t")); at += length) {
		struct heredoc *more;

		length = word_length(at, parser->lines.escape);
		name_length = heredoc_word(at, length, &name, &tabs, &quoted);
		if (!name_length)
			continue;
		more = reallocarray(instruction->heredocs, instruction->heredoc_count + 1, sizeof(*more));
		if (!more)
			return no_memory(parser);
		instruction->heredocs = more;
		more += instruction->heredoc_count++;
		*more = (struct heredoc){ .name = strndup(name, name_length), .expand = !quoted };
		rc = more->name ? read_heredoc(parser, instruction, more, tabs) : no_memory(parser);
	}
	return rc;
}

/* ------------------------------------------------------------------ instructions */

static const char *const keywords[] = {
	"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD", "RUN",
	"SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
};

static bool keyword_known(const char *keyword)
{
	for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++)
		if (strcmp(keywords[i], keyword) == 0)
			return true;
	return false;
}

static bool has_heredocs(const char *keyword)
{
	return strcmp(keyword, "RUN") == 0 || strcmp(keyword, "COPY") == 0 || strcmp(keyword, "ADD") == 0;
}

/* Leading "--name=value" words; HEALTHCHECK has its own. */
static int take_flags(struct parser *parser, struct instruction *instruction)
{
	const char *at = instruction->text;
	size_t count = 0;

	instruction->flags = calloc(1, sizeof(*instruction->flags));
	if (!instruction->flags)
		return no_memory(parser);
	while (strcmp(instruction->keyword, "HEALTHCHECK") != 0 && strncmp(at, "--", 2) == 0) {
		size_t length = word_length(at, parser->lines.escape);
		char **more = reallocarray(instruction->flags, count + 2, sizeof(*more));

		if (!more)
			return no_memory(parser);
		instruction->flags = more;
		more[count] = strndup(at, length);
		more[count + 1] = NULL;
		if (!more[count])
			return no_memory(parser);
		count++;
		at += length;
		at += strspn(at, " \t");
		if (length == 2)
			break;
	}
	instruction->arguments = strdup(at);
	return instruction->arguments ? 0 : no_memory(parser);
}

static int take_instruction(struct parser *parser, char *line, int number)
{
	struct dockerfile *file = parser->file;
	struct instruction *more = reallocarray(file->instructions, file->count + 1, sizeof(*more));
	size_t length = strcspn(line, " \t");

	if (!more)
		return no_memory(parser);
	file->instructions = more;
	more += file->count++;
	*more = (struct instruction){ .line = number, .keyword = strndup(line, length) };
	line += length;
	more->text = strdup(line + strspn(line, " \t"));
	if (!more->keyword || !more->text)
		return no_memory(parser);
	for (char *c = more->keyword; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	if (!keyword_known(more->keyword))
		return dockerfile_error(parser->err, parser->name, number, "there is no instruction \"%.60s\"", more->keyword);
	if (!*more->text)
		return dockerfile_error(parser->err, parser->name, number, "%s needs arguments", more->keyword);
	if (take_flags(parser, more) != 0)
		return -parser->err->code;
	if (!*more->arguments)
		return dockerfile_error(parser->err, parser->name, number, "%s has flags, but no arguments", more->keyword);
	return has_heredocs(more->keyword) ? read_heredocs(parser, more) : 0;
}

/* ------------------------------------------------------------------ stages */

static bool stage_name_valid(const char *name)
{
	if (!isalpha((unsigned char)*name))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("_.-", *name))
			return false;
	return true;
}

int dockerfile_stage_find(const struct dockerfile *file, const char *text, size_t before)
{
	char *end;
	unsigned long number;

	for (size_t i = before; i-- > 0;)
		if (file->stages[i].name && strcasecmp(file->stages[i].name, text) == 0)
			return (int)i;
	number = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : before;
	return number < before && !*end ? (int)number : -1;
}

/* FROM [--platform=P] IMAGE [AS NAME] */
static int take_stage(struct parser *parser, size_t at)
{
	struct dockerfile *file = parser->file;
	const struct instruction *from = &file->instructions[at];
	char base[512], as[8], name[128], rest[2];
	int words = sscanf(from->arguments, "%511s %7s %127s %1s", base, as, name, rest);
	const char *platform = instruction_flag(from, "platform");
	struct stage *more;

	if (words == 2 || words > 3 || (words == 3 && strcasecmp(as, "AS") != 0))
		return dockerfile_error(parser->err, parser->name, from->line, "FROM is of the form: FROM IMAGE [AS NAME]");
	for (char *c = name; words == 3 && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (words == 3 && !stage_name_valid(name))
		return dockerfile_error(parser->err, parser->name, from->line,
					"\"%s\" cannot name a stage: that is a letter, then letters, digits, '.', '_' or '-'", name);
	if (words == 3 && dockerfile_stage_find(file, name, file->stage_count) >= 0)
		return dockerfile_error(parser->err, parser->name, from->line, "there is a stage \"%s\" already", name);
	more = reallocarray(file->stages, file->stage_count + 1, sizeof(*more));
	if (!more)
		return no_memory(parser);
	file->stages = more;
	more += file->stage_count++;
	*more = (struct stage){ .first = at, .count = 1, .base = strdup(base), .name = words == 3 ? strdup(name) : NULL,
				.platform = platform ? strdup(platform) : NULL };
	return more->base && (words != 3 || more->name) ? 0 : no_memory(parser);
}

static int check_flags(const struct parser *parser, const struct instruction *instruction)
{
	static const struct {
		const char *keyword;
		const char *flags;
	} known[] = {
		{ "FROM", " platform " }, { "COPY", " from chown chmod link " }, { "ADD", " chown chmod link checksum " },
		{ "RUN", " mount network security " },
	};
	const char *allowed = " ";
	char word[40];

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i].keyword, instruction->keyword) == 0)
			allowed = known[i].flags;
	for (size_t i = 0; instruction->flags[i]; i++) {
		const char *flag = instruction->flags[i] + 2;

		snprintf(word, sizeof(word), " %.*s ", (int)(strcspn(flag, "=") < 30 ? strcspn(flag, "=") : 30), flag);
		if (!strstr(allowed, word))
			return dockerfile_error(parser->err, parser->name, instruction->line, "%s has no flag \"--%.60s\"",
						instruction->keyword, flag);
	}
	return 0;
}

static int make_stages(struct parser *parser)
{
	struct dockerfile *file = parser->file;
	int rc = 0;

	for (size_t i = 0; !rc && i < file->count; i++) {
		const struct instruction *instruction = &file->instructions[i];

		rc = check_flags(parser, instruction);
		if (rc)
			return rc;
		if (strcmp(instruction->keyword, "FROM") == 0)
			rc = take_stage(parser, i);
		else if (file->stage_count)
			file->stages[file->stage_count - 1].count++;
		else if (strcmp(instruction->keyword, "ARG") == 0)
			file->globals++;
		else
			rc = dockerfile_error(parser->err, parser->name, instruction->line, "before the first FROM there is only ARG, not %s",
					      instruction->keyword);
	}
	if (!rc && !file->stage_count)
		rc = dockerfile_error(parser->err, parser->name, parser->lines.number ? parser->lines.number : 1, "it has no FROM");
	return rc;
}

/* ------------------------------------------------------------------ the file */

int dockerfile_parse(const char *name, const char *text, size_t size, struct dockerfile *out, struct layerblk_error *err)
{
	struct layerblk_error own = { 0 };
	struct parser parser = { .name = name, .file = out, .err = err ? err : &own };
	char *line;
	bool failed;
	int number, rc;

	memset(out, 0, sizeof(*out));
	if (memchr(text, '\0', size))
		return dockerfile_error(parser.err, name, 1, "it is no text: it has a zero byte");
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)	/* a byte order mark */
		text += 3, size -= 3;
	parser.lines = (struct lines){ .at = text, .end = text + size };
	rc = lines_directives(&parser.lines, name, parser.err);
	out->escape = parser.lines.escape;
	while (!rc && (line = lines_next_joined(&parser.lines, &number, &failed)) != NULL) {
		if (*line)
			rc = take_instruction(&parser, line, number);
		free(line);
	}
	if (!rc && failed)
		rc = no_memory(&parser);
	if (!rc)
		rc = make_stages(&parser);
	if (rc)
		dockerfile_clear(out);
	return rc;
}

const char *instruction_flag(const struct instruction *instruction, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; instruction->flags[i]; i++) {
		const char *flag = instruction->flags[i] + 2;

		if (strncmp(flag, name, length) == 0 && (flag[length] == '=' || !flag[length]))
			return flag + length + (flag[length] == '=');
	}
	return NULL;
}

static void instruction_clear(struct instruction *instruction)
{
	for (size_t i = 0; instruction->flags && instruction->flags[i]; i++)
		free(instruction->flags[i]);
	for (size_t i = 0; i < instruction->heredoc_count; i++) {
		free(instruction->heredocs[i].name);
		free(instruction->heredocs[i].content);
	}
	free(instruction->flags);
	free(instruction->heredocs);
	free(instruction->keyword);
	free(instruction->text);
	free(instruction->arguments);
}

void dockerfile_clear(struct dockerfile *file)
{
	for (size_t i = 0; i < file->count; i++)
		instruction_clear(&file->instructions[i]);
	for (size_t i = 0; i < file->stage_count; i++) {
		free(file->stages[i].base);
		free(file->stages[i].name);
		free(file->stages[i].platform);
	}
	free(file->instructions);
	free(file->stages);
	memset(file, 0, sizeof(*file));
}
