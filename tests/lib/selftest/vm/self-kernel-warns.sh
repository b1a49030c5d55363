#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a test that passes, but the kernel warned meanwhile
# 
. "$TEST_REPO/tests/lib/test.sh"

echo "<4>WARNING: CPU: 0 PID: 1 at planted.c:1 planted+0x0/0x1" >/dev/kmsg
