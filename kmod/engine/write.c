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

/* ------------------------------------------------------------------ where to put it: vol->lock held */

/* A sequential writer goes on behind its last block; else blocks of one logical 64 KiB go to one physical 64 KiB while there is room. */
static u64 place_known(const struct lb_vol *v, u64 lblk)
{
	u64 lcluster = lblk / LB_CLUSTER_BLOCKS;
	unsigned int slot = (unsigned int)(lcluster % LB_CLUSTER_SLOTS);

	if (v->next_pblk && v->next_lblk == lblk)
		return v->next_pblk;
	if (v->clusters[slot].lcluster == lcluster + 1)
		return v->clusters[slot].pcluster + lblk % LB_CLUSTER_BLOCKS;
	return 0;
}

static void place_note(struct lb_vol *v, u64 lblk, u64 count, u64 pblk)
{
	u64 last = lblk + count - 1, lcluster = last / LB_CLUSTER_BLOCKS, off = last % LB_CLUSTER_BLOCKS, at = pblk + count - 1;
	unsigned int slot = (unsigned int)(lcluster % LB_CLUSTER_SLOTS);

	v->next_lblk = lblk + count;
	v->next_pblk = pblk + count;
	if (at >= off) {
		v->clusters[slot].lcluster = lcluster + 1;
		v->clusters[slot].pcluster = at - off;
	}
}

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

/* vol->lock held. What the quota still allows, cutting *count; else -EDQUOT, or -ENOBUFS when the next commit may free some, and 0 in *count. */
static int quota_take(struct lb_vol *v, u64 *count)
{
	s64 used = v->owned + (s64)(v->mt[0].new_blocks + v->mt[1].new_blocks + v->inflight_blocks);
	s64 left;

	if (v->quota) {
		left = (s64)min_t(u64, v->quota, LB_LBLK_MAX + 1) - used;
		if (left <= 0) {
			*count = 0;
			return v->mt[0].unmaps || v->mt[1].unmaps ? -ENOBUFS : -EDQUOT;
		}
		*count = min_t(u64, *count, (u64)left);
	}
	v->inflight_blocks += *count;
	return 0;
}

/* What is settled along with the lock of a first write's blocks. */
struct write_plan {
	u64 seq;		/* of changes, when it was locked */
	u64 count;		/* blocks taken from the quota; 0 with err */
	u64 slack;		/* metadata to charge for */
	u64 hint;		/* where the data would best lie; 0: not known */
	int err;		/* of the quota */
};

static void plan_write(struct lb_vol *v, const struct lb_write *w, struct write_plan *plan)
{
	plan->seq = v->change_seq;
	plan->count = w->count;
	plan->err = quota_take(v, &plan->count);
	/* Two: an entry that is put into the middle of a hole makes two of it. */
	plan->slack = 2 * lb_vol_change_slack(v);
	plan->hint = place_known(v, w->lblk);
}

static bool lock_try_write(struct lb_write *w, struct write_plan *plan)
{
	struct lb_vol *v = w->vol;
	unsigned long flags = port_spin_lock(&v->lock);
	bool free = !wide_conflict(v, w->lblk, w->count) && !bucket_conflict(lock_bucket(v, w->lblk), w->lblk, w->count);

	if (free) {
		lb_list_add(&w->lock_link, lock_bucket(v, w->lblk));
		plan_write(v, w, plan);
	}
	port_spin_unlock(&v->lock, flags);
	return free;
}

static bool lock_try_wide(struct lb_vol *v, struct lb_wide_lock *wide)
{
	unsigned long flags = port_spin_lock(&v->lock);
	bool free = !range_conflict(v, wide->lblk, wide->count);

	if (free)
		lb_list_add(&wide->link, &v->wide_locks);
	port_spin_unlock(&v->lock, flags);
	return free;
}

static void count_waiter(struct lb_vol *v, int more)
{
	unsigned long flags = port_spin_lock(&v->lock);

	v->lock_waiters += (u64)more;
	port_spin_unlock(&v->lock, flags);
}

static int lock_write(struct lb_write *w, unsigned int how, struct write_plan *plan)
{
	if (lock_try_write(w, plan))
		return 0;
	if (how & LB_NOWAIT)
		return -EAGAIN;
	count_waiter(w->vol, 1);
	port_wait_event(&w->vol->wait, lock_try_write(w, plan));
	count_waiter(w->vol, -1);
	return 0;
}

static void lock_wide(struct lb_vol *v, struct lb_wide_lock *wide)
{
	if (lock_try_wide(v, wide))
		return;
	count_waiter(v, 1);
	port_wait_event(&v->wait, lock_try_wide(v, wide));
	count_waiter(v, -1);
}

/* vol->lock held; returns whether somebody is to be woken. */
static bool unlock_blocks(struct lb_vol *v, struct lb_list *link)
{
	lb_list_del(link);
	return v->lock_waiters != 0;
}

/* A first write that comes to nothing. */
static void unlock_write(struct lb_write *w, const struct write_plan *plan)
{
	struct lb_vol *v = w->vol;
	unsigned long flags = port_spin_lock(&v->lock);
	bool wake = unlock_blocks(v, &w->lock_link);

	v->inflight_blocks -= plan->count;
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

static void low_space_check(struct lb_pool *p)
{
	u64 low = READ_ONCE(p->policy.low_water);

	if (low && !READ_ONCE(p->low_space) && lb_space_free_blocks(p->space) < low) {
		WRITE_ONCE(p->low_space, true);
		lb_pool_kick(p, LB_KICK_COMMIT);
	}
}

/* ------------------------------------------------------------------ first writes */

static void free_nodes(struct lb_mem_node **nodes, unsigned int n)
{
	while (n--)
		lb_mem_node_free(nodes[n]);
}

static int alloc_data(struct lb_write *w, unsigned int how, const struct write_plan *plan)
{
	struct lb_vol *v = w->vol;
	struct lb_space *s = v->pool->space;
	unsigned int off = (unsigned int)(w->lblk % LB_CLUSTER_BLOCKS);
	unsigned long flags;
	u64 got;
	int err;

	/* In a fresh cluster: at the same offset as in the logical one, so that neighbours find their place. */
	how = (how & LB_NOWAIT) | LB_SPACE_OFFSET(off + plan->count <= LB_CLUSTER_BLOCKS ? off : 0);
	err = lb_space_alloc_charged(s, plan->count, plan->hint, plan->slack, how, &w->pblk, &got);
	if (err)
		return err;
	/* A commit that failed meanwhile may have given back blocks that a superblock on the disk reaches. */
	if (READ_ONCE(v->pool->failed)) {
		lb_space_uncharge(s, plan->slack);
		lb_space_unalloc(s, w->pblk, got);
		return -EROFS;
	}
	w->charge = plan->slack;
	flags = port_spin_lock(&v->lock);
	WRITE_ONCE(w->count, got);	/* others look at the lock */
	v->inflight_blocks -= plan->count - got;
	place_note(v, w->lblk, got, w->pblk);
	port_spin_unlock(&v->lock, flags);
	return 0;
}

/* Everything that the entry will need, for locked blocks [w->lblk, + w->count). in_memtable: an entry that it may split is there (a hole). */
static int write_prepare(struct lb_write *w, unsigned int how, const struct write_plan *plan, bool in_memtable)
{
	unsigned int alloc_how = how & LB_NOWAIT ? PORT_NOWAIT : PORT_WAIT, n = in_memtable ? 2 : 1, i;
	int err = plan->err;

	w->nodes[0] = w->nodes[1] = NULL;
	for (i = 0; i < n && !err; i++) {
		w->nodes[i] = lb_mem_node_alloc(alloc_how);
		if (!w->nodes[i])
			err = how & LB_NOWAIT ? -EAGAIN : -ENOMEM;
	}
	if (!err)
		err = alloc_data(w, how, plan);
	if (!err) {
		low_space_check(w->vol->pool);
		return 0;
	}
	lb_mem_node_free(w->nodes[0]);
	lb_mem_node_free(w->nodes[1]);
	return err;
}

/* Locks what was looked at, [lblk, + look->count), and looks again if need be. -ESTALE: it is another thing by now. */
static int lock_first_write(struct lb_write *w, unsigned int how, u64 seq, struct lb_look *look, struct write_plan *plan)
{
	struct lb_look now;
	int err = lock_write(w, how, plan);

	if (err || plan->seq == seq)
		return err;
	/* Something was inserted since the look-up: these very blocks, perhaps. */
	err = lb_vol_look(w->vol, w->lblk, look->count, how, &now);
	if (!err && (now.owned || now.count < look->count))
		err = -ESTALE;
	if (err)
		unlock_write(w, plan);
	else
		*look = now;
	return err;
}

int lb_write_begin(struct lb_vol *v, u64 lblk, u64 count, unsigned int how, struct lb_write *w)
{
	struct write_plan plan;
	struct lb_look look;
	u64 seq;
	int err = check_limits(v);

	if (err)
		return err;
	count = min_t(u64, count, WRITE_SPAN - lblk % WRITE_SPAN);
	w->vol = v;
	w->lblk = lblk;
	do {
		seq = READ_ONCE(v->change_seq);
		err = lb_vol_look(v, lblk, count, how | LB_LOOK_NEAR, &look);
		if (err)
			return err;
		w->count = look.count;
		w->in_place = look.owned;
		if (look.owned) {
			w->pblk = look.pblk;
			w->unjournaled = look.dirty;
			return 0;
		}
		err = lock_first_write(w, how, seq, &look, &plan);
	} while (err == -ESTALE);
	if (err)
		return err;
	if (look.near)
		plan.hint = look.near;
	w->old_pblk = look.pblk;
	w->unjournaled = true;
	err = write_prepare(w, how, &plan, look.in_memtable);
	if (err)
		unlock_write(w, &plan);
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
	int err = check_limits(v);

	*done = 0;
	if (err)
		return err;
	if (how & LB_NOWAIT)
		return -EAGAIN;
	/* A first write under way counts as what it will be: wait for it before judging what is a hole. */
	lock.count = min_t(u64, count, UNMAP_STEP);
	lb_list_init(&lock.link);
	lock_wide(v, &lock);
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
