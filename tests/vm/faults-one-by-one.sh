#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: every allocation and every I/O of every request fails once: a clear error, nothing half done, and then it works
# requires: mod:layerblk cmd:layerctl cmd:layerck faults:failslab faults:fail_page_alloc faults:fail_make_request
# timeout: 900
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/faults.sh"

faults_expected
pool_on "$VM_DISK_spare"
fault_volumes
block_write "$(disk data)" 512 kept 16
sync "$(disk data)"
without_udev
faults_on_device "$POOL_DEV"
faults_everywhere
# With FAULT_ALL=1 (an hour) all places; otherwise of those beyond the first twenty of a request some.
fail-nth "$POOL"
faults_off

step "nothing is lost"
block_is "$(disk data)" 512 kept 16
block_is "$(disk base)" 0 base 16
