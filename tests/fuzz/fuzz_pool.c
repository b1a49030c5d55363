// SPDX-License-Identifier: GPL-2.0
/* Pool images: structures of good pools changed at will, all checksums made right, into checker, repair, engine and every operation. */
#include "pool/judge.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed);

#define ALL	(~0u)

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	judge_init();
	base_get(0);
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = input_parse(data, size);

	if (size < INPUT_HEAD)
		return -1;
	judge_disk(input_disk(&in, ALL), in.flags, in.ops, in.op_bytes);
	return 0;
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed)
{
	return input_mutate(data, size, max_size, seed, ALL, ALL);
}
