// SPDX-License-Identifier: GPL-2.0
/*
 * A pool's life: format, probe, open, close, failure, policy, growth.
 *
 * Opening: superblock, region table, catalog, replay, and (unless read-only) a commit that starts a new journal epoch, before anything else is
 * written. Until that commit's superblock is durable, opening has changed nothing; a crash in it is a crash before it.
 */
#include "pool_priv.h"
#include "geometry.h"

#define MIN_INTERVAL_MS		100u
#define MAX_INTERVAL_MS		3600000u
#define DEFAULT_INTERVAL_MS	30000u
#define CACHE_BYTES		(64ULL << 20)
#define MEM_LIMIT_MAX		(512u * 1024)
#define STEP_BUDGET		512u	/* leaves in one commit: a few milliseconds of bitmap work, some hundred reads at worst */

/* ------------------------------------------------------------------ small things that every file uses */

int lb_pool_check_writable(struct lb_pool *p)
{
	return p->read_only || READ_ONCE(p->failed) ? -EROFS : 0;
}

void lb_pool_kick(struct lb_pool *p, unsigned int what)
{
	if (p->ops->kick)
		p->ops->kick(p->host, what);
}

void lb_pool_event(struct lb_pool *p, enum lb_event_type type, u64 vol, u64 arg, const char *name)
{
	if (p->ops->event)
		p->ops->event(p->host, type, vol, arg, name);
}

/* The event is sent by the commit work, for this may be any context, with mutexes held. */
void lb_pool_fail(struct lb_pool *p, int error, const char *what)
{
	unsigned long flags = port_spin_lock(&p->lock);
	bool first = !p->failed;

	if (first)
		WRITE_ONCE(p->failed, error);
	port_spin_unlock(&p->lock, flags);
	if (first)
		port_log(PORT_LOG_ERR, "%s failed with error %d: the pool is read-only until it is closed and opened again; what was flushed before is safe",
			 what, error);
	lb_pool_kick(p, LB_KICK_COMMIT);
}

/*
 * What must stay free besides what is charged: rewriting all of the catalog (both copies) and the region table's paths in one commit, and a
 * reserve that only deletion uses.
 */
void lb_pool_set_reserve(struct lb_pool *p)
{
	u64 catalog = 2 * (p->catalog.nodes + p->catalog.nodes / 8 + 8);

	lb_space_set_reserve(p->space, catalog + lb_space_table_worst(p->space) + p->delete_reserve);
}

/* ------------------------------------------------------------------ format */

static u64 journal_size(u64 total)
{
	u64 blocks = total / 32;

	return min_t(u64, max_t(u64, blocks, LB_JOURNAL_MIN_BLOCKS), LB_JOURNAL_MAX_BLOCKS);
}

/* What an empty pool has in use: superblocks, mirrors, the journal, bitmap slots, and a last region too small to be one. */
static u64 fixed_blocks(u64 total, u64 journal)
{
	u64 regions = lb_region_count(total), tail = total % LB_REGION_BLOCKS;

	return 2 * LB_SUPER_SLOTS + journal + 2 * regions + (tail < LB_REGION_TAIL_MIN ? tail : 0);
}

static void format_super(struct lb_super *sb, u64 total, u64 journal, const u8 uuid[16])
{
	memset(sb, 0, sizeof(*sb));
	memcpy(sb->magic, LB_SUPER_MAGIC, sizeof(sb->magic));
	memcpy(sb->uuid, uuid, sizeof(sb->uuid));
	sb->version = cpu_to_le32(LB_FORMAT_VERSION);
	sb->block_size = cpu_to_le32(LB_BLOCK_BYTES);
	sb->created = cpu_to_le64(port_wall_s());
	sb->total_blocks = cpu_to_le64(total);
	sb->mirror_block = cpu_to_le64(total >= 2 * LB_MIRROR_BLOCK_LARGE ? LB_MIRROR_BLOCK_LARGE : LB_MIRROR_BLOCK_SMALL);
	sb->journal_block = cpu_to_le64(LB_JOURNAL_BLOCK);
	sb->journal_blocks = cpu_to_le64(journal);
	sb->journal_epoch = cpu_to_le64(1);
	sb->journal_seq = cpu_to_le64(1);
	sb->next_volume = cpu_to_le64(1);
	sb->commit_interval_ms = cpu_to_le32(DEFAULT_INTERVAL_MS);
	sb->low_water_blocks = cpu_to_le64(total / 20);
	sb->meta_blocks = cpu_to_le64(fixed_blocks(total, journal));
}

/* An earlier pool's superblocks must not outlive this one's making, wherever their mirrors were. */
static int format_write(struct port_dev *dev, struct lb_super *sb)
{
	int err = lb_super_wipe(dev);

	if (!err)
		err = lb_super_write(dev, sb, 1);
	return err;
}

int lb_pool_format(struct port_dev *dev, const struct lb_format_opts *opts, u8 uuid[16])
{
	u64 total = opts->total_blocks ? opts->total_blocks : port_dev_blocks(dev);
	static const u8 none[16];
	struct lb_super *sb;
	u64 journal, mirror;
	u8 id[16];
	int err;

	if (total > LB_POOL_MAX_BLOCKS || total < LB_POOL_MIN_BLOCKS || total > port_dev_blocks(dev))
		return -EINVAL;
	journal = opts->journal_blocks ? opts->journal_blocks : journal_size(total);
	mirror = total >= 2 * LB_MIRROR_BLOCK_LARGE ? LB_MIRROR_BLOCK_LARGE : LB_MIRROR_BLOCK_SMALL;
	if (journal < LB_JOURNAL_MIN_BLOCKS || journal > LB_JOURNAL_MAX_BLOCKS || LB_JOURNAL_BLOCK + journal > mirror)
		return -EINVAL;
	memcpy(id, opts->uuid, sizeof(id));
	if (!memcmp(id, none, sizeof(id))) {
		port_random(id, sizeof(id));
		id[6] = (id[6] & 0x0f) | 0x40;	/* RFC 4122: version 4, variant 1 */
		id[8] = (id[8] & 0x3f) | 0x80;
	}
	sb = port_alloc_block(PORT_WAIT);
	if (!sb)
		return -ENOMEM;
	format_super(sb, total, journal, id);
	err = format_write(dev, sb);
	if (!err)
		memcpy(uuid, id, sizeof(id));
	port_free_block(sb);
	return err;
}

int lb_pool_probe(struct port_dev *dev, struct lb_super_info *info)
{
	struct lb_super *sb = port_alloc_block(PORT_WAIT);
	struct lb_super_state state;
	int err;

	if (!sb)
		return -ENOMEM;
	/* Of an older one, too, all is told: who asks for a fall-back must know which pool it is. */
	err = lb_super_read(dev, true, sb, &state);
	if (!err) {
		memcpy(info->uuid, sb->uuid, sizeof(info->uuid));
		info->generation = le64_to_cpu(sb->header.gen);
		info->total_blocks = le64_to_cpu(sb->total_blocks);
		info->created = le64_to_cpu(sb->created);
		err = state.fallback ? -ESTALE : 0;
	}
	port_free_block(sb);
	return err;
}

int lb_pool_wipe(struct port_dev *dev)
{
	return lb_super_wipe(dev);
}

/* ------------------------------------------------------------------ open */

static void pool_free(struct lb_pool *p)
{
	struct lb_reclaim *r, *next;

	lb_vol_free_all(p);
	lb_hidden_free_all(p);
	lb_list_for_each_entry_safe(r, next, &p->reclaims, link) {
		lb_list_del(&r->link);
		lb_mem_free_chain(r->nodes);
		lb_freed_forget(p->space, r->freed);
		port_free(r);
	}
	lb_kvtable_keep(&p->catalog.undo);
	lb_kvtable_free(p->catalog.active);
	lb_kvtable_free(p->catalog.sealed);
	port_free(p->catalog.scratch);
	if (p->space)
		lb_space_close(p->space);
	if (p->cache)
		lb_cache_free(p->cache);
	port_gate_destroy(&p->gate);
	port_free_block(p->sb);
	port_free(p);
}

static void pool_init_lists(struct lb_pool *p)
{
	unsigned int i;

	port_mutex_init(&p->commit_mutex);
	port_mutex_init(&p->reclaim_mutex);
	port_mutex_init(&p->catalog.mutex);
	port_spin_init(&p->lock);
	for (i = 0; i < LB_VOL_HASH; i++)
		lb_list_init(&p->vols[i]);
	lb_list_init(&p->dirty);
	lb_list_init(&p->sealed);
	lb_list_init(&p->reclaims);
	lb_list_init(&p->hidden);
	lb_list_init(&p->hidden_done);
	lb_list_init(&p->catalog.undo);
	lb_list_init(&p->moved);
}

static struct lb_pool *pool_alloc(struct port_dev *dev, const struct lb_host_ops *ops, void *host)
{
	struct lb_pool *p = port_alloc(sizeof(*p), PORT_WAIT);

	if (!p)
		return NULL;
	pool_init_lists(p);
	if (port_gate_init(&p->gate)) {
		port_free(p);
		return NULL;
	}
	p->dev = dev;
	p->ops = ops;
	p->host = host;
	p->sb = port_alloc_block(PORT_WAIT);
	p->cache = lb_cache_alloc(dev, CACHE_BYTES);
	p->catalog.active = lb_kvtable_alloc();
	p->catalog.scratch = port_alloc(LB_CAT_KEY_MAX + LB_CAT_VALUE_MAX, PORT_WAIT);
	if (!p->sb || !p->cache || !p->catalog.active || !p->catalog.scratch) {
		pool_free(p);
		return NULL;
	}
	return p;
}

/* Count volumes, and find those that deletion has still to work on. One with a damaged record is left alone. */
static int scan_volumes(struct lb_pool *p)
{
	struct lb_vol_full v;
	u64 id = 0;
	int err = 0;

	port_mutex_lock(&p->catalog.mutex);
	while (!err) {
		err = lb_cat_vol_after(p, LB_CAT_ALL, &id, &v);
		if (err)
			break;
		if (!v.rec.id)
			port_log(PORT_LOG_ERR, "volume %llu: its record is damaged", (unsigned long long)id);
		if (le32_to_cpu(v.rec.state) == LB_VOL_LIVE)
			p->visible_count++;
		else
			err = lb_hidden_add(p, id);
	}
	port_mutex_unlock(&p->catalog.mutex);
	return err == -ENOENT ? 0 : err;
}

static void policy_from_super(struct lb_pool *p)
{
	const struct lb_super *sb = p->sb;

	WRITE_ONCE(p->policy.queue_nospc, (le32_to_cpu(sb->flags) & LB_SUPER_QUEUE_NOSPC) != 0);
	WRITE_ONCE(p->policy.nospc_timeout_ms, le64_to_cpu(sb->nospc_timeout_ms));
	WRITE_ONCE(p->policy.low_water, le64_to_cpu(sb->low_water_blocks));
	WRITE_ONCE(p->policy.interval_ms, le32_to_cpu(sb->commit_interval_ms));
}

static void pool_from_super(struct lb_pool *p)
{
	const struct lb_super *sb = p->sb;
	u64 total = le64_to_cpu(sb->total_blocks), limit;
	struct lb_space_stat st;

	memcpy(p->uuid, sb->uuid, sizeof(p->uuid));
	policy_from_super(p);
	p->gen = le64_to_cpu(sb->header.gen);
	p->active_gen = p->gen + 1;
	p->catalog.root = lb_ref_decode(&sb->catalog_root);
	p->catalog.nodes = le64_to_cpu(sb->catalog_nodes);
	p->next_volume = le64_to_cpu(sb->next_volume);
	lb_space_get_stat(p->space, &st);
	p->node_blocks = le64_to_cpu(sb->meta_blocks) - st.meta_used;
	lb_journal_init(p);
	/* Both memtables of all volumes must fit the ring, for they may all be flushed before the commit that frees it. */
	limit = p->journal.blocks * LB_BLOCK_BYTES / sizeof(struct lb_map_entry) / 3;
	p->mem_limit = min_t(u64, limit, MEM_LIMIT_MAX);
	p->delete_reserve = min_t(u64, max_t(u64, total / 256, 64), 16384);
	p->step_budget = STEP_BUDGET;
	p->last_commit_ns = port_now_ns();
}

static int open_read_super(struct lb_pool *p, unsigned int flags, bool *mend)
{
	struct lb_super_state state;
	int err = lb_super_read(p->dev, flags & LB_POOL_OPEN_FALLBACK, p->sb, &state);

	if (err)
		return err;
	if ((le64_to_cpu(p->sb->ro_compat) & ~LB_RO_COMPAT_KNOWN) && !p->read_only)
		return -EOPNOTSUPP;
	*mend = state.bad_copies != 0;
	if (state.fallback)
		port_log(PORT_LOG_WARN, "the newest superblock is damaged: opened generation %llu, as was asked; what came after is lost",
			 (unsigned long long)le64_to_cpu(p->sb->header.gen));
	return 0;
}

/*
 * A new epoch, so that no record written before is ever taken for one of this life. A forced fall-back does not know what
 * epoch the life that it gives up had.
 */
static u64 epoch_step(unsigned int flags)
{
	u32 jump = 0;

	if (flags & LB_POOL_OPEN_FALLBACK)
		port_random(&jump, sizeof(jump));
	return 1 + (u64)jump;
}

int lb_pool_open(struct port_dev *dev, unsigned int flags, const struct lb_host_ops *ops, void *host, struct lb_pool **out)
{
	struct lb_pool *p = pool_alloc(dev, ops, host);
	bool mend = false;
	int err;

	if (!p)
		return -ENOMEM;
	p->read_only = flags & LB_POOL_OPEN_RO;
	err = open_read_super(p, flags, &mend);
	if (!err)
		err = lb_space_open(dev, p->sb, &p->space);
	if (err)
		goto fail;
	pool_from_super(p);
	lb_pool_set_reserve(p);
	err = lb_journal_replay(p, flags & LB_POOL_OPEN_FALLBACK);
	if (!err)
		err = scan_volumes(p);
	if (!err && !p->read_only) {
		p->journal.epoch += epoch_step(flags);
		err = lb_commit(p, NULL);
		/* A torn copy lies in the slot that the next but one commit writes. */
		if (!err && mend)
			err = lb_commit(p, NULL);
		lb_reclaim_all(p);
	}
	if (err)
		goto fail;
	if (p->maintenance)
		lb_pool_kick(p, LB_KICK_COMMIT);
	*out = p;
	return 0;
fail:
	pool_free(p);
	return err;
}

bool lb_pool_is_clean(struct lb_pool *p)
{
	unsigned long flags;
	bool clean;

	port_mutex_lock(&p->catalog.mutex);
	flags = port_spin_lock(&p->lock);
	clean = lb_list_empty(&p->dirty) && !lb_kvtable_count(p->catalog.active);
	port_spin_unlock(&p->lock, flags);
	port_mutex_unlock(&p->catalog.mutex);
	return clean;
}

int lb_pool_commit(struct lb_pool *p)
{
	int err = lb_pool_check_writable(p);

	if (err)
		return err;
	if (!lb_pool_is_clean(p))
		return lb_commit(p, NULL);
	/* Another's commit may be under way with what the caller means. */
	lb_commit_wait(p);
	return port_flush(p->dev);
}

void lb_pool_stop(struct lb_pool *p, bool stop)
{
	WRITE_ONCE(p->stopped, stop);
}

int lb_pool_close(struct lb_pool *p)
{
	int err = 0;

	if (!lb_pool_check_writable(p)) {
		err = lb_pool_commit(p);
		lb_reclaim_all(p);
	} else if (p->failed) {
		err = p->failed;
	}
	pool_free(p);
	return err;
}

void lb_pool_abandon(struct lb_pool *p)
{
	pool_free(p);
}

/* ------------------------------------------------------------------ policy and growth */

/* At the seal, so that a request which fails before it has changed nothing. */
static void policy_apply(struct lb_pool *p, struct lb_cut *cut)
{
	const struct lb_pool_policy *policy = cut->arg;
	struct lb_super *sb = p->sb;

	if (policy->set & LB_POLICY_QUEUE) {
		sb->flags = policy->queue_nospc ? sb->flags | cpu_to_le32(LB_SUPER_QUEUE_NOSPC) : sb->flags & ~cpu_to_le32(LB_SUPER_QUEUE_NOSPC);
		sb->nospc_timeout_ms = cpu_to_le64(policy->nospc_timeout_ms);
	}
	if (policy->set & LB_POLICY_LOW_WATER)
		sb->low_water_blocks = cpu_to_le64(policy->low_water_blocks);
	if (policy->set & LB_POLICY_INTERVAL)
		sb->commit_interval_ms = cpu_to_le32((u32)policy->commit_interval_ms);
	policy_from_super(p);
}

int lb_pool_set_policy(struct lb_pool *p, const struct lb_pool_policy *policy)
{
	struct lb_pool_policy ask = *policy;
	struct lb_cut cut = { .apply = policy_apply, .arg = &ask };

	if (policy->set & ~(LB_POLICY_QUEUE | LB_POLICY_LOW_WATER | LB_POLICY_INTERVAL | LB_POLICY_CACHE))
		return -EINVAL;
	if ((policy->set & LB_POLICY_INTERVAL) && (policy->commit_interval_ms < MIN_INTERVAL_MS || policy->commit_interval_ms > MAX_INTERVAL_MS))
		return -EINVAL;
	if ((policy->set & LB_POLICY_CACHE) && policy->cache_limit_bytes < 1u << 20)
		return -EINVAL;
	if (policy->set & LB_POLICY_CACHE)
		lb_cache_set_limit(p->cache, policy->cache_limit_bytes);
	if (!(policy->set & ~LB_POLICY_CACHE))
		return 0;
	return lb_commit(p, &cut);
}

/* At the seal: without memory for it nothing is sealed, and the pool stays as large as it was. */
static int grow_prepare(struct lb_pool *p, struct lb_cut *cut, struct lb_kvlist *l)
{
	const u64 *total = cut->arg;

	(void)l;
	return lb_space_grow(p->space, *total);
}

int lb_pool_grow(struct lb_pool *p, u64 total_blocks, u64 *now)
{
	u64 device = port_dev_blocks(p->dev), total = total_blocks ? total_blocks : min_t(u64, device, LB_POOL_MAX_BLOCKS);
	struct lb_cut cut = { .prepare = grow_prepare, .arg = &total };
	int err = lb_pool_check_writable(p);
	u64 old;

	if (err)
		return err;
	port_mutex_lock(&p->catalog.mutex);
	old = le64_to_cpu(p->sb->total_blocks);
	port_mutex_unlock(&p->catalog.mutex);
	if (total > device || total > LB_POOL_MAX_BLOCKS || total < old)
		return -EINVAL;
	if (total > old)
		err = lb_commit(p, &cut);
	if (err)
		return err;
	*now = total;
	WRITE_ONCE(p->no_space, false);
	WRITE_ONCE(p->low_space, false);
	p->no_space_told = p->low_space_told = false;
	if (total > old) {
		lb_pool_event(p, LB_EV_POOL_GROWN, 0, total, NULL);
		lb_request_room(p, -ENOSPC);
	}
	return 0;
}
