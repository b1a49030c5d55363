#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: 1,000 snapshots of one layer active at once, each with data of its own
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 900
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

pool_on "$VM_DISK_pool"
n=1000
d=$(volume layer 64M)
block_write "$d" 0 layer 4
layerctl deactivate layer
layerctl freeze layer

step "made"
bulk snapshot "$(status .uuid)" layer c $n
step "activated"
for ((i = 0; i < n; i += 100)); do
	# shellcheck disable=SC2046
	layerctl activate $(seq -f 'c%g' $i $((i + 99))) >>"$T/disks"
done
udevadm settle --timeout=300 || true
assert_eq "$(wc -l <"$T/disks")" $n "disks"
assert_eq "$(find /sys/block -name 'layerblk*' | wc -l)" $n "disks in sysfs"
assert_eq "$(status .active_volumes)" $n "active volumes"

step "written and read"
mapfile -t disks <"$T/disks"
for ((i = 0; i < n; i += 37)); do
	block_write "${disks[i]}" 1 "own $i"
done
for ((i = 0; i < n; i += 37)); do
	block_is "${disks[i]}" 1 "own $i"
	cmp -n 4096 "${disks[i]}" "${disks[0]}" || fail "block 0 is not the layer's"
done

step "gone"
for ((i = 0; i < n; i += 100)); do
	# shellcheck disable=SC2046
	layerctl deactivate $(seq -f 'c%g' $i $((i + 99)))
	# shellcheck disable=SC2046
	layerctl volume rm $(seq -f 'c%g' $i $((i + 99)))
done
assert_eq "$(status .active_volumes)" 0 "active volumes"
[ -z "$(find /sys/block -name 'layerblk*')" ] || fail "disks are left"
