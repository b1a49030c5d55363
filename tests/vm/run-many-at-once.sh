#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: fifty containers started and ended at once, layerctl killed at random meanwhile: never busy, nothing left
# smp: 2
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon cmd:iptables
# timeout: 1200
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

[ -x /usr/lib/cni/bridge ] || skip "needs containernetworking-plugins"

ROUNDS=${SOAK_CONTAINER_ROUNDS:-1} AT_ONCE=${SOAK_CONTAINERS:-50} KILLED=${SOAK_KILLED:-16}
RANDOM=${SOAK_SEED:-$RANDOM}

containers_on "$VM_DISK_pool"
layerctl run --rm -v shared:/shared tiny true
before=$(layerctl volume ls --quiet | sort)

nothing_left() {
	assert_eq "$(layerctl volume ls --quiet | sort)" "$before" volumes
	assert_eq "$(status .active_volumes)" 0 "active volumes"
	[ -z "$(ls -A /run/layerblk/containers)" ] || fail "a bundle is left"
	grep -E "^/dev/layerblk| /run/layerblk" /proc/mounts && fail "a mount is left"
	[ -z "$(find /sys/fs/cgroup/layerblk -mindepth 1 -type d)" ] || fail "a cgroup is left"
	[ -z "$(crun --root /run/layerblk/oci list -q)" ] || fail "crun knows a container"
	wait_until 30 no_veth
	iptables-save -t nat | grep -E 'CNI-DN-|layerblk.*id:' && fail "a rule is left"
	assert_eq "$(find /run/layerblk/network/layerblk -name '10.*' 2>/dev/null | wc -l)" 0 "addresses"
}
no_veth() {
	[ -z "$(ip -o link show type veth)" ]
}
none_runs() {
	[ -z "$(layerctl ps -q)" ]
}
# Every eighth has a network of its own, every fourth a volume of its own.
extras() {
	EXTRA=()
	[ $(($1 % 8)) != 0 ] || EXTRA+=(--network bridge)
	[ $(($1 % 4)) != 0 ] || EXTRA+=(-v /anonymous)
}

for ((round = 1; round <= ROUNDS; round++)); do
	step "round $round: $AT_ONCE at once"
	pids=()
	for ((i = 0; i < AT_ONCE; i++)); do
		extras $i
		within 900 layerctl run --rm -v shared:/shared "${EXTRA[@]}" tiny \
			sh -c "echo $i >/own; dd if=/dev/zero of=/big bs=64k count=10 2>/dev/null; echo $i >/shared/$round-$i; cat /own" \
			>"$T/out-$i" 2>&1 &
		pids+=($!)
	done
	for ((i = 0; i < AT_ONCE; i++)); do
		wait "${pids[i]}" || { cat "$T/out-$i"; fail "container $i"; }
		assert_eq "$(cat "$T/out-$i")" "$i" "what container $i said"
	done
	nothing_left

	step "round $round: $KILLED at once, each layerctl killed at a random moment"
	pids=()
	for ((i = 0; i < KILLED; i++)); do
		extras $i
		timeout -s KILL "$((RANDOM % 15)).$((RANDOM % 10))" layerctl run --rm -v shared:/shared "${EXTRA[@]}" tiny \
			sh -c 'echo x >/own' >/dev/null 2>&1 &
		pids+=($!)
	done
	for ((i = 0; i < KILLED; i++)); do
		wait "${pids[i]}" || true
	done
	wait_until 200 none_runs
	# Those that were killed between making and starting; their anonymous volumes with them.
	layerctl ps -aq | xargs -r layerctl rm -v >/dev/null
	nothing_left
done
assert_eq "$(layerctl run --rm -v shared:/shared tiny sh -c 'ls /shared | grep -c -')" $((ROUNDS * AT_ONCE)) "files in the shared volume"
