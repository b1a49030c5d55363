#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Fetches a Debian kernel (image, modules, headers, kbuild) into a cache and
# says where it is. Nothing is installed and the host's apt is left as it is:
# each series has an apt configuration of its own inside the cache.
#
#   scripts/kernel.sh [--update] get SERIES    fetch if needed, print VAR=value lines
#   scripts/kernel.sh chroot SERIES            as get, and make the build chroot
#   scripts/kernel.sh ls                       what the cache holds
#   scripts/kernel.sh [--update] source        fetch linux-source-6.1 if needed, print the tarball's path
#   scripts/kernel.sh checkpatch               print the path of checkpatch.pl
#   scripts/kernel.sh mirror                   print the Debian mirror in use
#
# SERIES: 6.1 (bookworm), 6.12 (bookworm-backports), 6.12-trixie (trixie),
#         newest (trixie-backports); debug and kcsan are built here, see
#         scripts/debug-kernel.sh.
# Printed by get:
#   KREL      the release, as uname -r prints it in that kernel
#   VMLINUZ   the kernel image
#   MODROOT   the directory that holds lib/modules/$KREL
#   HEADERS   what goes after make -C to build a module
#   CHROOT    empty, or the tree in which this kernel's modules must be built,
#             because its kbuild tools do not run on this machine
#
# Environment: LAYERBLK_CACHE (default ~/.cache/layerblk), LAYERBLK_MIRROR.
# A finished tree appears in the cache by one rename; two callers at once are
# kept apart by a lock on the cache.

set -euo pipefail

REPO=$(cd "$(dirname "$0")/.." && pwd -P)
CACHE=${LAYERBLK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/layerblk}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
ARCH=$(dpkg --print-architecture)

die() {
	echo "kernel: $*" >&2
	exit 1
}

usage() {
	sed -n '4,/^$/s/^# \{0,1\}//p' "$0"
}

# The mirror the host's apt already uses, so that a local one is honoured.
mirror() {
	local uri

	uri=${LAYERBLK_MIRROR-}
	[ -n "$uri" ] || uri=$(cat /etc/apt/sources.list \
		/etc/apt/sources.list.d/*.list \
		/etc/apt/sources.list.d/*.sources 2>/dev/null |
		grep -oE '^(URIs:|deb) .*' |
		grep -oE '[a-z]+://[^ ]+/debian/?( |$)' | head -n 1 || true)
	uri=${uri%% *}
	echo "${uri:-http://deb.debian.org/debian}"
}

# suites SERIES: the suites to look in, one "suite archive" a line.
suites() {
	case $1 in
	6.1) printf '%s\n' "bookworm debian" "bookworm-security debian-security" ;;
	6.12) echo "bookworm-backports debian" ;;
	6.12-trixie) echo "trixie debian" ;;
	newest) printf '%s\n' "trixie debian" "trixie-backports debian" ;;
	*) die "no kernel series '$1' (6.1, 6.12, 6.12-trixie, newest, debug, kcsan)" ;;
	esac
}

needs_chroot() {
	[ "$1" = newest ] || [ "$1" = 6.12-trixie ]
}

sources() {
	local base suite archive

	base=$(mirror)
	base=${base%/}
	while read -r suite archive; do
		printf 'deb [signed-by=%s] %s %s main\n' "$KEYRING" \
			"${base%/debian}/$archive" "$suite"
	done < <(suites "$1")
}

# apt_in SERIES COMMAND...: apt with the series' own sources and lists.
apt_in() {
	local dir=$CACHE/apt/$1 tool=$2

	shift 2
	"$tool" -q -o Dir::Etc::sourcelist="$dir/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferences=/dev/null \
		-o Dir::Etc::preferencesparts=/dev/null \
		-o Dir::State::lists="$dir/lists" \
		-o Dir::State::status="$dir/status" \
		-o Dir::Cache="$dir/cache" \
		-o APT::Sandbox::User="$(id -un)" \
		-o APT::Update::Post-Invoke-Success::= \
		-o Acquire::Retries=3 "$@"
}

apt_prepare() {
	local dir=$CACHE/apt/$1

	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/status"
	sources "$1" >"$dir/sources.list"
	if ! apt_in "$1" apt-get update >"$dir/log" 2>&1; then
		tail -n 5 "$dir/log" >&2
		die "cannot read Debian's package lists for $1"
	fi
}

# meta SERIES PACKAGE: what the metapackage of that name stands for. Where
# suites overlap (newest), the candidate of the newest version is taken.
meta() {
	local version

	version=$(apt_in "$1" apt-cache madison "$2" | awk '{print $3}' |
		sort -V | tail -n 1)
	apt_in "$1" apt-cache show "$2=$version" | sed -n 's/^Depends: //p' |
		tr ',' '\n' | sed 's/^ *//; s/ .*//' | grep -E '^linux-(image|headers)-[0-9]' | head -n 1
}

# closure SERIES PACKAGE...: these and the kernel packages they need.
closure() {
	local series=$1

	shift
	apt_in "$series" apt-cache depends --recurse --no-recommends \
		--no-suggests --no-conflicts --no-breaks --no-replaces \
		--no-enhances "$@" | grep -E '^linux-' | sort -u |
		grep -E '^linux-(image|binary|modules|base-[0-9]|headers|kbuild|compiler-gcc)' |
		grep -vE 'unsigned|-dbg|-amd64$.*-amd64$' |
		grep -vE '^linux-(image|headers)-(amd64|arm64)$'
}

# fetch SERIES: leaves $CACHE/kernels/KREL whole, prints KREL.
fetch() {
	local series=$1 image headers krel tmp deb pkgs

	apt_prepare "$series"
	image=$(meta "$series" "linux-image-$ARCH")
	headers=$(meta "$series" "linux-headers-$ARCH")
	krel=${image#linux-image-}
	[ "$krel" = "${headers#linux-headers-}" ] ||
		die "image $image and headers $headers do not match"
	if [ -d "$CACHE/kernels/$krel" ]; then
		echo "$krel"
		return
	fi
	echo "kernel: fetching $krel" >&2
	tmp=$CACHE/kernels/.tmp.$$
	rm -rf "$tmp"
	mkdir -p "$tmp/debs"
	pkgs=$(closure "$series" "$image" "$headers")
	# shellcheck disable=SC2086
	(cd "$tmp/debs" && apt_in "$series" apt-get download $pkgs) >"$tmp/log" 2>&1 ||
		{ tail -n 5 "$tmp/log" >&2; die "download of $krel failed"; }
	for deb in "$tmp"/debs/*.deb; do
		dpkg-deb -x "$deb" "$tmp"
	done
	rm -rf "${tmp:?}/debs" "${tmp:?}/usr/share"
	settle "$tmp" "$krel"
	mv -T "$tmp" "$CACHE/kernels/$krel"
	echo "$krel"
}

# settle TREE KREL: makes an unpacked tree work from where it will be.
settle() {
	local tree=$1 krel=$2 final=$CACHE/kernels/$2 file

	[ -e "$tree/lib" ] || ln -s usr/lib "$tree/lib"
	# Newer packages keep everything in /usr/lib; the headers' links to
	# kbuild go through ../../lib.
	if [ -d "$tree/lib/modules" ] && [ ! -L "$tree/lib" ]; then
		mkdir -p "$tree/usr/lib"
	fi
	for file in "$tree"/usr/src/linux-headers-*/Makefile; do
		[ -f "$file" ] || continue
		[ "$(wc -l <"$file")" -gt 20 ] ||
			sed -i "s#\([ =]\)/usr/src/#\1$final/usr/src/#g" "$file"
	done
	[ -f "$tree/boot/vmlinuz-$krel" ] ||
		find "$tree" -name 'vmlinuz*' -type f -exec mkdir -p "$tree/boot" \; \
			-exec cp {} "$tree/boot/vmlinuz-$krel" \; -quit
	[ -f "$tree/boot/vmlinuz-$krel" ] || die "no kernel image in $krel"
	rm -f "$tree/lib/modules/$krel"/{build,source}
	depmod -b "$tree" "$krel"
	ln -s "$final/usr/src/linux-headers-$krel" "$tree/lib/modules/$krel/build"
}

# make_chroot SERIES KREL: a small Debian with compiler and headers.
make_chroot() {
	local series=$1 krel=$2 tree=$CACHE/chroots/$2 tmp list as_root=()

	[ ! -d "$tree" ] || return 0
	command -v mmdebstrap >/dev/null || die "mmdebstrap is missing (make deps)"
	[ "$(id -u)" -eq 0 ] || as_root=(sudo)
	echo "kernel: making a build chroot for $krel" >&2
	mkdir -p "$CACHE/chroots"
	tmp=$CACHE/chroots/.tmp.$$
	list=$CACHE/apt/$series/sources.list
	"${as_root[@]}" rm -rf "$tmp"
	"${as_root[@]}" mmdebstrap --quiet --variant=apt --mode=root \
		--include="make,gcc,binutils,linux-headers-$krel" \
		--aptopt='APT::Install-Recommends "false"' \
		trixie "$tmp" "$list" >&2 || die "the chroot could not be made"
	"${as_root[@]}" mv -T "$tmp" "$tree"
}

get() {
	local series=$1 update=$2 want_chroot=$3 krel mark

	suites "$series" >/dev/null
	mkdir -p "$CACHE/kernels" "$CACHE/series"
	exec 9>"$CACHE/lock"
	flock 9
	mark=$CACHE/series/$series
	krel=$(cat "$mark" 2>/dev/null || true)
	if [ "$update" = 1 ] || [ -z "$krel" ] || [ ! -d "$CACHE/kernels/$krel" ]; then
		krel=$(fetch "$series")
		echo "$krel" >"$mark.new"
		mv "$mark.new" "$mark"
	fi
	if [ "$want_chroot" = 1 ] && needs_chroot "$series"; then
		make_chroot "$series" "$krel"
	fi
	flock -u 9
	printf 'KREL=%q\n' "$krel"
	printf 'VMLINUZ=%q\n' "$CACHE/kernels/$krel/boot/vmlinuz-$krel"
	printf 'MODROOT=%q\n' "$CACHE/kernels/$krel"
	printf 'HEADERS=%q\n' "$CACHE/kernels/$krel/usr/src/linux-headers-$krel"
	if needs_chroot "$series"; then
		printf 'CHROOT=%q\n' "$CACHE/chroots/$krel"
	else
		echo "CHROOT="
	fi
}

# The kernel's source as Debian has it: leaves one tarball, named by its
# version, and prints its path. The caller holds the lock.
source_tarball() {
	local dir=$CACHE/source pkg=linux-source-6.1 tmp tar

	mkdir -p "$dir"
	tar=$(find "$dir" -name "${pkg}_*.tar.xz" | sort -V | tail -n 1)
	if [ "$1" = 1 ] || [ -z "$tar" ]; then
		echo "kernel: fetching $pkg" >&2
		tmp=$CACHE/.source.$$
		mkdir -p "$tmp"
		apt_prepare 6.1
		(cd "$tmp" && apt_in 6.1 apt-get download "$pkg") >&2
		tar=$dir/$(basename "$tmp"/*.deb _all.deb).tar.xz
		dpkg-deb -x "$tmp"/*.deb "$tmp"
		mv "$tmp/usr/src/$pkg.tar.xz" "$tar"
		rm -rf "$tmp"
	fi
	echo "$tar"
}

# The style checker comes with the kernel's source package only.
checkpatch() {
	local dir=$CACHE/checkpatch tmp tar src=linux-source-6.1

	if [ ! -d "$dir" ]; then
		tar=$(source_tarball 0)
		tmp=$CACHE/.checkpatch.$$
		mkdir -p "$tmp"
		tar -C "$tmp" -xf "$tar" --strip-components=2 \
			--occurrence=1 "$src/scripts/checkpatch.pl" \
			"$src/scripts/spelling.txt" "$src/scripts/const_structs.checkpatch"
		mv -T "$tmp" "$dir"
	fi
	echo "$dir/checkpatch.pl"
}

locked() {
	exec 9>"$CACHE/lock"
	flock 9
	"$@"
}

main() {
	local update=0

	if [ "${1-}" = --update ]; then
		update=1
		shift
	fi
	mkdir -p "$CACHE"
	case ${1-}:${2-} in
	get:debug|get:kcsan|chroot:debug|chroot:kcsan)
		[ "$update" = 0 ] || exec "$REPO/scripts/debug-kernel.sh" --update get "$2"
		exec "$REPO/scripts/debug-kernel.sh" get "$2"
		;;
	esac
	case ${1-} in
	get) [ $# -eq 2 ] || die "get SERIES"; get "$2" "$update" 0 ;;
	chroot) [ $# -eq 2 ] || die "chroot SERIES"; get "$2" "$update" 1 ;;
	ls) ls "$CACHE/kernels" ;;
	source) locked source_tarball "$update" ;;
	checkpatch) locked checkpatch ;;
	mirror) mirror ;;
	*) usage >&2; exit 2 ;;
	esac
}

main "$@"
