// SPDX-License-Identifier: GPL-2.0
/* Telling what was found: one table (findings.def), counting, the limit on repetition. */
#include <stdarg.h>
#include <stdio.h>

#include "ck.h"

static const struct {
	unsigned int id;
	enum lbck_severity severity;
	const char *name, *what;
} rows[] = {
#define FINDING(id, severity, name, mend, what) { id, LBCK_##severity, #name, what },
#include "findings.def"
#undef FINDING
};

/* Names come from the disk, and the text goes to a terminal. */
void ck_make_plain(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

void ck_tell(struct ck *ck, enum ck_id id, struct ck_where where, const char *fmt, ...)
{
	struct lbck_finding f = { .id = id, .block = where.block, .volume = where.volume,
				  .repairable = where.repairable,
				  .remains = ck->second };
	va_list ap;
	size_t i;

	/* What follows from a look-up that ran out of memory is no finding. */
	if (ck->searching || ck->no_memory)
		return;
	for (i = 0; rows[i].id != (unsigned int)id; i++)
		;
	f.severity = rows[i].severity;
	if (f.severity != LBCK_NOTE && where.volume && !where.repairable) {
		if (ck_grow(&ck->hurt, &ck->hurt_room, ck->hurt_count, sizeof(*ck->hurt))) {
			ck->no_memory = true;
			return;
		}
		ck->hurt[ck->hurt_count++] = where.volume;
	}
	f.name = rows[i].name;
	f.what = rows[i].what;
	if (ck->second) {
		ck->sum->remaining += f.severity != LBCK_NOTE;
	} else {
		ck->sum->notes += f.severity == LBCK_NOTE;
		ck->sum->warnings += f.severity == LBCK_WARNING;
		ck->sum->errors += f.severity == LBCK_ERROR;
		ck->sum->repairable += f.repairable;
	}
	if (!ck->report || (ck->opts->limit && ck->told[id]++ >= ck->opts->limit))
		return;
	va_start(ap, fmt);
	vsnprintf(f.text, sizeof(f.text), fmt, ap);
	va_end(ap);
	ck_make_plain(f.text);
	ck->report(ck->report_arg, &f);
}

const char *ck_vol_text(const struct ck_vol *v, char *buf, size_t size)
{
	if (v->name_len)
		snprintf(buf, size, "volume %llu \"%.*s\"", (unsigned long long)v->id, (int)v->name_len, v->name);
	else
		snprintf(buf, size, "%svolume %llu", v->has_vol && v->state == LB_VOL_DELETED ? "deleted " : "",
			 (unsigned long long)v->id);
	return buf;
}

int lbck_status(const struct lbck_summary *sum)
{
	if (sum->remaining)
		return 4;
	return sum->repaired ? 1 : 0;
}
