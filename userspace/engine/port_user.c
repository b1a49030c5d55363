// SPDX-License-Identifier: GPL-2.0
/*
 * The userspace port: memory, locks, waiting, checksums, time, chance, log, and the device functions that are the same for every device.
 *
 * Owns: the fault settings (atomics), the log sink, the clock and the random state (each under `misc`).
 * Lock rules as tests: a thread-local count of spinlocks held; port_may_sleep() aborts when it is not zero.
 */
#include "port_user.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static pthread_mutex_t misc = PTHREAD_MUTEX_INITIALIZER;

static void port_die(const char *what)
{
	fprintf(stderr, "port: %s\n", what);
	abort();
}

/* ------------------------------------------------------------------ locks */

static u64 next_thread;
static __thread u64 this_thread;
static __thread unsigned int spin_depth;
static __thread unsigned int rcu_depth;

u64 port_self(void)
{
	if (!this_thread)
		this_thread = __atomic_add_fetch(&next_thread, 1, __ATOMIC_RELAXED);
	return this_thread;
}

void port_may_sleep(void)
{
	if (spin_depth)
		port_die("something that may sleep was called under a spinlock");
	if (rcu_depth)
		port_die("something that may sleep was called in a read section");
}

void port_lock_assert(const u64 *owner)
{
	if (READ_ONCE(*owner) != port_self())
		port_die("a lock that must be held is not");
}

static void lock_take(pthread_mutex_t *m, u64 *owner)
{
	if (READ_ONCE(*owner) == port_self())
		port_die("a lock is taken twice");
	if (pthread_mutex_lock(m))
		port_die("lock");
	WRITE_ONCE(*owner, port_self());
}

static void lock_drop(pthread_mutex_t *m, u64 *owner)
{
	port_lock_assert(owner);
	WRITE_ONCE(*owner, 0);
	if (pthread_mutex_unlock(m))
		port_die("unlock");
}

void port_spin_init(port_spinlock_t *l)
{
	pthread_mutex_init(&l->m, NULL);
	l->owner = 0;
}

unsigned long port_spin_lock(port_spinlock_t *l)
{
	lock_take(&l->m, &l->owner);
	spin_depth++;
	return 0;
}

void port_spin_unlock(port_spinlock_t *l, unsigned long flags)
{
	(void)flags;
	spin_depth--;
	lock_drop(&l->m, &l->owner);
}

void port_mutex_init(port_mutex_t *l)
{
	pthread_mutex_init(&l->m, NULL);
	l->owner = 0;
}

void port_mutex_lock(port_mutex_t *l)
{
	port_may_sleep();
	lock_take(&l->m, &l->owner);
}

void port_mutex_unlock(port_mutex_t *l)
{
	lock_drop(&l->m, &l->owner);
}

/*
 * Waiting. With LB_PORT_WAIT_LIMIT=seconds in the environment (the tests' Makefile sets it), a wait that lasts longer aborts with a stack to look at, instead of
 * hanging for ever.
 */
static unsigned long wait_limit;
static pthread_once_t wait_once = PTHREAD_ONCE_INIT;

static void wait_init(void)
{
	const char *s = getenv("LB_PORT_WAIT_LIMIT");

	wait_limit = s ? strtoul(s, NULL, 10) : 0;
}

static void cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	struct timespec until;

	pthread_once(&wait_once, wait_init);
	if (!wait_limit) {
		pthread_cond_wait(c, m);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (time_t)wait_limit;
	if (pthread_cond_timedwait(c, m, &until) == ETIMEDOUT)
		port_die("waited longer than LB_PORT_WAIT_LIMIT");
}

void port_wait_init(port_wait_t *w)
{
	pthread_mutex_init(&w->m, NULL);
	pthread_cond_init(&w->c, NULL);
	w->seq = 0;
}

u64 port_wait_seq(port_wait_t *w)
{
	u64 seq;

	port_may_sleep();
	pthread_mutex_lock(&w->m);
	seq = w->seq;
	pthread_mutex_unlock(&w->m);
	return seq;
}

void port_wait_sleep(port_wait_t *w, u64 seq)
{
	pthread_mutex_lock(&w->m);
	while (w->seq == seq)
		cond_wait(&w->c, &w->m);
	pthread_mutex_unlock(&w->m);
}

void port_wake_all(port_wait_t *w)
{
	pthread_mutex_lock(&w->m);
	w->seq++;
	pthread_cond_broadcast(&w->c);
	pthread_mutex_unlock(&w->m);
}

int port_gate_init(port_gate_t *g)
{
	memset(g, 0, sizeof(*g));
	pthread_mutex_init(&g->sync, NULL);
	pthread_mutex_init(&g->m, NULL);
	pthread_cond_init(&g->c, NULL);
	return 0;
}

void port_gate_destroy(port_gate_t *g)
{
	if (g->readers[0] || g->readers[1])
		port_die("a gate is destroyed with readers inside");
	pthread_cond_destroy(&g->c);
	pthread_mutex_destroy(&g->m);
	pthread_mutex_destroy(&g->sync);
}

int port_gate_enter(port_gate_t *g)
{
	int idx;

	pthread_mutex_lock(&g->m);
	idx = g->idx;
	g->readers[idx]++;
	pthread_mutex_unlock(&g->m);
	return idx;
}

void port_gate_leave(port_gate_t *g, int idx)
{
	pthread_mutex_lock(&g->m);
	if (!g->readers[idx])
		port_die("a gate is left more often than entered");
	if (!--g->readers[idx])
		pthread_cond_broadcast(&g->c);
	pthread_mutex_unlock(&g->m);
}

void port_gate_sync(port_gate_t *g)
{
	int old;

	port_may_sleep();
	pthread_mutex_lock(&g->sync);
	pthread_mutex_lock(&g->m);
	old = g->idx;
	g->idx = !old;
	while (g->readers[old])
		cond_wait(&g->c, &g->m);
	pthread_mutex_unlock(&g->m);
	pthread_mutex_unlock(&g->sync);
}

void port_cond_resched(void)
{
	port_may_sleep();
}

/* ------------------------------------------------------------------ read-copy-update */

#define RCU_AT_ONCE	64u	/* calls that wait before somebody looks whether they can be made */

static pthread_rwlock_t rcu_sections = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t rcu_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t rcu_calling = PTHREAD_MUTEX_INITIALIZER;	/* who makes calls; outside of rcu_lock */
static port_rcu_t *rcu_calls;		/* under rcu_lock, as their number */
static unsigned int rcu_waiting;

void port_rcu_enter(void)
{
	if (!rcu_depth++ && pthread_rwlock_rdlock(&rcu_sections))
		port_die("a read section");
}

void port_rcu_leave(void)
{
	if (!rcu_depth)
		port_die("a read section is left more often than entered");
	if (!--rcu_depth)
		pthread_rwlock_unlock(&rcu_sections);
}

/* Make the calls that wait; the caller has seen that none of the sections from before them is open. */
static void rcu_make_calls(port_rcu_t *rcu)
{
	while (rcu) {
		port_rcu_t *next = rcu->next;

		rcu->fn(rcu);
		rcu = next;
	}
}

static port_rcu_t *rcu_take_calls(void)
{
	port_rcu_t *rcu;

	pthread_mutex_lock(&rcu_lock);
	rcu = rcu_calls;
	rcu_calls = NULL;
	rcu_waiting = 0;
	pthread_mutex_unlock(&rcu_lock);
	return rcu;
}

void port_rcu_call(port_rcu_t *rcu, void (*fn)(port_rcu_t *rcu))
{
	bool many;

	rcu->fn = fn;
	pthread_mutex_lock(&rcu_lock);
	rcu->next = rcu_calls;
	rcu_calls = rcu;
	many = ++rcu_waiting >= RCU_AT_ONCE;
	pthread_mutex_unlock(&rcu_lock);
	if (!many || rcu_depth || pthread_mutex_trylock(&rcu_calling))
		return;
	if (!pthread_rwlock_trywrlock(&rcu_sections)) {
		rcu = rcu_take_calls();
		pthread_rwlock_unlock(&rcu_sections);
		rcu_make_calls(rcu);
	}
	pthread_mutex_unlock(&rcu_calling);
}

void port_rcu_barrier(void)
{
	port_rcu_t *rcu;

	port_may_sleep();
	pthread_mutex_lock(&rcu_calling);
	pthread_rwlock_wrlock(&rcu_sections);
	rcu = rcu_take_calls();
	pthread_rwlock_unlock(&rcu_sections);
	rcu_make_calls(rcu);
	pthread_mutex_unlock(&rcu_calling);
}

/* ------------------------------------------------------------------ memory */

static u64 alloc_total, alloc_live;
static s64 fault_at, fault_until;	/* numbers of allocations that fail: [at, until) */
static unsigned int nowait_permille;
#define NOWAIT_SEED 88172645463325252ull
static u64 nowait_state = NOWAIT_SEED;
static __thread u64 thread_allocs, thread_fault_at, thread_fault_until;

u64 port_alloc_total(void) { return __atomic_load_n(&alloc_total, __ATOMIC_RELAXED); }

u64 port_alloc_live(void)
{
	port_rcu_barrier();
	return __atomic_load_n(&alloc_live, __ATOMIC_RELAXED);
}

void port_fault_alloc(u64 nth, u64 count)
{
	s64 at = nth ? (s64)(port_alloc_total() + nth) : 0;

	__atomic_store_n(&fault_at, at, __ATOMIC_RELAXED);
	__atomic_store_n(&fault_until, at + (s64)(nth ? count : 0), __ATOMIC_RELAXED);
}

void port_fault_alloc_thread(u64 nth, u64 count)
{
	thread_fault_at = nth ? thread_allocs + nth : 0;
	thread_fault_until = nth ? thread_fault_at + count : 0;
}

void port_fault_nowait(unsigned int permille)
{
	__atomic_store_n(&nowait_permille, permille, __ATOMIC_RELAXED);
	nowait_state = NOWAIT_SEED;	/* the same run fails in the same places */
}

static u64 xorshift(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static bool alloc_fails(unsigned int how)
{
	s64 n = (s64)__atomic_add_fetch(&alloc_total, 1, __ATOMIC_RELAXED);
	unsigned int permille = __atomic_load_n(&nowait_permille, __ATOMIC_RELAXED);
	bool fails = false;

	if (how != PORT_NOWAIT)
		port_may_sleep();
	thread_allocs++;
	if (thread_allocs >= thread_fault_at && thread_allocs < thread_fault_until)
		return true;
	if (n >= __atomic_load_n(&fault_at, __ATOMIC_RELAXED) && n < __atomic_load_n(&fault_until, __ATOMIC_RELAXED))
		return true;
	if (how == PORT_NOWAIT && permille) {
		pthread_mutex_lock(&misc);
		fails = xorshift(&nowait_state) % 1000 < permille;
		pthread_mutex_unlock(&misc);
	}
	return fails;
}

static void *alloc_count(void *p)
{
	if (p)
		__atomic_add_fetch(&alloc_live, 1, __ATOMIC_RELAXED);
	return p;
}

void *port_alloc(size_t bytes, unsigned int how)
{
	if (how == PORT_NOWAIT && bytes > 8192)
		port_die("port_alloc: too large for PORT_NOWAIT");
	return alloc_fails(how) ? NULL : alloc_count(calloc(1, bytes ? bytes : 1));
}

void port_free(void *p)
{
	if (!p)
		return;
	__atomic_sub_fetch(&alloc_live, 1, __ATOMIC_RELAXED);
	free(p);
}

void *port_alloc_block(unsigned int how)
{
	void *p = NULL;

	if (alloc_fails(how) || posix_memalign(&p, LB_BLOCK_BYTES, LB_BLOCK_BYTES))
		return NULL;
	return alloc_count(p);
}

void port_free_block(void *block)
{
	port_free(block);
}

/* Shorter than in the kernel: here memory is short because a test says so. */
void port_wait_memory(void)
{
	const struct timespec t = { .tv_nsec = 100000 };

	port_may_sleep();
	nanosleep(&t, NULL);
}

/* ------------------------------------------------------------------ devices */

u64 port_dev_blocks(struct port_dev *dev)
{
	return dev->ops->blocks(dev);
}

bool port_dev_can_discard(struct port_dev *dev)
{
	return dev->ops->discard != NULL;
}

int port_read(struct port_dev *dev, u64 block, void *buf)
{
	port_may_sleep();
	return dev->ops->read(dev, block, buf);
}

int port_write(struct port_dev *dev, u64 block, void *const *bufs, unsigned int count, unsigned int flags)
{
	port_may_sleep();
	if (!count || count > LB_RECORD_MAX_BLOCKS)
		port_die("port_write: count");
	return dev->ops->write(dev, block, bufs, count, flags);
}

int port_flush(struct port_dev *dev)
{
	port_may_sleep();
	return dev->ops->flush(dev);
}

/*
 * A batch holds back what it is given until it is waited for (or holds very much), so that a buffer freed or changed too early is noticed: the one by
 * the address sanitizer, the other by its checksum.
 */
#define BATCH_ITEMS 4096u

struct batch_item {
	u64 block;
	u64 count;	/* of a discard */
	void *buf;	/* NULL: a discard */
	u32 csum;
};

struct port_batch {
	struct port_dev *dev;
	struct batch_item *items;
	unsigned int n;
	int error;
};

struct port_batch *port_batch_alloc(struct port_dev *dev)
{
	struct port_batch *b = port_alloc(sizeof(*b), PORT_WAIT);

	if (!b)
		return NULL;
	b->dev = dev;
	b->items = port_alloc(BATCH_ITEMS * sizeof(*b->items), PORT_WAIT);
	if (!b->items) {
		port_free(b);
		return NULL;
	}
	return b;
}

void port_batch_free(struct port_batch *b)
{
	if (!b)
		return;
	if (b->n)
		port_die("a batch is freed before it was waited for");
	port_free(b->items);
	port_free(b);
}

static unsigned int batch_run(struct port_batch *b, unsigned int i)
{
	void *bufs[LB_RECORD_MAX_BLOCKS];
	unsigned int n;
	int err;

	for (n = 0; n < LB_RECORD_MAX_BLOCKS && i + n < b->n; n++) {
		struct batch_item *it = &b->items[i + n];

		if (!it->buf || it->block != b->items[i].block + n)
			break;
		if (b->dev->check_batches && it->csum != port_crc32c(~0u, it->buf, LB_BLOCK_BYTES))
			port_die("a buffer was changed while a batch had it");
		bufs[n] = it->buf;
	}
	err = b->dev->ops->write(b->dev, b->items[i].block, bufs, n, 0);
	if (err && !b->error)
		b->error = err;
	return n;
}

static void batch_submit(struct port_batch *b)
{
	unsigned int i = 0;

	while (i < b->n) {
		if (b->items[i].buf) {
			i += batch_run(b, i);
			continue;
		}
		if (b->dev->ops->discard)
			b->dev->ops->discard(b->dev, b->items[i].block, b->items[i].count);
		i++;
	}
	b->n = 0;
}

static struct batch_item *batch_slot(struct port_batch *b)
{
	port_may_sleep();
	if (b->n == BATCH_ITEMS)
		batch_submit(b);
	return &b->items[b->n++];
}

void port_batch_write(struct port_batch *b, u64 block, void *buf)
{
	struct batch_item *it = batch_slot(b);

	it->block = block;
	it->count = 1;
	it->buf = buf;
	it->csum = b->dev->check_batches ? port_crc32c(~0u, buf, LB_BLOCK_BYTES) : 0;
}

void port_batch_discard(struct port_batch *b, u64 block, u64 count)
{
	struct batch_item *it = batch_slot(b);

	it->block = block;
	it->count = count;
	it->buf = NULL;
}

int port_batch_wait(struct port_batch *b)
{
	int err;

	port_may_sleep();
	batch_submit(b);
	err = b->error;
	b->error = 0;
	return err;
}

/* ------------------------------------------------------------------ checksum */

static u32 crc_table[8][256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void crc_init(void)
{
	unsigned int i, j;

	for (i = 0; i < 256; i++) {
		u32 c = i;

		for (j = 0; j < 8; j++)
			c = (c >> 1) ^ (c & 1 ? 0x82f63b78u : 0);
		crc_table[0][i] = c;
	}
	for (i = 0; i < 256; i++)
		for (j = 1; j < 8; j++)
			crc_table[j][i] = (crc_table[j - 1][i] >> 8) ^ crc_table[0][crc_table[j - 1][i] & 0xff];
}

static u32 crc_soft(u32 crc, const u8 *p, size_t len)
{
	pthread_once(&crc_once, crc_init);
	for (; len >= 8; p += 8, len -= 8) {
		__le32 raw[2];
		u32 lo, hi;

		memcpy(raw, p, 8);
		lo = le32_to_cpu(raw[0]) ^ crc;
		hi = le32_to_cpu(raw[1]);
		crc = crc_table[7][lo & 0xff] ^ crc_table[6][(lo >> 8) & 0xff] ^ crc_table[5][(lo >> 16) & 0xff] ^
		      crc_table[4][lo >> 24] ^ crc_table[3][hi & 0xff] ^ crc_table[2][(hi >> 8) & 0xff] ^
		      crc_table[1][(hi >> 16) & 0xff] ^ crc_table[0][hi >> 24];
	}
	while (len--)
		crc = (crc >> 8) ^ crc_table[0][(crc ^ *p++) & 0xff];
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static u32 crc_hard(u32 crc, const u8 *p, size_t len)
{
	u64 c = crc, v;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&v, p, 8);
		c = __builtin_ia32_crc32di(c, v);
	}
	while (len--)
		c = __builtin_ia32_crc32qi((u32)c, *p++);
	return (u32)c;
}
#endif

u32 port_crc32c(u32 seed, const void *data, size_t len)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return crc_hard(seed, data, len);
#endif
	return crc_soft(seed, data, len);
}

/* For the test that compares the two. */
u32 port_crc32c_table(u32 seed, const void *data, size_t len);
u32 port_crc32c_table(u32 seed, const void *data, size_t len)
{
	return crc_soft(seed, data, len);
}

/* ------------------------------------------------------------------ time, chance, log */

static bool clock_faked;
static u64 fake_ns, fake_start_ns, fake_wall;
static u64 random_state;

void port_clock_fake(u64 now_ns, u64 wall_s)
{
	pthread_mutex_lock(&misc);
	clock_faked = true;
	fake_ns = fake_start_ns = now_ns;
	fake_wall = wall_s;
	pthread_mutex_unlock(&misc);
}

void port_clock_advance(u64 ns)
{
	pthread_mutex_lock(&misc);
	fake_ns += ns;
	pthread_mutex_unlock(&misc);
}

void port_clock_real(void)
{
	pthread_mutex_lock(&misc);
	clock_faked = false;
	pthread_mutex_unlock(&misc);
}

u64 port_now_ns(void)
{
	struct timespec ts;
	u64 now;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	pthread_mutex_lock(&misc);
	now = clock_faked ? fake_ns : (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
	pthread_mutex_unlock(&misc);
	return now;
}

u64 port_wall_s(void)
{
	u64 now;

	pthread_mutex_lock(&misc);
	now = clock_faked ? fake_wall + (fake_ns - fake_start_ns) / 1000000000u : (u64)time(NULL);
	pthread_mutex_unlock(&misc);
	return now;
}

void port_random_seed(u64 seed)
{
	pthread_mutex_lock(&misc);
	random_state = seed;
	pthread_mutex_unlock(&misc);
}

void port_random(void *buf, size_t len)
{
	u8 *p = buf;
	size_t done = 0;

	pthread_mutex_lock(&misc);
	while (random_state && done < len)
		p[done++] = (u8)(xorshift(&random_state) >> 24);
	pthread_mutex_unlock(&misc);
	while (done < len) {
		ssize_t n = getrandom(p + done, len - done, 0);

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno != EINTR)
			port_die("getrandom");
	}
}

u32 port_random_u32(void)
{
	u32 r;

	port_random(&r, sizeof(r));
	return r;
}

static port_log_fn log_sink;
static void *log_arg;
static int log_level = PORT_LOG_WARN;

void port_log_set_sink(port_log_fn fn, void *arg)
{
	pthread_mutex_lock(&misc);
	log_sink = fn;
	log_arg = arg;
	pthread_mutex_unlock(&misc);
}

void port_log_set_level(int level)
{
	WRITE_ONCE(log_level, level);
}

void port_log(int level, const char *fmt, ...)
{
	int limit = READ_ONCE(log_level);
	port_log_fn sink;
	char line[512];
	va_list ap;
	void *arg;

	if (limit >= 0 && level > limit)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&misc);
	sink = log_sink;
	arg = log_arg;
	pthread_mutex_unlock(&misc);
	if (sink)
		sink(arg, level, line);
	else
		fprintf(stderr, "layerblk: %s\n", line);
}
