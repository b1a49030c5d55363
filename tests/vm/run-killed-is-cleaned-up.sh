#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: signals reach the container; a killed layerctl leaves nothing that the next command does not clear away
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun
# timeout: 600
# shellcheck disable=SC2016 # expanded in the container
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

pool_on "$VM_DISK_pool"
mkimage oci "$T/tiny"
layerctl image import "$T/tiny" >/dev/null
layers=$(layerctl volume ls --quiet | sort)

nothing_left() {
	assert_eq "$(layerctl volume ls --quiet | sort)" "$layers" volumes
	assert_eq "$(status .active_volumes)" 0 "active volumes"
	[ -z "$(ls -A /run/layerblk/containers)" ] || fail "left: $(ls /run/layerblk/containers)"
	[ -z "$(crun --root /run/layerblk/oci list -q)" ] || fail "crun knows a container"
	grep -E "^/dev/layerblk| /run/layerblk" /proc/mounts && fail "a mount is left"
	pgrep -f 'crun --root' && fail "a crun is left"
	[ -z "$(find /sys/fs/cgroup/layerblk -mindepth 1 -type d)" ] || fail "a cgroup is left"
}
up() {
	grep -q ready "$T/out"
}

step "signals"
layerctl run --rm tiny sh -c 'trap "echo got TERM; exit 5" TERM; echo ready; while :; do sleep 0.1; done' >"$T/out" & pid=$!
wait_until 60 up
kill -TERM $pid
rc=0
wait $pid || rc=$?
assert_eq "$rc" 5 "the exit status"
grep -q 'got TERM' "$T/out" || fail "no TERM in the container"
nothing_left

step "killed while its container runs"
layerctl run --rm -v data:/data tiny sh -c 'echo ready; while :; do sleep 0.1; done' >"$T/out" & pid=$!
wait_until 60 up
kill -KILL $pid
wait $pid || true
assert_eq "$(within 60 layerctl ps --quiet | wc -l)" 0 running
layers=$(printf '%s\ndata' "$layers" | sort)
nothing_left

step "one that stays is there after its command was killed"
layerctl run --name stays tiny sh -c 'echo kept >/file; sync; echo ready; while :; do sleep 0.1; done' >"$T/out" & pid=$!
wait_until 60 up
refused -m running layerctl rm stays
kill -KILL $pid
wait $pid || true
assert_eq "$(within 60 layerctl ps -a --format json | jq -c '.[] | [.name, .running, .exit_code]')" '["stays",false,137]'
mkdir "$T/m"
mount "$(disk stays)" "$T/m"
assert_eq "$(cat "$T/m/file")" kept
umount "$T/m"
layerctl deactivate stays
layerctl rm stays
nothing_left

step "rm --force ends a running one"
layerctl run --name forced tiny sh -c 'echo ready; while :; do sleep 0.1; done' >"$T/out" & pid=$!
wait_until 60 up
within 60 layerctl rm --force forced
rc=0
wait $pid || rc=$?
assert_eq "$rc" 137 "its command's exit status"
nothing_left

step "killed at random moments"
for ((i = 0; i < 8; i++)); do
	layerctl run --rm -v data:/data tiny sh -c 'dd if=/dev/zero of=/data/x bs=64k count=20 2>/dev/null' >/dev/null 2>&1 & pid=$!
	sleep "0.$((RANDOM % 10))$((RANDOM % 10))"
	kill -KILL $pid 2>/dev/null || true
	wait $pid || true
done
within 100 layerctl ps -a >/dev/null
nothing_left
within 100 layerctl run --rm -v data:/data tiny true
nothing_left
