# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Reading the header of a test, and whether its requirements are met here.

# test_field FILE NAME: the header's line of that name, or nothing.
test_field() {
	sed -n "1,25s/^# $2: *//p" "$1" | head -n 1
}

# test_limit FILE: its time-out in seconds, longer on a busy machine; in a soak (tests/soak) that of the soak.
test_limit() {
	local limit

	limit=$(test_field "$1" timeout)
	echo $((${SOAK_LIMIT:-${limit:-120}} * ${TEST_TIME_SCALE:-1}))
}

# test_missing FILE: prints the first requirement that is not met.
test_missing() {
	local want

	for want in $(test_field "$1" requires); do
		test_have "$want" || { echo "needs $want"; return; }
	done
}

test_have() {
	case $1 in
	cmd:*) command -v "${1#cmd:}" >/dev/null ;;
	mod:*) [ -d "/sys/module/${1#mod:}" ] || modprobe -n -q "${1#mod:}" ;;
	# the kernel's fault injection, by its directory in debugfs
	faults:*) [ -d "/sys/kernel/debug/${1#faults:}" ] && [ -e /proc/self/fail-nth ] ;;
	file:*) [ -e "$TEST_REPO/${1#file:}" ] ;;
	'kernel>='*)
		[ "$(printf '%s\n' "${1#*>=}" "$(uname -r)" | sort -V | head -n 1)" = "${1#*>=}" ] ;;
	*) echo "unknown requirement $1" >&2; return 1 ;;
	esac
}
