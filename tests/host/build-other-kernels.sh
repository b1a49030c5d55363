#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: the module builds without a warning for 6.1, 6.12 and the newest backport
# where: host
# requires: file:Kbuild
# timeout: 1200
. "$TEST_REPO/tests/lib/test.sh"

cd "$TEST_REPO"
for series in 6.1 6.12 newest; do
	step "$series"
	WERROR=1 scripts/build-module.sh "$series" >"$T/log" 2>&1 || {
		cat "$T/log"
		fail "does not build for $series"
	}
	cat "$T/log"
	grep -i 'warning' "$T/log" && fail "warnings for $series"
done
exit 0
