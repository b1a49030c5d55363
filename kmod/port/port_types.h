/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The types and inline primitives of the kernel's port: everything that kmod/engine/port.h says port_types.h supplies. It is
 * the only way by which kernel headers reach the engine. userspace/engine/port_types.h is its twin and has the same names.
 *
 * Spinlocks are taken with interrupts off, for the engine is called from completions. Each place that initialises a lock is a
 * lock class of its own (they are macros), so that lockdep tells the engine's locks apart.
 */
#ifndef LB_PORT_TYPES_H
#define LB_PORT_TYPES_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/wait.h>

#include <asm/byteorder.h>

/* ------------------------------------------------------------------ small helpers */

#define lb_static_assert(expr)	static_assert(expr)
#define lb_printf(a, b)		__printf(a, b)
#define lb_container_of(ptr, type, member) container_of(ptr, type, member)

/* What they pair with is said where they are used. */
#define port_load_acquire(p)	smp_load_acquire(p)		/* as the engine says */
#define port_store_release(p, v) smp_store_release(p, v)	/* as the engine says */

static inline unsigned int port_ctz64(u64 x) { return __ffs64(x); }	/* x != 0 */
static inline unsigned int port_fls64(u64 x) { return fls64(x); }
static inline unsigned int port_popcount64(u64 x) { return hweight64(x); }

/* ------------------------------------------------------------------ lists */

#define lb_list list_head

static inline void lb_list_init(struct lb_list *l) { INIT_LIST_HEAD(l); }
static inline bool lb_list_empty(const struct lb_list *l) { return list_empty(l); }
static inline void lb_list_add(struct lb_list *node, struct lb_list *head) { list_add(node, head); }
static inline void lb_list_add_tail(struct lb_list *node, struct lb_list *head) { list_add_tail(node, head); }
static inline void lb_list_del(struct lb_list *node) { list_del_init(node); }
static inline void lb_list_splice_tail_init(struct lb_list *list, struct lb_list *head) { list_splice_tail_init(list, head); }

#define lb_list_entry(ptr, type, member)		list_entry(ptr, type, member)
#define lb_list_first_entry(head, type, member)		list_first_entry(head, type, member)
#define lb_list_for_each_entry(pos, head, member)	list_for_each_entry(pos, head, member)
#define lb_list_for_each_entry_safe(pos, tmp, head, member) list_for_each_entry_safe(pos, tmp, head, member)

/* ------------------------------------------------------------------ locks, waiting */

typedef spinlock_t port_spinlock_t;
typedef struct mutex port_mutex_t;
typedef wait_queue_head_t port_wait_t;
typedef atomic64_t port_atomic64_t;
typedef struct srcu_struct port_gate_t;

#define port_spin_init(l)	spin_lock_init(l)
#define port_spin_lock(l)	({ unsigned long __port_flags; spin_lock_irqsave(l, __port_flags); __port_flags; })
#define port_spin_unlock(l, flags) spin_unlock_irqrestore(l, flags)
#define port_assert_held(l)	lockdep_assert_held(l)

#define port_mutex_init(l)	mutex_init(l)
#define port_mutex_lock(l)	mutex_lock(l)
#define port_mutex_unlock(l)	mutex_unlock(l)
#define port_mutex_assert_held(l) lockdep_assert_held(l)

#define port_wait_init(w)	init_waitqueue_head(w)
#define port_wait_event(w, condition) wait_event(*(w), condition)
#define port_wake_all(w)	wake_up_all(w)

#define port_atomic64_read(a)		atomic64_read(a)
#define port_atomic64_set(a, v)		atomic64_set(a, v)
#define port_atomic64_add(n, a)		atomic64_add(n, a)
#define port_atomic64_sub(n, a)		atomic64_sub(n, a)
#define port_atomic64_inc(a)		atomic64_inc(a)
#define port_atomic64_dec(a)		atomic64_dec(a)
#define port_atomic64_add_return(n, a)	atomic64_add_return(n, a)
#define port_atomic64_sub_return(n, a)	atomic64_sub_return(n, a)
#define port_atomic64_inc_return(a)	atomic64_inc_return(a)
#define port_atomic64_dec_return(a)	atomic64_dec_return(a)

/*
 * The gate is SRCU's read side without lockdep's notion of an owner: a reader leaves in the completion of its I/O. Sparse would see
 * the enter and the leave as an imbalance each; the annotations cancel that.
 */
#define port_gate_init(g)	init_srcu_struct(g)

static inline void port_gate_destroy(port_gate_t *g)
{
	cleanup_srcu_struct(g);
}

static inline int port_gate_enter(port_gate_t *g)
{
	int idx = __srcu_read_lock(g);

	__release(g);
	return idx;
}

static inline void port_gate_leave(port_gate_t *g, int idx)
{
	__acquire(g);
	__srcu_read_unlock(g, idx);
}

static inline void port_gate_sync(port_gate_t *g)
{
	synchronize_srcu_expedited(g);
}

typedef struct rcu_head port_rcu_t;

#define port_rcu_enter()		rcu_read_lock()
#define port_rcu_leave()		rcu_read_unlock()
#define port_rcu_call(rcu, fn)		call_rcu(rcu, fn)
#define port_rcu_barrier()		rcu_barrier()

typedef seqcount_t port_seq_t;

#define PORT_SEQ_TRIES			8u
#define port_seq_init(s)		seqcount_init(s)
#define port_seq_write_begin(s)		write_seqcount_begin(s)
#define port_seq_write_end(s)		write_seqcount_end(s)
#define port_seq_read(s)		read_seqcount_begin(s)
#define port_seq_retry(s, start)	read_seqcount_retry(s, start)

static inline void port_cond_resched(void)
{
	cond_resched();
}

#endif /* LB_PORT_TYPES_H */
