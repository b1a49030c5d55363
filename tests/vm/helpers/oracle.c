// SPDX-License-Identifier: GPL-2.0
/*
 * Writes a volume in such a way that after a power cut every sector can be judged.
 *
 * What is done to a volume is a sequence of numbered operations: writes of whole blocks and of parts, discards, zeroing, flushes.
 * Operation k depends on the seed, the volume's name and k only, so that the sequence need not be kept. A sector (512
 * bytes) that operation k writes names the volume, its own place in it and k, its version, and nothing in the rest of it is left to
 * chance: a sector that is another's, another place's, torn or older than it may be is found and named.
 *
 *	oracle write DEVICE NAME SEED FIRST COUNT PROGRESS
 *		Operations FIRST, FIRST + 1, ..., COUNT of them (0: without end). After each flush the line "acked NAME k end" says that k and
 *		all before are durable. PROGRESS is a file (or -) that says which operations have begun and ended.
 *	oracle progress PROGRESS		prints them: ended, begun
 *	oracle check DEVICE NAME SEED FIRST ACKED BASE
 *		After a power cut: everything up to ACKED is there, of what came later any part, and nothing else.
 *	oracle instant DEVICE NAME SEED FIRST ENDED BEGUN BASE
 *		A snapshot taken meanwhile: there is an instant, after ENDED had ended and before anything after BEGUN was begun, of which
 *		this is the content. BEGUN is 0 when the power was cut before it could be read.
 *	oracle read DEVICE NAME BASE		puts what is there into BASE
 *
 * Exit code: 0 right, 1 wrong, 3 what can be read is right, but not all of it can.
 *
 * BASE is a file of versions, one of 32 bits a sector, as they were when operation FIRST began; - stands for zeros. COUNT, ACKED,
 * ENDED and BEGUN may be any, also 0: nothing yet.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pattern.h"

#define SECTOR		512
#define PER_BLOCK	8
#define LARGEST		512	/* sectors of one write */
#define MAGIC		0x656c6361726f6b6cULL
/*
 * The lines that say what was acknowledged are read by another machine, a little later. So many flushes may have ended of which it did
 * not hear.
 */
#define LAG		8	/* flushes */
#define UNHEARD		64	/* operations */
#define UNKNOWN		UINT32_MAX		/* the version of a sector that is not one of ours */
#define UNREADABLE	(UINT32_MAX - 1)	/* of one that cannot be read */

enum kind { OP_WRITE, OP_DISCARD, OP_ZERO, OP_FLUSH };

struct op {
	enum kind kind;
	int durable;		/* all before it, and this one, when it has ended */
	uint64_t start, count;	/* sectors */
};

struct tag {
	uint64_t magic, volume, sector, version;
};

struct progress {
	volatile uint64_t ended, begun;
};

static const char *path, *name;
static uint64_t volume, seed, first, sectors, unreadable;
static int fd;

static void die(const char *what)
{
	fprintf(stderr, "oracle: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void *memory(size_t bytes)
{
	void *p;

	if (posix_memalign(&p, 4096, bytes ? bytes : 1))
		die("memory");
	memset(p, 0, bytes);
	return p;
}

/* ------------------------------------------------------------------ operations */

static uint64_t start_of(uint64_t word, uint64_t count, uint64_t align)
{
	return word % ((sectors - count) / align + 1) * align;
}

static struct op op_of(uint64_t k)
{
	uint64_t state = (volume ^ seed * 0x9e3779b97f4a7c15ULL ^ k * 0xd1342543de82ef95ULL) | 1;
	uint64_t dice, size, place;
	struct op op = { .kind = OP_WRITE };

	pattern_next(&state);
	dice = pattern_next(&state) >> 32;
	size = pattern_next(&state) >> 32;
	place = pattern_next(&state) >> 24;
	switch (dice % 100) {
	case 0 ... 29:
		op.kind = OP_FLUSH;
		op.durable = 1;
		return op;
	case 30 ... 37:
		op.kind = OP_DISCARD;
		op.count = (size % 32 + 1) * PER_BLOCK;
		break;
	case 38 ... 41:
		op.kind = OP_ZERO;
		op.count = (size % 16 + 1) * PER_BLOCK;
		break;
	case 42 ... 54:		/* parts of blocks */
		op.count = size % (2 * PER_BLOCK - 1) + 1;
		op.start = start_of(place, op.count, 1);
		return op;
	case 55 ... 57:
		op.count = LARGEST;
		break;
	case 58 ... 69:		/* forced unit access */
		op.durable = 1;
		op.count = (size % 2 + 1) * PER_BLOCK;
		break;
	default:
		op.count = (size % 8 + 1) * PER_BLOCK;
	}
	op.start = start_of(place, op.count, PER_BLOCK);
	return op;
}

static int covers(const struct op *op, uint64_t sector)
{
	return sector >= op->start && sector - op->start < op->count;
}

static void sector_fill(unsigned char *to, uint64_t sector, uint64_t version)
{
	struct tag tag = { .magic = MAGIC, .volume = volume, .sector = sector, .version = version };
	uint64_t state = (volume ^ sector << 32 ^ version) | 1;

	memcpy(to, &tag, sizeof(tag));
	pattern_fill(to + sizeof(tag), SECTOR - sizeof(tag), &state);
}

static int op_do(const struct op *op, uint64_t k, unsigned char *buffer)
{
	uint64_t range[2] = { op->start * SECTOR, op->count * SECTOR };
	struct iovec iov = { .iov_base = buffer, .iov_len = range[1] };

	switch (op->kind) {
	case OP_FLUSH:
		return fdatasync(fd);
	case OP_DISCARD:
		return ioctl(fd, BLKDISCARD, range);
	case OP_ZERO:
		return ioctl(fd, BLKZEROOUT, range);
	default:
		for (uint64_t i = 0; i < op->count; i++)
			sector_fill(buffer + i * SECTOR, op->start + i, k);
		return pwritev2(fd, &iov, 1, range[0], op->durable ? RWF_DSYNC : 0) == (ssize_t)iov.iov_len ? 0 : -1;
	}
}

static struct progress *progress_map(const char *file, int create)
{
	int f = open(file, create ? O_RDWR | O_CREAT : O_RDONLY, 0600);
	void *p;

	if (f < 0 || (create && ftruncate(f, sizeof(struct progress))))
		die(file);
	p = mmap(NULL, sizeof(struct progress), create ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, f, 0);
	if (p == MAP_FAILED)
		die(file);
	return p;
}

static int run(uint64_t count, const char *file)
{
	struct progress none, *progress = strcmp(file, "-") ? progress_map(file, 1) : &none;
	unsigned char *buffer = memory(LARGEST * SECTOR);

	progress->ended = first - 1;
	for (uint64_t k = first; !count || k < first + count; k++) {
		struct op op = op_of(k);

		progress->begun = k;
		if (op_do(&op, k, buffer)) {
			fprintf(stderr, "oracle: %s: operation %" PRIu64 ": %s\n", name, k, strerror(errno));
			return 1;
		}
		progress->ended = k;
		if (op.durable) {
			printf("acked %s %" PRIu64 " end\n", name, k);
			fflush(stdout);
		}
	}
	return 0;
}

/* ------------------------------------------------------------------ judging */

static uint32_t *base_read(const char *file)
{
	uint32_t *versions = memory(sectors * sizeof(*versions));
	int f;

	if (!strcmp(file, "-"))
		return versions;
	f = open(file, O_RDONLY);
	if (f < 0 || read(f, versions, sectors * sizeof(*versions)) != (ssize_t)(sectors * sizeof(*versions)))
		die(file);
	close(f);
	return versions;
}

/* What the sector is; says so when it is none of ours. */
static uint32_t sector_version(const unsigned char *data, uint64_t sector)
{
	static const unsigned char zeros[SECTOR];
	unsigned char want[SECTOR];
	struct tag tag;

	if (!memcmp(data, zeros, SECTOR))
		return 0;
	memcpy(&tag, data, sizeof(tag));
	sector_fill(want, sector, tag.version);
	if (!memcmp(data, want, SECTOR))
		return tag.version;
	if (tag.magic != MAGIC)
		printf("%s: sector %" PRIu64 " (of block %" PRIu64 ") holds what nobody wrote\n", name, sector, sector / PER_BLOCK);
	else if (tag.volume != volume)
		printf("%s: sector %" PRIu64 " holds ANOTHER VOLUME's data (%016" PRIx64 "), sector %" PRIu64 ", version %" PRIu64 "\n",
		       name, sector, tag.volume, tag.sector, tag.version);
	else if (tag.sector != sector)
		printf("%s: sector %" PRIu64 " holds sector %" PRIu64 ", version %" PRIu64 "\n", name, sector, tag.sector, tag.version);
	else
		printf("%s: sector %" PRIu64 " of version %" PRIu64 " is torn\n", name, sector, tag.version);
	return UNKNOWN;
}

/* Block by block, for where more of it cannot be read. */
static void blocks_read(uint32_t *versions, uint64_t at, unsigned char *data, size_t bytes)
{
	for (size_t b = 0; b < bytes; b += PER_BLOCK * SECTOR, at += PER_BLOCK) {
		int lost = pread(fd, data + b, PER_BLOCK * SECTOR, at * SECTOR) != PER_BLOCK * SECTOR;

		unreadable += lost;
		for (size_t i = 0; i < PER_BLOCK; i++)
			versions[at + i] = lost ? UNREADABLE : sector_version(data + b + i * SECTOR, at + i);
	}
}

static uint32_t *volume_read(void)
{
	uint32_t *versions = memory(sectors * sizeof(*versions));
	size_t bytes = 1 << 20;
	unsigned char *data = memory(bytes);

	for (uint64_t at = 0; at < sectors; at += bytes / SECTOR) {
		size_t n = (sectors - at) * SECTOR < bytes ? (sectors - at) * SECTOR : bytes;

		if (pread(fd, data, n, at * SECTOR) != (ssize_t)n) {
			blocks_read(versions, at, data, n);
			continue;
		}
		for (size_t i = 0; i < n / SECTOR; i++)
			versions[at + i] = sector_version(data + i * SECTOR, at + i);
	}
	free(data);
	if (unreadable)
		printf("%s: %" PRIu64 " blocks of %" PRIu64 " cannot be read\n", name, unreadable, sectors / PER_BLOCK);
	return versions;
}

/* The newest operation that can be seen, first - 1 if none. */
static uint64_t newest(const uint32_t *found)
{
	uint64_t max = first - 1;

	for (uint64_t s = 0; s < sectors; s++)
		if (found[s] < UNREADABLE && found[s] > max)
			max = found[s];
	return max;
}

/* Operations first to last, applied to what was. */
static void apply(uint32_t *versions, uint64_t last)
{
	for (uint64_t k = first; k <= last; k++) {
		struct op op = op_of(k);

		for (uint64_t s = op.start; s < op.start + op.count; s++)
			versions[s] = op.kind == OP_WRITE ? k : 0;
	}
}

/*
 * Every sector is as operation `surely` left it, or as one of those up to `perhaps` did that touch it. A sector that shows operation k
 * shows that k was begun.
 */
static int judge(const uint32_t *found, const char *base, uint64_t surely, uint64_t perhaps)
{
	uint32_t *want = base_read(base);
	unsigned char *zero = memory(sectors);
	int wrong = 0;

	apply(want, surely);
	for (uint64_t k = surely + 1; k <= perhaps; k++) {
		struct op op = op_of(k);

		if (op.kind != OP_WRITE)
			memset(zero + op.start, 1, op.count);
	}
	for (uint64_t s = 0; s < sectors; s++) {
		if (found[s] == want[s] || (!found[s] && zero[s]) || found[s] == UNREADABLE)
			continue;
		if (found[s] != UNKNOWN && found[s] > surely && found[s] <= perhaps) {
			struct op op = op_of(found[s]);

			if (op.kind == OP_WRITE && covers(&op, s))
				continue;
		}
		if (++wrong <= 20 && found[s] != UNKNOWN)
			printf("%s: sector %" PRIu64 " (of block %" PRIu64 ") has version %" PRIu32 ", want %" PRIu32
			       " (durable: %" PRIu64 ", begun: %" PRIu64 ")\n",
			       name, s, s / PER_BLOCK, found[s], want[s], surely, perhaps);
	}
	if (wrong)
		printf("%s: %d sectors of %" PRIu64 " are wrong\n", name, wrong, sectors);
	free(want);
	free(zero);
	return wrong ? 1 : unreadable ? 3 : 0;
}

static int check(uint64_t acked, const char *base)
{
	uint32_t *found = volume_read();
	uint64_t max = newest(found), surely = acked < first ? first - 1 : acked, perhaps, k;
	int flushes = 0;

	/* What was begun after a flush shows that the flush had ended. */
	for (k = surely + 1; k < max; k++)
		if (op_of(k).durable)
			surely = k;
	for (perhaps = surely; flushes < LAG || perhaps < max; perhaps++)
		flushes += op_of(perhaps + 1).durable;
	printf("%s: %" PRIu64 " operations acknowledged, %" PRIu64 " seen\n", name, surely - first + 1, max - first + 1);
	return judge(found, base, surely, perhaps);
}

static int instant(uint64_t ended, uint64_t begun, const char *base)
{
	uint32_t *found = volume_read();
	uint64_t max = newest(found), surely = ended < first ? first - 1 : ended;

	/* One comes after the other: the newest may be there in part, all before it are there. */
	if (max > surely)
		surely = max - 1;
	if (!begun)
		begun = (max > surely ? max : surely) + UNHEARD;
	printf("%s: after operation %" PRIu64 ", of %" PRIu64 " to %" PRIu64 "\n", name, max, ended, begun);
	if (max > begun) {
		printf("%s: operation %" PRIu64 " was begun after the snapshot had been taken\n", name, max);
		return 1;
	}
	return judge(found, base, surely, begun);
}

static int read_base(const char *file)
{
	uint32_t *found = volume_read();
	FILE *f = fopen(file, "w");

	if (!f || fwrite(found, sizeof(*found), sectors, f) != sectors || fclose(f))
		die(file);
	for (uint64_t s = 0; s < sectors; s++)
		if (found[s] >= UNREADABLE)
			return 1;
	return 0;
}

/* ------------------------------------------------------------------ */

static void device_open(const char *device, int flags)
{
	uint64_t bytes;

	path = device;
	fd = open(device, flags | O_DIRECT);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes))
		die(device);
	sectors = bytes / SECTOR;
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 0);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "progress") && argc == 3) {
		struct progress *p = progress_map(argv[2], 0);
		uint64_t ended = p->ended;

		printf("%" PRIu64 " %" PRIu64 "\n", ended, p->begun);
		return 0;
	}
	if (argc < 5) {
		fprintf(stderr, "usage: oracle write|progress|check|instant|read ...\n");
		return 2;
	}
	name = argv[3];
	volume = pattern_seed(name);
	device_open(argv[2], !strcmp(what, "write") ? O_RDWR : O_RDONLY);
	if (!strcmp(what, "read") && argc == 5)
		return read_base(argv[4]);
	seed = number(argv[4]);
	first = argc > 5 ? number(argv[5]) : 1;
	if (!strcmp(what, "write") && argc == 8)
		return run(number(argv[6]), argv[7]);
	if (!strcmp(what, "check") && argc == 8)
		return check(number(argv[6]), argv[7]);
	if (!strcmp(what, "instant") && argc == 9)
		return instant(number(argv[6]), number(argv[7]), argv[8]);
	return 2;
}
