#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: the pool's device is removed: the pool fails at once though nobody uses it, says so, and can be closed
# requires: mod:layerblk cmd:layerctl kernel>=6.6
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

expect_klog 'layerblk: '
expect_klog 'dev (sd[a-z]+|layerblk[0-9]+)'

modprobe scsi_debug dev_size_mb=64
defer 'modprobe -r scsi_debug'
udevadm settle --timeout=30 || true
dev=$(basename "$(dirname "$(dirname "$(grep -l scsi_debug /sys/block/sd*/device/model)")")")
layerctl pool create --force "/dev/$dev" >/dev/null
POOL=$(POOL=/dev/$dev status .uuid)
v=$(volume v 16M)
block_write "$v" 1 v
sync "$v"

step "removed"
said() {
	dmesg | grep -c "layerblk: .*device.* removed" || true
}
before=$(said)
echo 1 >"/sys/block/$dev/device/delete"
failed() {
	status .state | grep -q fail
}
wait_until 5 failed
[ "$(said)" -gt "$before" ] || fail "the log says nothing"
refused layerctl volume create --size 1M "$POOL/w"
! block_write "$v" 2 w 2>/dev/null || fail "a write went through"

step "closed"
layerctl deactivate "$POOL/v"
refused -m "the pool's device failed" within 20 layerctl pool close "$POOL"
refused layerctl pool status "$POOL"
