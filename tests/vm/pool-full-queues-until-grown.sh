#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a full pool that is told to queue: writers wait, and go on when it grows or fail at the time-out
# smp: 2
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 180
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

expect_klog 'critical space allocation error, dev layerblk'
expect_klog 'layerblk: .*(full|no space|low)'

pool_in_file 128M
layerctl pool set --no-space queue --no-space-timeout 60s "$POOL"
v=$(volume v 1G)
dd if=/dev/zero of="$v" bs=1M count=200 oflag=direct conv=notrunc status=none &
writer=$!
stuck() {
	local a b

	a=$(io_count "$POOL_DEV" writes)
	sleep 1.5
	b=$(io_count "$POOL_DEV" writes)
	[ "$a" = "$b" ] && kill -0 $writer 2>/dev/null
}
wait_until 60 stuck

step "meanwhile the pool answers"
within 10 layerctl pool status "$POOL" >/dev/null
dd if="$v" of=/dev/null bs=4096 count=1 iflag=direct status=none
kill -0 $writer || fail "the writer did not wait"

step "growth lets it go on"
within 30 layerctl pool grow "$POOL" 512M
wait $writer || fail "the writer failed though the pool grew in time"

step "without growth it fails at the time-out"
layerctl pool set --no-space queue --no-space-timeout 3s "$POOL"
start=$SECONDS
(within 60 dd if=/dev/zero of="$v" bs=1M seek=200 oflag=direct conv=notrunc status=none 2>"$T/dd") && fail "that cannot fit"
grep -q 'No space left' "$T/dd" || fail "not ENOSPC: $(cat "$T/dd")"
assert_ge $((SECONDS - start)) 3 "seconds waited"
