#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: systemd-analyze finds nothing wrong with the units
# where: host
# requires: cmd:systemd-analyze
. "$TEST_REPO/tests/lib/test.sh"

for unit in "$TEST_REPO"/userspace/systemd/*; do
	# Commands must exist: the tools as they were built.
	sed "s|@SBINDIR@|$TEST_REPO/build/userspace|" "$unit" >"$T/$(basename "$unit")"
done
systemd-analyze verify --man=no "$T"/*.service "$T"/*.timer >"$T/said" 2>&1 || { cat "$T/said"; fail "systemd-analyze says no"; }
grep "^$T\|layerblk" "$T/said" && fail "a warning"
exit 0
