#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a test that passes, but a process was stuck in the kernel meanwhile
# requires: cmd:dmsetup
. "$TEST_REPO/tests/lib/test.sh"

assert_ge "$(sysctl -n kernel.hung_task_timeout_secs)" 1 "seconds after which the VM's kernel says that a task hangs"
assert_eq "$(sysctl -n kernel.hung_task_warnings)" -1 "how often it says so"
sysctl -q -w kernel.hung_task_timeout_secs=2
modprobe dm-zero
echo "0 8 zero" | dmsetup create self-hangs
defer 'dmsetup remove --retry self-hangs'
dmsetup suspend self-hangs
# Writeback: who waits for direct I/O does so in short naps, and is not seen.
dd if=/dev/zero of=/dev/mapper/self-hangs bs=4096 count=1 conv=fsync,notrunc status=none &
sleep 8
dmsetup resume self-hangs
wait
