#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds layerblk.ko for one kernel.
#
#   scripts/build-module.sh [--sparse] [--debug] SERIES
#
# SERIES as in scripts/kernel.sh, or "host" for the running kernel's installed
# headers. The result is build/kmod-<release>/layerblk.ko: every kernel has a
# tree of links to the sources, so that objects never meet. Where the kernel's
# tools do not run on this machine, the same happens in its chroot.
#
# Warnings (W=1) are printed and, with WERROR=1, are errors. --sparse runs
# sparse with endian checks over the whole module instead, and fails on any
# finding in the project's files. --debug adds -DDEBUG and frame pointers.

set -euo pipefail

REPO=$(cd "$(dirname "$0")/.." && pwd -P)

die() {
	echo "build-module: $*" >&2
	exit 1
}

# find_headers SERIES: sets KREL, HEADERS, CHROOT.
find_headers() {
	local out

	if [ "$1" = host ]; then
		KREL=$(uname -r)
		HEADERS=/lib/modules/$KREL/build
		CHROOT=''
		[ -d "$HEADERS" ] ||
			die "no headers of the running kernel: install linux-headers-$KREL"
		return
	fi
	out=$("$REPO/scripts/kernel.sh" chroot "$1")
	eval "$out"
}

# link_sources DIR: DIR becomes a mirror of the module's sources, by links.
link_sources() {
	local dir=$1 file

	mkdir -p "$dir"
	(cd "$REPO" && find Kbuild kmod -type f \
		\( -name '*.[chS]' -o -name 'Kbuild*' -o -name '*.mk' \)) |
	while read -r file; do
		[ -L "$dir/$file" ] && continue
		mkdir -p "$dir/$(dirname "$file")"
		ln -sfn "$REPO/$file" "$dir/$file"
	done
	find "$dir" -xtype l -delete
}

build_here() {
	make -s -C "$HEADERS" M="$DIR" W=1 -j"$(nproc)" "$@" modules 2>&1 |
		{ grep -v '^Skipping BTF generation' || true; } >&2
}

build_in_chroot() {
	local as_root=() work=$CHROOT/layerblk-build

	[ "$(id -u)" -eq 0 ] || as_root=(sudo)
	"${as_root[@]}" mkdir -p "$work"
	# Links do not lead out of a chroot; -u keeps what is built.
	"${as_root[@]}" cp -rLu "$DIR/." "$work/"
	# objtool reads /proc; the mount is gone with its namespace.
	# shellcheck disable=SC2016
	"${as_root[@]}" unshare -m sh -c 'mount -t proc proc "$1/proc" &&
		exec chroot "$@"' sh "$CHROOT" make -s \
		-C "/usr/src/linux-headers-$KREL" M=/layerblk-build W=1 \
		-j"$(nproc)" "$@" modules || return 1
	"${as_root[@]}" cp "$work/layerblk.ko" "$DIR/layerblk.ko"
}

# Only findings in the project's own files count.
report_sparse() {
	local log=$1

	grep -vE '^make' "$log" || true
	! grep -E '(^|/)kmod/[^:]*:[0-9]+:[0-9]+: (warning|error)' "$log" >/dev/null
}

main() {
	local sparse=0 flags=() kcflags='' log rc=0

	while [ $# -gt 1 ]; do
		case $1 in
		--sparse) sparse=1 ;;
		--debug) kcflags+=" -DDEBUG -fno-omit-frame-pointer" ;;
		*) die "unknown option $1" ;;
		esac
		shift
	done
	[ $# -eq 1 ] || die "which kernel?"
	[ -f "$REPO/Kbuild" ] || die "no Kbuild in $REPO"
	find_headers "$1"
	DIR=$REPO/build/kmod-$KREL
	[ "$sparse" = 0 ] || DIR=$REPO/build/sparse-$KREL
	[ "${WERROR:-0}" != 1 ] || kcflags+=" -Werror"
	[ -z "$kcflags" ] || flags+=("KCFLAGS=$kcflags")
	mkdir -p "$REPO/build"
	exec 9>"$REPO/build/.lock-$(basename "$DIR")"
	flock 9
	link_sources "$DIR"
	if [ "$sparse" = 1 ]; then
		[ -z "$CHROOT" ] || die "sparse is not run in a chroot"
		log=$DIR/sparse.log
		build_here C=2 CF="-D__CHECK_ENDIAN__ -Wbitwise" "${flags[@]}" \
			>"$log" 2>&1 || rc=1
		report_sparse "$log" || rc=1
		exit $rc
	fi
	if [ -n "$CHROOT" ]; then
		build_in_chroot "${flags[@]}"
	else
		build_here "${flags[@]}"
	fi
	echo "built $DIR/layerblk.ko"
}

main "$@"
