// SPDX-License-Identifier: GPL-2.0
/*
 * Data that can be told again: a stream that depends on a seed alone.
 *
 *	block pattern SEED BYTES		to standard output
 *	block write DEVICE BLOCK SEED [COUNT]	COUNT blocks of 4 KiB, O_DIRECT
 *	block check DEVICE BLOCK SEED [COUNT]	1 and a line when they differ
 *	block zero DEVICE BLOCK [COUNT]		1 and a line when they are not zeros
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pattern.h"

#define BLOCK 4096

static int fail(const char *what)
{
	fprintf(stderr, "block: %s: %s\n", what, strerror(errno));
	return 1;
}

static int pattern(const char *seed, size_t bytes)
{
	uint64_t state = pattern_seed(seed);
	unsigned char chunk[65536];

	while (bytes) {
		size_t n = bytes < sizeof(chunk) ? bytes : sizeof(chunk);

		pattern_fill(chunk, n, &state);
		if (fwrite(chunk, 1, n, stdout) != n)
			return fail("standard output");
		bytes -= n;
	}
	return fflush(stdout) ? fail("standard output") : 0;
}

static int compare(const char *device, uint64_t block, const unsigned char *got, const unsigned char *want, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!memcmp(got + i * BLOCK, want + i * BLOCK, BLOCK))
			continue;
		fprintf(stderr, "block: %s block %llu differs: %02x%02x%02x%02x..., want %02x%02x%02x%02x...\n", device,
			(unsigned long long)(block + i), got[i * BLOCK], got[i * BLOCK + 1], got[i * BLOCK + 2],
			got[i * BLOCK + 3], want[i * BLOCK], want[i * BLOCK + 1], want[i * BLOCK + 2], want[i * BLOCK + 3]);
		return 1;
	}
	return 0;
}

static int device(const char *how, const char *path, uint64_t block, const char *seed, size_t count)
{
	int writing = !strcmp(how, "write"), fd = open(path, (writing ? O_RDWR : O_RDONLY) | O_DIRECT), ret;
	size_t bytes = count * BLOCK;
	unsigned char *data, *got;
	uint64_t state;

	if (fd < 0)
		return fail(path);
	if (posix_memalign((void **)&data, BLOCK, bytes) || posix_memalign((void **)&got, BLOCK, bytes))
		return fail("memory");
	memset(data, 0, bytes);
	if (seed) {
		state = pattern_seed(seed);
		pattern_fill(data, bytes, &state);
	}
	if (writing) {
		ret = pwrite(fd, data, bytes, block * BLOCK) == (ssize_t)bytes ? 0 : fail(path);
	} else {
		ret = pread(fd, got, bytes, block * BLOCK) == (ssize_t)bytes ? 0 : fail(path);
		if (!ret)
			ret = compare(path, block, got, data, count);
	}
	return close(fd) ? fail(path) : ret;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "pattern"))
		return pattern(argv[2], strtoull(argv[3], NULL, 0));
	if ((argc == 5 || argc == 6) && (!strcmp(argv[1], "write") || !strcmp(argv[1], "check")))
		return device(argv[1], argv[2], strtoull(argv[3], NULL, 0), argv[4],
			      argc == 6 ? strtoull(argv[5], NULL, 0) : 1);
	if ((argc == 4 || argc == 5) && !strcmp(argv[1], "zero"))
		return device("zero", argv[2], strtoull(argv[3], NULL, 0), NULL, argc == 5 ? strtoull(argv[4], NULL, 0) : 1);
	fprintf(stderr, "usage: block pattern|write|check|zero ...\n");
	return 2;
}
