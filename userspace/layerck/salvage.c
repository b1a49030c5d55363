// SPDX-License-Identifier: GPL-2.0
/*
 * Salvage: what is left of a pool that a repair cannot mend, as a pool that opens.
 *
 * The new state is made on an overlay, above the device: trees and catalog from what can be read (salvage_*.c), then a
 * repair of that, which makes bitmaps, region table and counters anew, then a judgement of the outcome. Only when that
 * finds nothing is it written, in the order of a commit: what is new goes where nothing of the old state is (asserted for each
 * block, below), then the superblock of the same generation, its primary copy first. So a power cut leaves the old state or
 * the new one, and a salvage that was cut off can be run again.
 *
 * The journal is kept if the new state can take it. If not, what was written since the last commit is lost, too.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "overlay.h"
#include "salvage.h"

struct losses {
	struct lbck_loss *list;
	size_t count, room;
	bool no_memory;
};

struct attempt {
	struct salvage s;
	struct overlay *overlay;
	struct ck ck;
	struct lbck_summary sum;
	struct blockset before;		/* what the old state uses */
	struct losses losses;
};

/* ------------------------------------------------------------------ telling */

static struct losses *losses_of(struct salvage *s)
{
	return &((struct attempt *)((char *)s - offsetof(struct attempt, s)))->losses;
}

static void add_loss(struct losses *l, const struct lbck_loss *loss)
{
	if (ck_grow(&l->list, &l->room, l->count, sizeof(*l->list)))
		l->no_memory = true;
	else
		l->list[l->count++] = *loss;
}

static int part_text(const struct part *p, char *buf, size_t size)
{
	if (!p)
		return snprintf(buf, size, "the pool: ");
	if (p->name_len)
		return snprintf(buf, size, "volume %llu \"%.*s\": ", (unsigned long long)p->id, (int)p->name_len, p->name);
	return snprintf(buf, size, "volume %llu: ", (unsigned long long)p->id);
}

void salvage_tell(struct salvage *s, enum lbck_loss_kind kind, const struct part *p, const char *fmt, ...)
{
	struct lbck_loss loss = { .kind = kind, .volume = p ? p->id : 0 };
	int len = part_text(p, loss.text, sizeof(loss.text));
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(loss.text + len, sizeof(loss.text) - (size_t)len, fmt, ap);
	va_end(ap);
	ck_make_plain(loss.text);
	add_loss(losses_of(s), &loss);
}

void salvage_tell_range(struct salvage *s, const struct part *p, const struct range *r)
{
	struct lbck_loss loss = { .kind = LBCK_LOSS_RANGE, .volume = p->id, .lblk = r->lo, .count = r->hi - r->lo };
	int len = part_text(p, loss.text, sizeof(loss.text));

	snprintf(loss.text + len, sizeof(loss.text) - (size_t)len,
		 "bytes %llu to %llu (%.3f GiB) are lost, as far as anything was there; they read as zeros",
		 (unsigned long long)(r->lo * LB_BLOCK_BYTES), (unsigned long long)(r->hi * LB_BLOCK_BYTES - 1),
		 (double)loss.count * LB_BLOCK_BYTES / (1u << 30));
	ck_make_plain(loss.text);
	add_loss(losses_of(s), &loss);
}

static int cmp_u64(const void *a, const void *b)
{
	u64 x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

static int tell_journal(struct salvage *s)
{
	const struct ck_journal *j = &s->ck->journal;
	u64 *ids = calloc(j->count + 1, sizeof(*ids));
	size_t i, n = 0, k;

	if (!ids)
		return -ENOMEM;
	for (i = 0; i < j->count; i++)
		if (j->entries[i].map)
			ids[n++] = j->entries[i].volume;
	qsort(ids, n, sizeof(*ids), cmp_u64);
	salvage_tell(s, LBCK_LOSS_JOURNAL, NULL, "what the journal holds cannot be kept: %llu changes since the last commit are lost",
		     (unsigned long long)j->count);
	for (i = 0; i < n; i = k) {
		for (k = i; k < n && ids[k] == ids[i]; k++)
			;
		salvage_tell(s, LBCK_LOSS_JOURNAL, salvage_part(s, ids[i]), "%llu writes since the last commit, to volume %llu, are lost",
			     (unsigned long long)(k - i), (unsigned long long)ids[i]);
	}
	free(ids);
	return 0;
}

/* ------------------------------------------------------------------ making it */

/* No record of this ring is the next one any more, whatever life it is of. */
static void drop_journal(struct ck *ck)
{
	/* An id is never given twice, and a record that cannot be read may have given some: each takes more than 256 bytes. */
	u64 given = le64_to_cpu(ck->sb->journal_blocks) * (LB_BLOCK_BYTES / 256);

	ck->sb->next_volume = cpu_to_le64(le64_to_cpu(ck->sb->next_volume) + given);
	ck->sb->journal_epoch = cpu_to_le64(le64_to_cpu(ck->sb->journal_epoch) + (1u << 20));
	ck->sb->journal_pos = 0;
	ck->sb->journal_seq = cpu_to_le64(1);
	ck->sb->journal_prev = 0;
}

static int make(struct attempt *a, bool journal)
{
	struct salvage *s = &a->s;
	int err = blockset_init(&s->grafted, a->ck.total);

	if (!err)
		err = ck_name_blocks(&a->ck);
	s->whole_pool = a->ck.twice_count > 0;
	if (!err && s->out->scan)
		err = salvage_scan(s);
	if (!err)
		err = salvage_items(s);
	if (!err)
		err = salvage_maps(s);
	if (!err && !journal) {
		err = tell_journal(s);
		drop_journal(&a->ck);
	}
	if (!err)
		err = salvage_write_catalog(s);
	return !err && a->ck.no_memory ? -ENOMEM : err;
}

/* What is wrong, but for the newer superblock that is given up: it goes with the first commit. */
static void count_wrong(void *arg, const struct lbck_finding *f)
{
	u64 *wrong = arg;

	*wrong += f->severity != LBCK_NOTE && f->id != LBCK_SUPER_FALLBACK;
}

/* A look at the overlay, which repairs or does not. */
static int look(struct attempt *a, const struct lbck_opts *opts, bool repair, u64 *wrong)
{
	struct lbck_opts quiet = { .repair = repair, .fallback = opts->fallback };
	struct ck *ck = port_alloc(sizeof(*ck), PORT_WAIT);
	struct lbck_summary sum = { 0 };
	int err;

	if (!ck)
		return -ENOMEM;
	*wrong = 0;
	*ck = (struct ck){ .dev = overlay_dev(a->overlay), .opts = &quiet, .sum = &sum, .report = count_wrong,
			   .report_arg = wrong, .keep_off = { &a->before, &a->ck.lost } };
	err = ck_begin(ck);
	if (!err)
		err = ck_look(ck);
	if (!err && repair && ck->total && ck_anything_to_fix(&ck->fixes))
		err = ck_repair(ck);
	ck_end(ck);
	port_free(ck);
	return err < 0 ? err : 0;
}

static int prove(struct attempt *a, const struct lbck_opts *opts)
{
	u64 wrong;
	int err = look(a, opts, true, &wrong);

	if (!err)
		err = look(a, opts, false, &wrong);
	return err ? err : wrong ? -EUCLEAN : 0;
}

static int copy_used(struct attempt *a)
{
	int err = blockset_init(&a->before, a->ck.total);
	u64 b;

	for (b = 0; b < a->ck.total && err >= 0; b++) {
		if (!a->ck.used.bits[b / LB_REGION_BLOCKS])
			b += LB_REGION_BLOCKS - 1 - b % LB_REGION_BLOCKS;
		else if (blockset_has(&a->ck.used, b))
			err = blockset_add(&a->before, b);
	}
	return err < 0 ? err : 0;
}

static void attempt_end(struct attempt *a)
{
	salvage_free(&a->s);
	ck_end(&a->ck);
	blockset_free(&a->before);
	overlay_free(a->overlay);
	free(a->losses.list);
	port_free(a);
}

/* 0, *out is the state to be; -EUCLEAN: not this way; or an error. */
static int attempt(struct port_dev *dev, const struct lbck_opts *opts, struct lbck_salvage *salvage, bool journal,
		   struct attempt **out)
{
	static const struct lbck_opts none;
	struct attempt *a = port_alloc(sizeof(*a), PORT_WAIT);
	int err;

	if (!a)
		return -ENOMEM;
	*out = a;
	a->overlay = overlay_new(dev);
	if (!a->overlay)
		return -ENOMEM;
	a->ck = (struct ck){ .dev = overlay_dev(a->overlay), .opts = &none, .sum = &a->sum };
	if (opts->fallback)
		a->ck.opts = opts;
	a->s = (struct salvage){ .ck = &a->ck, .out = salvage };
	salvage->volumes = 0;
	salvage->lost_blocks = 0;
	err = ck_begin(&a->ck);
	if (!err)
		err = ck_look(&a->ck);
	if (!err && !a->ck.total)
		err = -EUCLEAN;
	if (!err)
		err = copy_used(a);
	if (!err)
		err = make(a, journal);
	if (!err)
		err = prove(a, opts);
	return !err && a->losses.no_memory ? -ENOMEM : err;
}

/* ------------------------------------------------------------------ writing it */

static bool is_super(const struct ck *ck, u64 block)
{
	u64 mirror = le64_to_cpu(ck->sb->mirror_block);

	return block < LB_SUPER_SLOTS || (block >= mirror && block < mirror + LB_SUPER_SLOTS);
}

/* Nothing of the old state, but a bitmap slot that does not count and a damaged copy written like its twin. */
static bool may_write(const struct attempt *a, u64 block)
{
	const struct ck *ck = &a->ck;
	u64 region = block / LB_REGION_BLOCKS;
	size_t i;

	if (!blockset_has(&a->before, block) && !blockset_has(&ck->lost, block))
		return true;
	for (i = 0; i < ck->fixes.copy_count; i++)
		if (ck->fixes.copies[i].bad == block)
			return true;
	if (region >= region_count(ck->total) || (block != LB_BITMAP_BLOCK(region, 0) && block != LB_BITMAP_BLOCK(region, 1)))
		return false;
	return !ck->regions[region].known || ck->regions[region].slot > 1 ||
	       block != LB_BITMAP_BLOCK(region, ck->regions[region].slot);
}

struct apply {
	struct attempt *a;
	struct port_dev *dev;
};

static int check_block(void *arg, u64 block, const void *data)
{
	struct apply *ap = arg;

	(void)data;
	return is_super(&ap->a->ck, block) || may_write(ap->a, block) ? 0 : -EUCLEAN;
}

static int write_one(struct port_dev *dev, u64 block, const void *data, unsigned int flags)
{
	void *buf = port_alloc_block(PORT_WAIT);
	int err;

	if (!buf)
		return -ENOMEM;
	memcpy(buf, data, LB_BLOCK_BYTES);
	err = port_write(dev, block, &buf, 1, flags);
	port_free_block(buf);
	return err;
}

static int write_block(void *arg, u64 block, const void *data)
{
	struct apply *ap = arg;

	return is_super(&ap->a->ck, block) ? 0 : write_one(ap->dev, block, data, 0);
}

static int write_supers(struct attempt *a, struct port_dev *dev)
{
	u64 mirror = le64_to_cpu(a->ck.sb->mirror_block), slot, side;
	int err = 0;

	for (side = 0; side < 2 && !err; side++)
		for (slot = 0; slot < LB_SUPER_SLOTS && !err; slot++) {
			u64 block = (side ? mirror : LB_SUPER_BLOCK) + slot;
			const void *data = overlay_block(a->overlay, block);

			if (data)
				err = write_one(dev, block, data, PORT_PREFLUSH | PORT_FUA);
		}
	return err;
}

static int apply(struct attempt *a, struct port_dev *dev)
{
	struct apply ap = { .a = a, .dev = dev };
	int err = overlay_each(a->overlay, check_block, &ap);

	if (!err)
		err = overlay_each(a->overlay, write_block, &ap);
	if (!err)
		err = port_flush(dev);
	return err ? err : write_supers(a, dev);
}

/* ------------------------------------------------------------------ all of it */

struct first_look {
	lbck_report report;
	void *arg;
};

static void pass_on(void *arg, const struct lbck_finding *f)
{
	struct first_look *l = arg;

	if (!f->remains && l->report)
		l->report(l->arg, f);
}

/* Would a repair do? 1 it would, or nothing is wrong at all; 0 not. */
static int repair_would_do(struct port_dev *dev, const struct lbck_opts *opts, lbck_report report, void *arg,
			   struct lbck_summary *sum)
{
	struct lbck_opts repair = *opts;
	struct first_look first = { .report = report, .arg = arg };
	struct overlay *o = overlay_new(dev);
	int err;

	if (!o)
		return -ENOMEM;
	repair.repair = true;
	err = lbck_check(overlay_dev(o), &repair, pass_on, &first, sum);
	overlay_free(o);
	sum->repaired = false;
	return err ? err : !sum->remaining;
}

static void tell_losses(const struct attempt *a, struct lbck_salvage *salvage)
{
	size_t i;

	salvage->losses = a->losses.count;
	for (i = 0; i < a->losses.count && salvage->on_loss; i++)
		salvage->on_loss(salvage->arg, &a->losses.list[i]);
}

int lbck_salvage(struct port_dev *dev, const struct lbck_opts *opts, struct lbck_salvage *salvage, lbck_report report,
		 void *arg, struct lbck_summary *sum)
{
	struct lbck_opts plain = { .fallback = opts->fallback };
	struct attempt *a = NULL;
	unsigned int drop;
	int err = repair_would_do(dev, opts, report, arg, sum);

	if (err)
		return err < 0 ? err : 0;
	salvage->needed = true;
	err = -EUCLEAN;
	for (drop = 0; drop < 2 && err == -EUCLEAN; drop++) {
		if (a)
			attempt_end(a);
		a = NULL;
		err = attempt(dev, opts, salvage, !drop, &a);
	}
	if (!err) {
		salvage->possible = true;
		tell_losses(a, salvage);
	}
	if (!err && salvage->write) {
		err = apply(a, dev);
		salvage->written = !err;
	}
	if (a)
		attempt_end(a);
	if (err || !salvage->write)
		return err;
	err = lbck_check(dev, &plain, NULL, NULL, sum);
	sum->repaired = true;
	return err;
}
