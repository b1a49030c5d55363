#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: the seams hold: version checks, kernel ifdefs and includes stay where they belong
# where: host
# group: style
# requires: file:kmod
. "$TEST_REPO/tests/lib/test.sh"

cd "$TEST_REPO"
# found WHAT GREP-ARGS...: fails if the grep finds anything.
found() {
	local what=$1

	shift
	if grep -rnE --include='*.[ch]' "$@" >"$T/found"; then
		cat "$T/found"
		fail "$what"
	fi
}

found "kernel version checks outside the compatibility header" \
	--exclude='compat*.h' 'LINUX_VERSION_CODE|KERNEL_VERSION' kmod
if [ -d kmod/engine ]; then
	found "the engine looks at __KERNEL__" '__KERNEL__' kmod/engine
	found "the engine includes kernel or libc headers" \
		'^#[[:space:]]*include[[:space:]]*<' kmod/engine
	found "the engine knows bios, disks or ioctls" \
		'\b(struct bio|gendisk|_IOWR?|copy_from_user)\b' kmod/engine
fi
found "BUG_ON" '\bBUG(_ON)?\(' kmod
