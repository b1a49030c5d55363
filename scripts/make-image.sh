#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes a real image to try layerblk with: a small Debian with an application,
# as an OCI image layout of three layers.
#
#   scripts/make-image.sh [--force] [DIR]
#
#   base       a Debian root, made by mmdebstrap
#   packages   SQLite, installed into it by apt
#   app        a guest book: a script that keeps its entries in SQLite
#
# The layout is kept in the cache (LAYERBLK_CACHE) and its path printed; with
# DIR it is copied there. Needs root or sudo, as mmdebstrap and umoci set owners.

set -euo pipefail

REPO=$(cd "$(dirname "$0")/.." && pwd -P)
CACHE=${LAYERBLK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/layerblk}
SUITE=bookworm
TAG=guestbook

die() {
	echo "make-image: $*" >&2
	exit 1
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

base_layer() {
	# Manuals and translations would only make the demonstration slower.
	# shellcheck disable=SC2016 # expanded by mmdebstrap
	as_root mmdebstrap --quiet --mode=root --variant=minbase \
		--aptopt='APT::Install-Recommends "false"' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-include=/usr/share/doc/*/copyright' \
		--customize-hook='rm -f "$1"/etc/resolv.conf "$1"/etc/hostname' \
		"$SUITE" "$WORK/base.tar" "$(mirror)" >&2
}

mirror() {
	"$REPO/scripts/kernel.sh" mirror
}

# layer NAME COMMAND...: the changes that COMMAND makes in $ROOTFS.
layer() {
	local name=$1

	shift
	echo "make-image: layer $name" >&2
	as_root umoci unpack --image "$WORK/oci:$TAG" "$WORK/bundle" >&2
	ROOTFS=$WORK/bundle/rootfs
	"$@"
	as_root umoci repack --image "$WORK/oci:$TAG" \
		--history.created_by "$name" "$WORK/bundle" >&2
	as_root rm -rf "$WORK/bundle"
}

unpack_base() {
	as_root tar -C "$ROOTFS" --numeric-owner --xattrs --exclude './dev/*' \
		-xpf "$WORK/base.tar"
}

install_packages() {
	as_root cp /etc/resolv.conf "$ROOTFS/etc/resolv.conf"
	# /dev is there only while this runs, in a mount namespace of its own.
	# shellcheck disable=SC2016 # expanded by the inner shell
	as_root unshare -m sh -c 'mount --bind /dev "$1/dev" && exec chroot "$@"' \
		sh "$ROOTFS" /usr/bin/env DEBIAN_FRONTEND=noninteractive \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -c '
		apt-get -q update && apt-get -q -y install sqlite3 &&
		apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin' >&2
	as_root rm -f "$ROOTFS/etc/resolv.conf"
}

install_app() {
	local file=$WORK/guestbook

	cat >"$file" <<'APP'
#!/bin/sh
# A guest book: "guestbook sign NAME" adds a line, "guestbook" shows them.
db=${GUESTBOOK_DB:-/data/guestbook.db}
mkdir -p "${db%/*}"
sqlite3 "$db" 'CREATE TABLE IF NOT EXISTS book (name TEXT, at TEXT)' || exit 1
case $1 in
sign)
	sqlite3 "$db" "INSERT INTO book VALUES ('$2', datetime('now'))" &&
		echo "signed by $2"
	;;
*)
	sqlite3 -separator '  ' "$db" 'SELECT at, name FROM book ORDER BY rowid'
	;;
esac
APP
	as_root install -D -m 755 "$file" "$ROOTFS/usr/local/bin/guestbook"
	echo "Welcome to the guest book." | as_root tee "$ROOTFS/etc/motd" >/dev/null
	# Removed in this layer, there in the one below: a whiteout.
	as_root rm -f "$ROOTFS/etc/issue.net"
	as_root mkdir -p "$ROOTFS/data"
}

build() {
	echo "make-image: making a Debian image (once; it is kept)" >&2
	base_layer
	umoci init --layout "$WORK/oci" >&2
	umoci new --image "$WORK/oci:$TAG" >&2
	layer base unpack_base
	layer packages install_packages
	layer app install_app
	umoci config --image "$WORK/oci:$TAG" \
		--config.env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		--config.env LANG=C.UTF-8 --config.workingdir / \
		--config.cmd /usr/local/bin/guestbook \
		--config.label org.layerblk.demo=guestbook \
		--history.created_by config >&2
	umoci gc --layout "$WORK/oci" >&2
	as_root rm -f "$WORK/base.tar"
	as_root chown -R "$(id -u):$(id -g)" "$WORK/oci"
}

main() {
	local force=0 dest final=$CACHE/image/debian-$SUITE-1

	if [ "${1-}" = --force ]; then
		force=1
		shift
	fi
	dest=${1-}
	mkdir -p "$CACHE/image"
	exec 9>"$CACHE/image/.lock"
	flock 9
	[ "$force" = 0 ] || rm -rf "$final"
	if [ ! -d "$final" ]; then
		for t in mmdebstrap umoci; do
			command -v $t >/dev/null || die "$t is missing: scripts/deps.sh quickstart"
		done
		WORK=$(mktemp -d "$CACHE/image/.work.XXXXXX")
		trap 'as_root rm -rf "$WORK"' EXIT
		build
		mv "$WORK/oci" "$final"
	fi
	if [ -n "$dest" ]; then
		mkdir -p "$dest"
		cp -r "$final/." "$dest/"
		echo "$dest"
	else
		echo "$final"
	fi
}

main "$@"
