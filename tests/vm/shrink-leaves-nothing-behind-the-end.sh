#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: writes and discards that wait while a volume is made smaller fail when they are beyond its new end
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:dmsetup
# timeout: 180
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

expect_klog 'I/O error, dev layerblk'
expect_klog 'Buffer I/O error on dev layerblk'

pool_on_slow 256M
v=$(volume v 64M)
block_write "$v" 256 kept
block_write "$v" 9000 lost
sync "$v"

# One write is under way for two seconds: the shrink waits for it, and what comes
# meanwhile waits for the shrink.
step "smaller, with I/O under way"
slow 0 2000
dd if=/dev/zero of="$v" bs=4096 seek=1 count=1 oflag=direct conv=notrunc status=none &
first=$!
sleep 0.5
layerctl volume resize --shrink v 4M &
shrink=$!
sleep 0.5
kill -0 $first || fail "the first write was too fast"
kill -0 $shrink || fail "the shrink did not wait"
block_write "$v" 300 inside &
inside=$!
block_write "$v" 9001 outside 2>/dev/null &
outside=$!
dd if=/dev/zero of="$v" bs=4096 seek=1020 count=8 oflag=direct conv=notrunc status=none 2>/dev/null &
across=$!
(dd if="$v" of="$T/read" bs=4096 skip=9000 count=1 iflag=direct status=none 2>/dev/null) &
reads=$!
blkdiscard -o $((4096 * 9000)) -l $((4096 * 64)) "$v" 2>/dev/null &
discards=$!
wait $first || fail "the write before failed"
wait $shrink || fail "the shrink failed"
slow 0
wait $inside || fail "a write within the new size failed"
for pid in $outside $across $reads $discards; do
	! wait "$pid" || fail "I/O beyond the end did not fail ($outside $across $reads $discards: $pid)"
done
assert_eq "$(blockdev --getsize64 "$v")" $((4 << 20)) "the disk's size"

step "and larger again: nothing of it is there"
layerctl volume resize v 64M
block_is "$v" 256 kept
block_is "$v" 300 inside
block_is_zero "$v" 1024 15360
