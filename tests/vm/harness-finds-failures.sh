#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: the harness fails what must fail, also by the kernel's log, and says so
# where: vm-own
# timeout: 400
. "$TEST_REPO/tests/lib/test.sh"

# A run over the tests in tests/lib/selftest, each of which has one fate.
out=$T/out
rc=0
LAYERBLK_TESTS_DIR=$TEST_REPO/tests/lib/selftest \
	"$TEST_REPO/tests/run" --no-build --kernel "$TEST_KERNEL" >"$out" || rc=$?
cat "$out"
assert_eq "$rc" 1 "exit code of a run with failures"

fate() {
	local got

	got=$(awk -v n="$2" '$2 == "vm" && $3 == n {print $1}' "$out")
	assert_eq "$got" "$1" "$2"
}

fate pass self-passes
fate pass self-library
fate pass self-announced-error
fate fail self-fails
fate fail self-kernel-warns
fate fail self-hangs
fate fail self-unannounced-error
fate fail self-leaves-loop
fate fail self-times-out
fate fail self-cleanup-fails
fate fail self-z-kernel-dies
fate skip self-skips
fate skip self-requires
grep -q 'no such thing here' "$out" || fail "the skip's reason is not shown"
grep -q 'kernel log: .*planted' "$out" || fail "the kernel's line is not shown"
grep -q 'kernel log: .*blocked for more than' "$out" || fail "a task that hangs is not seen"
assert_eq "$(tail -n 1 "$out")" "3 passed, 8 failed, 2 skipped" "last line"
