// SPDX-License-Identifier: GPL-2.0
/* The userspace port: checksum, lists, locks, waits, gates, clock, chance, faults of memory; files; and the simulated disk, on whose honesty all other tests rest. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

u32 port_crc32c_table(u32 seed, const void *data, size_t len);

static void crc_known_values(void **state)
{
	u8 buf[32], big[5000];
	struct dice d = { 1 };
	unsigned int i;

	(void)state;
	/* RFC 3720, B.4: with the final inversion */
	assert_int_equal(~port_crc32c(~0u, "123456789", 9), 0xe3069283u);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(~port_crc32c(~0u, buf, 32), 0x8a9136aau);
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(~port_crc32c(~0u, buf, 32), 0x62a8ab43u);
	for (i = 0; i < 32; i++)
		buf[i] = (u8)i;
	assert_int_equal(~port_crc32c(~0u, buf, 32), 0x46dd794eu);
	assert_int_equal(port_crc32c(port_crc32c(~0u, "1234", 4), "56789", 5), port_crc32c(~0u, "123456789", 9));
	for (i = 0; i < sizeof(big); i++)
		big[i] = (u8)dice_next(&d);
	for (i = 0; i < 500; i++) {
		size_t off = dice_below(&d, 100), len = dice_below(&d, sizeof(big) - 100);

		assert_int_equal(port_crc32c(i, big + off, len), port_crc32c_table(i, big + off, len));
	}
}

struct item {
	int v;
	struct lb_list link;
};

static void lists(void **state)
{
	struct item it[4], *pos, *tmp;
	struct lb_list a, b;
	int i, sum = 0;

	(void)state;
	lb_list_init(&a);
	lb_list_init(&b);
	assert_true(lb_list_empty(&a));
	for (i = 0; i < 4; i++) {
		it[i].v = i;
		if (i < 2)
			lb_list_add_tail(&it[i].link, &a);
		else
			lb_list_add(&it[i].link, &b);
	}
	lb_list_splice_tail_init(&b, &a);
	assert_true(lb_list_empty(&b));
	assert_int_equal(lb_list_first_entry(&a, struct item, link)->v, 0);
	lb_list_for_each_entry(pos, &a, link)
		sum = sum * 10 + pos->v;
	assert_int_equal(sum, 132);
	lb_list_for_each_entry_safe(pos, tmp, &a, link)
		lb_list_del(&pos->link);
	lb_list_del(&it[0].link);	/* twice is harmless */
	assert_true(lb_list_empty(&a));
}

static void bits_and_min(void **state)
{
	(void)state;
	assert_int_equal(port_ctz64(1ull << 63), 63);
	assert_int_equal(port_fls64(0), 0);
	assert_int_equal(port_fls64(1ull << 63), 64);
	assert_int_equal(port_popcount64(~0ull), 64);
	assert_int_equal(min_t(u64, 3, max_t(u64, 1, 2)), 2);
	assert_int_equal(be64_to_cpu(cpu_to_be64(0x0102030405060708ull)), 0x0102030405060708ull);
	assert_int_equal(((u8 *)&(__be32){ cpu_to_be32(0x01020304) })[0], 1);
	assert_int_equal(((u8 *)&(__le32){ cpu_to_le32(0x01020304) })[0], 4);
}

/* Does fn abort the process? */
static bool aborts(void (*fn)(void))
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		signal(SIGABRT, SIG_DFL);
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static port_spinlock_t spin;
static port_mutex_t mutex;

static void sleeps_under_spin(void)
{
	unsigned long flags = port_spin_lock(&spin);

	port_mutex_lock(&mutex);
	port_spin_unlock(&spin, flags);
}

static void allocates_under_spin(void)
{
	unsigned long flags = port_spin_lock(&spin);

	port_free(port_alloc(8, PORT_WAIT));
	port_spin_unlock(&spin, flags);
}

static void asserts_unheld(void) { port_assert_held(&spin); }
static void locks_twice(void)
{
	port_spin_lock(&spin);
	port_spin_lock(&spin);
}

static void fine(void)
{
	unsigned long flags = port_spin_lock(&spin);

	port_assert_held(&spin);
	port_free(port_alloc(8, PORT_NOWAIT));
	port_spin_unlock(&spin, flags);
	port_mutex_lock(&mutex);
	port_mutex_assert_held(&mutex);
	port_mutex_unlock(&mutex);
}

static void lock_rules(void **state)
{
	(void)state;
	port_spin_init(&spin);
	port_mutex_init(&mutex);
	assert_false(aborts(fine));
	assert_true(aborts(sleeps_under_spin));
	assert_true(aborts(allocates_under_spin));
	assert_true(aborts(asserts_unheld));
	assert_true(aborts(locks_twice));
}

static port_wait_t wait_for;
static port_gate_t gate;
static int turn, synced;

static void *waker(void *arg)
{
	(void)arg;
	usleep(2000);
	port_store_release(&turn, 1);
	port_wake_all(&wait_for);
	return NULL;
}

static void waiting(void **state)
{
	pthread_t t;

	(void)state;
	port_wait_init(&wait_for);
	assert_ok(pthread_create(&t, NULL, waker, NULL));
	port_wait_event(&wait_for, port_load_acquire(&turn) == 1);
	pthread_join(t, NULL);
}

static void *syncer(void *arg)
{
	(void)arg;
	port_gate_sync(&gate);
	port_store_release(&synced, 1);
	return NULL;
}

static void gates(void **state)
{
	int idx, later;
	pthread_t t;

	(void)state;
	assert_ok(port_gate_init(&gate));
	port_gate_sync(&gate);	/* nobody inside */
	idx = port_gate_enter(&gate);
	assert_ok(pthread_create(&t, NULL, syncer, NULL));
	/* Who enters once the sync has begun is counted apart, and does not keep it. */
	while ((later = port_gate_enter(&gate)) == idx) {
		port_gate_leave(&gate, later);
		usleep(1000);
	}
	usleep(5000);
	assert_int_equal(port_load_acquire(&synced), 0);
	port_gate_leave(&gate, idx);
	pthread_join(t, NULL);
	assert_int_equal(synced, 1);
	port_gate_leave(&gate, later);
	port_gate_destroy(&gate);
}

static void clock_and_chance(void **state)
{
	u64 a, b;

	(void)state;
	port_clock_fake(1000, 77);
	assert_int_equal(port_now_ns(), 1000);
	port_clock_advance(3000000000ull);
	assert_int_equal(port_now_ns(), 3000001000ull);
	assert_int_equal(port_wall_s(), 80);
	port_clock_real();
	assert_true(port_wall_s() > 1000000000);
	port_random_seed(5);
	port_random(&a, sizeof(a));
	port_random_seed(5);
	port_random(&b, sizeof(b));
	assert_int_equal(a, b);
	port_random_seed(0);
	port_random(&b, sizeof(b));
	assert_int_not_equal(a, b);
}

static void memory_faults(void **state)
{
	u64 live = port_alloc_live();
	void *p[5];
	int i;

	(void)state;
	port_fault_alloc(2, 2);
	for (i = 0; i < 5; i++)
		p[i] = i & 1 ? port_alloc_block(PORT_WAIT) : port_alloc(10, PORT_WAIT);
	port_fault_alloc(0, 0);
	assert_true(p[0] && !p[1] && !p[2] && p[3] && p[4]);
	assert_int_equal(port_alloc_live(), live + 3);
	assert_int_equal((uintptr_t)p[3] % LB_BLOCK_BYTES, 0);
	port_free(p[0]);
	port_free_block(p[3]);
	port_free(p[4]);
	port_fault_nowait(1000);
	assert_null(port_alloc(8, PORT_NOWAIT));
	port_fault_nowait(0);
	port_fault_alloc_thread(1, 1);
	assert_null(port_alloc(8, PORT_WAIT));
	assert_int_equal(port_alloc_live(), live);
}

/* ------------------------------------------------------------------ the simulated disk */

static void put(struct port_dev *dev, u64 block, u64 pattern, unsigned int flags)
{
	void *buf = port_alloc_block(PORT_WAIT);

	test_fill(buf, pattern);
	assert_ok(port_write(dev, block, &buf, 1, flags));
	port_free_block(buf);
}

/* The pattern in a block, 0 for zeros, ~0 for a mixture. */
static u64 get(struct port_dev *dev, u64 block)
{
	static u64 want[LB_BLOCK_BYTES / 8];
	u64 buf[LB_BLOCK_BYTES / 8], p;

	assert_ok(port_read(dev, block, buf));
	for (p = 1; p < 100; p++) {
		test_fill(want, p);
		if (!memcmp(buf, want, sizeof(buf)))
			return p;
	}
	memset(want, 0, sizeof(want));
	return memcmp(buf, want, sizeof(buf)) ? ~0ull : 0;
}

static void sim_durability(void **state)
{
	struct port_dev *dev = port_sim_new(100), *cut;
	struct port_sim_stat st;

	(void)state;
	put(dev, 3, 1, 0);
	assert_int_equal(get(dev, 3), 1);
	assert_false(port_sim_is_durable(dev, 3));
	cut = port_sim_crash_none(dev);
	assert_int_equal(get(cut, 3), 0);
	port_sim_free(cut);
	cut = port_sim_crash_all(dev);
	assert_int_equal(get(cut, 3), 1);
	port_sim_free(cut);
	assert_ok(port_flush(dev));
	put(dev, 3, 2, 0);
	put(dev, 4, 3, PORT_FUA);	/* does not flush block 3 */
	cut = port_sim_crash_none(dev);
	assert_int_equal(get(cut, 3), 1);
	assert_int_equal(get(cut, 4), 3);
	port_sim_free(cut);
	put(dev, 3, 4, 0);
	put(dev, 5, 5, PORT_PREFLUSH);	/* flushes what came before, is not durable itself */
	cut = port_sim_crash_none(dev);
	assert_int_equal(get(cut, 3), 4);
	assert_int_equal(get(cut, 5), 0);
	port_sim_free(cut);
	port_sim_get_stat(dev, &st);
	assert_int_equal(st.writes, 5);
	assert_int_equal(st.flushes, 2);
	assert_int_equal(st.fuas, 1);
	assert_int_equal(st.pending, 1);
	assert_int_equal(st.stored, 3);
	/* FUA over pending writes of the same block makes them void */
	put(dev, 6, 6, 0);
	put(dev, 6, 7, 0);
	put(dev, 6, 8, PORT_FUA);
	cut = port_sim_crash_all(dev);
	assert_int_equal(get(cut, 6), 8);
	port_sim_free(cut);
	port_sim_free(dev);
}

static void sim_random_crash(void **state)
{
	struct port_dev *dev = port_sim_new(100), *cut;
	unsigned int seen[4] = { 0 };
	u64 seed, v;

	(void)state;
	put(dev, 1, 1, PORT_FUA);
	put(dev, 1, 2, 0);
	put(dev, 1, 3, 0);
	for (seed = 0; seed < 300; seed++) {
		cut = port_sim_crash_random(dev, seed);
		v = get(cut, 1);
		seen[v == ~0ull ? 0 : v]++;
		port_sim_free(cut);
	}
	assert_true(seen[0] && seen[1] && seen[2] && seen[3]);
	port_sim_free(dev);
}

static void sim_discard_clone_resize(void **state)
{
	struct port_dev *dev = port_sim_new(1ull << 32), *copy, *cut;
	struct port_batch *b = port_batch_alloc(dev);
	struct port_sim_stat st;
	u64 n, *all;

	(void)state;
	put(dev, 1ull << 31, 1, PORT_FUA);
	put(dev, 7, 2, PORT_FUA);
	copy = port_sim_clone(dev);
	port_batch_discard(b, 0, 1ull << 32);
	assert_ok(port_batch_wait(b));
	assert_int_equal(get(dev, 7), 0);
	cut = port_sim_crash_none(dev);
	assert_int_equal(get(cut, 7), 2);
	port_sim_free(cut);
	assert_ok(port_flush(dev));
	cut = port_sim_crash_none(dev);
	assert_int_equal(get(cut, 7), 0);
	port_sim_free(cut);
	assert_int_equal(get(copy, 7), 2);
	all = port_sim_stored(copy, &n);
	assert_int_equal(n, 2);
	assert_int_equal(all[0], 7);
	free(all);
	port_sim_resize(copy, 100);
	assert_int_equal(port_dev_blocks(copy), 100);
	port_sim_resize(copy, 1ull << 32);
	assert_int_equal(get(copy, 1ull << 31), 0);
	assert_int_equal(get(copy, 7), 2);
	port_sim_get_stat(dev, &st);
	assert_int_equal(st.discards, 1);
	port_sim_set_discard(dev, false);
	assert_false(port_dev_can_discard(dev));
	port_batch_free(b);
	port_sim_free(copy);
	port_sim_free(dev);
}

static void sim_faults(void **state)
{
	struct port_dev *dev = port_sim_new(100);
	void *buf = port_alloc_block(PORT_WAIT);

	(void)state;
	put(dev, 1, 1, PORT_FUA);
	put(dev, 1, 2, PORT_FUA);
	port_sim_add_fault(dev, &(struct port_sim_fault){ .op = PORT_SIM_READ, .effect = PORT_SIM_ERROR, .first = 1, .last = 1, .skip = 1, .times = 1 });
	assert_int_equal(get(dev, 1), 2);
	assert_int_equal(port_read(dev, 1, buf), -EIO);
	assert_int_equal(get(dev, 1), 2);
	assert_int_equal(port_sim_fault_hits(dev), 1);
	port_sim_clear_faults(dev);
	port_sim_add_fault(dev, &(struct port_sim_fault){ .op = PORT_SIM_READ, .effect = PORT_SIM_STALE, .first = 1, .times = 1 });
	port_sim_add_fault(dev, &(struct port_sim_fault){ .op = PORT_SIM_READ, .effect = PORT_SIM_CORRUPT, .first = 1, .times = 1, .arg = 99 });
	port_sim_add_fault(dev, &(struct port_sim_fault){ .op = PORT_SIM_READ, .effect = PORT_SIM_MISDIRECT, .first = 1, .times = 1, .arg = 1 });
	assert_int_equal(get(dev, 1), 1);
	assert_int_equal(get(dev, 1), ~0ull);
	assert_int_equal(get(dev, 1), 0);
	assert_int_equal(get(dev, 1), 2);
	port_sim_clear_faults(dev);
	port_sim_add_fault(dev, &(struct port_sim_fault){ .op = PORT_SIM_WRITE, .effect = PORT_SIM_LOST, .first = 5, .last = 5 });
	port_sim_add_fault(dev, &(struct port_sim_fault){ .op = PORT_SIM_WRITE, .effect = PORT_SIM_MISDIRECT, .first = 6, .last = 6, .arg = 4 });
	put(dev, 5, 5, 0);
	put(dev, 6, 6, 0);
	assert_int_equal(get(dev, 5), 0);
	assert_int_equal(get(dev, 6), 0);
	assert_int_equal(get(dev, 10), 6);
	port_sim_clear_faults(dev);
	port_sim_add_fault(dev, &(struct port_sim_fault){ .op = PORT_SIM_FLUSH, .effect = PORT_SIM_LOST });
	assert_ok(port_flush(dev));
	assert_false(port_sim_is_durable(dev, 10));
	assert_int_equal(port_read(dev, 100, buf), -EIO);
	assert_int_equal(port_write(dev, 100, &buf, 1, 0), -EIO);
	port_free_block(buf);
	port_sim_free(dev);
}

struct hook_state {
	unsigned int calls, torn;
	int fail;
};

static int hook_fn(void *arg, struct port_dev *dev, const struct port_sim_io *io)
{
	struct hook_state *h = arg;
	struct port_dev *cut;
	u64 seed, v;

	h->calls++;
	if (io->op == PORT_SIM_WRITE && io->flags & PORT_FUA)
		for (seed = 0; seed < 50; seed++) {	/* a FUA write can be torn, too */
			cut = port_sim_crash_random(dev, seed);
			v = get(cut, io->block);
			h->torn += v == ~0ull;
			port_sim_free(cut);
		}
	return h->fail;
}

static void sim_hook(void **state)
{
	struct port_dev *dev = port_sim_new(100);
	struct hook_state h = { 0 };
	void *buf = port_alloc_block(PORT_WAIT);

	(void)state;
	port_sim_set_hook(dev, hook_fn, &h);
	put(dev, 1, 1, PORT_PREFLUSH | PORT_FUA);
	assert_int_equal(h.calls, 2);
	assert_true(h.torn > 0);
	assert_true(port_sim_is_durable(dev, 1));
	h.fail = -ENODEV;
	test_fill(buf, 2);
	assert_int_equal(port_write(dev, 1, &buf, 1, 0), -ENODEV);
	assert_int_equal(port_flush(dev), -ENODEV);
	port_sim_set_hook(dev, NULL, NULL);
	port_free_block(buf);
	port_sim_free(dev);
}

static struct port_dev *batch_dev;

static void changes_batch_buffer(void)
{
	struct port_batch *b = port_batch_alloc(batch_dev);
	u8 *buf = port_alloc_block(PORT_WAIT);

	memset(buf, 0, LB_BLOCK_BYTES);
	port_batch_write(b, 1, buf);
	buf[5] = 1;
	port_batch_wait(b);
}

static void batches(void **state)
{
	struct port_dev *dev = port_sim_new(1000);
	struct port_batch *b = port_batch_alloc(dev);
	struct port_sim_stat st;
	void *bufs[100];
	unsigned int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		bufs[i] = port_alloc_block(PORT_WAIT);
		test_fill(bufs[i], i + 1);
		port_batch_write(b, i < 80 ? 200 + i : 500 + 2 * i, bufs[i]);
	}
	assert_ok(port_batch_wait(b));
	port_sim_get_stat(dev, &st);
	assert_int_equal(st.writes, 2 + 20);
	for (i = 0; i < 99; i++)
		assert_int_equal(get(dev, i < 80 ? 200 + i : 500 + 2 * i), i + 1);
	port_sim_add_fault(dev, &(struct port_sim_fault){ .op = PORT_SIM_WRITE, .first = 300, .last = 300, .error = -ENOSPC });
	port_batch_write(b, 300, bufs[0]);
	port_batch_write(b, 400, bufs[1]);
	assert_int_equal(port_batch_wait(b), -ENOSPC);
	assert_int_equal(get(dev, 400), 2);
	assert_ok(port_batch_wait(b));
	port_batch_free(b);
	for (i = 0; i < 100; i++)
		port_free_block(bufs[i]);
	batch_dev = dev;
	assert_true(aborts(changes_batch_buffer));
	port_sim_free(dev);
}

static void files(void **state)
{
	char path[] = "/tmp/lb-test-XXXXXX";
	int fd = mkstemp(path), err;
	struct port_dev *dev;
	struct port_batch *b;
	void *buf = port_alloc_block(PORT_WAIT);

	(void)state;
	assert_true(fd >= 0);
	assert_ok(ftruncate(fd, 100 * LB_BLOCK_BYTES));
	dev = port_file_open_flags(path, false, PORT_FILE_DIRECT, &err);
	assert_non_null(dev);
	assert_int_equal(port_dev_blocks(dev), 100);
	put(dev, 7, 7, PORT_PREFLUSH | PORT_FUA);
	assert_int_equal(port_write(dev, 100, &buf, 1, 0), -EIO);
	assert_int_equal(port_read(dev, 100, buf), -EIO);
	b = port_batch_alloc(dev);
	port_batch_discard(b, 7, 1);
	assert_ok(port_batch_wait(b));
	port_batch_free(b);
	put(dev, 8, 8, 0);
	assert_ok(port_flush(dev));
	port_file_close(dev);
	dev = port_file_open(path, true, &err);
	assert_non_null(dev);
	assert_int_equal(get(dev, 7), 0);
	assert_int_equal(get(dev, 8), 8);
	assert_int_equal(port_write(dev, 1, &buf, 1, 0), -EROFS);
	port_file_close(dev);
	assert_null(port_file_open("/tmp", true, &err));
	assert_int_equal(err, -EINVAL);
	assert_null(port_file_open("/nonexistent", true, &err));
	assert_int_equal(err, -ENOENT);
	port_free_block(buf);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_known_values), cmocka_unit_test(lists), cmocka_unit_test(bits_and_min),
		cmocka_unit_test(lock_rules), cmocka_unit_test(waiting), cmocka_unit_test(gates),
		cmocka_unit_test(clock_and_chance), cmocka_unit_test(memory_faults), cmocka_unit_test(sim_durability),
		cmocka_unit_test(sim_random_crash), cmocka_unit_test(sim_discard_clone_resize), cmocka_unit_test(sim_faults),
		cmocka_unit_test(sim_hook), cmocka_unit_test(batches), cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
