#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Puts the module's source where DKMS looks for it and, unless it is for a
# DESTDIR, has DKMS build and install it for a kernel.
#
#   scripts/dkms-install.sh [DESTDIR]
#
# KREL: the kernel's release (default: the running one).

set -euo pipefail

REPO=$(cd "$(dirname "$0")/.." && pwd -P)

main() {
	local destdir=${1-} version krel=${KREL:-$(uname -r)} src

	version=$(cat "$REPO/VERSION")
	grep -q "PACKAGE_VERSION=\"$version\"" "$REPO/dkms.conf" ||
		{ echo "dkms-install: VERSION and dkms.conf do not agree" >&2; exit 1; }
	src=$destdir/usr/src/layerblk-$version
	if [ -z "$destdir" ] && [ -d "/var/lib/dkms/layerblk/$version" ]; then
		dkms remove "layerblk/$version" --all
	fi
	rm -rf "$src"
	mkdir -p "$src"
	cp "$REPO/dkms.conf" "$REPO/Kbuild" "$REPO/VERSION" "$REPO/LICENSE" "$src/"
	# Without the tests of kmod/kunit.
	(cd "$REPO" && find kmod -path kmod/kunit -prune -o -type f \( -name '*.[chS]' -o -name 'Kbuild*' -o -name '*.mk' \) \
		-exec cp --parents {} "$src/" \;)
	[ -z "$destdir" ] || return 0
	dkms add "layerblk/$version"
	dkms build "layerblk/$version" -k "$krel"
	dkms install "layerblk/$version" -k "$krel"
}

main "$@"
