// SPDX-License-Identifier: GPL-2.0
/*
 * Writes and unmaps: block locks, charges, allocation, and the entry that makes a write visible.
 *
 * Order of a first write: lock the blocks, look again, charge space for the data and for the worst merge, allocate, [the host writes the data],
 * insert the entry, unlock. Until the entry is there every reader sees the old content; after it the new one. A crash in between leaves
 * blocks that nothing names: they are free when the pool is opened again.
 */
#include "pool_priv.h"

#define WRITE_SPAN	(1ULL << LB_LOCK_SHIFT)
#define UNMAP_STEP	8192u

/* ------------------------------------------------------------------ block locks: vol->lock held */

struct lb_wide_lock {
	struct lb_list link;
	u64 lblk, count;
};

static struct lb_list *lock_bucket(struct lb_vol *v, u64 lblk)
{
	return &v->locks[(lblk >> LB_LOCK_SHIFT) % LB_LOCK_BUCKETS];
}

static bool overlap(u64 a, u64 a_count, u64 b, u64 b_count)
{
	return a < b + b_count && b < a + a_count;
}

static bool bucket_conflict(const struct lb_list *bucket, u64 lblk, u64 count)
{
	const struct lb_write *w;

	lb_list_for_each_entry(w, bucket, lock_link)
		if (overlap(w->lblk, READ_ONCE(w->count), lblk, count))
			return true;
	return false;
}

static bool wide_conflict(const struct lb_vol *v, u64 lblk, u64 count)
{
	const struct lb_wide_lock *l;

	lb_list_for_each_entry(l, &v->wide_locks, link)
		if (overlap(l->lblk, l->count, lblk, count))
			return true;
	return false;
}

static bool write_conflict(struct lb_vol *v, u64 lblk, u64 count)
{
	return wide_conflict(v, lblk, count) || bucket_conflict(lock_bucket(v, lblk), lblk, count);
}

static bool range_conflict(struct lb_vol *v, u64 lblk, u64 count)
{
	unsigned int i;

	if (wide_conflict(v, lblk, count))
		return true;
	for (i = 0; i < LB_LOCK_BUCKETS; i++)
		if (bucket_conflict(&v->locks[i], lblk, count))
			return true;
	return false;
}

/* True when [lblk, lblk + count) became locked by w (a write) or by wide. */
static bool lock_try(struct lb_vol *v, u64 lblk, u64 count, struct lb_write *w, struct lb_wide_lock *wide, u64 *seq)
{
	unsigned long flags = port_spin_lock(&v->lock);
	bool free = wide ? !range_conflict(v, lblk, count) : !write_conflict(v, lblk, count);

	if (free && wide)
		lb_list_add(&wide->link, &v->wide_locks);
	else if (free)
		lb_list_add(&w->lock_link, lock_bucket(v, lblk));
	*seq = v->change_seq;
	port_spin_unlock(&v->lock, flags);
	return free;
}

static int lock_blocks(struct lb_vol *v, u64 lblk, u64 count, unsigned int how, struct lb_write *w, struct lb_wide_lock *wide, u64 *seq)
{
	unsigned long flags;

	if (w) {
		w->lblk = lblk;
		w->count = count;
	}
	if (lock_try(v, lblk, count, w, wide, seq))
		return 0;
	if (how & LB_NOWAIT)
		return -EAGAIN;
	flags = port_spin_lock(&v->lock);
	v->lock_waiters++;
	port_spin_unlock(&v->lock, flags);
	port_wait_event(&v->wait, lock_try(v, lblk, count, w, wide, seq));
	flags = port_spin_lock(&v->lock);
	v->lock_waiters--;
	port_spin_unlock(&v->lock, flags);
	return 0;
}

/* vol->lock held; returns whether somebody is to be woken. */
static bool unlock_blocks(struct lb_vol *v, struct lb_list *link)
{
	lb_list_del(link);
	return v->lock_waiters != 0;
}

static void unlock_write(struct lb_write *w)
{
	struct lb_vol *v = w->vol;
	unsigned long flags = port_spin_lock(&v->lock);
	bool wake = unlock_blocks(v, &w->lock_link);

	port_spin_unlock(&v->lock, flags);
	if (wake)
		port_wake_all(&v->wait);
}

/* ------------------------------------------------------------------ charges */

static int check_limits(struct lb_vol *v)
{
	struct lb_pool *p = v->pool;
	u64 entries = (u64)port_atomic64_read(&p->mem_entries);

	if (READ_ONCE(v->frozen) || p->read_only || READ_ONCE(p->failed))
		return -EROFS;
	if (entries >= p->mem_limit)
		return -ENOBUFS;
	if (entries >= p->mem_limit / 2 && !READ_ONCE(p->commit_wanted)) {
		WRITE_ONCE(p->commit_wanted, true);
		lb_pool_kick(p, LB_KICK_COMMIT);
	}
	return 0;
}

/* vol->lock held. What the quota still allows, cutting *count; else -EDQUOT, or -ENOBUFS when the next commit may free some. */
static int quota_take(struct lb_vol *v, u64 *count)
{
	s64 used = v->owned + (s64)(v->mt[0].new_blocks + v->mt[1].new_blocks + v->inflight_blocks);
	s64 left;

	if (v->quota) {
		left = (s64)min_t(u64, v->quota, LB_LBLK_MAX + 1) - used;
		if (left <= 0)
			return v->mt[0].unmaps || v->mt[1].unmaps ? -ENOBUFS : -EDQUOT;
		*count = min_t(u64, *count, (u64)left);
	}
	v->inflight_blocks += *count;
	return 0;
}

static void quota_give(struct lb_vol *v, u64 count)
{
	unsigned long flags = port_spin_lock(&v->lock);

	v->inflight_blocks -= count;
	port_spin_unlock(&v->lock, flags);
}

/* Charge for up to *count blocks of data and one change; *count shrinks when space is low. */
static int charge_write(struct lb_vol *v, u64 *count, u64 *slack)
{
	unsigned long flags = port_spin_lock(&v->lock);
	u64 n;
	int err;

	/* Two: an entry that is put into the middle of a hole makes two of it. */
	*slack = 2 * lb_vol_change_slack(v);
	err = quota_take(v, count);
	port_spin_unlock(&v->lock, flags);
	if (err)
		return err;
	for (n = *count; n; n /= 2) {
		err = lb_space_charge(v->pool->space, n + *slack, false);
		if (!err)
			break;
	}
	if (*count != n)
		quota_give(v, *count - n);
	*count = n;
	return err;
}

static void low_space_check(struct lb_pool *p)
{
	u64 low = READ_ONCE(p->policy.low_water);

	if (low && !READ_ONCE(p->low_space) && lb_space_free_blocks(p->space) < low) {
		WRITE_ONCE(p->low_space, true);
		lb_pool_kick(p, LB_KICK_COMMIT);
	}
}

/* ------------------------------------------------------------------ where to put it */

/* A sequential writer goes on behind its last block; else blocks of one logical 64 KiB go to one physical 64 KiB while there is room. */
static u64 place_hint(struct lb_vol *v, u64 lblk)
{
	u64 lcluster = lblk >> 4;
	unsigned long flags = port_spin_lock(&v->lock);
	u64 hint = 0;

	if (v->next_pblk && v->next_lblk == lblk)
		hint = v->next_pblk;
	else if (v->clusters[lcluster % LB_CLUSTER_SLOTS].lcluster == lcluster + 1)
		hint = v->clusters[lcluster % LB_CLUSTER_SLOTS].pcluster + (lblk & 15);
	port_spin_unlock(&v->lock, flags);
	return hint;
}

static void place_note(struct lb_vol *v, u64 lblk, u64 count, u64 pblk)
{
	u64 last = lblk + count - 1, lcluster = last >> 4, off = last & 15, at = pblk + count - 1;
	unsigned long flags = port_spin_lock(&v->lock);

	v->next_lblk = lblk + count;
	v->next_pblk = pblk + count;
	if (at >= off) {
		v->clusters[lcluster % LB_CLUSTER_SLOTS].lcluster = lcluster + 1;
		v->clusters[lcluster % LB_CLUSTER_SLOTS].pcluster = at - off;
	}
	port_spin_unlock(&v->lock, flags);
}

static int place_alloc(struct lb_vol *v, u64 lblk, u64 count, unsigned int how, u64 *pblk, u64 *got)
{
	struct lb_space *s = v->pool->space;
	unsigned int off = (unsigned int)(lblk & 15);
	int err;

	/* In a fresh cluster: at the same offset as in the logical one, so that neighbours find their place. */
	how = (how & LB_NOWAIT) | LB_SPACE_OFFSET(off + count <= 16 ? off : 0);
	err = lb_space_alloc(s, count, place_hint(v, lblk), how, pblk, got);
	if (!err)
		place_note(v, lblk, *got, *pblk);
	return err;
}

/* ------------------------------------------------------------------ first writes */

static void free_nodes(struct lb_mem_node **nodes, unsigned int n)
{
	while (n--)
		lb_mem_node_free(nodes[n]);
}

/* Everything that the entry will need, for locked blocks [w->lblk, + w->count). in_memtable: an entry that it may split is there (a hole). */
static int write_prepare(struct lb_write *w, unsigned int how, bool in_memtable)
{
	struct lb_vol *v = w->vol;
	struct lb_space *s = v->pool->space;
	unsigned int alloc_how = how & LB_NOWAIT ? PORT_NOWAIT : PORT_WAIT, n = in_memtable ? 2 : 1, i;
	u64 count = w->count, got = 0;
	int err;

	for (i = 0; i < n; i++) {
		w->nodes[i] = lb_mem_node_alloc(alloc_how);
		if (!w->nodes[i]) {
			err = how & LB_NOWAIT ? -EAGAIN : -ENOMEM;
			goto out_nodes;
		}
	}
	err = charge_write(v, &count, &w->charge);
	if (err)
		goto out_nodes;
	err = place_alloc(v, w->lblk, count, how, &w->pblk, &got);
	lb_space_uncharge(s, count);
	if (got < count)
		quota_give(v, count - got);
	/* A commit that failed meanwhile may have given back blocks that a superblock on the disk reaches. */
	if (!err && READ_ONCE(v->pool->failed)) {
		lb_space_unalloc(s, w->pblk, got);
		quota_give(v, got);
		err = -EROFS;
	}
	if (err) {
		lb_space_uncharge(s, w->charge);
		goto out_nodes;
	}
	WRITE_ONCE(w->count, got);	/* others look at the lock */
	low_space_check(v->pool);
	return 0;

out_nodes:
	lb_mem_node_free(w->nodes[0]);
	lb_mem_node_free(w->nodes[1]);
	return err;
}

int lb_write_begin(struct lb_vol *v, u64 lblk, u64 count, unsigned int how, struct lb_write *w)
{
	struct lb_look look;
	u64 seq;
	int err = check_limits(v);

	if (err)
		return err;
	memset(w, 0, sizeof(*w));
	w->vol = v;
	lb_list_init(&w->lock_link);
	count = min_t(u64, count, WRITE_SPAN - lblk % WRITE_SPAN);
again:
	seq = READ_ONCE(v->change_seq);
	err = lb_vol_look(v, lblk, count, how, &look);
	if (err)
		return err;
	if (look.owned) {
		w->lblk = lblk;
		w->count = look.count;
		w->pblk = look.pblk;
		w->in_place = true;
		w->unjournaled = look.dirty;
		return 0;
	}
	{
		u64 locked_seq;

		err = lock_blocks(v, lblk, look.count, how, w, NULL, &locked_seq);
		if (err)
			return err;
		if (locked_seq != seq) {
			/* Something was inserted since the look-up: these very blocks, perhaps. */
			struct lb_look now;

			err = lb_vol_look(v, lblk, look.count, how, &now);
			if (err || now.owned || now.count < look.count) {
				unlock_write(w);
				if (err)
					return err;
				goto again;
			}
			look = now;
		}
	}
	w->old_pblk = look.pblk;
	w->unjournaled = true;
	err = write_prepare(w, how, look.in_memtable);
	if (err)
		unlock_write(w);
	return err;
}

void lb_write_end(struct lb_write *w, int error)
{
	struct lb_vol *v = w->vol;
	struct lb_mem_node *nodes[LB_MEM_NODES] = { w->nodes[0], w->nodes[1], NULL };
	unsigned long flags;
	bool wake;

	if (w->in_place)
		return;
	if (error) {
		lb_space_uncharge(v->pool->space, w->charge);
		lb_space_unalloc(v->pool->space, w->pblk, w->count);
	}
	flags = port_spin_lock(&v->lock);
	v->inflight_blocks -= w->count;
	if (!error)
		lb_vol_insert(v, w->lblk, w->count, w->pblk, true, nodes, w->charge);
	wake = unlock_blocks(v, &w->lock_link);
	port_spin_unlock(&v->lock, flags);
	if (wake)
		port_wake_all(&v->wait);
	free_nodes(nodes, LB_MEM_NODES);
}

/* ------------------------------------------------------------------ unmap */

static int unmap_charge(struct lb_vol *v, bool owned, u64 *slack)
{
	unsigned long flags = port_spin_lock(&v->lock);
	int err;

	*slack = 2 * lb_vol_change_slack(v);
	port_spin_unlock(&v->lock, flags);
	err = lb_space_charge(v->pool->space, *slack, false);
	/* What frees blocks of its own may use what is kept for deletion. */
	if (err == -ENOSPC && owned)
		err = lb_space_charge(v->pool->space, *slack, true);
	return err;
}

static int unmap_locked(struct lb_vol *v, u64 lblk, u64 count, bool owned)
{
	struct lb_mem_node *nodes[LB_MEM_NODES] = { NULL };
	unsigned long flags;
	unsigned int i;
	u64 slack;
	int err;

	for (i = 0; i < LB_MEM_NODES; i++) {
		nodes[i] = lb_mem_node_alloc(PORT_WAIT);
		if (!nodes[i]) {
			free_nodes(nodes, i);
			return -ENOMEM;
		}
	}
	err = unmap_charge(v, owned, &slack);
	if (!err) {
		flags = port_spin_lock(&v->lock);
		lb_vol_insert(v, lblk, count, LB_PBLK_HOLE, true, nodes, slack);
		lb_vol_active(v)->unmaps++;
		port_spin_unlock(&v->lock, flags);
		lb_pool_note_unmap(v->pool);
	}
	free_nodes(nodes, LB_MEM_NODES);
	return err;
}

int lb_unmap(struct lb_vol *v, u64 lblk, u64 count, unsigned int how, u64 *done)
{
	struct lb_wide_lock lock = { .lblk = lblk };
	struct lb_look look;
	unsigned long flags;
	bool wake;
	u64 seq;
	int err = check_limits(v);

	*done = 0;
	if (err)
		return err;
	if (how & LB_NOWAIT)
		return -EAGAIN;
	/* A first write under way counts as what it will be: wait for it before judging what is a hole. */
	lock.count = min_t(u64, count, UNMAP_STEP);
	lb_list_init(&lock.link);
	err = lock_blocks(v, lblk, lock.count, how, NULL, &lock, &seq);
	if (err)
		return err;
	err = lb_vol_look(v, lblk, lock.count, how, &look);
	if (!err && look.pblk == LB_PBLK_HOLE) {
		*done = look.count;
	} else if (!err) {
		err = unmap_locked(v, lblk, lock.count, look.owned);
		if (!err)
			*done = lock.count;
	}
	flags = port_spin_lock(&v->lock);
	wake = unlock_blocks(v, &lock.link);
	port_spin_unlock(&v->lock, flags);
	if (wake)
		port_wake_all(&v->wait);
	return err;
}
