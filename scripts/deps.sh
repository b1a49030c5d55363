#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Installs the Debian packages that layerblk needs and that are missing.
#
#   scripts/deps.sh [--list] [GROUP...]       groups: build test vm kernel
#                                              quickstart all
#
# Asks nothing of the machine but apt with Debian's archive, as root or with
# sudo. Does nothing (not even an apt-get update) when all is there, so every
# make target may call it. LAYERBLK_NO_DEPS=1 skips it.

set -euo pipefail

# What each group is for; a name may stand in more than one.
declare -A GROUP=(
	[build]="gcc make pkg-config linux-headers-amd64 kmod libarchive-dev
		libjson-c-dev libblkid-dev libmount-dev libssl-dev libzstd-dev uuid-dev
		libelf-dev pahole"
	[test]="libcmocka-dev sparse shellcheck clang-tidy perl python3 jq
		umoci skopeo buildah podman docker-registry zstd dkms mandoc patch clang libclang-rt-14-dev llvm"
	[vm]="qemu-system-x86 busybox-static udev kmod cpio zstd xz-utils
		e2fsprogs xfsprogs btrfs-progs dosfstools ntfs-3g fio util-linux mount dmsetup iproute2 crun
		binutils conmon containernetworking-plugins iptables procps"
	[kernel]="gcc make flex bison bc libelf-dev libssl-dev perl kmod xz-utils"
	[quickstart]="mmdebstrap umoci jq zstd crun conmon containernetworking-plugins iptables procps
		e2fsprogs xfsprogs"
)

usage() {
	sed -n '4,/^$/s/^# \{0,1\}//p' "$0"
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "deps: need root (or sudo) to install: $*" >&2
		return 1
	fi
}

packages() {
	local g

	for g in "$@"; do
		[ "$g" != all ] || { packages "${!GROUP[@]}"; continue; }
		[ -n "${GROUP[$g]-}" ] || { echo "deps: no group '$g'" >&2; exit 2; }
		# shellcheck disable=SC2086 # a list of words
		printf '%s\n' ${GROUP[$g]}
	done | sort -u
}

missing() {
	local p

	for p in "$@"; do
		dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null |
			grep -qx installed || echo "$p"
	done
}

main() {
	local list=0 want need

	while [ $# -gt 0 ]; do
		case $1 in
		--list) list=1 ;;
		-h|--help) usage; exit 0 ;;
		-*) usage >&2; exit 2 ;;
		*) break ;;
		esac
		shift
	done
	[ $# -gt 0 ] || set -- all
	want=$(packages "$@")
	if [ "$list" = 1 ]; then
		echo "$want"
		exit 0
	fi
	[ "${LAYERBLK_NO_DEPS:-0}" != 1 ] || exit 0

	# shellcheck disable=SC2086
	need=$(missing $want)
	[ -n "$need" ] || exit 0
	echo "deps: installing: ${need//$'\n'/ }"

	# A machine whose package lists are missing or old fails the first
	# try; only then are they fetched.
	# shellcheck disable=SC2086
	install_packages $need && exit 0
	as_root apt-get -q update
	# shellcheck disable=SC2086
	install_packages $need && exit 0
	tail -n 5 "$LOG" >&2
	exit 1
}

install_packages() {
	# The lock waits for another apt on the same machine.
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		-o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
		--no-install-recommends install "$@" >"$LOG" 2>&1
}

LOG=$(mktemp)
trap 'rm -f "$LOG"' EXIT
main "$@"
