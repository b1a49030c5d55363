// SPDX-License-Identifier: GPL-2.0
/*
 * Writes to a disk on which things fail, and knows what must be there afterwards.
 *
 *	hammer write DISK STATE SECONDS SEED	errors are counted, wrong data ends it
 *	hammer check DISK STATE
 *
 * Each write gives one of 256 blocks (from the fourth MiB on) its next version; a block holds its number and its version in every word.
 * The state has of each block the version that was last made durable by an fsync, and the last one tried: what is read must lie between
 * the two, and while nothing has been lost, not before the last that was acknowledged.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK	4096
#define BLOCKS	256
#define FIRST	768
#define WORDS	(BLOCK / 8)

struct state {
	uint32_t durable[BLOCKS], acked[BLOCKS], tried[BLOCKS];
};

static struct state st;
static uint64_t *buffer;
static unsigned long writes, syncs, reads, errors;

static uint64_t word_of(unsigned int block, uint32_t version)
{
	return version ? (uint64_t)(block + 1) << 32 | version : 0;
}

/* The block's version, or -1 when it is no version of this block, or a mixture. */
static int64_t version_in_buffer(unsigned int block)
{
	uint32_t version = buffer[0];
	unsigned int i;

	for (i = 0; i < WORDS; i++) {
		if (buffer[i] != word_of(block, version))
			return -1;
	}
	return version;
}

static int verify(int fd, unsigned int block, uint32_t least)
{
	int64_t version;

	if (pread(fd, buffer, BLOCK, (off_t)(FIRST + block) * BLOCK) != BLOCK) {
		errors++;
		return 0;
	}
	reads++;
	version = version_in_buffer(block);
	if (version >= least && version <= st.tried[block])
		return 0;
	printf("hammer: block %u holds version %lld (word %llx), must be %u to %u\n", block, (long long)version,
	       (unsigned long long)buffer[0], least, st.tried[block]);
	return 1;
}

static void write_block(int fd, unsigned int block)
{
	unsigned int i;

	st.tried[block]++;
	for (i = 0; i < WORDS; i++)
		buffer[i] = word_of(block, st.tried[block]);
	if (pwrite(fd, buffer, BLOCK, (off_t)(FIRST + block) * BLOCK) == BLOCK) {
		st.acked[block] = st.tried[block];
		writes++;
	} else {
		errors++;
	}
}

static int hammer(int fd, unsigned int seconds)
{
	time_t end = time(NULL) + seconds;

	while (time(NULL) < end) {
		unsigned int what = rand() % 16, block = rand() % BLOCKS;

		if (what == 0) {
			if (fsync(fd)) {
				errors++;
			} else {
				memcpy(st.durable, st.acked, sizeof(st.durable));
				syncs++;
			}
		} else if (what < 4) {
			if (verify(fd, block, st.acked[block]))
				return 1;
		} else {
			write_block(fd, block);
		}
	}
	return 0;
}

static int check(int fd)
{
	unsigned int block;
	int bad = 0;

	for (block = 0; block < BLOCKS; block++) {
		bad |= verify(fd, block, st.durable[block]);
		st.acked[block] = st.durable[block];
	}
	return bad || errors;
}

static void state_file(const char *path, int save)
{
	int fd = open(path, O_RDWR | O_CREAT, 0644);
	ssize_t n;

	if (fd < 0) {
		perror(path);
		exit(2);
	}
	n = save ? pwrite(fd, &st, sizeof(st), 0) : pread(fd, &st, sizeof(st), 0);
	if (n != sizeof(st) && (save || n)) {
		fprintf(stderr, "hammer: %s: cannot be %s\n", path, save ? "written" : "read");
		exit(2);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	int fd, bad;

	if (argc < 4 || posix_memalign((void **)&buffer, BLOCK, BLOCK))
		return 2;
	state_file(argv[3], 0);
	fd = open(argv[2], O_RDWR | O_DIRECT);
	if (fd < 0) {
		perror(argv[2]);
		return 3;
	}
	if (!strcmp(argv[1], "check")) {
		bad = check(fd);
	} else {
		/* What it finds is what counts from now on: after a failure that may be less than was acknowledged, never than was durable. */
		memcpy(st.acked, st.durable, sizeof(st.acked));
		srand(argc > 5 ? atoi(argv[5]) : 1);
		bad = hammer(fd, argc > 4 ? atoi(argv[4]) : 1);
	}
	state_file(argv[3], 1);
	close(fd);
	printf("hammer: %lu writes, %lu flushes, %lu reads, %lu errors\n", writes, syncs, reads, errors);
	return bad;
}
