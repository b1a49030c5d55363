// SPDX-License-Identifier: GPL-2.0
/*
 * The node cache.
 *
 * Nodes hang in shards by a hash of their address; a shard is a spinlock, hash chains and a clock ring. A node is in one of three states: loading
 * (one thread reads it, others wait), ready, failed (no longer in the hash; its error is what the waiters return). From ready on its block never changes.
 *
 * Look-ups of I/O do not pin: they peek, in a read section, and write to no memory that CPUs share. So chains change in one store, a node taken out of
 * its chain still leads on to the rest, and a node that was ever in a chain is freed only when the sections that may see it have ended.
 *
 *   pins      readers, the loader included. At zero a hashed node may be evicted, an unhashed one is freed by the last put.
 *   hashed    false after a drop, a failed load, or when another node took its address.
 *
 * Locks: a shard's lock protects its chains, ring and counts, and pins and hashed of its nodes. No two shard locks at once; nothing sleeps under
 * one. `state` is published with release and read with acquire by waiters; `touched` is a hint that anybody sets. The total is an atomic; the limit may be passed by the nodes that are pinned.
 *
 * A crash is of no concern here: the cache holds copies. What keeps it honest is that freed blocks are dropped before they are reused.
 */
#include "cache.h"
#include "engine.h"
#include "node.h"

#define CACHE_SHARDS		64u
#define CACHE_CHAINS_MIN	16u	/* per shard */
#define CACHE_CHAINS_MAX	4096u
#define CACHE_NODE_BYTES	(LB_BLOCK_BYTES + (u64)sizeof(struct cache_node))
#define CACHE_SWEEP		64u	/* ring entries looked at under one hold of a lock */

enum cache_state { CACHE_LOADING, CACHE_READY, CACHE_FAILED };

struct cache_node {
	struct lb_cnode pub;		/* first: an lb_cnode is a cache_node */
	struct cache_node *chain;	/* the next one of its hash chain */
	struct lb_list ring;
	port_rcu_t rcu;
	u64 addr;
	u64 gen;
	u32 csum;
	u32 pins;
	int error;			/* of a failed load */
	u8 state;			/* enum cache_state */
	u8 kind;
	bool hashed;
	bool touched;			/* since the clock's hand came by */
};
lb_static_assert(offsetof(struct cache_node, pub) == 0);

struct cache_shard {
	port_spinlock_t lock;
	struct cache_node **chains;
	struct lb_list ring;		/* of hashed nodes; its first is at the clock's hand */
	u64 nodes;			/* hashed */
	u64 pinned;			/* of them, with pins */
	u64 hits, misses;
	port_wait_t loaded;		/* woken when a load ends */
};

struct lb_cache {
	struct port_dev *dev;
	port_atomic64_t nodes;		/* all there are, unhashed ones too */
	port_atomic64_t reads, errors;
	port_atomic64_t hand;		/* the shard to evict from next */
	u64 limit;			/* nodes; READ_ONCE */
	unsigned int chain_mask;
	struct cache_shard shards[CACHE_SHARDS];
};

/* ------------------------------------------------------------------ life */

static u64 cache_limit_nodes(u64 bytes)
{
	return max_t(u64, bytes / CACHE_NODE_BYTES, 8);
}

struct lb_cache *lb_cache_alloc(struct port_dev *dev, u64 limit_bytes)
{
	struct lb_cache *c = port_alloc(sizeof(*c), PORT_WAIT);
	u64 chains = CACHE_CHAINS_MIN;
	unsigned int i;

	if (!c)
		return NULL;
	c->dev = dev;
	c->limit = cache_limit_nodes(limit_bytes);
	while (chains < CACHE_CHAINS_MAX && chains * CACHE_SHARDS < c->limit)
		chains *= 2;
	c->chain_mask = (unsigned int)chains - 1;
	for (i = 0; i < CACHE_SHARDS; i++) {
		struct cache_shard *s = &c->shards[i];

		port_spin_init(&s->lock);
		port_wait_init(&s->loaded);
		lb_list_init(&s->ring);
		s->chains = port_alloc(chains * sizeof(*s->chains), PORT_WAIT);
		if (!s->chains) {
			lb_cache_free(c);
			return NULL;
		}
	}
	return c;
}

static void cache_node_free(struct cache_node *n)
{
	port_free_block(n->pub.node);
	port_free(n);
}

static void cache_node_free_rcu(port_rcu_t *rcu)
{
	cache_node_free(lb_container_of(rcu, struct cache_node, rcu));
}

/* Out of the hash and without pins. */
static void cache_node_retire(struct lb_cache *c, struct cache_node *n)
{
	port_atomic64_dec(&c->nodes);
	port_rcu_call(&n->rcu, cache_node_free_rcu);
}

void lb_cache_free(struct lb_cache *c)
{
	unsigned int i;

	if (!c)
		return;
	for (i = 0; i < CACHE_SHARDS; i++) {
		struct cache_shard *s = &c->shards[i];

		while (s->chains && !lb_list_empty(&s->ring)) {
			struct cache_node *n = lb_list_first_entry(&s->ring, struct cache_node, ring);

			lb_list_del(&n->ring);
			cache_node_retire(c, n);
		}
		port_free(s->chains);
	}
	port_rcu_barrier();
	if (port_atomic64_read(&c->nodes))
		port_log(PORT_LOG_ERR, "node cache: freed with nodes pinned");
	port_free(c);
}

/* ------------------------------------------------------------------ finding, under a shard's lock */

static u64 cache_hash(u64 addr)
{
	return (addr * 0x9e3779b97f4a7c15ULL) >> 32;
}

static struct cache_shard *cache_shard(struct lb_cache *c, u64 addr)
{
	return &c->shards[cache_hash(addr) % CACHE_SHARDS];
}

static struct cache_node **cache_chain(struct lb_cache *c, struct cache_shard *s, u64 addr)
{
	return &s->chains[(cache_hash(addr) / CACHE_SHARDS) & c->chain_mask];
}

static struct cache_node *cache_find(struct lb_cache *c, struct cache_shard *s, u64 addr)
{
	struct cache_node *n;

	port_assert_held(&s->lock);
	for (n = *cache_chain(c, s, addr); n; n = n->chain)
		if (n->addr == addr)
			return n;
	return NULL;
}

static void cache_hash_in(struct lb_cache *c, struct cache_shard *s, struct cache_node *n)
{
	struct cache_node **chain = cache_chain(c, s, n->addr);

	port_assert_held(&s->lock);
	n->hashed = true;
	n->chain = *chain;
	port_store_release(chain, n);	/* pairs with the loads in lb_cache_peek() */
	lb_list_add_tail(&n->ring, &s->ring);
	WRITE_ONCE(s->nodes, s->nodes + 1);
	WRITE_ONCE(s->pinned, s->pinned + (n->pins != 0));
}

/* True: nobody has it, the caller frees it (outside the lock). */
static bool cache_unhash(struct lb_cache *c, struct cache_shard *s, struct cache_node *n)
{
	struct cache_node **at = cache_chain(c, s, n->addr);

	port_assert_held(&s->lock);
	n->hashed = false;
	while (*at != n)
		at = &(*at)->chain;
	WRITE_ONCE(*at, n->chain);
	lb_list_del(&n->ring);
	WRITE_ONCE(s->nodes, s->nodes - 1);
	WRITE_ONCE(s->pinned, s->pinned - (n->pins != 0));
	return !n->pins;
}

static void cache_pin(struct cache_shard *s, struct cache_node *n)
{
	port_assert_held(&s->lock);
	if (!n->pins++ && n->hashed)
		WRITE_ONCE(s->pinned, s->pinned + 1);
	WRITE_ONCE(n->touched, true);
}

void lb_cache_put(struct lb_cache *c, struct lb_cnode *pub)
{
	struct cache_node *n = (struct cache_node *)pub;
	struct cache_shard *s;
	unsigned long flags;
	bool gone;

	if (!n)
		return;
	s = cache_shard(c, n->addr);
	flags = port_spin_lock(&s->lock);
	gone = !--n->pins && !n->hashed;
	if (!n->pins && n->hashed)
		WRITE_ONCE(s->pinned, s->pinned - 1);
	port_spin_unlock(&s->lock, flags);
	if (gone)
		cache_node_retire(c, n);
}

/* ------------------------------------------------------------------ eviction */

/*
 * One hold of one shard's lock: turn the clock past up to CACHE_SWEEP nodes, unhash up to `want` of them onto `out`. `hard`: touched ones too.
 */
static u64 cache_sweep(struct lb_cache *c, struct cache_shard *s, u64 want, bool hard, struct lb_list *out)
{
	unsigned long flags;
	unsigned int looked;
	u64 got = 0;

	flags = port_spin_lock(&s->lock);
	for (looked = 0; looked < CACHE_SWEEP && got < want && !lb_list_empty(&s->ring); looked++) {
		struct cache_node *n = lb_list_first_entry(&s->ring, struct cache_node, ring);

		if (!n->pins && (hard || !READ_ONCE(n->touched))) {
			cache_unhash(c, s, n);
			lb_list_add(&n->ring, out);
			got++;
			continue;
		}
		WRITE_ONCE(n->touched, false);
		lb_list_del(&n->ring);
		lb_list_add_tail(&n->ring, &s->ring);
	}
	port_spin_unlock(&s->lock, flags);
	return got;
}

static u64 cache_evict_from(struct lb_cache *c, struct cache_shard *s, u64 want, bool hard)
{
	struct cache_node *n, *tmp;
	struct lb_list out;
	u64 got;

	lb_list_init(&out);
	got = cache_sweep(c, s, want, hard, &out);
	lb_list_for_each_entry_safe(n, tmp, &out, ring)
		cache_node_retire(c, n);
	return got;
}

u64 lb_cache_evict(struct lb_cache *c, u64 n)
{
	u64 done = 0, turns;

	/* Twice round all shards in steps of the sweep, the last time without mercy; ends early when n are gone. */
	for (turns = 0; turns < 3 * CACHE_SHARDS && done < n; turns++) {
		u64 i = (u64)port_atomic64_inc_return(&c->hand) % CACHE_SHARDS;

		done += cache_evict_from(c, &c->shards[i], n - done, turns >= 2 * CACHE_SHARDS);
	}
	return done;
}

/* Make room for what was just added. Costs one sweep in the ordinary case. */
static void cache_trim(struct lb_cache *c)
{
	s64 over = port_atomic64_read(&c->nodes) - (s64)READ_ONCE(c->limit);

	if (over > 0)
		lb_cache_evict(c, (u64)over);
}

void lb_cache_set_limit(struct lb_cache *c, u64 limit_bytes)
{
	s64 over;

	WRITE_ONCE(c->limit, cache_limit_nodes(limit_bytes));
	do {
		over = port_atomic64_read(&c->nodes) - (s64)READ_ONCE(c->limit);
	} while (over > 0 && lb_cache_evict(c, (u64)over));
}

u64 lb_cache_evictable(struct lb_cache *c)
{
	u64 n = 0;
	unsigned int i;

	for (i = 0; i < CACHE_SHARDS; i++)	/* approximate: no lock */
		n += READ_ONCE(c->shards[i].nodes) - READ_ONCE(c->shards[i].pinned);
	return (s64)n > 0 ? n : 0;
}

/* ------------------------------------------------------------------ loading */

static int cache_verify(const struct lb_node *node, const struct lb_ref *ref, u64 self, u8 kind, const char **why)
{
	int err;

	err = lb_block_verify(node, LB_MAGIC_NODE, self, ref->gen, ref->csum, why);
	if (err)
		return err;
	if (node->header.kind != kind || node->header.level != ref->level) {
		*why = node->header.kind != kind ? "kind" : "level";
		return -EUCLEAN;
	}
	return lb_node_check(node, kind, why);
}

/* Read and verify one copy into buf; logs what is wrong with it. */
static int cache_read_copy(struct lb_cache *c, const struct lb_ref *ref, u64 self, u8 kind, struct lb_node *buf)
{
	const char *why = "read error";
	int err;

	port_atomic64_inc(&c->reads);
	if (self >= port_dev_blocks(c->dev)) {
		err = -EUCLEAN;
		why = "address";
	} else {
		err = port_read(c->dev, self, buf);
		if (!err)
			err = cache_verify(buf, ref, self, kind, &why);
		else if (err != -ENOMEM)
			err = -EIO;
	}
	if (err && err != -ENOMEM) {
		port_atomic64_inc(&c->errors);
		port_log(PORT_LOG_ERR, "node at block %llu is bad: %s", self, why ? why : "payload");
	}
	return err;
}

static int cache_read(struct lb_cache *c, const struct lb_ref *ref, u8 kind, struct lb_node *buf)
{
	int err = cache_read_copy(c, ref, ref->addr, kind, buf), second;

	if (!err || !ref->addr2)
		return err;
	second = cache_read_copy(c, ref, ref->addr2, kind, buf);
	if (second)
		return err;
	port_log(PORT_LOG_WARN, "node at block %llu: its copy at %llu is good and was used", ref->addr, ref->addr2);
	return 0;
}

static bool cache_matches(const struct cache_node *n, const struct lb_ref *ref)
{
	return n->gen == ref->gen && n->csum == ref->csum;
}

static struct cache_node *cache_node_alloc(struct lb_cache *c, const struct lb_ref *ref, u8 kind, struct lb_node *block, enum cache_state state)
{
	struct cache_node *n = port_alloc(sizeof(*n), PORT_WAIT);

	if (!n)
		return NULL;
	n->pub.node = block ? block : port_alloc_block(PORT_WAIT);
	if (!n->pub.node) {
		port_free(n);
		return NULL;
	}
	lb_list_init(&n->ring);
	n->addr = ref->addr;
	n->gen = ref->gen;
	n->csum = ref->csum;
	n->kind = kind;
	n->state = (u8)state;
	n->pins = 1;
	n->touched = true;
	port_atomic64_inc(&c->nodes);
	return n;
}

/* Fill in the node that the caller entered as loading. On failure its pin is gone. */
static int cache_load(struct lb_cache *c, struct cache_shard *s, struct cache_node *n, const struct lb_ref *ref)
{
	int err = cache_read(c, ref, n->kind, n->pub.node);
	unsigned long flags;

	flags = port_spin_lock(&s->lock);
	n->error = err;
	if (err && n->hashed)
		cache_unhash(c, s, n);
	port_store_release(&n->state, (u8)(err ? CACHE_FAILED : CACHE_READY));
	port_spin_unlock(&s->lock, flags);
	port_wake_all(&s->loaded);
	if (err)
		lb_cache_put(c, &n->pub);
	else
		cache_trim(c);
	return err;
}

/* A node found and pinned: wait for it if it is being loaded, then see that it is what the caller means. 1: it is not; look again. */
static int cache_settle(struct lb_cache *c, struct cache_shard *s, struct cache_node *n, const struct lb_ref *ref, u8 kind, bool waited)
{
	unsigned long flags;
	int err;

	if (waited)
		port_wait_event(&s->loaded, port_load_acquire(&n->state) != CACHE_LOADING);
	err = n->error;
	if (!err && cache_matches(n, ref))
		err = n->kind == kind && n->pub.node->header.level == ref->level ? 0 : -EUCLEAN;
	else if (!cache_matches(n, ref))
		err = 1;	/* somebody else's idea of this address: judge by the device */
	if (!err)
		return 0;
	if (err == 1) {
		flags = port_spin_lock(&s->lock);
		if (n->hashed)
			cache_unhash(c, s, n);
		port_spin_unlock(&s->lock, flags);
	}
	lb_cache_put(c, &n->pub);
	return err;
}

/* Not there: enter a node as loading (unless another thread just did) and read it. 1: look again. */
static int cache_miss(struct lb_cache *c, struct cache_shard *s, const struct lb_ref *ref, u8 kind, struct lb_cnode **out)
{
	struct cache_node *n = cache_node_alloc(c, ref, kind, NULL, CACHE_LOADING);
	unsigned long flags;
	bool raced;
	int err;

	if (!n)
		return -ENOMEM;
	flags = port_spin_lock(&s->lock);
	raced = cache_find(c, s, ref->addr) != NULL;
	if (!raced) {
		cache_hash_in(c, s, n);
		s->misses++;
	}
	port_spin_unlock(&s->lock, flags);
	if (raced) {
		port_atomic64_dec(&c->nodes);
		cache_node_free(n);	/* nobody has seen it */
		return 1;
	}
	err = cache_load(c, s, n, ref);
	if (!err)
		*out = &n->pub;
	return err;
}

int lb_cache_get(struct lb_cache *c, const struct lb_ref *ref, u8 kind, unsigned int flags, struct lb_cnode **out)
{
	struct cache_shard *s = cache_shard(c, ref->addr);
	struct cache_node *n;
	unsigned long irq;
	bool loading;
	int err;

	*out = NULL;
	do {
		irq = port_spin_lock(&s->lock);
		n = cache_find(c, s, ref->addr);
		loading = n && n->state == CACHE_LOADING;
		if (n && (flags & LB_NOWAIT) && (loading || !cache_matches(n, ref)))
			n = NULL;	/* as good as absent */
		if (n) {
			cache_pin(s, n);
			s->hits++;
		}
		port_spin_unlock(&s->lock, irq);
		if (n) {
			err = cache_settle(c, s, n, ref, kind, loading);
			if (!err)
				*out = &n->pub;
		} else if (flags & LB_NOWAIT) {
			err = -EAGAIN;
		} else {
			err = cache_miss(c, s, ref, kind, out);
		}
	} while (err > 0);
	return err;
}

const struct lb_node *lb_cache_peek(struct lb_cache *c, const struct lb_ref *ref, u8 kind)
{
	struct cache_node *n = port_load_acquire(cache_chain(c, cache_shard(c, ref->addr), ref->addr));

	while (n && n->addr != ref->addr)
		n = READ_ONCE(n->chain);
	if (!n || port_load_acquire(&n->state) != CACHE_READY || !cache_matches(n, ref) || n->kind != kind ||
	    n->pub.node->header.level != ref->level)
		return NULL;
	if (!READ_ONCE(n->touched))
		WRITE_ONCE(n->touched, true);
	return n->pub.node;
}

/* ------------------------------------------------------------------ entering, dropping */

int lb_cache_insert(struct lb_cache *c, const struct lb_ref *ref, struct lb_node *block, struct lb_cnode **out)
{
	struct cache_shard *s = cache_shard(c, ref->addr);
	struct cache_node *n, *old;
	unsigned long flags;
	bool old_gone;

	*out = NULL;
	n = cache_node_alloc(c, ref, block->header.kind, block, CACHE_READY);
	if (!n) {
		port_free_block(block);
		return -ENOMEM;
	}
	flags = port_spin_lock(&s->lock);
	old = cache_find(c, s, ref->addr);
	old_gone = old && cache_unhash(c, s, old);
	cache_hash_in(c, s, n);
	port_spin_unlock(&s->lock, flags);
	if (old_gone)
		cache_node_retire(c, old);
	cache_trim(c);
	*out = &n->pub;
	return 0;
}

void lb_cache_drop(struct lb_cache *c, u64 addr)
{
	struct cache_shard *s = cache_shard(c, addr);
	struct cache_node *n;
	unsigned long flags;
	bool gone;

	flags = port_spin_lock(&s->lock);
	n = cache_find(c, s, addr);
	gone = n && cache_unhash(c, s, n);
	port_spin_unlock(&s->lock, flags);
	if (gone)
		cache_node_retire(c, n);
}

/* ------------------------------------------------------------------ scrub, statistics */

int lb_cache_scrub(struct lb_cache *c, const struct lb_ref *ref, u8 kind, bool repair, unsigned int *bad)
{
	struct lb_node *buf[2] = { port_alloc_block(PORT_WAIT), port_alloc_block(PORT_WAIT) };
	u64 self[2] = { ref->addr, ref->addr2 };
	unsigned int i, copies = ref->addr2 ? 2 : 1;
	int err[2] = { 0, 0 }, ret = -ENOMEM;
	void *good;

	*bad = 0;
	if (!buf[0] || !buf[1])
		goto out;
	for (i = 0; i < copies; i++) {
		err[i] = cache_read_copy(c, ref, self[i], kind, buf[i]);
		if (err[i] == -ENOMEM)
			goto out;
		*bad += err[i] != 0;
	}
	ret = 0;
	if (!repair || *bad != 1 || copies == 1)
		goto out;
	i = err[0] ? 0 : 1;		/* the bad one */
	good = buf[!i];
	if (self[i] >= port_dev_blocks(c->dev))
		goto out;
	buf[!i]->header.self = cpu_to_le64(self[i]);
	ret = port_write(c->dev, self[i], &good, 1, PORT_FUA);
	if (!ret)
		port_log(PORT_LOG_INFO, "node at block %llu was repaired from its copy", self[i]);
out:
	port_free_block(buf[0]);
	port_free_block(buf[1]);
	return ret;
}

void lb_cache_get_stat(struct lb_cache *c, struct lb_cache_stat *st)
{
	unsigned int i;

	memset(st, 0, sizeof(*st));
	for (i = 0; i < CACHE_SHARDS; i++) {
		struct cache_shard *s = &c->shards[i];
		unsigned long flags = port_spin_lock(&s->lock);

		st->hits += s->hits;
		st->misses += s->misses;
		port_spin_unlock(&s->lock, flags);
	}
	st->nodes = (u64)port_atomic64_read(&c->nodes);
	st->bytes = st->nodes * CACHE_NODE_BYTES;
	st->limit_bytes = READ_ONCE(c->limit) * CACHE_NODE_BYTES;
	st->device_reads = (u64)port_atomic64_read(&c->reads);
	st->errors = (u64)port_atomic64_read(&c->errors);
}
