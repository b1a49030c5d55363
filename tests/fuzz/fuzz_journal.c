// SPDX-License-Identifier: GPL-2.0
/*
 * Journal replay: pools that are good but for their journals, whose records hold anything, with epoch, sequence and chained checksums right. The checker's and the engine's opinion must
 * agree: what it accepts replays, and what the replay makes is clean.
 */
#include "pool/judge.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed);

#define KINDS	(1u << PATCH_RECORD | 1u << PATCH_ENTRY)
#define FLAGS	(INPUT_FALLBACK | INPUT_READ_ONLY)
#define ON	(~0u & ~(1u << IMAGE_PLAIN | 1u << BASE_DEEP | 1u << BASE_REGIONS))

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
	in.damage = 0;
	judge_disk(input_disk(&in, KINDS), in.flags & FLAGS, in.ops, in.op_bytes);
	return 0;
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed)
{
	return input_mutate(data, size, max_size, seed, ON, KINDS);
}
