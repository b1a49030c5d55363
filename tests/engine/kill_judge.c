// SPDX-License-Identifier: GPL-2.0
/* What the parent does after a kill (see kill.h): the checker, opening, and comparing with what was noted. */
#include <stdlib.h>

#include "check.h"
#include "kill.h"
#include "pool_priv.h"

bool kill_complain(struct kill_shared *sh, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sh->complaint, sizeof(sh->complaint), fmt, ap);
	va_end(ap);
	return false;
}

/* ------------------------------------------------------------------ content */

struct tag {
	u64 magic, at;
	u32 uid, version;
	u32 fill[(SECTOR_BYTES - 24) / 4];
};

#define TAG_MAGIC 0x6b696c6c6d61726bull

void kill_fill(u8 *sector, u32 uid, u64 at, u32 version)
{
	struct tag t = { .magic = TAG_MAGIC, .at = at, .uid = uid, .version = version };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t.fill); i++)
		t.fill[i] = version * 2654435761u + uid + i;
	memcpy(sector, &t, SECTOR_BYTES);
}

void kill_name(char name[32], u32 uid)
{
	snprintf(name, 32, "k%u", uid);
}

void kill_attr(u32 *value, u32 uid, u32 version)
{
	unsigned int i;

	for (i = 0; i < KILL_ATTR_WORDS; i++)
		value[i] = uid * 31 + version;
	value[0] = version;
}

bool kill_version(struct kill_shared *sh, const struct kill_slot *s, u64 at, const u8 *sector, u32 *version)
{
	static const u8 zeros[SECTOR_BYTES];
	u8 want[SECTOR_BYTES];
	struct tag t;
	u32 i;

	*version = 0;
	if (!memcmp(sector, zeros, SECTOR_BYTES))
		return true;
	memcpy(&t, sector, SECTOR_BYTES);
	kill_fill(want, t.uid, at, t.version);
	for (i = 0; i < s->generations; i++)
		if (s->lineage[i] == t.uid && !memcmp(sector, want, SECTOR_BYTES)) {
			*version = t.version;
			return true;
		}
	return kill_complain(sh, "volume k%u, sector %llu: holds %016llx of volume k%u, sector %llu, version %u", s->uid, (unsigned long long)at,
			     (unsigned long long)t.magic, t.uid, (unsigned long long)t.at, t.version);
}

bool kill_torn(const struct kill_slot *s, u64 at, const u8 *sector)
{
	struct tag t;
	u32 i;

	memcpy(&t, sector, SECTOR_BYTES);
	for (i = 0; i < s->generations && s->lineage[i] != t.uid; i++)
		;
	return t.magic == TAG_MAGIC && t.at == at && i < s->generations;
}

/* ------------------------------------------------------------------ one volume */

static bool within(const struct kill_bounds *b, u64 at, u32 version)
{
	u32 first = b->durable[at], last = b->submitted[at];

	if (version)
		return version >= first && version <= last;
	return kill_is_zeros(first) || b->discarded[at] > first;
}

static bool read_all(struct kill_shared *sh, struct host *h, const struct kill_slot *s, u64 id, u32 *versions)
{
	u8 *buf = malloc(KILL_BLOCKS * LB_BLOCK_BYTES);
	struct disk d;
	bool ok = true;
	u64 at;
	int err = disk_open(h, id, &d);

	if (!err) {
		err = disk_read(&d, 0, KILL_SECTORS, buf);
		disk_close(&d);
	}
	if (err)
		ok = kill_complain(sh, "volume k%u: reading: error %d", s->uid, err);
	for (at = 0; at < KILL_SECTORS && ok; at++)
		ok = kill_version(sh, s, at, buf + at * SECTOR_BYTES, &versions[at]);
	free(buf);
	return ok;
}

static bool judge_bounds(struct kill_shared *sh, const struct kill_slot *s, const struct kill_bounds *b, const u32 *versions)
{
	u64 at;

	for (at = 0; at < KILL_SECTORS; at++) {
		if (!within(b, at, versions[at]))
			return kill_complain(sh, "volume k%u%s, sector %llu: holds version %u; durable %u, acknowledged %u, submitted %u, discarded %u",
					     s->uid, s->frozen ? " (frozen)" : "", (unsigned long long)at, versions[at], b->durable[at],
					     b->acked[at], b->submitted[at], b->discarded[at]);
		if (s->frozen && s->seen[at] && s->seen[at] != versions[at] + 1)
			return kill_complain(sh, "frozen volume k%u, sector %llu: holds version %u, held %u before", s->uid, (unsigned long long)at,
					     versions[at], s->seen[at] - 1);
	}
	return true;
}

/* What was found is what it holds. */
static void settle(struct kill_slot *s, const u32 *versions)
{
	u64 at;

	for (at = 0; at < KILL_SECTORS; at++) {
		s->b.durable[at] = s->b.acked[at] = s->b.submitted[at] = versions[at];
		s->b.discarded[at] = 0;
		s->seen[at] = s->frozen ? versions[at] + 1 : 0;
	}
	s->frozen_asked = s->frozen;
	s->made_from = s->rolling_to = 0;
	s->state = KILL_LIVE;
}

static bool judge_attr(struct kill_shared *sh, struct host *h, struct kill_slot *s, u64 id)
{
	u32 value[KILL_ATTR_WORDS] = { 0 }, want[KILL_ATTR_WORDS], len = sizeof(value);
	int err = lb_attr_get(h->pool, id, "key", 3, value, &len);

	if (err == -ENOENT) {
		if (!kill_is_zeros(s->attr) && !(s->attr_asked > s->attr && s->attr_asked & 1))
			return kill_complain(sh, "volume k%u has lost its attribute of version %u", s->uid, s->attr);
		s->attr = s->attr_asked = 0;
		return true;
	}
	kill_attr(want, s->uid, value[0]);
	if (err || len != sizeof(value) || memcmp(value, want, len) || (value[0] != s->attr && value[0] != s->attr_asked) || value[0] & 1)
		return kill_complain(sh, "volume k%u: attribute: error %d, version %u; set %u, asked for %u", s->uid, err, value[0], s->attr,
				     s->attr_asked);
	s->attr = s->attr_asked = value[0];
	return true;
}

static bool judge_live(struct kill_shared *sh, struct host *h, struct kill_slot *s, u64 id, u32 *versions)
{
	struct lb_vol_stat st;
	bool ok;
	int err = lb_vol_stat(h->pool, id, false, &st);

	if (err || st.size_blocks != KILL_BLOCKS)
		return kill_complain(sh, "volume k%u: error %d", s->uid, err);
	if (s->state != KILL_MAKING && !st.frozen != !s->frozen && !st.frozen != !s->frozen_asked)
		return kill_complain(sh, "volume k%u: frozen %llu, not %u", s->uid, (unsigned long long)st.frozen, s->frozen);
	s->frozen = st.frozen != 0;
	ok = read_all(sh, h, s, id, versions) && judge_attr(sh, h, s, id);
	if (ok && s->rolling_to) {
		/* The one or the other, and not some of both. */
		struct kill_slot *to = &sh->slots[s->rolling_to - 1];

		ok = judge_bounds(sh, s, &s->b, versions) || judge_bounds(sh, s, &to->b, versions);
	} else if (ok) {
		ok = judge_bounds(sh, s, &s->b, versions);
	}
	if (ok)
		settle(s, versions);
	return ok;
}

static bool judge_slot(struct kill_shared *sh, struct host *h, struct kill_slot *s, u32 *versions)
{
	char name[32];
	u64 id, at;
	int err;

	if (s->state == KILL_FREE)
		return true;
	kill_name(name, s->uid);
	err = lb_vol_find(h->pool, name_of(name), &id);
	if (err == -ENOENT && s->state != KILL_LIVE) {
		s->state = KILL_FREE;
		return true;
	}
	if (err)
		return kill_complain(sh, "volume k%u is not there: error %d", s->uid, err);
	/* A snapshot on its way: cut at some moment from the request on. */
	for (at = 0; s->made_from && at < KILL_SECTORS; at++) {
		s->b.submitted[at] = sh->slots[s->made_from - 1].b.submitted[at];
		s->b.discarded[at] = sh->slots[s->made_from - 1].b.discarded[at];
	}
	return judge_live(sh, h, s, id, versions);
}

/* ------------------------------------------------------------------ the whole */

static void take_finding(void *arg, const struct lbck_finding *f)
{
	struct kill_shared *sh = arg;

	if (f->severity != LBCK_NOTE)
		kill_complain(sh, "the checker: LB-%04u %s: %s", f->id, f->what, f->text);
}

static bool check_file(struct kill_shared *sh, struct port_dev *dev)
{
	struct lbck_opts opts = { .limit = 3 };
	struct lbck_summary sum;
	int err = lbck_check(dev, &opts, take_finding, sh, &sum);

	return err ? kill_complain(sh, "the checker: error %d", err) : !sum.remaining;
}

static bool judge_pool(struct kill_shared *sh, struct host *h)
{
	u32 *versions = malloc(KILL_SECTORS * sizeof(*versions));
	unsigned int i, live = 0, listed = 0;
	bool ok = true;
	u64 id = 0;

	/* Those that others get their content from come last: their bounds are needed. */
	for (i = 0; i < KILL_SLOTS && ok; i++)
		if (sh->slots[i].made_from || sh->slots[i].rolling_to)
			ok = judge_slot(sh, h, &sh->slots[i], versions);
	for (i = 0; i < KILL_SLOTS && ok; i++) {
		ok = judge_slot(sh, h, &sh->slots[i], versions);
		live += sh->slots[i].state == KILL_LIVE;
	}
	while (!lb_vol_next(h->pool, id, false, &id))
		listed++;
	if (ok && listed != live)
		ok = kill_complain(sh, "%u volumes are listed, %u are known", listed, live);
	free(versions);
	return ok;
}

bool kill_judge(struct kill_shared *sh, const struct kill_opts *opts)
{
	struct port_dev *dev;
	struct host h;
	bool ok;
	int err;

	dev = port_file_open(opts->path, false, &err);
	if (!dev)
		return kill_complain(sh, "%s: error %d", opts->path, err);
	ok = check_file(sh, dev);
	if (ok) {
		host_init(&h, dev);
		err = host_open(&h, 0);
		ok = err ? kill_complain(sh, "opening the pool: error %d", err) : judge_pool(sh, &h);
		if (!err && !ok)
			host_abandon(&h);
		else if (!err && host_close(&h))
			ok = kill_complain(sh, "closing the pool");
	}
	ok = ok && check_file(sh, dev);
	port_file_close(dev);
	return ok;
}
