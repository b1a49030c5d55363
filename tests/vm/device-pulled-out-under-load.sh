#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: the pool's device is removed under file systems, snapshots and writers: all end with errors, all can be put away, and the device back in is good
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 240
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

expect_klog 'layerblk: '
expect_klog 'I/O error, dev (sd[a-z]+|layerblk[0-9]+)'
expect_klog 'Buffer I/O error on dev(ice)? (sd[a-z]+|layerblk[0-9]+)'
expect_klog 'EXT4-fs (warning|error|\(layerblk)'
expect_klog 'JBD2: .*layerblk'
expect_klog 'XFS \(layerblk[0-9]+\): '

scsi_disk() {
	grep -l scsi_debug /sys/block/sd*/device/model 2>/dev/null | head -n 1 | cut -d/ -f4
}
modprobe scsi_debug dev_size_mb=192
defer 'modprobe -r scsi_debug'
udevadm settle --timeout=30 || true
dev=$(scsi_disk)
host=$(readlink -f "/sys/block/$dev" | grep -o 'host[0-9]*' | head -n 1)
layerctl pool create --force "/dev/$dev" >/dev/null
POOL=$(POOL=/dev/$dev status .uuid)
e=$(volume e 64M)
mkfs.ext4 -q "$e"
x=$(volume x 320M)
mkfs.xfs -q "$x"
r=$(volume r 16M)
mkdir "$T/e" "$T/x"
mount "$e" "$T/e"
mount "$x" "$T/x"
defer 'pool_unmount_all'
for m in e x; do
	pattern "$m" 100000 >"$T/$m/kept"
	sync -f "$T/$m/kept"
done

step "everything is busy"
files() {
	local i

	for ((i = 0; ; i++)); do
		pattern "$i" 200000 >"$1/$((i % 20))" && sync "$1/$((i % 20))" || return 0
	done
}
snapshots() {
	local i

	for ((i = 0; ; i++)); do
		layerctl snapshot "$POOL/$1" "$1-$i" >/dev/null || return 0
		layerctl volume rm "$POOL/$1-$i" >/dev/null || return 0
	done
}
oracle write "$r" r 1 1 0 - >"$T/acked" 2>/dev/null &
pids=($!)
for job in "files $T/e" "files $T/x" "snapshots e" "snapshots r"; do
	$job 2>/dev/null &
	pids+=($!)
done
sleep 4
for pid in "${pids[@]}"; do
	kill -0 "$pid" || fail "one of those who write ended before the device was gone"
done

step "removed: everybody hears of it"
echo 1 >"/sys/block/$dev/device/delete"
for pid in "${pids[@]}"; do
	gone() {
		! kill -0 "$pid" 2>/dev/null
	}
	wait_until 60 gone
done
wait
failed() {
	status .state | grep -q fail
}
wait_until 10 failed
refused layerctl volume create --size 1M "$POOL/w"
refused layerctl snapshot "$POOL/r" s
! block_write "$r" 2 w 2>/dev/null || fail "a write went through"

step "put away"
within 60 umount "$T/e"
within 60 umount "$T/x"
refused -m "the pool's device failed" within 60 layerctl pool close --force "$POOL"
refused layerctl pool status "$POOL"

step "plugged in again: nothing that was acknowledged is lost"
echo '- - -' >"/sys/class/scsi_host/$host/scan"
back() {
	dev=$(scsi_disk)
	[ -n "$dev" ] && [ -b "/dev/$dev" ]
}
wait_until 30 back
udevadm settle --timeout=30 || true
pool_check "/dev/$dev"
layerctl pool open "/dev/$dev" >/dev/null
defer "pool_end '/dev/$dev'"
oracle check "$(layerctl activate "$POOL/r")" r 1 1 "$(awk '$4 == "end" {a = $3} END {print a + 0}' "$T/acked")" -
for m in e x; do
	mount "$(layerctl activate "$POOL/$m")" "$T/$m"
	cmp "$T/$m/kept" <(pattern "$m" 100000) || fail "a file that was synced is lost"
	umount "$T/$m"
done
e2fsck -fn "$(layerctl activate "$POOL/e")" >"$T/fsck" 2>&1 || { cat "$T/fsck"; fail "the file system is damaged"; }
