// SPDX-License-Identifier: GPL-2.0
/*
 * Scrub: reads every metadata block again in the background and compares it with the pointer that names it. A bad copy with a good twin is written
 * again from the twin; other damage is counted and logged, and found by whoever reads there.
 *
 * It runs in the commit work's context in steps, and gives way whenever a commit is due. A volume's nodes that are an ancestor's are left to the
 * ancestor. The place reached in a volume is a key: after an interruption subtrees that end at or below it are skipped unread.
 *
 * The catalog, the region table and the bitmaps are read under commit_mutex, volumes' trees in the gate. The gate is
 * entered with commit_mutex held and never the other way round: a commit may wait until all readers have left.
 */
#include "pool_priv.h"

enum { SCRUB_CATALOG, SCRUB_TABLE, SCRUB_REGIONS, SCRUB_VOLUMES };
enum { STATE_IDLE, STATE_RUNNING, STATE_DONE, STATE_STOPPED };	/* LB_SCRUB_* of the UAPI header */

struct scrub_walk {
	struct lb_pool *p;
	u64 origin;
	u64 budget;
	u8 kind;
};

int lb_pool_scrub(struct lb_pool *p, bool start)
{
	unsigned long flags = port_spin_lock(&p->lock);

	/* A step may be under way: it goes on to its end, and the next one begins anew. */
	if (start) {
		p->scrub.restart = true;
		WRITE_ONCE(p->scrub.state, STATE_RUNNING);
	} else if (p->scrub.state == STATE_RUNNING) {
		WRITE_ONCE(p->scrub.state, STATE_STOPPED);
	}
	port_spin_unlock(&p->lock, flags);
	if (start)
		lb_pool_kick(p, LB_KICK_COMMIT);
	return 0;
}

bool lb_scrub_due(struct lb_pool *p)
{
	return READ_ONCE(p->scrub.state) == STATE_RUNNING && !READ_ONCE(p->stopped);
}

static bool give_way(struct lb_pool *p)
{
	return !lb_scrub_due(p) || lb_commit_due(p) || READ_ONCE(p->room_asked) > READ_ONCE(p->room_done);
}

static void scrub_count(struct lb_scrub *s, u64 done, u64 bad)
{
	WRITE_ONCE(s->done, s->done + done);
	WRITE_ONCE(s->errors, s->errors + bad);
}

static int scrub_one(struct scrub_walk *s, const struct lb_ref *ref)
{
	unsigned int bad = 0;
	int err = lb_cache_scrub(s->p->cache, ref, s->kind, !lb_pool_check_writable(s->p), &bad);

	scrub_count(&s->p->scrub, ref->addr2 ? 2 : 1, bad);
	return err == -ENOMEM ? err : 0;
}

static int scrub_pre(void *arg, const struct lb_ref *ref, u64 lo, u64 hi)
{
	struct scrub_walk *s = arg;

	if (s->kind == LB_TREE_MAP && (ref->gen <= s->origin || (hi <= s->p->scrub.key && s->p->scrub.key)))
		return LB_WALK_SKIP;
	if (!s->budget || give_way(s->p)) {
		s->p->scrub.key = lo;
		return -EINTR;
	}
	s->budget--;
	port_cond_resched();
	return scrub_one(s, ref) ? -ENOMEM : LB_WALK_DESCEND;
}

static int scrub_enter(void *arg, const struct lb_ref *ref, const struct lb_node *node, u64 lo, u64 hi)
{
	return LB_WALK_DESCEND;
}

static int scrub_bad(void *arg, const struct lb_ref *ref, int error)
{
	return 0;
}

static int scrub_tree(struct lb_pool *p, const struct lb_ref *root, u8 kind, u64 origin, u64 budget)
{
	static const struct lb_walk_ops ops = { .pre = scrub_pre, .enter = scrub_enter, .bad = scrub_bad };
	struct scrub_walk s = { .p = p, .origin = origin, .budget = budget, .kind = kind };

	return root->addr ? lb_tree_walk(p->cache, root, kind, &ops, &s) : 0;
}

/*
 * What is to be scrubbed of a volume; -ENOENT nothing. No commit runs meanwhile: its records name nodes that are not
 * written yet. The caller, being in the gate on return, keeps what it is given.
 */
static int volume_root(struct lb_pool *p, u64 id, struct lb_ref *root, u64 *origin, int *idx)
{
	struct lb_map_record m;
	int err;

	port_mutex_lock(&p->commit_mutex);
	*idx = port_gate_enter(&p->gate);
	port_mutex_lock(&p->catalog.mutex);
	err = lb_cat_map(p, LB_CAT_ALL, id, &m);
	port_mutex_unlock(&p->catalog.mutex);
	port_mutex_unlock(&p->commit_mutex);
	if (err)
		return err;
	*root = lb_ref_decode(&m.root);
	*origin = m.cursor ? le64_to_cpu(m.low_origin) : le64_to_cpu(m.origin);
	/* Half freed: its tree is not to be walked any more. */
	return m.free_cursor ? -ENOENT : 0;
}

static int step_volumes(struct lb_pool *p)
{
	struct lb_scrub *s = &p->scrub;
	struct lb_ref root;
	u64 origin;
	int err, idx;

	if (!s->vol) {
		err = lb_vol_next(p, 0, false, &s->vol);
		if (err)
			return err;
		s->key = 0;
	}
	err = volume_root(p, s->vol, &root, &origin, &idx);
	if (!err)
		err = scrub_tree(p, &root, LB_TREE_MAP, origin, 4096);
	port_gate_leave(&p->gate, idx);
	if (err == -EINTR)
		return 0;
	s->key = 0;
	return lb_vol_next(p, s->vol, false, &s->vol);
}

static int step_regions(struct lb_pool *p)
{
	struct lb_scrub *s = &p->scrub;
	unsigned int bad;

	while (s->region < lb_space_regions(p->space) && !give_way(p)) {
		bad = 0;
		port_mutex_lock(&p->commit_mutex);
		lb_space_scrub_region(p->space, s->region++, &bad);
		port_mutex_unlock(&p->commit_mutex);
		scrub_count(s, 1, bad);
	}
	return s->region < lb_space_regions(p->space) ? 0 : 1;
}

static int step(struct lb_pool *p)
{
	struct lb_scrub *s = &p->scrub;
	unsigned int bad = 0;
	int err;

	switch (s->phase) {
	case SCRUB_CATALOG:
		/* Under commit_mutex the catalog's root does not change; it is small. */
		port_mutex_lock(&p->commit_mutex);
		err = scrub_tree(p, &p->catalog.root, LB_TREE_CATALOG, 0, ~0ULL);
		port_mutex_unlock(&p->commit_mutex);
		if (err != -EINTR)
			s->phase = SCRUB_TABLE;
		return 0;
	case SCRUB_TABLE:
		port_mutex_lock(&p->commit_mutex);
		lb_space_scrub_table(p->space, &bad);
		port_mutex_unlock(&p->commit_mutex);
		scrub_count(s, 0, bad);
		s->phase = SCRUB_REGIONS;
		return 0;
	case SCRUB_REGIONS:
		if (step_regions(p))
			s->phase = SCRUB_VOLUMES;
		return 0;
	default:
		return step_volumes(p);
	}
}

static void scrub_begin(struct lb_scrub *s)
{
	WRITE_ONCE(s->done, 0);
	WRITE_ONCE(s->errors, 0);
	s->vol = 0;
	s->key = 0;
	s->region = 0;
	s->phase = SCRUB_CATALOG;
}

void lb_scrub_step(struct lb_pool *p)
{
	unsigned long flags;
	bool restart, over;
	int err;

	flags = port_spin_lock(&p->lock);
	restart = p->scrub.restart;
	p->scrub.restart = false;
	port_spin_unlock(&p->lock, flags);
	if (restart)
		scrub_begin(&p->scrub);
	err = step(p);
	if (!err || !lb_scrub_due(p))
		return;
	flags = port_spin_lock(&p->lock);
	over = !p->scrub.restart && p->scrub.state == STATE_RUNNING;
	if (over)
		WRITE_ONCE(p->scrub.state, err == -ENOENT ? STATE_DONE : STATE_STOPPED);
	port_spin_unlock(&p->lock, flags);
	if (!over)
		return;
	if (err == -ENOENT && p->scrub.errors)
		port_log(PORT_LOG_ERR, "scrub found %llu damaged metadata blocks", (unsigned long long)p->scrub.errors);
	lb_pool_event(p, LB_EV_SCRUB_DONE, 0, p->scrub.errors, NULL);
}
