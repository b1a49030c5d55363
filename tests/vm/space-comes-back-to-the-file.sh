#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: discard and deletion give space back to the pool and to the file behind it
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 300
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

pool_in_file 4G
v=$(volume v 1G)
small=$(bytes_of "$POOL")

# freed_below BYTES: the file has shrunk to that.
freed_below() {
	[ "$(bytes_of "$POOL")" -lt "$1" ]
}
fill() {
	local i

	for ((i = 0; i < 8; i++)); do
		block_write "$1" $((i * 4096)) "fill $i" 4096
	done
	sync "$1"
}

step "discard"
fill "$v"
full=$(bytes_of "$POOL")
assert_ge $((full - small)) $((126 << 20)) "the file did not grow"
blkdiscard "$v"
sync "$v"
wait_until 60 freed_below $((small + (32 << 20)))
cmp -n $((1 << 20)) "$v" /dev/zero || fail "discarded blocks do not read as zeros"

step "deletion"
fill "$v"
layerctl deactivate v
layerctl volume rm v
wait_until 60 freed_below $((small + (32 << 20)))
wait_until 60 status_is .space.data 0

step "deletion of a snapshot gives its own back, not the parent's"
v=$(volume parent 1G)
fill "$v"
layerctl deactivate parent
layerctl freeze parent
c=$(child parent kid)
block_write "$c" 0 kid 16384
layerctl deactivate kid
both=$(bytes_of "$POOL")
layerctl volume rm kid
wait_until 60 freed_below $((both - (48 << 20)))
assert_ge "$(bytes_of "$POOL")" $((small + (120 << 20))) "the parent's data went too"

step "fstrim of a file system"
c=$(child parent fs)
mkfs.ext4 -q "$c"
mkdir "$T/m"
mount "$c" "$T/m"
pattern file $((100 << 20)) >"$T/m/f"
sync "$T/m/f"
held=$(bytes_of "$POOL")
rm "$T/m/f"
sync
fstrim "$T/m"
sync "$c"
sync "$T/m"
wait_until 60 freed_below $((held - (80 << 20)))
umount "$T/m"
