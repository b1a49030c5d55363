#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a machine can be suspended while a pool is written to and scrubbed, and both go on afterwards
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:dmsetup cmd:fio
# timeout: 300
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

if ! [ -w /sys/power/pm_test ] || ! grep -q freeze /sys/power/state; then
	skip "this kernel cannot try a suspend"
fi

pool_on_slow 512M
v=$(volume v 128M)
fio --output="$T/fio" --name=v --filename="$v" --rw=write:4k --bs=4k --size=128M --ioengine=libaio --iodepth=32 --direct=1
sync "$v"
# So that it is in the trees.
layerctl deactivate v
layerctl pool close "$POOL"
layerctl pool open "$POOL" >/dev/null
v=$(disk v)

step "a scrub of a minute and a writer"
slow 300
defer 'slow 0'
layerctl scrub
scrubbed() {
	layerctl scrub --status --format json | jq -r .read
}
state() {
	layerctl scrub --status --format json | jq -r .state
}
more_than() {
	[ "$(scrubbed)" -gt "$1" ]
}
(while [ ! -e "$T/stop" ]; do
	dd if=/dev/zero of="$v" bs=4096 seek=$((RANDOM % 32768)) count=1 oflag=direct conv=notrunc,fsync status=none || exit 1
done) &
writer=$!
defer "touch '$T/stop'"
wait_until 60 more_than 0

step "all is frozen, and thawed after five seconds"
echo freezer >/sys/power/pm_test
defer 'echo none >/sys/power/pm_test'
assert_eq "$(state)" running
echo freeze >/sys/power/state || fail "the machine could not be suspended"

step "both go on"
read=$(scrubbed)
wait_until 60 more_than "$read"
kill -0 $writer || fail "the writer failed"
touch "$T/stop"
wait $writer || fail "the writer failed"
