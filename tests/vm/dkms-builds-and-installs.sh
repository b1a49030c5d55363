#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: Debian's dkms builds the module, installs it and modprobe loads it
# where: vm-own
# requires: cmd:dkms file:Kbuild
# timeout: 3600
. "$TEST_REPO/tests/lib/test.sh"

VERSION=$(cat "$TEST_REPO/VERSION")

# As a user does it: all of dkms for the kernel $KREL, with what it installs copied to $KEPT before it is removed again.
dkms_all() {
	"$TEST_REPO/scripts/dkms-install.sh"
	dkms status -k "$KREL" | tee "$T/status"
	grep -q 'layerblk.*installed' "$T/status" || fail "dkms does not call it installed"
	modinfo -k "$KREL" -F filename layerblk | grep '/updates/dkms/layerblk.ko' || fail "not from dkms"
	mkdir -p "$KEPT/updates/dkms"
	cp "/lib/modules/$KREL/updates/dkms/layerblk.ko"* "$KEPT/updates/dkms/"
	[ "$PHASE" != guest ] || load
	dkms remove "layerblk/$VERSION" --all
	modinfo -k "$KREL" layerblk 2>/dev/null && fail "the module is still there after dkms remove"
	return 0
}
load() {
	modprobe layerblk
	[ -c /dev/layerblk-control ] || fail "no control device"
	modprobe -r layerblk
}

# own_copy DIRECTORY...: changes to these stay in this mount namespace and end with it.
own_copy() {
	local upper=$T/own dir

	mkdir -p "$upper"
	mount -t tmpfs none "$upper"
	for dir in "$@"; do
		mkdir -p "$dir" "$upper$dir/upper" "$upper$dir/work"
		mount -t overlay overlay -o "lowerdir=$dir,upperdir=$upper$dir/upper,workdir=$upper$dir/work" "$dir" || return
	done
}

case $PHASE in
'')
	eval "$("$TEST_REPO/scripts/kernel.sh" get "$TEST_KERNEL" | grep '^KREL=')"
	export KREL KEPT=$T/kept
	# A compiler in the emulated machine takes ten minutes. The machine that the test runs on serves as well, if it is of the same Debian
	# and its directories can be had in a copy.
	if [ -d "/lib/modules/$KREL/build" ] && PHASE=probe unshare -m bash "$0" 2>/dev/null; then
		PHASE=host unshare -m bash "$0"
		TEST_MODULE='' vm_phase installed --no-module --install "$T/root"
	else
		TEST_MODULE='' VM_TIMEOUT=3580 vm_phase guest --no-module
	fi
	;;
probe)
	own_copy /usr/src /var/lib/dkms /lib/modules
	;;
host)
	own_copy /usr/src /var/lib/dkms /lib/modules
	modinfo -k "$KREL" layerblk 2>/dev/null && fail "there is a module before dkms made one"
	dkms_all
	mkdir -p "$T/root/lib/modules/$KREL"
	cp -r "$KEPT/updates" "$T/root/lib/modules/$KREL/"
	;;
installed)
	modprobe -n -q layerblk && fail "there is a module before depmod has seen it"
	depmod
	modinfo -F filename layerblk | grep '/updates/dkms/layerblk.ko' || fail "not from dkms"
	load
	;;
guest)
	KREL=$(uname -r) KEPT=$T/kept
	modprobe -n -q layerblk && fail "there is a module before dkms made one"
	dkms_all
	;;
esac
exit 0
