/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The port: all that the engine sees of the world. Two ports implement it: kmod/port/ (the kernel) and userspace/engine/ (tools and
 * tests). Each has a port_types.h with the types and the inline primitives named below; the functions are in its *.c files.
 *
 * Errors are negative errno values in both. Sizes of device I/O are blocks of LB_BLOCK_BYTES.
 *
 * port_types.h supplies
 *   u8 u16 u32 u64 s64 bool, __le16 __le32 __le64 (bitwise under sparse), size_t, NULL, memcpy/memset/memcmp/memmove
 *   cpu_to_le16/32/64, le16/32/64_to_cpu, cpu_to_be64, be64_to_cpu, cpu_to_be32, be32_to_cpu (be: plain __be types)
 *   lb_static_assert(expr), min_t/max_t(type, a, b), lb_container_of(ptr, type, member), ARRAY_SIZE, likely/unlikely
 *   port_ctz64(x) (x not 0), port_fls64(x) (0 for 0, else 1 + the highest set bit's number), port_popcount64(x): all give unsigned int
 *   E* error numbers, READ_ONCE/WRITE_ONCE, port_load_acquire(&p), port_store_release(&p, v)
 *   struct lb_list (doubly linked; head and node alike) with lb_list_init, _add (after head), _add_tail, _del (node is left
 *     initialised, so that deleting twice is harmless), _empty, _splice_tail_init(list, head), lb_list_entry(ptr, type, member),
 *     lb_list_first_entry(head, type, member), lb_list_for_each_entry(pos, head, member), lb_list_for_each_entry_safe(pos, tmp, head, member)
 *   port_spinlock_t: port_spin_init(l), flags = port_spin_lock(l), port_spin_unlock(l, flags). Interrupts are off between: usable
 *     in every context. Nothing under it sleeps. port_assert_held(l).
 *   port_mutex_t: port_mutex_init/lock/unlock/assert_held(l). Sleeps.
 *   port_wait_t: port_wait_init(w); port_wait_event(w, condition) sleeps (uninterruptibly) until the condition holds, which is tested
 *     outside every lock; port_wake_all(w), any context.
 *   port_atomic64_t, arguments as the kernel's: port_atomic64_read(a), _set(a, v), _add(v, a), _sub(v, a), _inc(a), _dec(a), _add_return(v, a),
 *     _sub_return(v, a), _inc_return(a), _dec_return(a); full ordering for the _return ones
 *   port_gate_t: a sleepable read-side gate like the kernel's SRCU, whose reader may leave in another context than it entered, interrupts
 *     included: port_gate_init (may fail), port_gate_destroy, idx = port_gate_enter(g), port_gate_leave(g, idx), port_gate_sync(g): waits
 *     until every reader that had entered before the call has left.
 *   port_rcu_t (a member of what is freed so), port_rcu_enter(), port_rcu_leave(): a read section, any context, nothing in it sleeps; sections
 *     nest. port_rcu_call(rcu, fn): calls fn(rcu) once every section that had begun before has ended, in a context that must not sleep; itself
 *     any context. port_rcu_barrier(): waits until all such calls have been made; sleeps.
 *   port_seq_t: a sequence count beside a spinlock. port_seq_init(s); with the lock held, port_seq_write_begin(s) and _end(s) around changes;
 *     start = port_seq_read(s), and when port_seq_retry(s, start) what was read meanwhile is void. PORT_SEQ_TRIES: how often to try before one
 *     takes the lock to read. What is read must stay allocated by other means.
 *   port_cond_resched()
 *   printf format checking attribute lb_printf(a, b)
 */
#ifndef LB_PORT_H
#define LB_PORT_H

#include "port_types.h"

/* ------------------------------------------------------------------ memory */

/*
 * All allocation is without I/O (GFP_NOIO): the caller may be in a file system's write-back. PORT_NOWAIT: must not sleep; fails often.
 * Memory is zeroed. NULL on failure. port_alloc takes any size (kvzalloc: up to some MiB); with PORT_NOWAIT at most a few KiB.
 */
#define PORT_WAIT	0u
#define PORT_NOWAIT	1u
void *port_alloc(size_t bytes, unsigned int how);
void port_free(void *p);			/* NULL is fine; any context when the size was at most 4 KiB, else may sleep */
void *port_alloc_block(unsigned int how);	/* LB_BLOCK_BYTES, aligned to it, NOT zeroed; fit for device I/O */
void port_free_block(void *block);

/* Memory was refused: let others go on and give some back, for some milliseconds. Sleeps. */
void port_wait_memory(void);

/* ------------------------------------------------------------------ the device */

struct port_dev;

u64 port_dev_blocks(struct port_dev *dev);		/* size now (it may have grown) */
bool port_dev_can_discard(struct port_dev *dev);

/* Synchronous. May sleep. 0, -EIO, -ENOMEM or the device's error. */
int port_read(struct port_dev *dev, u64 block, void *buf);	/* one block */

#define PORT_PREFLUSH	1u	/* all writes completed before are durable first */
#define PORT_FUA	2u	/* these blocks are durable on return */
/* `count` consecutive blocks from `block` on, each from its own block buffer (port_alloc_block); at most LB_RECORD_MAX_BLOCKS. One device write. */
int port_write(struct port_dev *dev, u64 block, void *const *bufs, unsigned int count, unsigned int flags);
int port_flush(struct port_dev *dev);

/*
 * A batch of asynchronous I/O. The buffers stay the caller's and untouched until port_batch_wait() returns. A batch is used by one thread.
 * Adjacent blocks submitted in ascending order become large device writes. The first error is what wait returns; after wait the
 * batch is empty and can be used again.
 */
struct port_batch;
struct port_batch *port_batch_alloc(struct port_dev *dev);		/* may sleep; NULL */
void port_batch_free(struct port_batch *b);
void port_batch_write(struct port_batch *b, u64 block, void *buf);	/* may sleep for memory, never fails at once */
void port_batch_discard(struct port_batch *b, u64 block, u64 count);	/* a hint: its errors are not reported */
int port_batch_wait(struct port_batch *b);

/* ------------------------------------------------------------------ the rest */

u32 port_crc32c(u32 seed, const void *data, size_t len);	/* Castagnoli; seed ~0 to start; no final inversion */
u64 port_now_ns(void);						/* monotonic */
u64 port_wall_s(void);						/* seconds since 1970 */
void port_random(void *buf, size_t len);
u32 port_random_u32(void);					/* cheap, not for secrets; any context */

#define PORT_LOG_ERR	3
#define PORT_LOG_WARN	4
#define PORT_LOG_INFO	6
void port_log(int level, const char *fmt, ...) lb_printf(2, 3);	/* one line without "\n"; rate-limited in the kernel */

#endif /* LB_PORT_H */
