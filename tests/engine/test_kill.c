// SPDX-License-Identifier: GPL-2.0
/*
 * kill -9 at a random moment, again and again, on one pool in a file: see kill.h. Every other child has a volatile cache that it loses with its life.
 *
 *   test_kill [--seconds N] [--seed N] [--dir DIRECTORY]
 *
 * The seed decides what the children ask for and when they are killed; how their threads meet is chance.
 */
#include <getopt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kill.h"

static struct {
	u64 seed, seconds;
	const char *dir;
} args = { .seed = 1, .seconds = 12 };

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void nap(u64 us)
{
	const struct timespec t = { .tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000 };

	nanosleep(&t, NULL);
}

static void make_pool(const char *path)
{
	struct lb_format_opts opts = { .total_blocks = 0 };
	struct port_dev *dev;
	FILE *f = fopen(path, "w");
	u8 uuid[16];
	int err;

	assert_non_null(f);
	assert_ok(ftruncate(fileno(f), KILL_POOL * LB_BLOCK_BYTES));
	fclose(f);
	dev = port_file_open(path, false, &err);
	assert_non_null(dev);
	assert_ok(lb_pool_format(dev, &opts, uuid));
	port_file_close(dev);
}

/* One life and its end. True: it was killed. */
static bool one_life(struct kill_shared *sh, const struct kill_opts *opts, struct dice *dice)
{
	bool early = !dice_below(dice, 8);
	int status;
	pid_t pid;

	sh->ready = 0;
	*sh->complaint = 0;
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		kill_child(sh, opts);
	if (early) {
		nap(dice_below(dice, 30000));
	} else {
		while (!__atomic_load_n(&sh->ready, __ATOMIC_ACQUIRE) && !waitpid(pid, &status, WNOHANG))
			nap(200);
		nap(dice_below(dice, dice_below(dice, 4) ? 60000 : 400000));
	}
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return true;
	print_error("seed %llu: the child ended itself: %s\n", (unsigned long long)opts->seed, sh->complaint);
	return false;
}

static void killed_again_and_again(void **state)
{
	struct kill_shared *sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *dir = args.dir ? args.dir : !access("/dev/shm", W_OK) ? "/dev/shm" : "/tmp";
	struct dice dice = { .state = args.seed };
	struct kill_opts opts = { .seed = args.seed };
	double end = now() + (double)args.seconds;
	unsigned int lives = 0;
	char path[200];
	bool ok = true;

	(void)state;
	assert_true(sh != MAP_FAILED);
	snprintf(path, sizeof(path), "%s/layerblk-kill-%d", dir, (int)getpid());
	opts.path = path;
	make_pool(path);
	for (; ok && now() < end; lives++) {
		opts.seed = dice_next(&dice) >> 16;
		opts.cached = lives & 1;
		ok = one_life(sh, &opts, &dice);
		if (ok && !kill_judge(sh, &opts)) {
			print_error("--seed %llu, life %u%s: %s; the pool is left in %s\n", (unsigned long long)args.seed, lives,
				    opts.cached ? ", with a cache" : "", sh->complaint, path);
			ok = false;
		}
	}
	print_message("%u processes killed, %llu writes, %u volumes made\n", lives, (unsigned long long)sh->ops, sh->uids);
	if (ok)
		unlink(path);
	munmap(sh, sizeof(*sh));
	assert_true(ok);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' }, { "seed", required_argument, NULL, 'e' }, { "dir", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	const struct CMUnitTest tests[] = { cmocka_unit_test(killed_again_and_again) };
	int c;

	while ((c = getopt_long(argc, argv, "s:e:d:", options, NULL)) != -1) {
		switch (c) {
		case 's': args.seconds = strtoull(optarg, NULL, 0); break;
		case 'e': args.seed = strtoull(optarg, NULL, 0); break;
		case 'd': args.dir = optarg; break;
		default: return 2;
		}
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
