#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a test that leaves a loop device behind fails
# 
. "$TEST_REPO/tests/lib/test.sh"

truncate -s 1M "$T/file"
losetup -f "$T/file"
