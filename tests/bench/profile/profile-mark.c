// SPDX-License-Identifier: GPL-2.0
/*
 * profile-mark start|stop: runs, in the guest, the instruction by which insnprof.so knows that a profile begins or ends.
 */
#include <string.h>

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	if (!strcmp(argv[1], "start"))
		__asm__ volatile("movabs $0x2b666f72706b626c, %%rax" ::: "rax");	/* "lbkprof+" */
	else
		__asm__ volatile("movabs $0x2d666f72706b626c, %%rax" ::: "rax");	/* "lbkprof-" */
	return 0;
}
