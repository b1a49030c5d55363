# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Commands on a terminal, for the tests in the VM. Source after test.sh.

# terminal TYPED COMMAND...: see tests/lib/terminal.py. Sets STATUS; what was shown, without carriage returns, is in $T/text.
terminal() {
	local rc=0

	within 120 /usr/bin/python3 "$TEST_REPO/tests/lib/terminal.py" "$@" >"$T/out" || rc=$?
	tr -d '\r' <"$T/out" >"$T/text"
	cat "$T/text"
	echo
	# shellcheck disable=SC2034 # for the test
	STATUS=$rc
}
