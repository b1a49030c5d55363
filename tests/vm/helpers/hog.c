// SPDX-License-Identifier: GPL-2.0
/*
 * Takes memory, page by page, until the kernel has little left, keeps it for a while and gives it back.
 *
 *	hog SPARE SECONDS		SPARE megabytes stay available (-1: until it is killed)
 *
 * It is the first that the kernel would kill.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK (1 << 20)

static long available(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kb = -1;

	while (f && kb < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "MemAvailable: %ld kB", &kb);
	if (f)
		fclose(f);
	return kb / 1024;
}

int main(int argc, char **argv)
{
	FILE *f = fopen("/proc/self/oom_score_adj", "w");
	long taken = 0;

	if (argc != 3)
		return 2;
	if (f) {
		fputs("1000", f);
		fclose(f);
	}
	while (available() > atol(argv[1])) {
		char *p = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			break;
		memset(p, 0x5a, CHUNK);
		taken++;
	}
	sleep(atoi(argv[2]));
	printf("hog: %ld MiB\n", taken);
	return 0;
}
