// SPDX-License-Identifier: GPL-2.0
/* One look at a pool from the superblock to the counters; repairs until there is nothing more to repair, and a last look after them. */
#include <stdlib.h>

#include "ck.h"

static int catalog_item(void *arg, const u8 *key, u32 key_len, const u8 *value, u32 value_len)
{
	return ck_catalog_item(arg, key, key_len, value, value_len);
}

int ck_begin(struct ck *ck)
{
	ck->sb = port_alloc_block(PORT_WAIT);
	ck->cache = ck_cache_alloc();
	ck->memo = ck_memo_alloc();
	ck->cat = (struct ck_catalog){ .ck = ck, .when = "", .committed = true };
	return ck->sb && ck->cache && ck->memo ? 0 : -ENOMEM;
}

void ck_end(struct ck *ck)
{
	port_free_block(ck->sb);
	blockset_free(&ck->used);
	blockset_free(&ck->lost);
	blockset_free(&ck->named);
	blockset_free(&ck->multi);
	free(ck->hurt);
	free(ck->pool_blocks);
	port_free(ck->regions);
	ck_cache_free(ck->cache);
	ck_memo_free(ck->memo);
	ck_catalog_free(&ck->cat);
	ck_journal_free(&ck->journal);
	ck_fixes_free(&ck->fixes);
}

static void summarise(struct ck *ck)
{
	struct lbck_summary *sum = ck->sum;
	size_t i;

	sum->generation = ck->gen;
	sum->total_blocks = ck->total;
	sum->used_blocks = ck->used.count;
	sum->data_blocks = ck->data_blocks;
	sum->meta_blocks = ck->meta_blocks;
	sum->journal_records = ck->journal.records;
	sum->journal_entries = ck->journal.count;
	sum->nodes = ck->catalog_nodes;
	sum->volumes = 0;
	sum->hidden_volumes = 0;
	for (i = 0; i < ck->cat.vol_count; i++) {
		struct ck_vol *v = &ck->cat.vols[i];

		if (v->has_vol && v->state == LB_VOL_DELETED)
			sum->hidden_volumes++;
		else
			sum->volumes++;
	}
}

/* Everything that the format promises, in the order in which one part is needed for the next. */
int ck_look(struct ck *ck)
{
	int err = ck_super(ck);

	if (err)
		return err < 0 ? err : 0;
	err = blockset_init(&ck->used, ck->total);
	if (!err)
		err = blockset_init(&ck->lost, ck->total);
	if (!err)
		err = blockset_init(&ck->multi, ck->total);
	if (!err)
		err = ck_claim_fixed(ck);
	if (!err)
		err = ck_journal_read(ck);
	if (!err)
		err = ck_table(ck);
	ck->table_block_count = ck->pool_block_count;
	if (!err)
		err = ck_catalog_walk(ck, true, catalog_item, &ck->cat);
	if (!err)
		err = ck_catalog_finish(&ck->cat);
	if (!err)
		err = ck_maps(ck);
	if (!err)
		err = ck_tell_twice(ck);
	if (!err)
		err = ck_bitmaps(ck);
	if (!err)
		err = ck_counters_judge(ck);
	if (!err)
		err = ck_replay_judge(ck);
	if (!err && ck->no_memory)
		err = -ENOMEM;
	if (!err)
		summarise(ck);
	return err;
}

bool ck_anything_to_fix(const struct ck_fixes *f)
{
	return f->copy_count || f->edit_count || f->attr_count || f->super_copies || f->space || f->counters;
}

static int look_once(struct port_dev *dev, const struct lbck_opts *opts, lbck_report report, void *arg,
		     struct lbck_summary *sum,
		     bool second, bool *repaired)
{
	struct ck *ck = port_alloc(sizeof(*ck), PORT_WAIT);
	int err;

	if (!ck)
		return -ENOMEM;
	*ck = (struct ck){ .dev = dev, .opts = opts, .report = report, .report_arg = arg, .sum = sum,
			   .second = second };
	err = ck_begin(ck);
	if (!err)
		err = ck_look(ck);
	/* A feature that we do not know and that allows reading only. */
	if (!err && opts->repair && (le64_to_cpu(ck->sb->ro_compat) & ~LB_RO_COMPAT_KNOWN) &&
	    ck_anything_to_fix(&ck->fixes))
		err = -EOPNOTSUPP;
	*repaired = false;
	if (!err && opts->repair && ck->total && ck_anything_to_fix(&ck->fixes)) {
		err = ck_repair(ck);
		*repaired = err > 0;
		err = err > 0 ? 0 : err;
	}
	ck_end(ck);
	port_free(ck);
	return err;
}

#define REPAIRS_MAX	3u		/* one after the other */

int lbck_check(struct port_dev *dev, const struct lbck_opts *opts, lbck_report report, void *arg,
	       struct lbck_summary *sum)
{
	struct lbck_opts last = *opts;
	unsigned int repairs = 0;
	bool again;
	int err;

	memset(sum, 0, sizeof(*sum));
	err = look_once(dev, opts, report, arg, sum, false, &again);
	if (err || !again) {
		sum->remaining = sum->warnings + sum->errors;
		return err;
	}
	sum->repaired = true;
	/* What could not be counted or rebuilt because something was unreadable may be now: nobody should have to ask twice. */
	while (!err && again && ++repairs < REPAIRS_MAX)
		err = look_once(dev, opts, NULL, NULL, sum, true, &again);
	if (err)
		return err;
	sum->remaining = 0;
	last.repair = false;
	return look_once(dev, &last, report, arg, sum, true, &again);
}
