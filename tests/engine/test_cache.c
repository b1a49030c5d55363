// SPDX-License-Identifier: GPL-2.0
/* The node cache: what it believes, what it keeps, what it forgets; and many threads at once. */
#include <pthread.h>
#include <unistd.h>

#include "cache.h"
#include "engine.h"
#include "node.h"
#include "support.h"

#define BLOCKS 20000ull

/* A map leaf with one extent, at both addresses of the reference. */
static struct lb_node *leaf(u64 addr, u64 gen)
{
	struct lb_extent_cpu e = { .lblk = addr, .count = 1, .pblk = addr + 1, .birth = gen };
	struct lb_node *n = port_alloc_block(PORT_WAIT);

	memset(n, 0, sizeof(*n));
	n->header.kind = LB_TREE_MAP;
	n->header.count = cpu_to_le16(1);
	n->header.used = cpu_to_le16(sizeof(struct lb_extent));
	n->extents[0] = lb_extent_encode(&e);
	return n;
}

static struct lb_ref store(struct port_dev *dev, u64 addr, u64 addr2, u64 gen)
{
	struct lb_node *n = leaf(addr, gen);
	struct lb_ref ref = { .addr = addr, .addr2 = addr2, .gen = gen };

	ref.csum = lb_block_seal(n, LB_MAGIC_NODE, addr, gen, 1);
	port_sim_poke(dev, addr, n);
	if (addr2) {
		n->header.self = cpu_to_le64(addr2);
		port_sim_poke(dev, addr2, n);
	}
	port_free_block(n);
	return ref;
}

static u64 reads(struct port_dev *dev)
{
	struct port_sim_stat st;

	port_sim_get_stat(dev, &st);
	return st.reads;
}

static void hits_and_misses(void **state)
{
	struct port_dev *dev = port_sim_new(BLOCKS);
	struct lb_ref ref = store(dev, 100, 0, 3);
	struct lb_cache *c = lb_cache_alloc(dev, 1 << 20);
	struct lb_cnode *a, *b;
	struct lb_cache_stat st;

	(void)state;
	assert_int_equal(lb_cache_get(c, &ref, LB_TREE_MAP, LB_NOWAIT, &a), -EAGAIN);
	assert_ok(lb_cache_get(c, &ref, LB_TREE_MAP, 0, &a));
	assert_ok(lb_cache_get(c, &ref, LB_TREE_MAP, LB_NOWAIT, &b));
	assert_ptr_equal(a, b);
	assert_int_equal(lb_extent_decode(&a->node->extents[0]).pblk, 101);
	assert_int_equal(reads(dev), 1);
	lb_cache_put(c, a);
	lb_cache_put(c, b);
	lb_cache_put(c, NULL);
	lb_cache_get_stat(c, &st);
	assert_int_equal(st.hits, 1);
	assert_int_equal(st.misses, 1);
	assert_int_equal(st.nodes, 1);
	assert_int_equal(lb_cache_evictable(c), 1);
	assert_int_equal(lb_cache_evict(c, 10), 1);
	assert_int_equal(lb_cache_get(c, &ref, LB_TREE_MAP, LB_NOWAIT, &a), -EAGAIN);
	lb_cache_free(c);
	port_sim_free(dev);
}

static void damage_is_not_believed(void **state)
{
	struct port_dev *dev = port_sim_new(BLOCKS);
	struct lb_ref good = store(dev, 100, 200, 3), ref;
	struct lb_cache *c = lb_cache_alloc(dev, 1 << 20);
	struct lb_cnode *n;
	struct lb_cache_stat st;
	u8 buf[LB_BLOCK_BYTES];
	u64 live = port_alloc_live();
	unsigned int bad;

	(void)state;
	ref = good;
	ref.gen = 4;
	assert_int_equal(lb_cache_get(c, &ref, LB_TREE_MAP, 0, &n), -EUCLEAN);
	ref = good;
	ref.csum ^= 1;
	assert_int_equal(lb_cache_get(c, &ref, LB_TREE_MAP, 0, &n), -EUCLEAN);
	ref = good;
	ref.level = 1;
	assert_int_equal(lb_cache_get(c, &ref, LB_TREE_MAP, 0, &n), -EUCLEAN);
	assert_int_equal(lb_cache_get(c, &good, LB_TREE_CATALOG, 0, &n), -EUCLEAN);
	ref = good;
	ref.addr = BLOCKS + 7;
	ref.addr2 = 0;
	assert_int_equal(lb_cache_get(c, &ref, LB_TREE_MAP, 0, &n), -EUCLEAN);
	assert_null(n);
	assert_int_equal(port_alloc_live(), live);
	/* the first copy is bad: the second serves */
	port_sim_peek(dev, 100, buf);
	buf[500] ^= 1;
	port_sim_poke(dev, 100, buf);
	assert_ok(lb_cache_get(c, &good, LB_TREE_MAP, 0, &n));
	lb_cache_put(c, n);
	lb_cache_get_stat(c, &st);
	assert_true(st.errors > 0);
	/* scrub sees it although the node is cached, and repairs it */
	assert_ok(lb_cache_scrub(c, &good, LB_TREE_MAP, false, &bad));
	assert_int_equal(bad, 1);
	assert_ok(lb_cache_scrub(c, &good, LB_TREE_MAP, true, &bad));
	assert_int_equal(bad, 1);
	assert_ok(lb_cache_scrub(c, &good, LB_TREE_MAP, true, &bad));
	assert_int_equal(bad, 0);
	/* read errors */
	lb_cache_drop(c, 100);
	port_sim_add_fault(dev, &(struct port_sim_fault){ .op = PORT_SIM_READ, .first = 100, .last = 100 });
	assert_ok(lb_cache_get(c, &good, LB_TREE_MAP, 0, &n));
	lb_cache_put(c, n);
	lb_cache_drop(c, 100);
	port_sim_add_fault(dev, &(struct port_sim_fault){ .op = PORT_SIM_READ, .first = 200, .last = 200 });
	assert_int_equal(lb_cache_get(c, &good, LB_TREE_MAP, 0, &n), -EIO);
	port_sim_clear_faults(dev);
	assert_ok(lb_cache_get(c, &good, LB_TREE_MAP, 0, &n));
	lb_cache_put(c, n);
	lb_cache_free(c);
	port_sim_free(dev);
}

static void stale_entry_is_replaced(void **state)
{
	struct port_dev *dev = port_sim_new(BLOCKS);
	struct lb_ref old = store(dev, 100, 0, 3), new;
	struct lb_cache *c = lb_cache_alloc(dev, 1 << 20);
	struct lb_cnode *a, *b;

	(void)state;
	assert_ok(lb_cache_get(c, &old, LB_TREE_MAP, 0, &a));
	new = store(dev, 100, 0, 5);
	assert_int_equal(lb_cache_get(c, &new, LB_TREE_MAP, LB_NOWAIT, &b), -EAGAIN);
	assert_ok(lb_cache_get(c, &new, LB_TREE_MAP, 0, &b));
	assert_int_equal(le64_to_cpu(b->node->header.gen), 5);
	assert_int_equal(le64_to_cpu(a->node->header.gen), 3);	/* whoever has it keeps it */
	lb_cache_put(c, a);
	lb_cache_put(c, b);
	lb_cache_free(c);
	port_sim_free(dev);
}

static void insert_and_drop(void **state)
{
	struct port_dev *dev = port_sim_new(BLOCKS);
	struct lb_cache *c = lb_cache_alloc(dev, 1 << 20);
	struct lb_cnode *a, *b;
	struct lb_ref ref = { .addr = 50, .gen = 2 };
	struct lb_node *n = leaf(50, 2);
	u64 live;

	(void)state;
	ref.csum = lb_block_seal(n, LB_MAGIC_NODE, 50, 2, 1);
	assert_ok(lb_cache_insert(c, &ref, n, &a));
	assert_ok(lb_cache_get(c, &ref, LB_TREE_MAP, LB_NOWAIT, &b));
	assert_int_equal(lb_cache_evict(c, 10), 0);	/* pinned */
	assert_int_equal(lb_cache_evictable(c), 0);
	lb_cache_drop(c, 50);
	lb_cache_drop(c, 50);
	lb_cache_put(c, a);
	assert_int_equal(b->node->header.kind, LB_TREE_MAP);	/* still there for its holder */
	lb_cache_put(c, b);
	assert_int_equal(lb_cache_get(c, &ref, LB_TREE_MAP, LB_NOWAIT, &b), -EAGAIN);
	/* no memory: the block is gone all the same */
	live = port_alloc_live();
	n = leaf(50, 2);
	port_fault_alloc(1, 1);
	assert_int_equal(lb_cache_insert(c, &ref, n, &a), -ENOMEM);
	port_fault_alloc(0, 0);
	assert_int_equal(port_alloc_live(), live);
	lb_cache_free(c);
	port_sim_free(dev);
}

static void bounded(void **state)
{
	struct port_dev *dev = port_sim_new(BLOCKS);
	struct lb_cache *c = lb_cache_alloc(dev, 200 * 4500);
	static struct lb_ref refs[2000];
	struct lb_cache_stat st;
	struct lb_cnode *n;
	u64 before;
	unsigned int i, k;

	(void)state;
	for (i = 0; i < 2000; i++)
		refs[i] = store(dev, 1000 + i, 0, 1 + i);
	for (i = 0; i < 2000; i++) {
		assert_ok(lb_cache_get(c, &refs[i], LB_TREE_MAP, 0, &n));
		lb_cache_put(c, n);
		for (k = 0; k < 10; k++) {	/* ten hot ones stay */
			assert_ok(lb_cache_get(c, &refs[k], LB_TREE_MAP, 0, &n));
			lb_cache_put(c, n);
		}
		lb_cache_get_stat(c, &st);
		assert_true(st.bytes <= st.limit_bytes + 4500);
	}
	before = reads(dev);
	assert_true(before < 2000 + 400);
	lb_cache_set_limit(c, 20 * 4500);
	lb_cache_get_stat(c, &st);
	assert_true(st.bytes <= 20 * 4500);
	lb_cache_free(c);
	port_sim_free(dev);
}

static void no_memory(void **state)
{
	struct port_dev *dev = port_sim_new(BLOCKS);
	struct lb_ref ref = store(dev, 100, 0, 3);
	struct lb_cnode *n;
	struct lb_cache *c;
	unsigned int i;
	u64 live = port_alloc_live();

	(void)state;
	for (i = 1;; i++) {
		port_fault_alloc(i, 1);
		c = lb_cache_alloc(dev, 1 << 20);
		port_fault_alloc(0, 0);
		if (c)
			break;
		assert_int_equal(port_alloc_live(), live);
	}
	for (i = 1; i < 3; i++) {
		port_fault_alloc(i, 1);
		assert_int_equal(lb_cache_get(c, &ref, LB_TREE_MAP, 0, &n), -ENOMEM);
	}
	port_fault_alloc(0, 0);
	assert_ok(lb_cache_get(c, &ref, LB_TREE_MAP, 0, &n));
	lb_cache_put(c, n);
	lb_cache_free(c);
	port_sim_free(dev);
}

/* ------------------------------------------------------------------ threads */

#define THREADS 4
#define NODES 300

static struct {
	struct port_dev *dev;
	struct lb_cache *c;
	struct lb_ref refs[NODES];
} shared;

static int slow_read(void *arg, struct port_dev *dev, const struct port_sim_io *io)
{
	if (io->op == PORT_SIM_READ)
		usleep(1000);
	return 0;
}

static void *one_node(void *arg)
{
	struct lb_cnode *n;

	assert_ok(lb_cache_get(shared.c, &shared.refs[0], LB_TREE_MAP, 0, &n));
	lb_cache_put(shared.c, n);
	return NULL;
}

static void one_read_for_all(void **state)
{
	pthread_t t[THREADS];
	unsigned int i, round;

	(void)state;
	shared.dev = port_sim_new(BLOCKS);
	shared.c = lb_cache_alloc(shared.dev, 1 << 20);
	shared.refs[0] = store(shared.dev, 10, 0, 1);
	port_sim_set_hook(shared.dev, slow_read, NULL);
	for (round = 0; round < 20; round++) {
		lb_cache_drop(shared.c, 10);
		port_sim_reset_stat(shared.dev);
		for (i = 0; i < THREADS; i++)
			assert_ok(pthread_create(&t[i], NULL, one_node, NULL));
		for (i = 0; i < THREADS; i++)
			pthread_join(t[i], NULL);
		assert_int_equal(reads(shared.dev), 1);
	}
	lb_cache_free(shared.c);
	port_sim_free(shared.dev);
}

static void *worker(void *arg)
{
	struct dice d = { (u64)(uintptr_t)arg };
	u64 i, rounds = test_rounds(20000);

	for (i = 0; i < rounds; i++) {
		unsigned int k = (unsigned int)dice_below(&d, NODES);
		struct lb_cnode *n = NULL;
		int err;

		switch (dice_below(&d, 20)) {
		case 0:
			lb_cache_drop(shared.c, shared.refs[k].addr);
			break;
		case 1:
			lb_cache_evict(shared.c, 3);
			break;
		default:
			err = lb_cache_get(shared.c, &shared.refs[k], LB_TREE_MAP, dice_below(&d, 2) ? LB_NOWAIT : 0, &n);
			if (err && err != -EAGAIN && err != -EIO)
				abort();
			if (n && lb_extent_decode(&n->node->extents[0]).lblk != shared.refs[k].addr)
				abort();
			lb_cache_put(shared.c, n);
		}
	}
	return NULL;
}

static void many_threads(void **state)
{
	pthread_t t[THREADS];
	unsigned int i;
	u64 live = port_alloc_live();

	(void)state;
	shared.dev = port_sim_new(BLOCKS);
	shared.c = lb_cache_alloc(shared.dev, 100 * 4500);
	for (i = 0; i < NODES; i++)
		shared.refs[i] = store(shared.dev, 10 + i, 0, i + 1);
	port_sim_add_fault(shared.dev, &(struct port_sim_fault){ .op = PORT_SIM_READ, .first = 50, .last = 60 });
	for (i = 0; i < THREADS; i++)
		assert_ok(pthread_create(&t[i], NULL, worker, (void *)(uintptr_t)(i + 1)));
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	lb_cache_free(shared.c);
	port_sim_free(shared.dev);
	assert_int_equal(port_alloc_live(), live);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hits_and_misses), cmocka_unit_test(damage_is_not_believed), cmocka_unit_test(stale_entry_is_replaced),
		cmocka_unit_test(insert_and_drop), cmocka_unit_test(bounded), cmocka_unit_test(no_memory),
		cmocka_unit_test(one_read_for_all), cmocka_unit_test(many_threads),
	};

	port_log_set_level(getenv("LB_TEST_LOG") ? -1 : 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
