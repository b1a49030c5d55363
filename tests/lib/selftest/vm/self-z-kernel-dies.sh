#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a test during which the kernel dies
# 
. "$TEST_REPO/tests/lib/test.sh"

sync
echo c >/proc/sysrq-trigger
