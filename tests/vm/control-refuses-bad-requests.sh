#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: every ioctl refuses what the contract says it refuses, and nothing changes by it
# requires: mod:layerblk cmd:layerctl cmd:layerck
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

pool_in_file 256M
d=$(volume v 16M)
block_write "$d" 0 v
layerctl deactivate v
# All but what a commit in between may change.
volumes() {
	layerctl volume ls --all --format json | grep -v '"own_metadata"'
}
volumes >"$T/before"
ioctl-refusals "$(status .uuid)" "$(volume_value v .id)"
volumes >"$T/after"
diff "$T/before" "$T/after" || fail "something changed"
block_is "$(disk v)" 0 v
