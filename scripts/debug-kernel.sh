#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds a kernel that watches itself from Debian's linux-source-6.1, once, into
# the cache of scripts/kernel.sh, and says where it is.
#
#   scripts/debug-kernel.sh [--update] get SERIES     build if needed, print VAR=value lines
#   scripts/debug-kernel.sh config SERIES             print the complete configuration
#
# SERIES: debug   KASAN, lockdep, kmemleak, fault injection, KUnit, ...
#         kcsan   the data race detector, KUnit
# What is printed is what scripts/kernel.sh get prints, which comes here for
# these series. --update takes the newest source instead of the cached one.
#
# The configuration is allnoconfig plus scripts/debug-kernel/base.config and
# SERIES.config; a line of theirs that the kernel does not take is an error. A
# kernel is named by the source's version and a hash of all that it is made of,
# so a change of a fragment is a new kernel. It appears in the cache by one
# rename; two callers at once are kept apart by a lock of their own.

set -euo pipefail

REPO=$(cd "$(dirname "$0")/.." && pwd -P)
CACHE=${LAYERBLK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/layerblk}
RECIPE=1	# to be changed with what this script does to a kernel

die() {
	echo "debug-kernel: $*" >&2
	exit 1
}

usage() {
	sed -n '4,/^$/s/^# \{0,1\}//p' "$0"
}

# fragments SERIES: the configuration that is asked for.
fragments() {
	cat "$REPO/scripts/debug-kernel/base.config" "$REPO/scripts/debug-kernel/$1.config"
}

# release SERIES TARBALL: the name of the kernel made of it. Comments do not
# count.
release() {
	local version hash

	version=$(basename "$2" .tar.xz)
	version=${version#linux-source-6.1_}
	hash=$( { echo "$RECIPE $version"; gcc --version; fragments "$1" | grep '^CONFIG' | sort; } |
		sha256sum | cut -c1-8)
	echo "${version%-*}-$1-$hash"
}

# mend TREE: what has to be another way than Debian has it.
mend() {
	# Since 6.2 the filter by stack trace is there on x86-64 too; with frame pointers it works in 6.1 as well.
	sed -i '/^config FAULT_INJECTION_STACKTRACE_FILTER/,/^config /{/depends on !X86_64/d}' "$1/lib/Kconfig.debug"
}

# configure TREE SERIES: allnoconfig and the fragments, and nothing less.
configure() {
	local tree=$1 series=$2 line name bad=0

	fragments "$series" >"$tree/.fragments"
	make -s -C "$tree" KCONFIG_ALLCONFIG=.fragments allnoconfig >"$tree/.log" 2>&1 ||
		{ tail -n 5 "$tree/.log" >&2; die "no configuration"; }
	while IFS= read -r line; do
		name=${line%%=*}
		case $line in
		CONFIG_*=n) ! grep -q "^$name=" "$tree/.config" || { echo "not off: $name" >&2; bad=1; } ;;
		CONFIG_*) grep -qxF "$line" "$tree/.config" || { echo "not taken: $line" >&2; bad=1; } ;;
		esac
	done <"$tree/.fragments"
	[ "$bad" = 0 ] || die "this kernel cannot be configured so"
}

unpack() {
	mkdir -p "$2"
	tar -C "$2" -xf "$1" --strip-components=1
	mend "$2"
}

# headers TREE: of a built tree, leaves what modules are built with.
headers() {
	local tree=$1 dir

	for dir in "$tree"/*/ "$tree"/arch/*/; do
		dir=${dir%/}
		case ${dir#"$tree"/} in
		arch|arch/x86|include|scripts|tools) ;;
		*) rm -rf "$dir" ;;
		esac
	done
	find "$tree/tools" -mindepth 1 -maxdepth 1 ! -name objtool -exec rm -rf {} +
	find "$tree/tools/objtool" -type f ! -name objtool -delete
	find "$tree/arch" -type f \( -name '*.[oaScs]' -o -name '*.cmd' -o -name 'vmlinux*' -o -name '*Image' \) -delete
	rm -f "$tree"/vmlinux* "$tree"/.vmlinux* "$tree"/*.o "$tree"/.fragments "$tree"/.log
}

# build TARBALL SERIES KREL: leaves $CACHE/kernels/KREL whole.
build() {
	local tar=$1 series=$2 krel=$3 tmp=$CACHE/kernels/.build.$2 tree start=$SECONDS

	"$REPO/scripts/deps.sh" kernel >&2
	echo "debug-kernel: building $krel; that takes a quarter of an hour" >&2
	rm -rf "$tmp"
	tree=$tmp/usr/src/linux-headers-$krel
	unpack "$tar" "$tree"
	configure "$tree" "$series"
	# No date and no host in it: the same sources are the same kernel.
	nice make -s -C "$tree" -j"$(nproc)" LOCALVERSION="-${krel#*-}" KBUILD_BUILD_TIMESTAMP=@0 KBUILD_BUILD_USER=layerblk \
		KBUILD_BUILD_HOST=layerblk bzImage modules >"$tree/.log" 2>&1 ||
		{ grep -E 'error|Error' "$tree/.log" | head -n 20 >&2; die "the build failed, see $tree/.log"; }
	make -s -C "$tree" LOCALVERSION="-${krel#*-}" INSTALL_MOD_PATH="$tmp" modules_install >"$tree/.log" 2>&1 ||
		{ tail -n 5 "$tree/.log" >&2; die "the modules could not be installed"; }
	mkdir -p "$tmp/boot"
	cp "$tree/arch/x86/boot/bzImage" "$tmp/boot/vmlinuz-$krel"
	cp "$tree/.config" "$tmp/boot/config-$krel"
	cp "$tree/System.map" "$tmp/boot/System.map-$krel"
	headers "$tree"
	rm -f "$tmp/lib/modules/$krel"/{build,source}
	ln -s "$CACHE/kernels/$krel/usr/src/linux-headers-$krel" "$tmp/lib/modules/$krel/build"
	rm -rf "${CACHE:?}/kernels/$krel"
	mv -T "$tmp" "$CACHE/kernels/$krel"
	echo "debug-kernel: built $krel in $(((SECONDS - start + 30) / 60)) minutes" >&2
}

get() {
	local series=$1 tar krel

	tar=$("$REPO/scripts/kernel.sh" "${UPDATE[@]}" source)
	krel=$(release "$series" "$tar")
	mkdir -p "$CACHE/kernels"
	exec 8>"$CACHE/lock-$series"
	flock 8
	[ -d "$CACHE/kernels/$krel" ] || build "$tar" "$series" "$krel"
	flock -u 8
	printf 'KREL=%q\n' "$krel"
	printf 'VMLINUZ=%q\n' "$CACHE/kernels/$krel/boot/vmlinuz-$krel"
	printf 'MODROOT=%q\n' "$CACHE/kernels/$krel"
	printf 'HEADERS=%q\n' "$CACHE/kernels/$krel/usr/src/linux-headers-$krel"
	echo "CHROOT="
}

# The configuration without a kernel, for reading.
show_config() {
	local tar tmp

	tar=$("$REPO/scripts/kernel.sh" "${UPDATE[@]}" source)
	tmp=$(mktemp -d)
	# shellcheck disable=SC2064 # now
	trap "rm -rf '$tmp'" EXIT
	"$REPO/scripts/deps.sh" kernel >&2
	unpack "$tar" "$tmp"
	configure "$tmp" "$1"
	cat "$tmp/.config"
}

UPDATE=()
main() {
	if [ "${1-}" = --update ]; then
		UPDATE=(--update)
		shift
	fi
	[ $# -eq 2 ] || { usage >&2; exit 2; }
	case $2 in debug|kcsan) ;; *) die "no series '$2' (debug, kcsan)" ;; esac
	case $1 in
	get) get "$2" ;;
	config) show_config "$2" ;;
	*) usage >&2; exit 2 ;;
	esac
}

main "$@"
