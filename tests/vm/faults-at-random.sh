#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: allocations of the module's and I/O of the pool fail at random under load: errors, no damage, nothing acknowledged lost
# requires: mod:layerblk cmd:layerctl cmd:layerck faults:failslab faults:fail_page_alloc faults:fail_make_request
# timeout: 900
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/faults.sh"

faults_expected
pool_on "$VM_DISK_spare"
fault_volumes
without_udev
faults_everywhere

# requests NAME PID: beside the writing, once and as long as it goes on; whether one succeeds is not the question.
requests() {
	local i

	for ((i = 0; i < 20; i++)); do
		[ $i = 0 ] || kill -0 "$2" 2>/dev/null || break
		layerctl snapshot data "s$1-$i" || true
		layerctl snapshot base "c$1-$i" || true
		layerctl volume create --size 1M "n$1-$i" || true
		layerctl activate "c$1-$i" || true
		layerctl deactivate "c$1-$i" || true
		layerctl pool status || true
		layerctl volume rm "n$1-$i" "c$1-$i" || true
		layerctl volume rm "s$1-$i" || true
	done >/dev/null 2>>"$T/errors"
}

# round NAME: some seconds with failures on (FAULT_SECONDS), then without them.
round() {
	local pid rc=0

	step "$1"
	hammer write "$DATA" "$T/state" "${FAULT_SECONDS:-12}" "$RANDOM" &
	pid=$!
	requests "${1//[^a-z]/}" "$pid"
	wait "$pid" || rc=$?
	faults_off
	assert_eq "$rc" 0 "data under failures"
	pool_mend
	DATA=$(disk data)
	hammer check "$DATA" "$T/state" || fail "what had been flushed is not there"
}

# The failures are on before a round begins: nothing but what may fail is done from then on.
DATA=$(disk data)
hammer write "$DATA" "$T/state" 2 1	# without failures

faults_in_module failslab 2
round "small allocations"
faults_in_module fail_page_alloc 5
round "page allocations"
faults_on_device "$POOL_DEV"
faults_set fail_make_request probability 2
round "the pool's device"
faults_set fail_make_request probability 1
faults_in_module failslab 1
faults_in_module fail_page_alloc 1
round "all at once"

step "opening while allocations fail"
within 120 layerctl pool close --force "$POOL"
faults_in_module failslab 3
for _ in 1 2 3 4 5 6; do
	! layerctl pool open "$POOL" >/dev/null 2>>"$T/errors" || layerctl pool close --force "$POOL" 2>>"$T/errors" || true
done
faults_off
layerctl pool open "$POOL" >/dev/null 2>&1 || true
hammer check "$(disk data)" "$T/state" || fail "what had been flushed is not there"
grep -c . "$T/errors" || true

block_is "$(disk base)" 0 base 8
