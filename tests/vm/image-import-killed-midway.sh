#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: an import that is killed or interrupted leaves no half layer, mount or disk; the next command cleans up
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 600
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

pool_on "$VM_DISK_pool"
mkimage big "$T/big" size=24
mkimage deep "$T/deep" layers=5

clean() {
	assert_eq "$(layerctl volume ls --format json | jq '[.[] | select(.frozen | not)] | length')" 0 "working volumes"
	assert_eq "$(status .active_volumes)" 0 "active volumes"
	grep -E "^/dev/layerblk| /run/layerblk" /proc/mounts && fail "a mount is left"
	[ -z "$(ls -A /run/layerblk/import)" ] || fail "a mount point is left"
	[ -z "$(find /run/layerblk/work -name '*.import-*')" ] || fail "a lock is left"
}

# The next command clears away; what the kernel still writes back for a killed one, a later command.
swept() {
	local deadline=$((SECONDS + 60))

	while layerctl image ls 2>&1 >/dev/null | grep 'stays for now'; do
		[ $SECONDS -lt $deadline ] || fail "what the killed import left is still there"
		sleep 1
	done
}

round=0
for signal in KILL KILL KILL INT TERM; do
	round=$((round + 1))
	step "SIG$signal after about $round s"
	layerctl image import "$T/big" >"$T/out" 2>&1 & pid=$!
	sleep "$round.$((RANDOM % 10))"
	kill -"$signal" $pid 2>/dev/null || true
	rc=0
	wait $pid || rc=$?
	cat "$T/out"
	if [ "$signal" != KILL ] && [ "$rc" != 0 ]; then
		grep -q interrupted "$T/out" || fail "an interrupted import does not say so"
		clean	# it cleans up behind itself
	fi
	swept
	clean
	[ "$rc" = 0 ] || assert_eq "$(layerctl image ls --quiet | wc -l)" 0 "half an image"
	[ "$rc" != 0 ] || layerctl image rm big:latest
	layerctl image prune
	assert_eq "$(layerctl volume ls --quiet | wc -l)" 0 "volumes after prune"
done

step "two imports of the same image at once"
layerctl image import "$T/deep" >"$T/out1" 2>&1 & a=$!
layerctl image import "$T/deep" >"$T/out2" 2>&1 & b=$!
wait $a || { cat "$T/out1"; fail "the first of two"; }
wait $b || { cat "$T/out2"; fail "the second of two"; }
clean
assert_eq "$(layerctl volume ls --quiet | wc -l)" 5 layers
assert_eq "$(layerctl image ls --quiet | wc -l)" 1 images

step "a layer that does not fit"
# Without the other image: both have the same base, whose size would count.
layerctl image rm deep:latest
layerctl image prune
refused -m 'No space left' layerctl image import --size 16M "$T/big"
clean
layerctl image prune
assert_eq "$(layerctl volume ls --quiet | wc -l)" 0 "volumes left"
