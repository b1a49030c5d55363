#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: random ioctls from several processes while volumes are written: no crash, no leak, no wrong answer; an ordinary user gets EPERM
# smp: 2
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 240
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

CALLS=${SOAK_CALLS:-3000}
SEED=${SOAK_SEED:-$RANDOM$RANDOM}
echo "seed $SEED, $CALLS calls from each of 6 processes"

# The victim, which the hammer itself opens and closes.
pool_in_file 64M
victim=$POOL victim_dev=$POOL_DEV
victim_uuid=$(status .uuid)
mv "$T/pool.img" "$T/victim.img"
victim=$T/victim.img
defer "victim_end"
# shellcheck disable=SC2317 # deferred
victim_end() {
	! layerctl pool status "$victim_uuid" >/dev/null 2>&1 || within 60 layerctl pool close --force "$victim_uuid" || return 1
	losetup -d "$victim_dev" 2>/dev/null || true
	pool_check "$victim"
}

pool_in_file 256M
main_uuid=$(status .uuid)
ids=()
writers=()
for v in a b; do
	layerctl volume create --size 16M "$main_uuid/$v" >/dev/null
	d=$(layerctl activate "$main_uuid/$v")
	ids+=("$(volume_value "$main_uuid/$v" .id)")
	nice oracle write "$d" "$v" "$SEED" 1 0 - >"$T/acked-$v" &
	writers+=($!)
done
defer "kill ${writers[*]} 2>/dev/null || true"

rc=0
within "${SOAK_LIMIT:-200}" ioctl-hammer "$SEED" "$CALLS" "$main_uuid" "$victim_uuid" "$(lsblk -dno MAJ:MIN "$victim_dev" | tr -d ' ')" "${ids[@]}" \
	>"$T/hammer" 2>&1 || rc=$?
tail -n 30 "$T/hammer"
[ $rc = 0 ] || fail "the hammer ended with $rc (seed $SEED)"
for p in "${writers[@]}"; do
	kill -0 "$p" || fail "a writer failed meanwhile"
	kill "$p"
done
wait || true

step "what was written is there"
for v in a b; do
	d=$(layerctl activate "$main_uuid/$v")
	oracle check "$d" "$v" "$SEED" 1 "$(awk '$4 == "end" {a = $3} END {print a + 0}' "$T/acked-$v")" - || fail "$v"
done
echo "volumes in the main pool: $(layerctl volume ls --all --quiet "$main_uuid" | wc -l)"

step "and it goes on"
layerctl snapshot "$main_uuid/a" after >/dev/null
layerctl volume rm "$main_uuid/after"
