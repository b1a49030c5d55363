#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: opening the control device loads the module; it unloads, and not while in use
# requires: mod:layerblk cmd:layerctl cmd:layerck
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

modprobe -r layerblk 2>/dev/null || true
[ ! -d /sys/module/layerblk ] || fail "cannot start from an unloaded module"

step "autoload"
[ -c /dev/layerblk-control ] || fail "no static control device"
layerctl info
[ -d /sys/module/layerblk ] || fail "opening the control device did not load it"

step "not while a pool is open"
pool_in_file 256M
refused modprobe -r layerblk
d=$(volume v 16M)
block_write "$d" 3 once
refused modprobe -r layerblk
layerctl deactivate v
layerctl pool close "$POOL"
modprobe -r layerblk

step "again and again"
for i in 1 2 3 4 5; do
	modprobe layerblk
	layerctl pool open "$POOL"
	block_is "$(disk v)" 3 once
	layerctl deactivate v
	layerctl pool close "$POOL"
	modprobe -r layerblk
done
[ ! -e /sys/class/misc/layerblk-control ] || fail "something is left in sysfs"
modprobe layerblk
