// SPDX-License-Identifier: GPL-2.0
/*
 * Calls the control device's ioctls with random arguments, most of them nearly right, from several processes at once.
 *
 *	ioctl-hammer SEED CALLS MAIN-UUID VICTIM-UUID VICTIM-MAJOR:MINOR [VOLUME-ID...]
 *
 * Anything may be done to the victim, a pool that comes and goes by it; of the main pool the volumes named are somebody's, who
 * has their disks open: whatever the rules do not refuse for that reason but would be a loss to him (their size, quota and name) is not
 * asked for. Names, keys and sizes are of few kinds, so that requests meet.
 *
 * Four processes are root's; one of them calls as 32-bit programs do, where the kernel has that. One scribbles meanwhile over arguments
 * that others have in use. Two have given up their rights and must get EPERM, whatever they ask with the descriptor they inherited. Each depends on
 * SEED and its own number only, but for what the others do.
 *
 * Prints how often each error came. Exit code 1: an answer came that none of these requests may get.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uuid/uuid.h>
#include <linux/layerblk.h>

#include "pattern.h"

#define IDS		64		/* volumes that the processes know of */
#define BUFFER		(2u << 20)
#define ERRORS		150
#define ROOTS		4
#define USERS		2

/* What the fields of a request are; the rest of it is 0, or noise. */
enum field_kind { END, UUID, ID, NAME, BLOCKS, BYTES, ATTRS, DEVICE, KEY, VALUE, KEY_OUT, RANGES, SMALL };

struct field {
	enum field_kind kind;
	size_t at, len_at;		/* of it, and of its length */
};

#define AT(kind, type, member) { kind, offsetof(struct type, member), 0 }
#define LEN(kind, type, member, length) { kind, offsetof(struct type, member), offsetof(struct type, length) }
#define REQUEST(weight, cmd, type, flags, ...) \
	{ #cmd, cmd, weight, sizeof(struct type), offsetof(struct type, reserved), flags, { __VA_ARGS__ } }

static const struct request {
	const char *name;
	unsigned long cmd;
	unsigned int weight;
	size_t size, reserved;
	uint32_t flags;
	struct field fields[8];
} requests[] = {
	REQUEST(3, LB_IOC_VERSION, lb_ioc_version, 0),
	REQUEST(6, LB_IOC_POOL_OPEN, lb_ioc_pool_open, 3, AT(DEVICE, lb_ioc_pool_open, dev_major)),
	REQUEST(1, LB_IOC_POOL_CLOSE, lb_ioc_pool_ref, 0, AT(UUID, lb_ioc_pool_ref, uuid)),
	REQUEST(5, LB_IOC_POOL_STATUS, lb_ioc_pool_status, 0, AT(UUID, lb_ioc_pool_status, uuid)),
	REQUEST(5, LB_IOC_POOL_NEXT, lb_ioc_pool_status, 0, AT(UUID, lb_ioc_pool_status, uuid)),
	REQUEST(3, LB_IOC_POOL_SET, lb_ioc_pool_set, 15, AT(UUID, lb_ioc_pool_set, uuid), AT(SMALL, lb_ioc_pool_set, nospc_timeout_ms),
		AT(BLOCKS, lb_ioc_pool_set, low_water_blocks), AT(SMALL, lb_ioc_pool_set, commit_interval_ms),
		AT(BYTES, lb_ioc_pool_set, cache_limit_bytes)),
	REQUEST(1, LB_IOC_POOL_GROW, lb_ioc_pool_grow, 0, AT(UUID, lb_ioc_pool_grow, uuid), AT(BLOCKS, lb_ioc_pool_grow, total_blocks)),
	REQUEST(2, LB_IOC_POOL_SYNC, lb_ioc_pool_ref, 0, AT(UUID, lb_ioc_pool_ref, uuid)),
	REQUEST(2, LB_IOC_POOL_SCRUB, lb_ioc_pool_scrub, 3, AT(UUID, lb_ioc_pool_scrub, uuid)),
	REQUEST(12, LB_IOC_VOL_CREATE, lb_ioc_vol_create, 0, AT(UUID, lb_ioc_vol_create, uuid), LEN(NAME, lb_ioc_vol_create, name, name_len),
		AT(BYTES, lb_ioc_vol_create, volume_size), AT(BLOCKS, lb_ioc_vol_create, quota_blocks), AT(ATTRS, lb_ioc_vol_create, attrs)),
	REQUEST(12, LB_IOC_VOL_SNAPSHOT, lb_ioc_vol_snapshot, 1, AT(UUID, lb_ioc_vol_snapshot, uuid), AT(ID, lb_ioc_vol_snapshot, source),
		LEN(NAME, lb_ioc_vol_snapshot, name, name_len), AT(BLOCKS, lb_ioc_vol_snapshot, quota_blocks),
		AT(ATTRS, lb_ioc_vol_snapshot, attrs)),
	REQUEST(5, LB_IOC_VOL_FREEZE, lb_ioc_vol_freeze, 0, AT(UUID, lb_ioc_vol_freeze, uuid), AT(ID, lb_ioc_vol_freeze, id),
		LEN(NAME, lb_ioc_vol_freeze, name, name_len), AT(ATTRS, lb_ioc_vol_freeze, attrs)),
	REQUEST(18, LB_IOC_VOL_RM, lb_ioc_vol_rm, 1, AT(UUID, lb_ioc_vol_rm, uuid), AT(ID, lb_ioc_vol_rm, id), AT(ATTRS, lb_ioc_vol_rm, attrs)),
	REQUEST(8, LB_IOC_VOL_SET, lb_ioc_vol_set, 15, AT(UUID, lb_ioc_vol_set, uuid), AT(ID, lb_ioc_vol_set, id),
		AT(BYTES, lb_ioc_vol_set, volume_size), AT(BLOCKS, lb_ioc_vol_set, quota_blocks), LEN(NAME, lb_ioc_vol_set, name, name_len),
		AT(ATTRS, lb_ioc_vol_set, attrs)),
	REQUEST(4, LB_IOC_VOL_ROLLBACK, lb_ioc_vol_rollback, 0, AT(UUID, lb_ioc_vol_rollback, uuid), AT(ID, lb_ioc_vol_rollback, id),
		AT(ID, lb_ioc_vol_rollback, snapshot)),
	REQUEST(10, LB_IOC_VOL_STAT, lb_ioc_vol_stat, 15, AT(UUID, lb_ioc_vol_stat, uuid), AT(ID, lb_ioc_vol_stat, id),
		LEN(NAME, lb_ioc_vol_stat, name, name_len)),
	REQUEST(2, LB_IOC_VOL_ACTIVATE, lb_ioc_vol_activate, 1, AT(UUID, lb_ioc_vol_activate, uuid), AT(ID, lb_ioc_vol_activate, id)),
	REQUEST(5, LB_IOC_VOL_DEACTIVATE, lb_ioc_vol_activate, 0, AT(UUID, lb_ioc_vol_activate, uuid), AT(ID, lb_ioc_vol_activate, id)),
	REQUEST(8, LB_IOC_ATTR_GET, lb_ioc_attr_get, 0, AT(UUID, lb_ioc_attr_get, uuid), AT(ID, lb_ioc_attr_get, id),
		LEN(KEY, lb_ioc_attr_get, key, key_len), LEN(VALUE, lb_ioc_attr_get, value, value_len)),
	REQUEST(8, LB_IOC_ATTR_NEXT, lb_ioc_attr_next, 0, AT(UUID, lb_ioc_attr_next, uuid), AT(ID, lb_ioc_attr_next, id),
		LEN(KEY_OUT, lb_ioc_attr_next, key, key_len)),
	REQUEST(5, LB_IOC_DIFF, lb_ioc_diff, 0, AT(UUID, lb_ioc_diff, uuid), AT(ID, lb_ioc_diff, a), AT(ID, lb_ioc_diff, b),
		AT(BLOCKS, lb_ioc_diff, cursor), LEN(RANGES, lb_ioc_diff, ranges, count)),
};

#define REQUESTS (sizeof(requests) / sizeof(requests[0]))

/* Shared by all. */
static struct shared {
	uint64_t ids[IDS];
	uint64_t errors[ROOTS + USERS][ERRORS];
	unsigned char scribbled[16384];
} *shared;

static uint8_t pools[2][LB_UUID_LEN];
static uint32_t victim_major, victim_minor;
static uint64_t kept[8], state;		/* the somebody's volumes; the random numbers' */
static int kept_count, fd, as_32bit;
static unsigned char *buffer, *hole, *readonly, *edge;	/* edge: the last byte before a hole */

static uint32_t random_below(uint32_t n)
{
	return (pattern_next(&state) >> 32) % n;
}

static int one_in(uint32_t n)
{
	return !random_below(n);
}

static void put(unsigned char *arg, size_t at, uint64_t value, size_t bytes)
{
	memcpy(arg + at, &value, bytes);
}

/* ------------------------------------------------------------------ arguments */

static uint64_t pick_id(void)
{
	switch (random_below(12)) {
	case 0:
		return 0;
	case 1:
		return ~0ULL >> random_below(64);
	case 2:
		return random_below(1000);
	case 3:
		if (kept_count)
			return kept[random_below(kept_count)];
		/* fallthrough */
	default:
		return __atomic_load_n(&shared->ids[random_below(IDS)], __ATOMIC_RELAXED);
	}
}

static uint64_t pick_number(uint32_t usual)
{
	if (one_in(8))
		return (~0ULL >> random_below(64)) - random_below(4097);
	return random_below(usual);
}

/* Memory of which `bytes` may be there, or of which there is none, or less, or such as cannot be written. */
static uint64_t pick_memory(void)
{
	switch (random_below(24)) {
	case 0:
		return 0;
	case 1:
		return (uintptr_t)hole;
	case 2:
		return (uintptr_t)readonly;
	case 3:
		return (uintptr_t)edge - random_below(600);
	case 4:
		return 0xffff888000000000ULL + random_below(1 << 30);
	case 5:
		return ~0ULL - random_below(5000);
	case 6:
		return (uintptr_t)shared->scribbled + random_below(4096);
	default:
		return (uintptr_t)buffer + random_below(4096);
	}
}

static uint32_t pick_length(uint32_t usual)
{
	switch (random_below(16)) {
	case 0:
		return 0;
	case 1:
		return ~0U >> random_below(32);
	case 2:
		return usual + random_below(8);
	default:
		return random_below(usual) + 1;
	}
}

/* "h" and one or two digits, so that many ask for one name; now and then what is no name. */
static void put_text(unsigned char *arg, const struct field *f)
{
	char *at = (char *)buffer + 8192 + random_below(4096);
	uint32_t len = sprintf(at, "h%u", random_below(40));

	if (one_in(12)) {
		len = random_below(300);
		memset(at, one_in(2) ? 'x' : random_below(256), len);
	}
	put(arg, f->at, one_in(12) ? pick_memory() : (uintptr_t)at, 8);
	put(arg, f->len_at, one_in(12) ? pick_length(255) : len, 4);
}

static void put_attrs(unsigned char *arg, size_t at)
{
	struct lb_attr_ops *attrs = (void *)(arg + at);
	struct lb_attr_op *ops = (void *)(buffer + 65536 + random_below(64) * 8);

	if (!one_in(3))
		return;
	attrs->count = one_in(16) ? pick_length(300) : random_below(4);
	attrs->ops = one_in(16) ? pick_memory() : (uintptr_t)ops;
	for (int i = 0; i < 4; i++) {
		struct field key = { KEY, offsetof(struct lb_attr_op, key), offsetof(struct lb_attr_op, key_len) };

		memset(&ops[i], 0, sizeof(ops[i]));
		ops[i].volume = one_in(2) ? LB_ATTR_NEW_VOLUME : pick_id();
		put_text((unsigned char *)&ops[i], &key);
		ops[i].value = one_in(8) ? pick_memory() : (uintptr_t)buffer + 131072;
		ops[i].value_len = one_in(8) ? pick_length(LB_VALUE_MAX) : random_below(300);
		ops[i].flags = one_in(2) ? 1 << random_below(4) : 0;
	}
}

static void put_field(unsigned char *arg, const struct field *f)
{
	switch (f->kind) {
	case UUID:
		memcpy(arg + f->at, pools[random_below(2)], LB_UUID_LEN);
		if (one_in(16))
			arg[f->at + random_below(LB_UUID_LEN)] ^= 1 << random_below(8);
		break;
	case ID:
		put(arg, f->at, pick_id(), 8);
		break;
	case BLOCKS:
		put(arg, f->at, one_in(3) ? 0 : pick_number(70000), 8);
		break;
	case BYTES:
		put(arg, f->at, pick_number(4096) * LB_BLOCK_SIZE + !random_below(16), 8);
		break;
	case SMALL:
		put(arg, f->at, pick_number(20000), 8);
		break;
	case DEVICE:
		put(arg, f->at, one_in(8) ? random_below(300) : victim_major, 4);
		put(arg, f->at + 4, one_in(8) ? random_below(20) : victim_minor, 4);
		break;
	case NAME:
	case KEY:
	case KEY_OUT:
		put_text(arg, f);
		break;
	case ATTRS:
		put_attrs(arg, f->at);
		break;
	case VALUE:
	case RANGES:
		put(arg, f->at, pick_memory(), 8);
		put(arg, f->len_at, pick_length(f->kind == VALUE ? LB_VALUE_MAX : 4096), 4);
		break;
	case END:
		break;
	}
}

static const struct request *pick_request(void)
{
	static unsigned int total;
	uint32_t dice;

	if (!total)
		for (size_t i = 0; i < REQUESTS; i++)
			total += requests[i].weight;
	dice = random_below(total);
	for (size_t i = 0;; i++) {
		if (dice < requests[i].weight)
			return &requests[i];
		dice -= requests[i].weight;
	}
}

static int is_kept(uint64_t id)
{
	for (int i = 0; i < kept_count; i++)
		if (kept[i] == id)
			return 1;
	return 0;
}

static int spared(const struct request *r)
{
	return r->cmd == LB_IOC_VOL_SET || r->cmd == LB_IOC_POOL_SET;
}

/* What would be somebody's loss is not asked for: the flags of a VOL_SET of such a volume. */
static void spare(const struct request *r, unsigned char *arg)
{
	struct lb_ioc_vol_set *set = (void *)arg;
	struct lb_ioc_pool_set *pool = (void *)arg;

	if (r->cmd == LB_IOC_VOL_SET && is_kept(set->id))
		set->flags &= ~(LB_VOL_SET_SIZE | LB_VOL_SET_QUOTA | LB_VOL_SET_NAME | LB_VOL_SET_SHRINK);
	/* Nobody waits for ever for space that nobody makes. */
	if (r->cmd == LB_IOC_POOL_SET)
		pool->flags &= ~LB_POOL_SET_QUEUE;
}

/* Fills it in and spoils some of it; returns the request's number, which may be spoilt too. */
static unsigned long build(const struct request *r, unsigned char *arg)
{
	static const int off[] = { -8, 8, 1, -1, 64 };
	unsigned long cmd = r->cmd;
	uint32_t size = r->size;

	memset(arg, 0, 8192);
	for (const struct field *f = r->fields; f->kind != END; f++)
		put_field(arg, f);
	if (one_in(16))
		size = one_in(2) ? size + off[random_below(5)] : pick_length(8192);
	put(arg, 0, size, 4);
	put(arg, 4, one_in(24) ? 1u << random_below(32) : (r->flags & (uint32_t)pattern_next(&state)), 4);
	if (one_in(24))
		arg[r->reserved + random_below(32)] = 1;
	while (one_in(8))
		arg[8 + random_below(r->size - 8)] ^= 1 << random_below(8);
	spare(r, arg);
	if (one_in(32))
		cmd ^= 1ul << random_below(32);
	/* One struct is not to be taken for another that has not been looked through. */
	return _IOC_NR(cmd) == _IOC_NR(LB_IOC_VOL_SET) || _IOC_NR(cmd) == _IOC_NR(LB_IOC_POOL_SET) ? r->cmd : cmd;
}

/* ------------------------------------------------------------------ calling */

/* The system call as a 32-bit program makes it: the arguments lie below 4 GiB. */
static long ioctl_32bit(int f, unsigned long cmd, void *arg)
{
	long ret;

	asm volatile("int $0x80" : "=a" (ret) : "a" (54), "b" (f), "c" (cmd), "d" ((unsigned long)arg)
		     : "memory", "r8", "r9", "r10", "r11");
	if (ret < 0 && ret > -4096) {
		errno = -ret;
		return -1;
	}
	return ret;
}

static void learn(const struct request *r, const unsigned char *arg)
{
	uint64_t id = 0;

	if (r->cmd == LB_IOC_VOL_CREATE)
		id = ((const struct lb_ioc_vol_create *)arg)->id;
	else if (r->cmd == LB_IOC_VOL_SNAPSHOT)
		id = ((const struct lb_ioc_vol_snapshot *)arg)->id;
	else if (r->cmd == LB_IOC_VOL_STAT)
		id = ((const struct lb_ioc_vol_stat *)arg)->info.id;
	if (id)
		__atomic_store_n(&shared->ids[random_below(IDS)], id, __ATOMIC_RELAXED);
}

/* The answers that requests on two good pools may get. */
static int allowed(int error)
{
	static const int errors[] = { 0, EINVAL, EFAULT, E2BIG, ENOTTY, ENOENT, ENODEV, EEXIST, EBUSY, EROFS, ENOSPC, EDQUOT, ERANGE,
				      EMEDIUMTYPE, ENXIO, ENOTBLK, EOPNOTSUPP, EFBIG, ENOMEM, EACCES };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i] == error)
			return 1;
	return 0;
}

static int hammer(int number, uint64_t calls)
{
	int user = number >= ROOTS, wrong = 0;

	for (uint64_t i = 0; i < calls; i++) {
		const struct request *r = pick_request();
		unsigned char *arg = buffer + BUFFER / 2;
		unsigned long cmd = build(r, arg);
		void *where = arg;
		int error;

		if (spared(r)) {
			;	/* it must stay as it is */
		} else if (one_in(40)) {
			where = (void *)(uintptr_t)pick_memory();
		} else if (one_in(10)) {
			memcpy(shared->scribbled, arg, 8192);
			where = shared->scribbled;
		}
		error = (as_32bit ? ioctl_32bit(fd, cmd, where) : ioctl(fd, cmd, where)) < 0 ? errno : 0;
		shared->errors[number][error < ERRORS ? error : ERRORS - 1]++;
		if (user ? error != EPERM && !(cmd != r->cmd && error == ENOTTY) : !allowed(error)) {
			printf("process %d, call %" PRIu64 ": %s (%lx): %s\n", number, i, r->name, cmd, strerror(error));
			wrong = 1;
		}
		if (!error && where == arg && !user)
			learn(r, arg);
	}
	return wrong;
}

/* ------------------------------------------------------------------ processes */

static void *map_below_4g(size_t bytes, int protection)
{
	void *p = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (p == MAP_FAILED) {
		perror("ioctl-hammer: mmap");
		exit(2);
	}
	return p;
}

static void memory_init(void)
{
	buffer = map_below_4g(BUFFER, PROT_READ | PROT_WRITE);
	hole = map_below_4g(65536, PROT_NONE);
	readonly = map_below_4g(65536, PROT_READ);
	edge = map_below_4g(8192, PROT_READ | PROT_WRITE);
	mprotect(edge + 4096, 4096, PROT_NONE);
	edge += 4096;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (shared == MAP_FAILED)
		exit(2);
}

static int give_up_rights(void)
{
	if (setgid(65534) || setuid(65534))
		return 2;
	if (open(LB_CONTROL_PATH, O_RDWR) >= 0 || (errno != EACCES && errno != EPERM)) {
		printf("an ordinary user may open the control device\n");
		return 1;
	}
	return 0;
}

static pid_t start(int number, uint64_t seed, uint64_t calls)
{
	pid_t pid = fork();
	int ret = 0;

	if (pid)
		return pid;
	state = (seed * 0x9e3779b97f4a7c15ULL + number + 1) | 1;
	pattern_next(&state);
	as_32bit = number == 1;
	if (number >= ROOTS)
		ret = give_up_rights();
	if (!ret)
		ret = hammer(number, calls);
	fflush(stdout);
	_exit(ret);
}

/* Over arguments that are being read, and answers that are being written. */
static pid_t start_scribbling(uint64_t seed)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	state = seed | 1;
	for (;;) {
		for (int i = 0; i < 64; i++)
			((volatile unsigned char *)shared->scribbled)[random_below(512)] ^= 1 << random_below(8);
		usleep(50);
	}
}

static void tell(void)
{
	for (int p = 0; p < ROOTS + USERS; p++) {
		printf("%s%s:", p < ROOTS ? "root" : "user", p == 1 ? " (32 bits)" : "");
		for (int e = 0; e < ERRORS; e++)
			if (shared->errors[p][e])
				printf(" %s %" PRIu64, e ? strerrorname_np(e) : "success", shared->errors[p][e]);
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	pid_t pids[ROOTS + USERS], scribbler;
	uint64_t seed, calls;
	int ret = 0, status;

	if (argc < 6 || uuid_parse(argv[3], pools[0]) || uuid_parse(argv[4], pools[1]) ||
	    sscanf(argv[5], "%u:%u", &victim_major, &victim_minor) != 2) {
		fprintf(stderr, "usage: ioctl-hammer SEED CALLS MAIN-UUID VICTIM-UUID MAJOR:MINOR [VOLUME-ID...]\n");
		return 2;
	}
	seed = strtoull(argv[1], NULL, 0);
	calls = strtoull(argv[2], NULL, 0);
	for (int i = 6; i < argc && kept_count < 8; i++)
		kept[kept_count++] = strtoull(argv[i], NULL, 0);
	fd = open(LB_CONTROL_PATH, O_RDWR);
	if (fd < 0) {
		perror(LB_CONTROL_PATH);
		return 2;
	}
	memory_init();
	fflush(stdout);
	scribbler = start_scribbling(seed);
	for (int i = 0; i < ROOTS + USERS; i++)
		pids[i] = start(i, seed, calls);
	for (int i = 0; i < ROOTS + USERS; i++) {
		if (waitpid(pids[i], &status, 0) != pids[i] || !WIFEXITED(status))
			ret = 3;
		else if (WEXITSTATUS(status))
			ret = WEXITSTATUS(status);
	}
	kill(scribbler, 9);
	waitpid(scribbler, &status, 0);
	tell();
	return ret;
}
