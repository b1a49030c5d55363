#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: twelve containers started and ended at once, over and over: never busy, nothing left
# smp: 2
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon
# timeout: 900
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

ROUNDS=${ROUNDS:-2} AT_ONCE=${AT_ONCE:-12}

pool_on "$VM_DISK_pool"
mkimage oci "$T/tiny"
layerctl image import "$T/tiny" >/dev/null
layerctl run --rm -v shared:/shared tiny true
before=$(layerctl volume ls --quiet | sort)

for ((round = 1; round <= ROUNDS; round++)); do
	step "round $round"
	pids=()
	for ((i = 0; i < AT_ONCE; i++)); do
		within 600 layerctl run --rm -v shared:/shared tiny \
			sh -c "echo $i >/own; dd if=/dev/zero of=/big bs=64k count=10 2>/dev/null; echo $i >/shared/$round-$i; cat /own" \
			>"$T/out-$i" 2>&1 &
		pids+=($!)
	done
	for ((i = 0; i < AT_ONCE; i++)); do
		wait "${pids[i]}" || { cat "$T/out-$i"; fail "container $i"; }
		assert_eq "$(cat "$T/out-$i")" "$i" "what container $i said"
	done
	assert_eq "$(layerctl volume ls --quiet | sort)" "$before" volumes
	assert_eq "$(status .active_volumes)" 0 "active volumes"
	[ -z "$(ls -A /run/layerblk/containers)" ] || fail "a bundle is left"
	grep -E "^/dev/layerblk| /run/layerblk" /proc/mounts && fail "a mount is left"
	[ -z "$(find /sys/fs/cgroup/layerblk -mindepth 1 -type d)" ] || fail "a cgroup is left"
done
assert_eq "$(layerctl run --rm -v shared:/shared tiny sh -c 'ls /shared | grep -c -')" $((ROUNDS * AT_ONCE)) "files in the shared volume"
layerctl image rm tiny
