// SPDX-License-Identifier: GPL-2.0
/* What can be asked: statistics of pools and volumes, listing, differences. Reads only. */
#include "pool_priv.h"

static u64 pinned_blocks(struct lb_pool *p)
{
	struct lb_hidden *h;
	u64 sum = 0;

	lb_list_for_each_entry(h, &p->hidden, link)
		if (h->waits && (s64)h->owned > 0)
			sum += h->owned;
	return sum;
}

static void stat_super(struct lb_pool *p, struct lb_pool_stat *st)
{
	const struct lb_super *sb = p->sb;

	memcpy(st->uuid, sb->uuid, sizeof(st->uuid));
	st->queue_nospc = le32_to_cpu(sb->flags) & LB_SUPER_QUEUE_NOSPC;
	st->generation = p->gen;
	st->total_blocks = le64_to_cpu(sb->total_blocks);
	st->data_blocks = le64_to_cpu(sb->data_blocks);
	st->meta_blocks = le64_to_cpu(sb->meta_blocks);
	st->low_water_blocks = le64_to_cpu(sb->low_water_blocks);
	st->nospc_timeout_ms = le64_to_cpu(sb->nospc_timeout_ms);
	st->commit_interval_ms = le32_to_cpu(sb->commit_interval_ms);
	st->created = le64_to_cpu(sb->created);
	st->format_version = le32_to_cpu(sb->version);
}

static void stat_space(struct lb_pool *p, struct lb_pool_stat *st)
{
	struct lb_space_stat sp;
	struct lb_cache_stat ca;
	u64 kept;

	lb_space_get_stat(p->space, &sp);
	lb_cache_get_stat(p->cache, &ca);
	kept = sp.charged + sp.reserve;
	st->free_blocks = sp.free > kept ? sp.free - kept : 0;
	st->reserved_blocks = min_t(u64, kept, sp.free);
	st->pending_blocks = sp.pending;
	st->cache_bytes = ca.bytes;
	st->cache_limit_bytes = ca.limit_bytes;
	st->meta_reads = ca.device_reads;
}

void lb_pool_stat(struct lb_pool *p, struct lb_pool_stat *st)
{
	unsigned long flags;

	memset(st, 0, sizeof(*st));
	port_mutex_lock(&p->catalog.mutex);
	stat_super(p, st);
	st->volumes = p->visible_count;
	st->hidden_volumes = p->hidden_count;
	st->pinned_blocks = pinned_blocks(p);
	port_mutex_unlock(&p->catalog.mutex);
	stat_space(p, st);
	st->read_only = p->read_only;
	st->failed_errno = READ_ONCE(p->failed);
	st->failed = st->failed_errno != 0;
	st->low_space = READ_ONCE(p->low_space);
	st->no_space = READ_ONCE(p->no_space);
	flags = port_spin_lock(&p->lock);
	st->commits = p->commits;
	st->journal_writes = READ_ONCE(p->journal.writes);
	st->journal_blocks = READ_ONCE(p->journal.written_blocks);
	st->journal_used_blocks = lb_journal_used(p);
	port_spin_unlock(&p->lock, flags);
	st->journal_total_blocks = p->journal.blocks;
	st->meta_writes = READ_ONCE(p->meta_writes);
	/* Each journal batch and each commit flushes once before it writes. */
	st->device_flushes = READ_ONCE(p->flushes) + READ_ONCE(p->commits);
	st->memtable_entries = (u64)port_atomic64_read(&p->mem_entries);
	st->scrub_state = READ_ONCE(p->scrub.state);
	st->scrub_done_blocks = READ_ONCE(p->scrub.done);
	st->scrub_errors = READ_ONCE(p->scrub.errors);
}

/* ------------------------------------------------------------------ volumes */

struct map_count {
	u64 mapped, own_nodes;
	u64 origin;
};

static int count_enter(void *arg, const struct lb_ref *ref, const struct lb_node *node, u64 lo, u64 hi)
{
	struct map_count *c = arg;
	unsigned int i;

	if (ref->gen > c->origin)
		c->own_nodes++;
	if (!lb_node_level(node))
		for (i = 0; i < lb_node_count(node); i++)
			c->mapped += lb_extent_decode(&node->extents[i]).count;
	port_cond_resched();
	return LB_WALK_DESCEND;
}

/* Walks the committed tree: exact for frozen volumes, for others as of the last commit. */
static int count_map(struct lb_pool *p, const struct lb_map_record *m, struct map_count *c)
{
	static const struct lb_walk_ops ops = { .enter = count_enter };
	struct lb_ref root = lb_ref_decode(&m->root);
	int idx, err = 0;

	c->origin = le64_to_cpu(m->origin);
	if (!root.addr)
		return 0;
	idx = port_gate_enter(&p->gate);
	err = lb_tree_walk(p->cache, &root, LB_TREE_MAP, &ops, c);
	port_gate_leave(&p->gate, idx);
	return err;
}

static void stat_record(struct lb_pool *p, const struct lb_vol_full *v, const struct lb_map_record *m, struct lb_vol_stat *st)
{
	struct lb_vol *vol = lb_vol_lookup(p, st->id);
	s64 owned = (s64)le64_to_cpu(m->owned);
	unsigned long flags;

	st->parent = le64_to_cpu(m->parent);
	st->size_blocks = le64_to_cpu(v->rec.size_blocks);
	st->quota = le64_to_cpu(v->rec.quota_blocks);
	st->origin = le64_to_cpu(m->origin);
	st->frozen = le64_to_cpu(v->rec.frozen);
	st->created = le64_to_cpu(v->rec.created);
	st->hidden = le32_to_cpu(v->rec.state) != LB_VOL_LIVE;
	st->name_len = le16_to_cpu(v->rec.name_len);
	memcpy(st->name, v->name, sizeof(st->name));
	if (vol) {
		flags = port_spin_lock(&vol->lock);
		owned = vol->owned + (s64)(vol->mt[0].new_blocks + vol->mt[1].new_blocks);
		port_spin_unlock(&vol->lock, flags);
	}
	st->owned_blocks = owned > 0 ? (u64)owned : 0;
	/* Without a walk: at most one node for each owned block, and at most all there are. */
	st->meta_blocks = st->parent ? min_t(u64, le64_to_cpu(m->nodes), st->owned_blocks) : le64_to_cpu(m->nodes);
}

int lb_vol_stat(struct lb_pool *p, u64 id, bool count_mapped, struct lb_vol_stat *st)
{
	struct map_count count = { .mapped = 0 };
	struct lb_map_record m;
	struct lb_vol_full v;
	unsigned int children;
	int idx = 0, err;
	u64 one;

	if (count_mapped && !lb_pool_check_writable(p))
		lb_pool_commit(p);
	memset(st, 0, sizeof(*st));
	st->id = id;
	/* A commit under way has records that name nodes which are not written yet: let none run meanwhile. */
	if (count_mapped) {
		port_mutex_lock(&p->commit_mutex);
		idx = port_gate_enter(&p->gate);
	}
	port_mutex_lock(&p->catalog.mutex);
	err = lb_cat_vol(p, LB_CAT_ALL, id, &v);
	if (!err)
		err = lb_cat_map(p, LB_CAT_ALL, id, &m);
	if (!err)
		err = lb_cat_children(p, LB_CAT_ALL, id, ~0u, &children, &one);
	if (!err) {
		stat_record(p, &v, &m, st);
		st->children = children;
	}
	port_mutex_unlock(&p->catalog.mutex);
	if (count_mapped)
		port_mutex_unlock(&p->commit_mutex);
	if (!err && count_mapped)
		err = count_map(p, &m, &count);
	if (count_mapped)
		port_gate_leave(&p->gate, idx);
	if (!err && count_mapped) {
		st->mapped_blocks = count.mapped;
		st->meta_blocks = count.own_nodes;
	}
	return err;
}

int lb_vol_find(struct lb_pool *p, struct lb_name name, u64 *id)
{
	struct lb_name_record rec;
	u8 key[LB_CAT_KEY_MAX];
	u32 len = sizeof(rec);
	int err;

	if (!name.len || name.len > 255)
		return -ENOENT;
	port_mutex_lock(&p->catalog.mutex);
	err = lb_cat_get(p, LB_CAT_ALL, key, lb_key_name(key, name.s, name.len), &rec, &len);
	port_mutex_unlock(&p->catalog.mutex);
	if (err == -ERANGE || (!err && len != sizeof(rec)))
		return -EUCLEAN;
	if (!err)
		*id = le64_to_cpu(rec.id);
	return err;
}

/* A volume whose record is damaged counts as a visible one: looking at it tells. */
int lb_vol_next(struct lb_pool *p, u64 after, bool hidden_too, u64 *id)
{
	struct lb_vol_full v;
	int err;

	port_mutex_lock(&p->catalog.mutex);
	do {
		err = lb_cat_vol_after(p, LB_CAT_ALL, &after, &v);
	} while (!err && !hidden_too && le32_to_cpu(v.rec.state) != LB_VOL_LIVE);
	port_mutex_unlock(&p->catalog.mutex);
	if (!err)
		*id = after;
	return err;
}

/* ------------------------------------------------------------------ differences */

/* -EINVAL not frozen; -EAGAIN what it holds is not merged: a commit has to come first. */
static int frozen_root(struct lb_pool *p, u64 id, struct lb_ref *root)
{
	struct lb_map_record m;
	struct lb_vol_full v;
	int err = lb_cat_vol(p, LB_CAT_ALL, id, &v);

	if (!err && le32_to_cpu(v.rec.state) != LB_VOL_LIVE)
		err = -ENOENT;
	if (!err && !v.rec.frozen)
		err = -EINVAL;
	if (!err && le64_to_cpu(v.rec.frozen) > p->gen)
		err = -EAGAIN;
	if (!err)
		err = lb_cat_map(p, LB_CAT_ALL, id, &m);
	if (!err)
		*root = lb_ref_decode(&m.root);
	return err;
}

/* Enters the gate, from before the roots are known: a volume deleted meanwhile keeps its blocks until the caller leaves. On error it has left. */
static int diff_begin(struct lb_pool *p, u64 a, u64 b, struct lb_ref *root_a, struct lb_ref *root_b, int *idx)
{
	int err = 0;

	*idx = port_gate_enter(&p->gate);
	port_mutex_lock(&p->catalog.mutex);
	if (a)
		err = frozen_root(p, a, root_a);
	if (!err)
		err = frozen_root(p, b, root_b);
	port_mutex_unlock(&p->catalog.mutex);
	if (err)
		port_gate_leave(&p->gate, *idx);
	return err;
}

int lb_diff(struct lb_pool *p, u64 a, u64 b, u64 *cursor, struct lb_diff_range *ranges, unsigned int *n)
{
	struct lb_ref root_a = { .addr = 0 }, root_b;
	struct lb_diff_run *runs;
	unsigned int room = min_t(unsigned int, *n, 1024), i;
	int idx, err = 0;
	u64 next;

	*n = 0;
	if (!room)
		return -EINVAL;
	runs = port_alloc(room * sizeof(*runs), PORT_WAIT);
	if (!runs)
		return -ENOMEM;
	err = diff_begin(p, a, b, &root_a, &root_b, &idx);
	if (err == -EAGAIN)
		err = lb_pool_check_writable(p) || lb_commit_patient(p) ? -EINVAL : diff_begin(p, a, b, &root_a, &root_b, &idx);
	if (!err) {
		err = lb_map_diff(p->cache, &root_a, &root_b, *cursor, runs, &room, &next);
		port_gate_leave(&p->gate, idx);
	}
	if (!err) {
		u64 done = 0;

		*cursor = next;
		for (i = 0; i < room; i++) {
			ranges[i].start = runs[i].start;
			ranges[i].mapped = runs[i].mapped;
			ranges[i].count = (u32)min_t(u64, runs[i].count, ~0u);
			done = runs[i].start + ranges[i].count;
			if (ranges[i].count != runs[i].count) {
				/* A run too long for one range: the caller goes on where it was cut. */
				*cursor = done;
				i++;
				break;
			}
		}
		*n = i;
	}
	port_free(runs);
	return err;
}
