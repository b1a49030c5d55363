// SPDX-License-Identifier: GPL-2.0
/* How long handing out blocks takes: empty, nearly full and fragmented pools, small and huge. One line each; nothing is judged. */
#include <time.h>

#include "engine.h"
#include "space.h"
#include "support.h"

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static struct lb_space *open_space(struct port_dev *dev, u64 blocks)
{
	struct lb_super *sb = test_super(blocks);
	struct lb_space *s;

	sb->region_depth = cpu_to_le32(lb_table_depth(lb_region_count(blocks)));
	assert_ok(lb_space_open(dev, sb, &s));
	free(sb);
	return s;
}

static void report(const char *what, u64 n, double t)
{
	printf("%-64s %10llu  %8.1f ns each\n", what, n, t * 1e9 / (double)n);
}

/* n single blocks, each its own cluster's neighbour, until the pool is full or n are out. */
static void fill(const char *what, u64 blocks, u64 n, bool hinted, u64 want)
{
	struct port_dev *dev = port_sim_new(blocks);
	struct lb_space *s = open_space(dev, blocks);
	u64 i, at, got = 0, hint = 0;
	double t = now();

	for (i = 0; i < n; i++) {
		int err = lb_space_alloc(s, want, hint, LB_NOWAIT, &at, &got);

		if (err == -EAGAIN)
			err = lb_space_alloc(s, want, hint, 0, &at, &got);
		if (err)
			break;
		if (hinted)
			hint = at + got;
	}
	report(what, i, now() - t);
	lb_space_close(s);
	port_sim_free(dev);
}

/* A pool with every region loaded once and all but a few blocks taken: give one back, take one. */
static void churn(const char *what, u64 blocks, u64 n)
{
	struct port_dev *dev = port_sim_new(blocks);
	struct lb_space *s = open_space(dev, blocks);
	u64 i, at, got, keep = 0, *held = malloc(1000 * sizeof(*held));
	struct dice d = { 1 };
	double t;

	while (!lb_space_alloc(s, ~0ull, 0, 0, &at, &got))
		for (i = 0; i < got && keep < 1000; i += 1 + dice_below(&d, 60000))
			held[keep++] = at + i;
	for (i = 0; i < keep; i++)
		lb_space_unalloc(s, held[i], 1);
	for (i = 0; i < keep; i++)
		assert_ok(lb_space_alloc(s, 1, 0, LB_NOWAIT, &held[i], &got));
	t = now();
	for (i = 0; i < n; i++) {
		u64 k = dice_below(&d, keep);

		lb_space_unalloc(s, held[k], 1);
		assert_ok(lb_space_alloc(s, 1, 0, LB_NOWAIT, &held[k], &got));
	}
	report(what, n, now() - t);
	free(held);
	lb_space_close(s);
	port_sim_free(dev);
}

static void commits(const char *what, u64 blocks, u64 n)
{
	struct port_dev *dev = port_sim_new(blocks);
	struct port_batch *batch = port_batch_alloc(dev);
	struct lb_space *s = open_space(dev, blocks);
	struct lb_space_root root;
	u64 i, at, got, *held = malloc(n * sizeof(*held));
	double t = now();

	for (i = 0; i < n; i++)
		assert_ok(lb_space_alloc(s, 1, 0, 0, &held[i], &got));
	report("    allocate", n, now() - t);
	t = now();
	lb_space_commit_begin(s);
	for (i = 0; i < n; i++)
		assert_ok(lb_space_use(s, held[i], 1));
	report("    use", n, now() - t);
	t = now();
	assert_ok(lb_space_commit_write(s, 2, batch, &root));
	lb_space_reclaim(s, lb_space_commit_done(s));
	report("    write the image", n, now() - t);
	t = now();
	lb_space_commit_begin(s);
	for (i = 0; i < n; i++)
		assert_ok(lb_space_release(s, held[i * 7919 % n], 1));
	report("    release, in no order", n, now() - t);
	t = now();
	assert_ok(lb_space_commit_write(s, 3, batch, &root));
	lb_space_reclaim(s, lb_space_commit_done(s));
	report(what, n, now() - t);
	(void)at;
	free(held);
	lb_space_close(s);
	port_batch_free(batch);
	port_sim_free(dev);
}

static void opening(const char *what, u64 blocks)
{
	struct port_dev *dev = port_sim_new(blocks);
	double t = now();
	struct lb_space *s = open_space(dev, blocks);

	report(what, 1, now() - t);
	lb_space_close(s);
	port_sim_free(dev);
}

int main(void)
{
	port_log_set_level(0);
	fill("10M single blocks, sequential hints, 64 GiB", 1ull << 24, 10000000, true, 1);
	fill("single blocks in clusters of their own, then fragments, 64 GiB", 1ull << 24, 10000000, false, 1);
	fill("single blocks until 1 TiB of clusters is used", 1ull << 28, 10000000, false, 1);
	fill("runs of 256 blocks, 16 TiB", 1ull << 32, 1000000, false, 256);
	churn("full pool of 64 GiB: give one, take one", 1ull << 24, 2000000);
	churn("full pool of 1 TiB: give one, take one", 1ull << 28, 2000000);
	commits("    commit and reclaim", 1ull << 24, 500000);
	opening("open an empty 16 TiB pool", 1ull << 32);
	return 0;
}
