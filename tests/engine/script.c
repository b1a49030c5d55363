// SPDX-License-Identifier: GPL-2.0
/* Scripts: their text, and making them shorter. One table row says all there is about an operation's form. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

/* Names of arguments; NULL: the operation has none such. Labels are always vol= and to=, the cut is always cut= and cut-seed=. */
struct form {
	const char *name;
	const char *at, *count;
	const char *flags[2];		/* by bit */
};

static const struct form forms[OP_KINDS] = {
	[OP_WRITE] = { "write", "sector", "count", { "fua", "preflush" } },
	[OP_SCATTER] = { "scatter", NULL, NULL, { NULL } },
	[OP_ZERO] = { "zero", "sector", "count", { NULL } },
	[OP_DISCARD] = { "discard", "block", "count", { NULL } },
	[OP_FLUSH] = { "flush", NULL, NULL, { NULL } },
	[OP_BEGIN] = { "begin", "block", "count", { NULL } },
	[OP_END] = { "end", NULL, NULL, { NULL } },
	[OP_READ] = { "read", NULL, NULL, { NULL } },
	[OP_CREATE] = { "create", "blocks", "quota", { NULL } },
	[OP_SNAPSHOT] = { "snapshot", NULL, NULL, { "frozen" } },
	[OP_FREEZE] = { "freeze", NULL, NULL, { NULL } },
	[OP_REMOVE] = { "remove", NULL, NULL, { NULL } },
	[OP_ROLLBACK] = { "rollback", NULL, NULL, { NULL } },
	[OP_RESIZE] = { "resize", "blocks", NULL, { NULL } },
	[OP_RENAME] = { "rename", NULL, "quota", { "set-quota" } },
	[OP_ATTR] = { "attr", "key", "bytes", { "delete" } },
	[OP_COMMIT] = { "commit", NULL, NULL, { NULL } },
	[OP_STEP] = { "step", NULL, NULL, { NULL } },
	[OP_WORK] = { "work", "ms", NULL, { "commit", "reclaim" } },
	[OP_BACKGROUND] = { "background", NULL, NULL, { NULL } },
	[OP_GROW] = { "grow", "blocks", NULL, { NULL } },
	[OP_DIFF] = { "diff", NULL, NULL, { NULL } },
	[OP_SCRUB] = { "scrub", NULL, NULL, { NULL } },
	[OP_SHRINK_CACHE] = { "shrink-cache", NULL, "nodes", { NULL } },
	[OP_VERIFY] = { "verify", NULL, NULL, { NULL } },
	[OP_REOPEN] = { "reopen", NULL, NULL, { NULL } },
	[OP_POWER_CUT] = { "power-cut", NULL, NULL, { NULL } },
};

const char *script_kind_name(enum script_kind kind)
{
	return forms[kind].name;
}

/* ------------------------------------------------------------------ the list */

void script_add(struct script *s, const struct script_op *op)
{
	if (s->count == s->room) {
		s->room = s->room ? s->room * 2 : 32;
		s->ops = realloc(s->ops, s->room * sizeof(*s->ops));
		assert(s->ops);
	}
	s->ops[s->count++] = *op;
}

void script_add_all(struct script *s, const struct script *more)
{
	size_t i;

	for (i = 0; i < more->count; i++)
		script_add(s, &more->ops[i]);
}

void script_clear(struct script *s)
{
	free(s->ops);
	memset(s, 0, sizeof(*s));
}

/* ------------------------------------------------------------------ text */

#define OP_TEXT	200u

struct out {
	char *buf;
	size_t n, at;
};

static void put(struct out *o, const char *key, u64 value)
{
	if (o->at < o->n)
		o->at += (size_t)snprintf(o->buf + o->at, o->n - o->at, " %s=%llu", key, (unsigned long long)value);
}

void script_op_text(const struct script_op *op, char *buf, size_t n)
{
	const struct form *f = &forms[op->kind];
	struct out o = { .buf = buf, .n = n };
	unsigned int i;

	o.at = (size_t)snprintf(buf, n, "%s", f->name);
	if (op->vol)
		put(&o, "vol", op->vol);
	if (op->to)
		put(&o, "to", op->to);
	if (f->at)
		put(&o, f->at, op->at);
	if (f->count)
		put(&o, f->count, op->count);
	for (i = 0; i < ARRAY_SIZE(f->flags); i++)
		if ((op->flags & (1u << i)) && f->flags[i] && o.at < n)
			o.at += (size_t)snprintf(buf + o.at, n - o.at, " %s", f->flags[i]);
	if (op->seed)
		put(&o, "seed", op->seed);
	if (op->cut) {
		put(&o, "cut", op->cut);
		put(&o, "cut-seed", op->cut_seed);
	}
}

void script_print(const struct script *s, FILE *to)
{
	char text[OP_TEXT];
	size_t i;

	for (i = 0; i < s->count; i++) {
		script_op_text(&s->ops[i], text, sizeof(text));
		fprintf(to, "%s%s", i ? "; " : "", text);
	}
}

static bool parse_value(struct script_op *op, const struct form *f, const char *key, const char *text)
{
	char *end;
	u64 value = strtoull(text, &end, 0);

	if (!*text || *end)
		return false;
	if (!strcmp(key, "vol"))
		op->vol = (u32)value;
	else if (!strcmp(key, "to"))
		op->to = (u32)value;
	else if (!strcmp(key, "seed"))
		op->seed = value;
	else if (!strcmp(key, "cut"))
		op->cut = value;
	else if (!strcmp(key, "cut-seed"))
		op->cut_seed = value;
	else if (f->at && !strcmp(key, f->at))
		op->at = value;
	else if (f->count && !strcmp(key, f->count))
		op->count = value;
	else
		return false;
	return true;
}

static bool parse_word(struct script_op *op, char *word)
{
	const struct form *f = &forms[op->kind];
	char *value = strchr(word, '=');
	unsigned int i;

	if (value) {
		*value++ = 0;
		return parse_value(op, f, word, value);
	}
	for (i = 0; i < ARRAY_SIZE(f->flags); i++)
		if (f->flags[i] && !strcmp(word, f->flags[i])) {
			op->flags |= 1u << i;
			return true;
		}
	return false;
}

static bool parse_op(struct script *s, char *text)
{
	struct script_op op = { .kind = OP_KINDS };
	char *save = NULL, *word;
	unsigned int i;

	for (word = strtok_r(text, " \t\n", &save); word; word = strtok_r(NULL, " \t\n", &save)) {
		if (op.kind != OP_KINDS) {
			if (!parse_word(&op, word)) {
				fprintf(stderr, "script: %s does not take \"%s\"\n", forms[op.kind].name, word);
				return false;
			}
			continue;
		}
		for (i = 0; i < OP_KINDS && strcmp(forms[i].name, word); i++)
			;
		if (i == OP_KINDS) {
			fprintf(stderr, "script: there is no operation \"%s\"\n", word);
			return false;
		}
		op.kind = i;
	}
	if (op.kind != OP_KINDS)
		script_add(s, &op);
	return true;
}

bool script_parse(struct script *s, const char *text)
{
	char *copy = strdup(text), *save = NULL, *part;
	bool ok = true;

	assert(copy);
	for (part = strtok_r(copy, ";", &save); part && ok; part = strtok_r(NULL, ";", &save))
		ok = parse_op(s, part);
	free(copy);
	return ok;
}

/* ------------------------------------------------------------------ shorter */

/* Without [from, from + n). */
static void without(const struct script *s, size_t from, size_t n, struct script *out)
{
	size_t i;

	out->count = 0;
	for (i = 0; i < s->count; i++)
		if (i < from || i >= from + n)
			script_add(out, &s->ops[i]);
}

void script_reduce(struct script *s, size_t fixed, bool (*fails)(void *arg, const struct script *s), void *arg, unsigned int tries)
{
	struct script shorter = { 0 };
	size_t n, from;

	for (n = (s->count - fixed + 1) / 2; n; n = n == 1 ? 0 : (n + 1) / 2) {
		for (from = fixed; from < s->count && tries; tries--) {
			without(s, from, min_t(size_t, n, s->count - from), &shorter);
			if (fails(arg, &shorter)) {
				s->count = 0;
				script_add_all(s, &shorter);
			} else {
				from += n;
			}
		}
	}
	script_clear(&shorter);
}
