#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: Debian's dkms builds the module, installs it and modprobe loads it
# where: vm-own
# requires: cmd:dkms file:Kbuild
# timeout: 3600
. "$TEST_REPO/tests/lib/test.sh"

if [ -z "$PHASE" ]; then
	TEST_MODULE='' VM_TIMEOUT=3580 vm_phase guest --no-module
	exit
fi

# Only what dkms makes may be found.
modprobe -n -q layerblk && fail "there is a module before dkms made one"
"$TEST_REPO/scripts/dkms-install.sh"
dkms status | tee "$T/status"
grep -q 'layerblk.*installed' "$T/status" || fail "dkms does not call it installed"
modinfo -F filename layerblk | grep '/updates/dkms/layerblk.ko' ||
	fail "not from dkms"
modprobe layerblk
[ -c /dev/layerblk-control ] || fail "no control device"
modprobe -r layerblk
dkms remove "layerblk/$(cat "$TEST_REPO/VERSION")" --all
modprobe -n -q layerblk && fail "the module is still there after dkms remove"
exit 0
