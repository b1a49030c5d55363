#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: reads, writes, fsyncs and snapshots cost no more I/Os, and not much more instructions, than they did
# where: vm-own
# requires: cmd:fio cmd:qemu-system-x86_64 cmd:python3
# timeout: 300
. "$TEST_REPO/tests/lib/test.sh"

# The machine counts instructions, so it has its own VM. What is in it and what its limits are: tests/bench/guard.
mkdir -p "$T/out"
VM_TIMEOUT=280 vm_run --icount --mem 2G --disk-cache unsafe --disk layerblk=1G --out "$T/out" \
	-- "$TEST_REPO/tests/bench/guard"
