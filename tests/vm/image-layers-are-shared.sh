#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: layers that two images have are there once, and survive the first image's removal
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 180
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

pool_on "$VM_DISK_pool"
mkimage oci "$T/tiny"
mkimage shared "$T/other"
layers() {
	layerctl volume ls --format json | jq '[.[] | select(.frozen)] | length'
}
layerctl image import "$T/tiny"
layerctl image import "$T/other"
assert_eq "$(layers)" 5 "layers of 4 and 3, two of them shared"

step "again: nothing new"
data=$(status .space.data)
layerctl image import "$T/tiny"
assert_eq "$(layers)" 5 layers
assert_eq "$(status .space.data)" "$data" "data in the pool"

step "a name more"
layerctl image import --tag more:v1 "$T/tiny"
assert_eq "$(layers)" 5 layers
layerctl image rm more:v1
layerctl image inspect tiny:latest >/dev/null

step "the first goes"
layerctl image rm tiny:latest
assert_eq "$(layers)" 3 layers
mkdir "$T/m"
mount -o ro "$(disk "$(image_volume shared:latest)")" "$T/m"
assert_eq "$(cat "$T/m/app/name")" other
[ -e "$T/m/removed" ] || fail "the shared layer lost a file"
umount "$T/m"
layerctl deactivate "$(image_volume shared:latest)"
layerctl image rm shared:latest
assert_eq "$(layers)" 0 layers
