// SPDX-License-Identifier: GPL-2.0
/*
 * Calls every ioctl of the control device in every wrong way that the contract
 * (kmod/uapi/layerblk.h) names, and expects the error that it names.
 *
 *	ioctl-refusals POOL-UUID VOLUME-ID
 *
 * Prints a line for each wrong answer; exit code 1 if there was one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uuid/uuid.h>
#include <linux/layerblk.h>

static int fd, failures, calls;
static uint8_t pool[LB_UUID_LEN];
static uint64_t volume;

#define ROW(cmd, type, reserved_field) \
	{ #cmd, cmd, sizeof(struct type), offsetof(struct type, reserved_field) }

/* Every struct begins with size, flags, uuid (VERSION and POOL_OPEN without). */
static const struct row {
	const char *name;
	unsigned long cmd;
	size_t size, reserved;
} rows[] = {
	ROW(LB_IOC_VERSION, lb_ioc_version, reserved),
	ROW(LB_IOC_POOL_OPEN, lb_ioc_pool_open, reserved),
	ROW(LB_IOC_POOL_CLOSE, lb_ioc_pool_ref, reserved),
	ROW(LB_IOC_POOL_STATUS, lb_ioc_pool_status, reserved),
	ROW(LB_IOC_POOL_NEXT, lb_ioc_pool_status, reserved),
	ROW(LB_IOC_POOL_SET, lb_ioc_pool_set, reserved),
	ROW(LB_IOC_POOL_GROW, lb_ioc_pool_grow, reserved),
	ROW(LB_IOC_POOL_SYNC, lb_ioc_pool_ref, reserved),
	ROW(LB_IOC_POOL_SCRUB, lb_ioc_pool_scrub, reserved),
	ROW(LB_IOC_VOL_CREATE, lb_ioc_vol_create, reserved),
	ROW(LB_IOC_VOL_SNAPSHOT, lb_ioc_vol_snapshot, reserved),
	ROW(LB_IOC_VOL_FREEZE, lb_ioc_vol_freeze, reserved),
	ROW(LB_IOC_VOL_RM, lb_ioc_vol_rm, reserved),
	ROW(LB_IOC_VOL_SET, lb_ioc_vol_set, reserved),
	ROW(LB_IOC_VOL_ROLLBACK, lb_ioc_vol_rollback, reserved),
	ROW(LB_IOC_VOL_STAT, lb_ioc_vol_stat, reserved),
	ROW(LB_IOC_VOL_ACTIVATE, lb_ioc_vol_activate, reserved),
	ROW(LB_IOC_VOL_DEACTIVATE, lb_ioc_vol_activate, reserved),
	ROW(LB_IOC_ATTR_GET, lb_ioc_attr_get, reserved),
	ROW(LB_IOC_ATTR_NEXT, lb_ioc_attr_next, reserved),
	ROW(LB_IOC_DIFF, lb_ioc_diff, reserved),
};

static char buffer[16384];

static void fresh(const struct row *row)
{
	uint32_t size = row->size;

	memset(buffer, 0, sizeof(buffer));
	memcpy(buffer, &size, sizeof(size));
	if (row->cmd != LB_IOC_VERSION && row->cmd != LB_IOC_POOL_OPEN)
		memcpy(buffer + 8, pool, sizeof(pool));
}

static void put32(size_t at, uint32_t value)
{
	memcpy(buffer + at, &value, sizeof(value));
}

static void want(const struct row *row, const char *what, unsigned long cmd, void *arg, int expected)
{
	int ret = ioctl(fd, cmd, arg);
	int got = ret < 0 ? errno : 0;

	calls++;
	if (got == expected)
		return;
	failures++;
	printf("%s, %s: got %s, want %s\n", row ? row->name : "-", what,
	       got ? strerrorname_np(got) : "success", strerrorname_np(expected));
}

static void generic(const struct row *row)
{
	void *hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	want(row, "no argument", row->cmd, NULL, EFAULT);
	want(row, "unreadable argument", row->cmd, hole, EFAULT);
	munmap(hole, 4096);
	fresh(row);
	put32(0, 0);
	want(row, "size 0", row->cmd, buffer, EINVAL);
	fresh(row);
	put32(0, row->size - 8);
	want(row, "a short struct", row->cmd, buffer, EINVAL);
	fresh(row);
	put32(0, row->size + 8);
	buffer[row->size + 3] = 1;
	want(row, "a longer struct with something in it", row->cmd, buffer, E2BIG);
	fresh(row);
	put32(0, 0xffffffff);
	want(row, "size 2^32-1", row->cmd, buffer, E2BIG);
	fresh(row);
	put32(4, 1u << 31);
	want(row, "an unknown flag", row->cmd, buffer, EINVAL);
	fresh(row);
	buffer[row->reserved + 8] = 1;
	want(row, "a reserved field", row->cmd, buffer, EINVAL);
}

static const struct row *row_of(unsigned long cmd)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].cmd == cmd)
			return &rows[i];
	abort();
}

static void create_case(const char *what, const char *name, size_t len, uint64_t size, int expected)
{
	struct lb_ioc_vol_create *c = (void *)buffer;

	fresh(row_of(LB_IOC_VOL_CREATE));
	c->name = (uintptr_t)name;
	c->name_len = len;
	c->volume_size = size;
	want(row_of(LB_IOC_VOL_CREATE), what, LB_IOC_VOL_CREATE, c, expected);
}

static void creations(void)
{
	static char longest[LB_NAME_MAX + 2];
	struct lb_ioc_vol_create *c = (void *)buffer;

	memset(longest, 'x', sizeof(longest));
	create_case("no name", NULL, 0, 1 << 20, EINVAL);
	create_case("a name at a bad address", (char *)8, 4, 1 << 20, EFAULT);
	create_case("a name too long", longest, LB_NAME_MAX + 1, 1 << 20, EINVAL);
	create_case("a name with a slash", "a/b", 3, 1 << 20, EINVAL);
	create_case("a name with a zero byte", "a\0b", 3, 1 << 20, EINVAL);
	create_case("a name with a newline", "a\nb", 3, 1 << 20, EINVAL);
	create_case("the name .", ".", 1, 1 << 20, EINVAL);
	create_case("the name ..", "..", 2, 1 << 20, EINVAL);
	create_case("size 0", "n", 1, 0, EINVAL);
	create_case("size 1", "n", 1, 1, EINVAL);
	create_case("size 4097", "n", 1, 4097, EINVAL);
	create_case("size 2^63", "n", 1, 1ULL << 63, EINVAL);
	create_case("size 2^64-4096", "n", 1, -4096ULL, EINVAL);
	create_case("one block too large", "n", 1, LB_VOLUME_SIZE_MAX + 4096, EINVAL);

	fresh(row_of(LB_IOC_VOL_CREATE));
	c->name = (uintptr_t)"n";
	c->name_len = 1;
	c->volume_size = 1 << 20;
	c->attrs.count = LB_ATTR_OPS_MAX + 1;
	c->attrs.ops = (uintptr_t)buffer;
	want(row_of(LB_IOC_VOL_CREATE), "too many attributes", LB_IOC_VOL_CREATE, c, EINVAL);
	c->attrs.count = 1;
	c->attrs.ops = 16;
	want(row_of(LB_IOC_VOL_CREATE), "attributes at a bad address", LB_IOC_VOL_CREATE, c, EFAULT);
}

static void attribute(const char *what, struct lb_attr_op op, int expected)
{
	struct lb_ioc_vol_set *s = (void *)buffer;

	fresh(row_of(LB_IOC_VOL_SET));
	s->id = volume;
	s->attrs.ops = (uintptr_t)&op;
	s->attrs.count = 1;
	want(row_of(LB_IOC_VOL_SET), what, LB_IOC_VOL_SET, s, expected);
}

static void attributes(void)
{
	uint64_t key = (uintptr_t)"key";

	attribute("a key of no bytes", (struct lb_attr_op){ .volume = volume, .key = key }, EINVAL);
	attribute("a key too long", (struct lb_attr_op){ .volume = volume, .key = (uintptr_t)buffer,
							  .key_len = LB_KEY_MAX + 1 }, EINVAL);
	attribute("a value too long", (struct lb_attr_op){ .volume = volume, .key = key, .key_len = 3,
							    .value = (uintptr_t)buffer, .value_len = LB_VALUE_MAX + 1 },
		  EINVAL);
	attribute("a value at a bad address", (struct lb_attr_op){ .volume = volume, .key = key, .key_len = 3,
								    .value = 8, .value_len = 100 }, EFAULT);
	attribute("an unknown attribute flag", (struct lb_attr_op){ .volume = volume, .key = key, .key_len = 3,
								     .flags = 1u << 31 }, EINVAL);
	attribute("padding", (struct lb_attr_op){ .volume = volume, .key = key, .key_len = 3, .pad = 1 }, EINVAL);
	attribute("of a volume that is not there", (struct lb_attr_op){ .volume = volume + 1000000, .key = key,
									 .key_len = 3 }, ENOENT);
}

/* Requests for a volume or a pool that is not there. */
static void nobody(void)
{
	struct lb_ioc_vol_rm *rm = (void *)buffer;
	struct lb_ioc_vol_activate *activate = (void *)buffer;
	struct lb_ioc_pool_ref *ref = (void *)buffer;
	struct lb_ioc_vol_rollback *rollback = (void *)buffer;

	fresh(row_of(LB_IOC_VOL_RM));
	rm->id = ~0ULL;
	want(row_of(LB_IOC_VOL_RM), "no such volume", LB_IOC_VOL_RM, rm, ENOENT);
	fresh(row_of(LB_IOC_VOL_RM));
	want(row_of(LB_IOC_VOL_RM), "volume 0", LB_IOC_VOL_RM, rm, ENOENT);
	fresh(row_of(LB_IOC_VOL_ACTIVATE));
	activate->id = volume + 1000000;
	want(row_of(LB_IOC_VOL_ACTIVATE), "no such volume", LB_IOC_VOL_ACTIVATE, activate, ENOENT);
	fresh(row_of(LB_IOC_VOL_ROLLBACK));
	rollback->id = volume;
	rollback->snapshot = volume;
	want(row_of(LB_IOC_VOL_ROLLBACK), "to itself", LB_IOC_VOL_ROLLBACK, rollback, EINVAL);
	fresh(row_of(LB_IOC_POOL_SYNC));
	memset(ref->uuid, 0x5a, sizeof(ref->uuid));
	want(row_of(LB_IOC_POOL_SYNC), "no such pool", LB_IOC_POOL_SYNC, ref, ENODEV);
}

static void unknown(void)
{
	memset(buffer, 0, sizeof(buffer));
	want(NULL, "an unknown request", _IOWR(LB_IOC_MAGIC, 0xfe, struct lb_ioc_version), buffer, ENOTTY);
	want(NULL, "another driver's request", 0x1261 /* BLKFLSBUF */, buffer, ENOTTY);
	want(NULL, "request 0", 0, buffer, ENOTTY);
}

/* The right to call does not come with the descriptor. */
static void unprivileged(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		failures = 0;
		if (setuid(65534))
			_exit(9);
		fresh(row_of(LB_IOC_VERSION));
		want(row_of(LB_IOC_VERSION), "without CAP_SYS_ADMIN", LB_IOC_VERSION, buffer, EPERM);
		fresh(row_of(LB_IOC_POOL_SYNC));
		want(row_of(LB_IOC_POOL_SYNC), "without CAP_SYS_ADMIN", LB_IOC_POOL_SYNC, buffer, EPERM);
		fflush(stdout);
		_exit(failures);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		abort();
	failures += WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	if (argc != 3 || uuid_parse(argv[1], pool))
		return 2;
	volume = strtoull(argv[2], NULL, 0);
	fd = open(LB_CONTROL_PATH, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		perror(LB_CONTROL_PATH);
		return 2;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		generic(&rows[i]);
	creations();
	attributes();
	nobody();
	unknown();
	unprivileged();
	printf("%d calls, %d wrong answers\n", calls, failures);
	return failures ? 1 : 0;
}
