#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: truncated, garbage and future pools, a pool that is open, a device in use: a clear error, nothing changed
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 240
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

expect_klog 'layerblk: .*'

sb=$TEST_REPO/tests/lib/superblock.py
pool_in_file 48M
d=$(volume v 4M)
block_write "$d" 0 v
layerctl deactivate v

step "open already"
refused layerctl pool open "$POOL"
refused layerctl pool create "$POOL"
refused layerctl pool create --force "$POOL"
refused layerctl pool destroy "$POOL"
block_is "$(disk v)" 0 v
layerctl deactivate v
layerctl pool close "$POOL"
good=$(sha256sum <"$POOL")

# bad NAME REGEX: a copy that must be refused by open, with nothing written to it.
bad() {
	local sum

	sum=$(sha256sum <"$T/$1")
	refused -m "$2" layerctl pool open "$T/$1"
	assert_eq "$(sha256sum <"$T/$1")" "$sum" "$1 was written to"
	assert_eq "$(losetup -n -O NAME -j "$T/$1")" "" "a loop device is left on $1"
}
copy() {
	cp --sparse=always "$POOL" "$T/$1"
}

step "not a pool"
truncate -s 48M "$T/empty"
bad empty .
pattern garbage $((48 << 20)) >"$T/garbage"
bad garbage .
: >"$T/nothing"
bad nothing .
refused layerctl pool open "$T/not-there"
refused layerctl pool open /dev/null

step "truncated"
copy short
truncate -s 20M "$T/short"
bad short .

step "of the future"
copy version
"$sb" "$T/version" version=2
bad version .
copy incompat
"$sb" "$T/incompat" incompat=0x8000
bad incompat .
copy rocompat
"$sb" "$T/rocompat" ro_compat=0x8000
layerctl pool open --read-only "$T/rocompat"
refused layerctl volume create --size 1M "$T/rocompat/x"
layerctl pool close "$T/rocompat"

step "damaged superblocks"
copy none
"$sb" "$T/none" --damage 4
bad none .
copy older
"$sb" "$T/older" --damage 2
bad older .
layerck "$T/older" >"$T/found" && fail "layerck is content with a stale superblock"
grep -q . "$T/found" || fail "layerck says nothing"

step "one copy of the newest superblock is enough"
copy one
"$sb" "$T/one" --damage 1
# Two pools with one UUID: the good one is closed, so this one may open.
layerctl pool open "$T/one"
refused layerctl pool open "$POOL"
layerctl pool close "$T/one"

step "a device in use"
mkfs.ext4 -q "$VM_DISK_spare"
refused layerctl pool create "$VM_DISK_spare"
mkdir "$T/m"
mount "$VM_DISK_spare" "$T/m"
refused layerctl pool create "$VM_DISK_spare"
refused layerctl pool create --force "$VM_DISK_spare"
umount "$T/m"
e2fsck -fn "$VM_DISK_spare" >/dev/null 2>&1 || fail "the file system was written to"
wipefs -q -a "$VM_DISK_spare"

step "too small"
refused layerctl pool create --size 1M "$T/tiny"
[ ! -e "$T/tiny" ] || fail "a refused pool leaves its file"

assert_eq "$(sha256sum <"$POOL")" "$good" "the good pool changed"
layerctl pool open "$POOL"
block_is "$(disk v)" 0 v
