// SPDX-License-Identifier: GPL-2.0
/*
 * Every request to the module, and reads and writes of a disk, with every allocation and every I/O that the caller's own task makes
 * for them failing once: the first in the first try, the second in the next, until nothing is left to fail (/proc/self/fail-nth).
 *
 *	fail-nth DEVICE [STEP]
 *
 * Places are numbered in the order in which a request comes to them. Beyond the first 20 only some are taken, ever fewer (opening a pool
 * reads some thousand blocks); with FAULT_ALL=1 all of them.
 *
 * DEVICE holds the only open pool, with the volumes "base" (frozen, with an attribute), "next" (frozen, its child), "data" (writable, its first
 * MiB of no account) and "back" (writable, with a snapshot "back-then"). An error must be one that the cause explains, and afterwards the
 * same request must succeed: in the pool as it is, or, when the failure has made it read-only, after closing and opening it.
 *
 * Prints a line for each request; exit code 1 when something was not right.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <linux/fs.h>
#include <linux/layerblk.h>

#define PLACES_MAX	20000
#define PLACES_ALL	20
#define DATA_BYTES	65536

static int control = -1, nth_fd = -1, disk_fd = -1;
static const char *device;
static uint8_t uuid[LB_UUID_LEN];
static unsigned char *buffer;
static int failures;
static bool all_places;
static char base_key[LB_KEY_MAX + 1];	/* an attribute of base's */
static uint32_t base_key_len;
static __u64 id_base, id_next, id_data, id_back, id_then, id_temp;

/* ------------------------------------------------------------------ the kernel's part */

static void nth_set(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(nth_fd, text, len, 0) != len) {
		perror("fail-nth: /proc/self/fail-nth");
		exit(2);
	}
}

/* How many were still to go; 0: it has come to pass. */
static unsigned int nth_get(void)
{
	char text[16] = "";

	if (pread(nth_fd, text, sizeof(text) - 1, 0) < 0)
		return 0;
	return strtoul(text, NULL, 10);
}

static int call(unsigned long cmd, void *arg)
{
	return ioctl(control, cmd, arg) ? -errno : 0;
}

#define NAMED(r, text) do { (r).name = (uintptr_t)(text); (r).name_len = strlen(text); } while (0)
#define REQUEST(type, var) struct type var = { .size = sizeof(var) }; memcpy(var.uuid, uuid, sizeof(uuid))

/* ------------------------------------------------------------------ helpers that must succeed, without failures */

static void must(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "fail-nth: %s: %s\n", what, strerror(-err));
	exit(2);
}

static int find(const char *name, __u64 *id)
{
	REQUEST(lb_ioc_vol_stat, r);
	int err;

	r.flags = LB_STAT_NAME;
	NAMED(r, name);
	err = call(LB_IOC_VOL_STAT, &r);
	if (!err)
		*id = r.info.id;
	return err;
}

static void drop(const char *name)
{
	REQUEST(lb_ioc_vol_activate, a);
	REQUEST(lb_ioc_vol_rm, r);

	if (find(name, &r.id))
		return;
	a.id = r.id;
	call(LB_IOC_VOL_DEACTIVATE, &a);
	must(call(LB_IOC_VOL_RM, &r), "removing a volume");
}

static void make_temp(void)
{
	REQUEST(lb_ioc_vol_create, r);

	if (!find("temp", &id_temp))
		return;
	NAMED(r, "temp");
	r.volume_size = 1 << 20;
	must(call(LB_IOC_VOL_CREATE, &r), "making a volume");
	id_temp = r.id;
}

static void drop_temp(void) { drop("temp"); }
static void drop_new(void) { drop("new"); }

/* INDEX, unless NULL: the N of its /dev/layerblkN. */
static int activate(__u64 id, __u32 *index)
{
	REQUEST(lb_ioc_vol_activate, r);
	int err;

	r.id = id;
	err = call(LB_IOC_VOL_ACTIVATE, &r);
	if (!err && index)
		*index = r.disk_index;
	return err;
}

static int pool_open_call(void)
{
	struct lb_ioc_pool_open r = { .size = sizeof(r) };
	struct stat st;

	if (stat(device, &st))
		return -errno;
	r.dev_major = major(st.st_rdev);
	r.dev_minor = minor(st.st_rdev);
	return call(LB_IOC_POOL_OPEN, &r);
}

static int pool_close_call(void)
{
	REQUEST(lb_ioc_pool_ref, r);
	int err, i;

	for (i = 0; i < 100; i++) {	/* udev may look at a disk for a moment */
		err = call(LB_IOC_POOL_CLOSE, &r);
		if (err != -EBUSY)
			break;
		usleep(100000);
	}
	return err;
}

static void disk_open(void)
{
	char disk_path[64];
	__u32 index = 0;
	int i;

	must(activate(id_data, &index), "activating");
	snprintf(disk_path, sizeof(disk_path), "/dev/" LB_DISK_PREFIX "%u", index);
	for (i = 0; i < 100 && disk_fd < 0; i++) {
		disk_fd = open(disk_path, O_RDWR | O_DIRECT | O_CLOEXEC);
		if (disk_fd < 0)
			usleep(100000);
	}
	must(disk_fd < 0 ? -errno : 0, disk_path);
}

static bool pool_is_well(void)
{
	REQUEST(lb_ioc_pool_status, r);

	return !call(LB_IOC_POOL_STATUS, &r) && !(r.state & LB_POOL_FAILED);
}

static void pool_mend(void)
{
	if (disk_fd >= 0)
		close(disk_fd);
	disk_fd = -1;
	pool_close_call();
	must(pool_open_call(), "opening the pool again");
	disk_open();
}

/* ------------------------------------------------------------------ the requests */

static int do_version(void)
{
	struct lb_ioc_version r = { .size = sizeof(r) };

	return call(LB_IOC_VERSION, &r);
}

static int do_status(void)
{
	REQUEST(lb_ioc_pool_status, r);

	return call(LB_IOC_POOL_STATUS, &r);
}

static int do_pool_next(void)
{
	struct lb_ioc_pool_status r = { .size = sizeof(r) };

	return call(LB_IOC_POOL_NEXT, &r);
}

static int do_pool_set(void)
{
	REQUEST(lb_ioc_pool_set, r);

	r.flags = LB_POOL_SET_INTERVAL | LB_POOL_SET_LOW_WATER;
	r.commit_interval_ms = 30000;
	r.low_water_blocks = 10;
	return call(LB_IOC_POOL_SET, &r);
}

static int do_grow(void)
{
	REQUEST(lb_ioc_pool_grow, r);

	return call(LB_IOC_POOL_GROW, &r);
}

static int do_sync(void)
{
	REQUEST(lb_ioc_pool_ref, r);

	return call(LB_IOC_POOL_SYNC, &r);
}

/* So that there is something to commit. */
static void dirty(void)
{
	uint64_t block = (uint64_t)(rand() % 200) * 4096;

	memset(buffer, rand(), 4096);
	must(pwrite(disk_fd, buffer, 4096, block) == 4096 ? 0 : -errno, "writing");
}

static int do_scrub(void)
{
	REQUEST(lb_ioc_pool_scrub, r);

	r.flags = LB_SCRUB_START;
	return call(LB_IOC_POOL_SCRUB, &r);
}

static int do_create(void)
{
	struct lb_attr_op op = { .volume = LB_ATTR_NEW_VOLUME, .key = (uintptr_t)"key", .key_len = 3,
				 .value = (uintptr_t)buffer, .value_len = 20000 };
	REQUEST(lb_ioc_vol_create, r);

	NAMED(r, "new");
	r.volume_size = 1 << 20;
	r.attrs.ops = (uintptr_t)&op;
	r.attrs.count = 1;
	return call(LB_IOC_VOL_CREATE, &r);
}

static int snapshot(__u64 source)
{
	REQUEST(lb_ioc_vol_snapshot, r);

	NAMED(r, "new");
	r.source = source;
	return call(LB_IOC_VOL_SNAPSHOT, &r);
}

static int do_child(void) { return snapshot(id_base); }
static int do_snapshot(void) { return snapshot(id_data); }

static int do_freeze(void)
{
	REQUEST(lb_ioc_vol_freeze, r);

	r.id = id_temp;
	return call(LB_IOC_VOL_FREEZE, &r);
}

static int do_remove(void)
{
	REQUEST(lb_ioc_vol_rm, r);

	r.id = id_temp;
	return call(LB_IOC_VOL_RM, &r);
}

static int do_rollback(void)
{
	REQUEST(lb_ioc_vol_rollback, r);

	r.id = id_back;
	r.snapshot = id_then;
	return call(LB_IOC_VOL_ROLLBACK, &r);
}

static int do_vol_set(void)
{
	struct lb_attr_op op = { .volume = id_temp, .key = (uintptr_t)"key", .key_len = 3, .value = (uintptr_t)"value", .value_len = 5 };
	REQUEST(lb_ioc_vol_set, r);

	r.id = id_temp;
	r.flags = LB_VOL_SET_SIZE | LB_VOL_SET_QUOTA;
	r.volume_size = 2 << 20;
	r.quota_blocks = 100;
	r.attrs.ops = (uintptr_t)&op;
	r.attrs.count = 1;
	return call(LB_IOC_VOL_SET, &r);
}

static int do_shrink(void)
{
	REQUEST(lb_ioc_vol_set, r);

	r.id = id_temp;
	r.flags = LB_VOL_SET_SIZE | LB_VOL_SET_SHRINK;
	r.volume_size = 1 << 19;
	return call(LB_IOC_VOL_SET, &r);
}

static int do_stat(void)
{
	REQUEST(lb_ioc_vol_stat, r);

	r.id = id_next;
	r.flags = LB_STAT_MAPPED;
	return call(LB_IOC_VOL_STAT, &r);
}

static int do_stat_name(void)
{
	__u64 id;

	return find("next", &id);
}

static int do_activate(void) { return activate(id_temp, NULL); }

static int do_deactivate(void)
{
	REQUEST(lb_ioc_vol_activate, r);
	int err, i;

	r.id = id_temp;
	for (i = 0; i < 100; i++) {
		err = call(LB_IOC_VOL_DEACTIVATE, &r);
		if (err != -EBUSY)
			break;
		usleep(100000);
	}
	return err;
}

static void make_active(void)
{
	make_temp();
	must(activate(id_temp, NULL), "activating");
}

static int do_attr_get(void)
{
	REQUEST(lb_ioc_attr_get, r);

	r.id = id_base;
	r.key = (uintptr_t)base_key;
	r.key_len = base_key_len;
	r.value = (uintptr_t)buffer;
	r.value_len = DATA_BYTES;
	return call(LB_IOC_ATTR_GET, &r);
}

static int do_attr_next(void)
{
	char key[LB_KEY_MAX + 1] = "";
	REQUEST(lb_ioc_attr_next, r);

	r.id = id_base;
	r.key = (uintptr_t)key;
	return call(LB_IOC_ATTR_NEXT, &r);
}

static int do_diff(void)
{
	struct lb_range ranges[16];
	REQUEST(lb_ioc_diff, r);

	r.a = id_base;
	r.b = id_next;
	r.ranges = (uintptr_t)ranges;
	r.count = 16;
	return call(LB_IOC_DIFF, &r);
}

static void let_disk_go(void)
{
	if (disk_fd >= 0)
		close(disk_fd);
	disk_fd = -1;
}

static int do_close(void) { return pool_close_call(); }

static void open_again(void)
{
	int err = pool_open_call();

	must(err == -EBUSY ? 0 : err, "opening the pool again");
	if (disk_fd < 0)
		disk_open();
}

static void close_first(void)
{
	let_disk_go();
	pool_close_call();
}

static int do_open(void) { return pool_open_call(); }

static int do_control_open(void)
{
	int fd = open("/dev/" LB_CONTROL_NAME, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* ------------------------------------------------------------------ reads and writes */

static int result(ssize_t n, ssize_t want)
{
	return n < 0 ? -errno : n == want ? 0 : -EIO;
}

static int do_write(void)
{
	return result(pwrite(disk_fd, buffer, DATA_BYTES, (rand() % 8) * DATA_BYTES), DATA_BYTES);
}

static int do_write_part(void)
{
	return result(pwrite(disk_fd, buffer, 1536, (rand() % 1000) * 512), 1536);
}

static int do_read(void)
{
	return result(pread(disk_fd, buffer, DATA_BYTES, (rand() % 8) * DATA_BYTES), DATA_BYTES);
}

static int do_fsync(void)
{
	return fsync(disk_fd) ? -errno : 0;
}

static int do_discard(void)
{
	uint64_t range[2] = { 0, 1 << 20 };

	return ioctl(disk_fd, BLKDISCARD, range) ? -errno : 0;
}

static int do_zero(void)
{
	uint64_t range[2] = { 512, (1 << 20) - 1024 };

	return ioctl(disk_fd, BLKZEROOUT, range) ? -errno : 0;
}

/* Whole blocks become shared: first writes again, and parts of blocks to be read. */
static void share(void)
{
	drop("new");
	must(snapshot(id_data), "snapshot");
}

/* ------------------------------------------------------------------ all of it */

static const struct step {
	const char *name;
	void (*before)(void);
	int (*act)(void);
	void (*after)(void);
} steps[] = {
	{ "opening the control device", NULL, do_control_open, NULL },
	{ "VERSION", NULL, do_version, NULL },
	{ "POOL_STATUS", NULL, do_status, NULL },
	{ "POOL_NEXT", NULL, do_pool_next, NULL },
	{ "POOL_SET", NULL, do_pool_set, NULL },
	{ "POOL_GROW", NULL, do_grow, NULL },
	{ "POOL_SYNC", dirty, do_sync, NULL },
	{ "POOL_SCRUB", NULL, do_scrub, NULL },
	{ "VOL_CREATE", drop_new, do_create, NULL },
	{ "VOL_SNAPSHOT of a frozen volume", drop_new, do_child, NULL },
	{ "VOL_SNAPSHOT of a writable volume", drop_new, do_snapshot, drop_new },
	{ "VOL_SET", make_temp, do_vol_set, drop_temp },
	{ "VOL_SET, smaller", make_temp, do_shrink, drop_temp },
	{ "VOL_FREEZE", make_temp, do_freeze, drop_temp },
	{ "VOL_FREEZE of an active volume", make_active, do_freeze, drop_temp },
	{ "VOL_RM", make_temp, do_remove, drop_temp },
	{ "VOL_RM of an active volume", make_active, do_remove, drop_temp },
	{ "VOL_ROLLBACK", NULL, do_rollback, NULL },
	{ "VOL_STAT", NULL, do_stat, NULL },
	{ "VOL_STAT by name", NULL, do_stat_name, NULL },
	{ "VOL_ACTIVATE", make_temp, do_activate, drop_temp },
	{ "VOL_DEACTIVATE", make_active, do_deactivate, drop_temp },
	{ "ATTR_GET", NULL, do_attr_get, NULL },
	{ "ATTR_NEXT", NULL, do_attr_next, NULL },
	{ "DIFF", NULL, do_diff, NULL },
	{ "reading", NULL, do_read, NULL },
	{ "writing", share, do_write, NULL },
	{ "writing part of a block", share, do_write_part, NULL },
	{ "fsync", dirty, do_fsync, NULL },
	{ "discarding", share, do_discard, NULL },
	{ "zeroing", share, do_zero, drop_new },
	{ "POOL_CLOSE", let_disk_go, do_close, open_again },
	{ "POOL_OPEN", close_first, do_open, open_again },
};

/* Errors that a failed allocation or a failed I/O explains. */
static bool explained(int err)
{
	return err == -ENOMEM || err == -EIO || err == -EROFS || err == -ENOSPC || err == -EAGAIN || err == -EUCLEAN;
}

static unsigned int next_place(unsigned int n)
{
	return n + 1 + (all_places || n < PLACES_ALL ? 0 : rand() % (n / 8));
}

static void run_step(const struct step *s)
{
	unsigned int n, tried = 0, failed = 0, mended = 0;
	int err = 0;

	for (n = 1; n <= PLACES_MAX; n = next_place(n)) {
		if (s->before)
			s->before();
		nth_set(n);
		err = s->act();
		if (nth_get()) {		/* it was not reached: all has been tried */
			nth_set(0);
			break;
		}
		tried++;
		if (err) {
			failed++;
			if (!explained(err)) {
				printf("fail-nth: %s, failure %u: %s\n", s->name, n, strerror(-err));
				failures++;
			}
		}
		if (s->after == open_again) {
			s->after();
		} else if (!pool_is_well()) {
			mended++;
			pool_mend();
		}
		if (s->after && s->after != open_again)
			s->after();
	}
	if (n > PLACES_MAX) {
		printf("fail-nth: %s: no end of it\n", s->name);
		failures++;
	} else if (err) {
		printf("fail-nth: %s: without a failure: %s\n", s->name, strerror(-err));
		failures++;
	}
	if (s->after)
		s->after();
	printf("%-36s %4u failures in %u places, %4u errors, pool opened again %u times\n", s->name, tried, n - 1, failed, mended);
}

static void begin(void)
{
	struct lb_ioc_pool_status none = { .size = sizeof(none) };
	struct lb_ioc_attr_next first = { .size = sizeof(first) };

	control = open("/dev/" LB_CONTROL_NAME, O_RDWR | O_CLOEXEC);
	must(control < 0 ? -errno : 0, "/dev/" LB_CONTROL_NAME);
	nth_fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	must(nth_fd < 0 ? -errno : 0, "/proc/self/fail-nth");
	must(posix_memalign((void **)&buffer, 4096, DATA_BYTES), "memory");
	memset(buffer, 0x5a, DATA_BYTES);
	must(call(LB_IOC_POOL_NEXT, &none), "no pool is open");
	memcpy(uuid, none.uuid, sizeof(uuid));
	memcpy(first.uuid, uuid, sizeof(uuid));
	must(find("base", &id_base), "base");
	must(find("next", &id_next), "next");
	must(find("data", &id_data), "data");
	must(find("back", &id_back), "back");
	must(find("back-then", &id_then), "back-then");
	first.id = id_base;
	first.key = (uintptr_t)base_key;
	must(call(LB_IOC_ATTR_NEXT, &first), "base has no attribute");
	base_key_len = first.key_len;
	disk_open();
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		fprintf(stderr, "usage: fail-nth DEVICE [STEP]\n");
		return 2;
	}
	device = argv[1];
	all_places = getenv("FAULT_ALL") && atoi(getenv("FAULT_ALL"));
	setvbuf(stdout, NULL, _IOLBF, 0);
	srand(1);
	begin();
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (argc == 2 || strstr(steps[i].name, argv[2]))
			run_step(&steps[i]);
	}
	let_disk_go();
	return failures ? 1 : 0;
}
