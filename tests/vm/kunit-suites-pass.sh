#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: the KUnit suites of the port, the engine and the bio path, inside the kernel
# requires: mod:layerblk mod:layerblk_kunit
# timeout: 900
. "$TEST_REPO/tests/lib/test.sh"

# What the tests make fail, and what the module has to say to it.
expect_klog 'layerblk: '
without_udev	# there are hundreds of disks
modprobe layerblk
dmesg >"$T/before"
modprobe layerblk_kunit
defer 'modprobe -r layerblk_kunit'

dmesg | tail -n "+$(($(wc -l <"$T/before") + 1))" | sed 's/^\[[^]]*\] //' >"$T/log"
grep -E '^ *(not )?ok |EXPECTATION FAILED|ASSERTION FAILED|Expected|^# .*pass:' "$T/log" | tee "$T/results"
# The suites are counted by hand: one that vanishes is a failure too.
suites=$(grep -cE '^ok [0-9]+ layerblk_' "$T/results" || true)
cases=$(grep -cE '^ +ok [0-9]+ ' "$T/results" || true)
! grep -q '^ *not ok' "$T/results" || fail "a case failed"
assert_eq "$suites" 9 "suites that passed"
assert_ge "$cases" 100 "cases that passed"
