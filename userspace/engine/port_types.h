/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The types and inline primitives of the userspace port: everything that kmod/engine/port.h says port_types.h supplies.
 * kmod/port/port_types.h is its twin for the kernel and has the same names.
 *
 * Locks know their owner and each thread knows how many spinlocks it holds, so that port_assert_held() is a real check and everything that may
 * sleep aborts when it is called under a spinlock: the lock rules of the engine are tested by merely running it.
 */
#ifndef LB_PORT_TYPES_H
#define LB_PORT_TYPES_H

#include <errno.h>
#include <linux/types.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;

/* ------------------------------------------------------------------ byte order */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define PORT_LE(bits, x) ((u##bits)(x))
#define PORT_BE(bits, x) (__builtin_bswap##bits((u##bits)(x)))
#else
#define PORT_LE(bits, x) (__builtin_bswap##bits((u##bits)(x)))
#define PORT_BE(bits, x) ((u##bits)(x))
#endif

static inline __le16 cpu_to_le16(u16 x) { return PORT_LE(16, x); }
static inline __le32 cpu_to_le32(u32 x) { return PORT_LE(32, x); }
static inline __le64 cpu_to_le64(u64 x) { return PORT_LE(64, x); }
static inline u16 le16_to_cpu(__le16 x) { return PORT_LE(16, x); }
static inline u32 le32_to_cpu(__le32 x) { return PORT_LE(32, x); }
static inline u64 le64_to_cpu(__le64 x) { return PORT_LE(64, x); }
static inline __be32 cpu_to_be32(u32 x) { return PORT_BE(32, x); }
static inline __be64 cpu_to_be64(u64 x) { return PORT_BE(64, x); }
static inline u32 be32_to_cpu(__be32 x) { return PORT_BE(32, x); }
static inline u64 be64_to_cpu(__be64 x) { return PORT_BE(64, x); }

/* ------------------------------------------------------------------ small helpers */

#define lb_static_assert(expr) _Static_assert(expr, #expr)
#define lb_printf(a, b) __attribute__((format(printf, a, b)))

#ifndef likely
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#endif

#define lb_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

/* Unique names, so that nested uses do not shadow each other. */
#define PORT_CAT_(a, b) a##b
#define PORT_CAT(a, b) PORT_CAT_(a, b)
#define PORT_CMP_(type, a, b, op, x, y) __extension__({ type x = (a); type y = (b); x op y ? x : y; })
#define PORT_CMP(type, a, b, op, n) PORT_CMP_(type, a, b, op, PORT_CAT(port_x_, n), PORT_CAT(port_y_, n))
#ifndef min_t
#define min_t(type, a, b) PORT_CMP(type, a, b, <, __COUNTER__)
#define max_t(type, a, b) PORT_CMP(type, a, b, >, __COUNTER__)
#endif

#ifndef READ_ONCE
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#endif
#define port_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define port_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

static inline unsigned int port_ctz64(u64 x) { return (unsigned int)__builtin_ctzll(x); }	/* x != 0 */
static inline unsigned int port_fls64(u64 x) { return x ? 64u - (unsigned int)__builtin_clzll(x) : 0u; }
static inline unsigned int port_popcount64(u64 x) { return (unsigned int)__builtin_popcountll(x); }

/* ------------------------------------------------------------------ lists */

struct lb_list {
	struct lb_list *next, *prev;
};

static inline void lb_list_init(struct lb_list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool lb_list_empty(const struct lb_list *l) { return l->next == l; }

static inline void lb_list_add(struct lb_list *node, struct lb_list *head)
{
	node->next = head->next;
	node->prev = head;
	head->next->prev = node;
	head->next = node;
}

static inline void lb_list_add_tail(struct lb_list *node, struct lb_list *head) { lb_list_add(node, head->prev); }

static inline void lb_list_del(struct lb_list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	lb_list_init(node);
}

static inline void lb_list_splice_tail_init(struct lb_list *list, struct lb_list *head)
{
	if (lb_list_empty(list))
		return;
	list->next->prev = head->prev;
	head->prev->next = list->next;
	list->prev->next = head;
	head->prev = list->prev;
	lb_list_init(list);
}

#define lb_list_entry(ptr, type, member) lb_container_of(ptr, type, member)
#define lb_list_first_entry(head, type, member) lb_list_entry((head)->next, type, member)
#define lb_list_for_each_entry(pos, head, member)								\
	for (pos = lb_list_entry((head)->next, __typeof__(*pos), member); &pos->member != (head);		\
	     pos = lb_list_entry(pos->member.next, __typeof__(*pos), member))
#define lb_list_for_each_entry_safe(pos, tmp, head, member)							\
	for (pos = lb_list_entry((head)->next, __typeof__(*pos), member),					\
	     tmp = lb_list_entry(pos->member.next, __typeof__(*pos), member);					\
	     &pos->member != (head);										\
	     pos = tmp, tmp = lb_list_entry(tmp->member.next, __typeof__(*tmp), member))

/* ------------------------------------------------------------------ locks, waiting */

typedef struct {
	pthread_mutex_t m;
	u64 owner;		/* port_self() of the holder, 0: free */
} port_spinlock_t;

typedef struct {		/* its own type, so that the compiler tells the two apart */
	pthread_mutex_t m;
	u64 owner;
} port_mutex_t;

u64 port_self(void);		/* a number of the calling thread, not 0 */
void port_may_sleep(void);	/* abort when the caller holds a spinlock */

void port_spin_init(port_spinlock_t *l);
unsigned long port_spin_lock(port_spinlock_t *l);
void port_spin_unlock(port_spinlock_t *l, unsigned long flags);
void port_mutex_init(port_mutex_t *l);
void port_mutex_lock(port_mutex_t *l);
void port_mutex_unlock(port_mutex_t *l);
void port_lock_assert(const u64 *owner);
#define port_assert_held(l) port_lock_assert(&(l)->owner)
#define port_mutex_assert_held(l) port_lock_assert(&(l)->owner)

typedef struct {
	pthread_mutex_t m;
	pthread_cond_t c;
	u64 seq;
} port_wait_t;

void port_wait_init(port_wait_t *w);
u64 port_wait_seq(port_wait_t *w);
void port_wait_sleep(port_wait_t *w, u64 seq);	/* until woken after port_wait_seq() returned seq */
void port_wake_all(port_wait_t *w);
#define port_wait_event(w, condition)				\
	do {							\
		u64 port_seq_ = port_wait_seq(w);		\
		if (condition)					\
			break;					\
		port_wait_sleep(w, port_seq_);			\
	} while (1)

typedef struct {
	s64 v;
} port_atomic64_t;

static inline s64 port_atomic64_read(const port_atomic64_t *a) { return __atomic_load_n(&a->v, __ATOMIC_RELAXED); }
static inline void port_atomic64_set(port_atomic64_t *a, s64 v) { __atomic_store_n(&a->v, v, __ATOMIC_RELAXED); }
static inline void port_atomic64_add(s64 n, port_atomic64_t *a) { __atomic_add_fetch(&a->v, n, __ATOMIC_RELAXED); }
static inline void port_atomic64_sub(s64 n, port_atomic64_t *a) { __atomic_sub_fetch(&a->v, n, __ATOMIC_RELAXED); }
static inline void port_atomic64_inc(port_atomic64_t *a) { port_atomic64_add(1, a); }
static inline void port_atomic64_dec(port_atomic64_t *a) { port_atomic64_sub(1, a); }
static inline s64 port_atomic64_add_return(s64 n, port_atomic64_t *a) { return __atomic_add_fetch(&a->v, n, __ATOMIC_SEQ_CST); }
static inline s64 port_atomic64_sub_return(s64 n, port_atomic64_t *a) { return __atomic_sub_fetch(&a->v, n, __ATOMIC_SEQ_CST); }
static inline s64 port_atomic64_inc_return(port_atomic64_t *a) { return port_atomic64_add_return(1, a); }
static inline s64 port_atomic64_dec_return(port_atomic64_t *a) { return port_atomic64_sub_return(1, a); }

/*
 * The gate. Readers count themselves in under one of two counters; sync turns new readers to the other counter and waits for the first to reach zero.
 * Syncs are serialised, and each leaves its old counter at zero, so that at a turn every earlier reader is under the counter turned away from.
 */
typedef struct {
	pthread_mutex_t sync;	/* serialises port_gate_sync */
	pthread_mutex_t m;	/* protects the rest */
	pthread_cond_t c;
	u64 readers[2];
	int idx;
} port_gate_t;

int port_gate_init(port_gate_t *g);
void port_gate_destroy(port_gate_t *g);
int port_gate_enter(port_gate_t *g);
void port_gate_leave(port_gate_t *g, int idx);
void port_gate_sync(port_gate_t *g);

/*
 * Read-copy-update, as a lock for reading that all sections share: what was handed to port_rcu_call() is freed by whoever next finds
 * no section open.
 */
typedef struct port_rcu {
	struct port_rcu *next;
	void (*fn)(struct port_rcu *rcu);
} port_rcu_t;

void port_rcu_enter(void);
void port_rcu_leave(void);
void port_rcu_call(port_rcu_t *rcu, void (*fn)(port_rcu_t *rcu));
void port_rcu_barrier(void);

typedef struct {
	u32 seq;
} port_seq_t;

/* ThreadSanitizer knows nothing of fences, and would call each optimistic read a race: there the lock is taken at once. */
#ifdef __SANITIZE_THREAD__
#define PORT_SEQ_TRIES 0u
#define PORT_FENCE(order) do { } while (0)
#else
#define PORT_SEQ_TRIES 8u
#define PORT_FENCE(order) __atomic_thread_fence(order)
#endif

static inline void port_seq_init(port_seq_t *s) { s->seq = 0; }
static inline u32 port_seq_read(const port_seq_t *s) { return __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE) & ~1u; }

static inline bool port_seq_retry(const port_seq_t *s, u32 start)
{
	PORT_FENCE(__ATOMIC_ACQUIRE);
	return READ_ONCE(s->seq) != start;
}

static inline void port_seq_write_begin(port_seq_t *s)
{
	WRITE_ONCE(s->seq, s->seq + 1);
	PORT_FENCE(__ATOMIC_RELEASE);
}

static inline void port_seq_write_end(port_seq_t *s) { port_store_release(&s->seq, s->seq + 1); }

void port_cond_resched(void);

#endif /* LB_PORT_TYPES_H */
