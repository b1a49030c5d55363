// SPDX-License-Identifier: GPL-2.0
/*
 * The background's two jobs, and the rounds in which space is made.
 *
 * A round is what a writer that found no room waits for: a commit (what was unmapped is decided), steps of deletion while they bring something,
 * and reclaim (it is usable). Rounds are numbered; one asked for while another runs is the next one, so that everything done before
 * the request is in it.
 */
#include "pool_priv.h"

#define MS	1000000ULL

u64 lb_request_room(struct lb_pool *p, int error)
{
	unsigned long flags = port_spin_lock(&p->lock);
	u64 round = (p->room_running ? p->room_running : p->room_done) + 1;

	WRITE_ONCE(p->room_asked, round);
	if (error == -ENOSPC)
		p->room_full = true;
	port_spin_unlock(&p->lock, flags);
	lb_pool_kick(p, LB_KICK_COMMIT);
	return round;
}

u64 lb_nospc(struct lb_pool *p)
{
	u64 timeout = READ_ONCE(p->policy.nospc_timeout_ms);

	WRITE_ONCE(p->no_space, true);
	lb_pool_kick(p, LB_KICK_COMMIT);
	if (!READ_ONCE(p->policy.queue_nospc))
		return 0;
	return timeout ? timeout : ~0ULL;
}

void lb_pool_note_unmap(struct lb_pool *p)
{
	if (READ_ONCE(p->unmap_due_ns))
		return;
	WRITE_ONCE(p->unmap_due_ns, port_now_ns() + 1000 * MS);
	lb_pool_kick(p, LB_KICK_COMMIT);
}

/* When the next commit is due by the clock; ~0ULL: never. */
static u64 due_ns(struct lb_pool *p)
{
	u64 due = ~0ULL, interval = READ_ONCE(p->policy.interval_ms) * MS, last, unmap;
	unsigned long flags;

	if (lb_pool_check_writable(p) || READ_ONCE(p->stopped))
		return due;
	flags = port_spin_lock(&p->lock);
	if (!lb_list_empty(&p->dirty))
		due = p->first_dirty_ns + interval;
	last = p->last_commit_ns;
	port_spin_unlock(&p->lock, flags);
	/* Requests in the catalog's memtable wait for the clock as well. */
	if (READ_ONCE(p->catalog.items))
		due = min_t(u64, due, last + interval);
	unmap = READ_ONCE(p->unmap_due_ns);
	if (unmap)
		due = min_t(u64, due, unmap);
	if (READ_ONCE(p->maintenance))
		due = min_t(u64, due, READ_ONCE(p->maintain_due_ns));
	return due;
}

bool lb_commit_due(struct lb_pool *p)
{
	if (lb_pool_check_writable(p) || READ_ONCE(p->stopped))
		return false;
	if (READ_ONCE(p->commit_wanted))
		return true;
	return port_now_ns() >= due_ns(p);
}

u64 lb_work_due_ms(struct lb_pool *p)
{
	u64 due, now = port_now_ns();

	if (lb_scrub_due(p))
		return 0;
	due = due_ns(p);
	if (due == ~0ULL)
		return due;
	return due <= now ? 0 : (due - now + MS - 1) / MS;
}

static int commit_now(struct lb_pool *p)
{
	WRITE_ONCE(p->unmap_due_ns, 0);
	return lb_commit(p, NULL);
}

/*
 * Commit, delete and reclaim until there is something, or nothing more to get. Writers that queue for space ask for this
 * a few times a second for as long as the pool is full: then there is nothing to write.
 */
static void make_space(struct lb_pool *p)
{
	u64 before, enough = 1024;
	bool more;

	do {
		before = lb_space_free_blocks(p->space);
		if ((!lb_pool_is_clean(p) || READ_ONCE(p->maintenance)) && commit_now(p))
			return;
		lb_reclaim_all(p);
		more = READ_ONCE(p->maintenance) && !READ_ONCE(p->stopped);
	} while (more && lb_space_free_blocks(p->space) < before + enough);
}

static bool run_round(struct lb_pool *p)
{
	unsigned long flags = port_spin_lock(&p->lock);
	bool asked = p->room_asked > p->room_done, full = p->room_full;
	u64 round;

	if (asked) {
		p->room_running = p->room_asked;
		p->room_full = false;
	}
	round = p->room_running;
	port_spin_unlock(&p->lock, flags);
	if (!asked)
		return false;
	if (!lb_pool_check_writable(p)) {
		if (full)
			make_space(p);
		else
			commit_now(p);
	}
	flags = port_spin_lock(&p->lock);
	WRITE_ONCE(p->room_done, round);
	p->room_running = 0;
	port_spin_unlock(&p->lock, flags);
	if (p->ops->room)
		p->ops->room(p->host, round);
	return true;
}

/* Events that were noted in contexts from which none can be sent. */
static void tell_events(struct lb_pool *p)
{
	u64 free = lb_space_free_blocks(p->space);

	if (READ_ONCE(p->failed) && !p->failed_told) {
		p->failed_told = true;
		lb_pool_event(p, LB_EV_POOL_FAILED, 0, (u64)-(s64)p->failed, NULL);
	}
	if (READ_ONCE(p->low_space)) {
		if (!p->low_space_told)
			lb_pool_event(p, LB_EV_LOW_SPACE, 0, free, NULL);
		p->low_space_told = true;
		if (free >= READ_ONCE(p->policy.low_water)) {
			p->low_space_told = false;
			WRITE_ONCE(p->low_space, false);
		}
	}
	if (READ_ONCE(p->no_space)) {
		struct lb_space_stat st;

		if (!p->no_space_told)
			lb_pool_event(p, LB_EV_NO_SPACE, 0, free, NULL);
		p->no_space_told = true;
		lb_space_get_stat(p->space, &st);
		if (st.free > st.charged + st.reserve + 64) {
			p->no_space_told = false;
			WRITE_ONCE(p->no_space, false);
		}
	}
}

void lb_work_commit(struct lb_pool *p)
{
	bool more = true;

	while (more) {
		tell_events(p);
		more = run_round(p);
		if (READ_ONCE(p->stopped))	/* a round that was asked for has been run all the same */
			break;
		if (lb_commit_due(p)) {
			if (commit_now(p))
				break;
			more = true;
		} else if (!more && lb_scrub_due(p)) {
			lb_scrub_step(p);
			more = lb_scrub_due(p);
		}
		port_cond_resched();
	}
	tell_events(p);
}

void lb_work_reclaim(struct lb_pool *p)
{
	lb_reclaim_all(p);
}

u64 lb_cache_count(struct lb_pool *p)
{
	return lb_cache_evictable(p->cache);
}

u64 lb_cache_shrink(struct lb_pool *p, u64 n)
{
	return lb_cache_evict(p->cache, n);
}
