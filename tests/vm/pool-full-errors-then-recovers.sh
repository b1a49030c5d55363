#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a full pool: ENOSPC in bounded time, reads go on, deletion, discard and growth work
# smp: 2
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 300
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

expect_klog 'critical space allocation error, dev layerblk'
expect_klog 'EXT4-fs (warning|error) \(device layerblk[0-9]+\)'
expect_klog 'EXT4-fs \(layerblk[0-9]+\): (Remounting|previous I/O error|failed to convert)'
expect_klog '(JBD2: )?Abort(ing|ed) journal'
expect_klog 'Buffer I/O error on dev(ice)? layerblk'
expect_klog 'JBD2: Detected IO errors while flushing file data on layerblk'
expect_klog 'layerblk: .*(full|no space|low)'

pool_in_file 128M
v=$(volume v 1G)
w=$(volume w 64M)
block_write "$w" 0 before 16

# fill DEVICE: writes until it is refused; sets FILLED (MiB).
fill() {
	local rc=0

	timeout -k 5 120 dd if=/dev/zero of="$1" bs=1M oflag=direct conv=notrunc status=none 2>"$T/dd" || rc=$?
	[ "$rc" = 1 ] || fail "dd ended with $rc: $(cat "$T/dd")"
	grep -q 'No space left' "$T/dd" || fail "not ENOSPC: $(cat "$T/dd")"
}

step "to the last block"
fill "$v"
# Single blocks until nothing goes.
n=0
while dd if=/dev/urandom of="$v" bs=4096 seek=$((200000 + n)) count=1 oflag=direct conv=notrunc status=none 2>/dev/null; do
	n=$((n + 1))
	[ "$n" -lt 20000 ] || fail "it is never full"
done
echo "$n single blocks after that; free: $(status .free)"

step "a refusal is quick, again and again"
for _ in 1 2 3 4 5; do
	(within 20 dd if=/dev/zero of="$v" bs=4096 seek=250000 count=1 oflag=direct conv=notrunc status=none 2>/dev/null) &&
		fail "a write to a full pool went through"
done

step "reads, writes in place and flushes go on"
block_is "$w" 0 before 16
block_write "$w" 3 in-place
block_is "$w" 3 in-place
within 20 sync "$w"
within 20 sync "$v"

step "snapshots may be refused, but nothing hangs"
within 60 layerctl snapshot w s >/dev/null 2>&1 || true

step "discard gives room"
within 60 blkdiscard -o 0 -l $((32 << 20)) "$v"
room() {
	dd if=/dev/urandom of="$w" bs=1M seek=4 count=8 oflag=direct conv=notrunc status=none 2>/dev/null
}
wait_until 60 room

step "full again; deletion gives room"
fill "$v"
layerctl deactivate v
within 60 layerctl volume rm v
wait_until 60 room
block_is "$w" 3 in-place

step "full again; growth gives room"
v=$(volume v2 2G)
fill "$v"
within 60 layerctl pool grow "$POOL" 256M
dd if=/dev/zero of="$v" bs=1M seek=300 count=50 oflag=direct conv=notrunc status=none

step "full once more, with a file system on it"
layerctl deactivate v2
layerctl volume rm v2
f=$(volume fs 2G)
mkfs.ext4 -q -E nodiscard "$f"
mkdir "$T/m"
mount "$f" "$T/m"
pattern keep 1000000 >"$T/m/keep"
sync "$T/m/keep"
timeout -k 5 120 dd if=/dev/zero of="$T/m/big" bs=1M oflag=direct status=none 2>/dev/null && fail "the file system was never refused"
cmp "$T/m/keep" <(pattern keep 1000000)
within 60 umount "$T/m"
# pool_end, run now, closes the pool and has layerck read it.
