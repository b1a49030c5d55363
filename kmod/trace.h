/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints on the slow path (events/layerblk): why a bio left the fast one, what a flush and a commit cost. The remap of a bio on
 * the fast path is block:block_bio_remap, as for every stacking driver.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM layerblk

#if !defined(LBK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define LBK_TRACE_H

#include <linux/tracepoint.h>

#include "disk.h"

/* A bio that has to wait; why: LBK_HELD or a negative errno of the engine. */
DECLARE_EVENT_CLASS(lbk_bio_class,
	TP_PROTO(struct lbk_disk *disk, struct bio *bio, int why),
	TP_ARGS(disk, bio, why),
	TP_STRUCT__entry(
		__field(int, disk)
		__field(u64, volume)
		__field(u64, sector)
		__field(unsigned int, sectors)
		__field(unsigned int, op)
		__field(int, why)
	),
	TP_fast_assign(
		__entry->disk = disk->index;
		__entry->volume = disk->id;
		__entry->sector = bio->bi_iter.bi_sector;
		__entry->sectors = bio_sectors(bio);
		__entry->op = (__force unsigned int)bio_op(bio);
		__entry->why = why;
	),
	TP_printk("layerblk%d volume %llu op %u sector %llu + %u why %d", __entry->disk, __entry->volume, __entry->op,
		  __entry->sector, __entry->sectors, __entry->why)
);

DEFINE_EVENT(lbk_bio_class, lbk_slow,
	TP_PROTO(struct lbk_disk *disk, struct bio *bio, int why),
	TP_ARGS(disk, bio, why));

DEFINE_EVENT(lbk_bio_class, lbk_room,
	TP_PROTO(struct lbk_disk *disk, struct bio *bio, int why),
	TP_ARGS(disk, bio, why));

TRACE_EVENT(lbk_flush,
	TP_PROTO(struct lbk_disk *disk, bool journal, int error),
	TP_ARGS(disk, journal, error),
	TP_STRUCT__entry(
		__field(int, disk)
		__field(bool, journal)
		__field(int, error)
	),
	TP_fast_assign(
		__entry->disk = disk->index;
		__entry->journal = journal;
		__entry->error = error;
	),
	TP_printk("layerblk%d %s error %d", __entry->disk, __entry->journal ? "journal" : "device", __entry->error)
);

DECLARE_EVENT_CLASS(lbk_disk_class,
	TP_PROTO(struct lbk_disk *disk),
	TP_ARGS(disk),
	TP_STRUCT__entry(
		__field(int, disk)
		__field(u64, volume)
	),
	TP_fast_assign(
		__entry->disk = disk->index;
		__entry->volume = disk->id;
	),
	TP_printk("layerblk%d volume %llu", __entry->disk, __entry->volume)
);

/* The volume stands still: nothing is in flight. */
DEFINE_EVENT(lbk_disk_class, lbk_hold, TP_PROTO(struct lbk_disk *disk), TP_ARGS(disk));
DEFINE_EVENT(lbk_disk_class, lbk_resume, TP_PROTO(struct lbk_disk *disk), TP_ARGS(disk));

DECLARE_EVENT_CLASS(lbk_pool_class,
	TP_PROTO(struct lbk_pool *pool),
	TP_ARGS(pool),
	TP_STRUCT__entry(
		__array(u8, uuid, 16)
	),
	TP_fast_assign(
		memcpy(__entry->uuid, pool->uuid, 16);
	),
	TP_printk("pool %pU", __entry->uuid)
);

/* The background's turn: commits, deletions, collapses, scrub. */
DEFINE_EVENT(lbk_pool_class, lbk_commit_begin, TP_PROTO(struct lbk_pool *pool), TP_ARGS(pool));
DEFINE_EVENT(lbk_pool_class, lbk_commit_end, TP_PROTO(struct lbk_pool *pool), TP_ARGS(pool));
DEFINE_EVENT(lbk_pool_class, lbk_reclaim_begin, TP_PROTO(struct lbk_pool *pool), TP_ARGS(pool));
DEFINE_EVENT(lbk_pool_class, lbk_reclaim_end, TP_PROTO(struct lbk_pool *pool), TP_ARGS(pool));

#endif /* LBK_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
