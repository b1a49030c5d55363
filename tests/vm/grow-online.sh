#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: volume, file system and pool grow while they are used
# smp: 2
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 240
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

pool_in_file 512M
v=$(volume v 128M)
mkfs.ext4 -q "$v"
mkdir "$T/m"
mount "$v" "$T/m"
pattern keep $((20 << 20)) >"$T/m/keep"
(
	i=0
	while [ -e "$T/m/keep" ]; do
		i=$((i + 1))
		head -c 100000 /dev/urandom >"$T/m/busy$((i % 50))" || exit 1
		sync "$T/m/busy$((i % 50))" || exit 1
	done
) & busy=$!
# shellcheck disable=SC2016 # defer evaluates later
defer 'rm -f "$T/m/keep"; wait'

step "the volume"
layerctl volume resize v 1G
assert_eq "$(blockdev --getsize64 "$v")" $((1 << 30)) "the disk's size"
resize2fs "$v"
assert_ge "$(df --output=size -B1 "$T/m" | tail -n 1)" $((900 << 20)) "the file system's size"

step "the pool"
before=$(status .size)
layerctl pool grow "$POOL" 2G
assert_ge "$(status .size)" $((before * 3)) "the pool's size"
dd if=/dev/zero of="$T/m/big" bs=1M count=700 conv=fsync status=none

step "nothing was lost meanwhile"
kill -0 $busy || fail "the writer failed"
cmp "$T/m/keep" <(pattern keep $((20 << 20)))
rm "$T/m/keep"
wait $busy
umount "$T/m"
e2fsck -fn "$v"
refused layerctl volume resize v 512M
