#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a pool closes soon though it is being scrubbed or deletes; deletion goes on when it is opened again
# smp: 2
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:dmsetup cmd:fio
# timeout: 300
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

# now: in tenths of a second
now() {
	cut -d' ' -f1 /proc/uptime | awk '{print int($1 * 10)}'
}
pool_on_slow 1G
# Every second block is written: each is an extent of its own, and the map has
# hundreds of leaves.
v=$(volume v 128M)
fio --output="$T/fio" --name=v --filename="$v" --rw=write:4k --bs=4k --size=128M --ioengine=libaio --iodepth=32 --direct=1
sync "$v"
layerctl deactivate v
# So that it is in the trees.
layerctl pool close "$POOL"
layerctl pool open "$POOL" >/dev/null
meta=$(status .space.metadata)
assert_ge "$(status .space.data)" $((60 << 20)) "data"

step "a scrub that takes a minute"
slow 400
layerctl scrub
running() {
	layerctl scrub --status --format json | jq -e '.state == "running" and .read > 3' >/dev/null
}
wait_until 30 running
start=$(now)
within 60 layerctl pool close "$POOL"
took=$(($(now) - start))
echo "closed in $took tenths of a second, $meta of metadata"
assert_le "$took" $((80 * ${TEST_TIME_SCALE:-1})) "tenths of a second until it was closed"

step "a deletion"
slow 0
layerctl pool open "$POOL" >/dev/null
assert_eq "$(layerctl scrub --status --format json | jq -r .state)" "never run" "a scrub is not begun by itself"
slow 20
layerctl volume rm v
within 60 layerctl pool close "$POOL"
slow 0
layerctl pool open "$POOL" >/dev/null
wait_until 60 status_is .space.data 0
assert_eq "$(status .hidden_volumes)" 0 "volumes that are still to be deleted"
