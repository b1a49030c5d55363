# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Sourced by every test. A test is a short script with a header:
#
#   # desc: one line, what holds when it passes
#   # where: vm        in a VM shared with other tests (the default)
#   #        vm-own    on the host; boots VMs of its own with vm_run
#   #        host      on the host
#   # requires: cmd:fio mod:layerblk ctl:"run" file:PATH kernel>=6.12 faults:failslab
#   # timeout: seconds (120)
#   # smp: 2           (VM) with two processors; without it one
#   # group: style     (host only) part of make check-style
#
# and ends with 0 (passed), 4 (skipped, see skip) or anything else (failed).
# A vm-own test may run itself in its VMs: vm_phase NAME calls the same script
# there with $PHASE set to NAME; on the host $PHASE is empty.
# $T is a directory of its own, on a real file system, removed afterwards.
# Whatever the test sets up it undoes with defer, in reverse order.

set -euo pipefail
shopt -s inherit_errexit

TEST_SKIP=4
T=${TEST_DIR:?run tests through tests/run}
mkdir -p "$T"
DEFERRED=()

trap 'test_exit $?' EXIT
trap 'echo "line $LINENO: $BASH_COMMAND: failed" >&2' ERR
set -E

# shellcheck disable=SC2317
test_exit() {
	local rc=$1 i

	trap - ERR
	set +e
	for ((i = ${#DEFERRED[@]} - 1; i >= 0; i--)); do
		eval "${DEFERRED[i]}" || {
			echo "clean-up failed: ${DEFERRED[i]}" >&2
			[ "$rc" -ne 0 ] || rc=1
		}
	done
	exit "$rc"
}

# defer COMMAND: run it when the test ends, however it ends. Its failure fails
# the test.
defer() {
	DEFERRED+=("$1")
}

skip() {
	echo "skip: $*" >&2
	exit $TEST_SKIP
}

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

step() {
	echo "--- $*"
}

# expect_klog REGEX: kernel log lines that match are part of this test (device
# errors it causes). Never hides a WARNING of the rest of the kernel by
# accident: make REGEX narrow.
expect_klog() {
	printf '%s\n' "$1" >>"$TEST_META/expect-klog"
}

# expect_trace REGEX: the same for a call trace that follows on such a line.
expect_trace() {
	printf '%s\n' "$1" >>"$TEST_META/expect-trace"
}

assert_eq() {
	[ "$1" = "$2" ] || fail "${3:-values differ}: got '$1', want '$2'"
}

assert_le() {
	[ "$1" -le "$2" ] || fail "${3:-too large}: got $1, want at most $2"
}

assert_ge() {
	[ "$1" -ge "$2" ] || fail "${3:-too small}: got $1, want at least $2"
}

# refused [-m REGEX] COMMAND...: must fail like a program that says no: exit
# code 1 to 63 (not a signal, not a sanitizer), a message on stderr that
# matches REGEX.
refused() {
	local re=. rc=0

	if [ "$1" = -m ]; then
		re=$2
		shift 2
	fi
	"$@" >"$T/refused.out" 2>"$T/refused.err" || rc=$?
	[ "$rc" -ne 0 ] || fail "was not refused: $*"
	[ "$rc" -le 63 ] || fail "died with $rc: $*: $(cat "$T/refused.err")"
	grep -qE "$re" "$T/refused.err" ||
		fail "no message like '$re' from: $*: $(cat "$T/refused.err")"
}

# within SECONDS COMMAND...: the command must end in time (its exit code is
# returned); a hang fails the test.
within() {
	local s=$1 rc=0

	shift
	timeout -k 5 $((s * ${TEST_TIME_SCALE:-1})) "$@" || rc=$?
	case $rc in 124|137) fail "did not end within $s s: $*" ;; esac
	return $rc
}

# wait_until SECONDS COMMAND...: polls until it succeeds.
wait_until() {
	local end=$((SECONDS + $1 * ${TEST_TIME_SCALE:-1}))

	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || fail "in vain waited for: $*"
		sleep 0.2
	done
}

# without_udev: until the test ends nobody looks at the disks that come and go, and what udev would have been told of them is lost.
without_udev() {
	udevadm settle || true
	udevadm control --exit
	defer '/lib/systemd/systemd-udevd --daemon'
}

# vm_run [vm.sh options] -- COMMAND...: a VM with module and tools, for vm-own
# tests. The kernel log goes to $TEST_META/kernel-N.log and is checked by the
# runner with the rest.
VM_COUNT=0
vm_run() {
	local rc=0

	VM_COUNT=$((VM_COUNT + 1))
	"$TEST_REPO/scripts/vm.sh" --kernel "$TEST_KERNEL" --smp "${TEST_SMP:-1}" ${TEST_STAGE:+--install "$TEST_STAGE"} \
		${TEST_MODULE:+--module "$TEST_MODULE"} \
		--log "$TEST_META/kernel-$VM_COUNT.log" --timeout $((${VM_TIMEOUT:-300} * ${TEST_TIME_SCALE:-1})) \
		--env "TEST_REPO=$TEST_REPO" --env "TEST_TIME_SCALE=${TEST_TIME_SCALE:-1}" "$@" || rc=$?
	return $rc
}

# vm_phase NAME [vm.sh options]: this script again, inside a VM.
PHASE=${PHASE-}
vm_phase() {
	local phase=$1

	shift
	vm_run --env "PHASE=$phase" --env TEST_DIR=/tmp/test --env TEST_META=/run/vm/out \
		--env "TEST_KERNEL=$TEST_KERNEL" "$@" -- bash "$0"
}
