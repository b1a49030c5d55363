#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: close, unload, load and open again: volumes, data, labels, quota and tree are as before
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 180
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

pool_on "$VM_DISK_pool" --label keeper
base=$(volume base 64M)
block_write "$base" 0 base-first
block_write "$base" 16383 base-last
layerctl deactivate base
layerctl freeze base
one=$(child base one)
block_write "$one" 0 one-first
layerctl volume create --size 1G --label purpose=testing --quota 100M settings >/dev/null
layerctl snapshot one one-snap >/dev/null
layerctl deactivate one
list() {
	layerctl volume ls --all --format json | jq -S 'map(del(.active, .open, .device))'
	layerctl volume inspect settings | jq -S '(if type == "array" then .[0] else . end) | del(.active, .open, .device)'
	layerctl tree --format json | jq -S 'walk(if type == "object" then del(.active, .open, .device) else . end)'
}
list >"$T/before"

layerctl pool close "$POOL"
pool_check "$POOL"
modprobe -r layerblk
modprobe layerblk
layerctl pool open "$POOL"

list >"$T/after"
diff "$T/before" "$T/after" || fail "not everything is there"
block_is "$(disk base)" 0 base-first
block_is "$(disk base)" 16383 base-last
block_is "$(disk one)" 0 one-first
block_is "$(disk one)" 16383 base-last
block_is "$(disk one-snap)" 0 one-first
refused block_write "$(disk one-snap)" 0 frozen
