#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# From a fresh Debian 12 to a container on a layerblk snapshot.
#
#   scripts/quickstart.sh         (make quickstart [HOST=1] [IMAGE=path])
#
# Installs what is missing, builds module and tools, makes or takes an image,
# and gives the tour (scripts/quickstart-tour.sh) in a throwaway VM, so that
# this machine's kernel is left alone. With HOST=1 the tour runs right here.
#
# IMAGE: an OCI image layout (directory or tar) or a "docker save" archive.

set -euo pipefail

REPO=$(cd "$(dirname "$0")/.." && pwd -P)
HOST=${HOST:-0}
IMAGE=${IMAGE-}
LOG=$REPO/build/quickstart.log

if [ -t 1 ]; then B=$'\e[1m' N=$'\e[0m'; else B='' N=''; fi

say() {
	printf '\n%s==> %s%s\n' "$B" "$*" "$N"
}

# quietly WHAT COMMAND...: its output goes to the log, and to the screen only
# when it fails.
quietly() {
	local what=$1

	shift
	printf '    %s ... ' "$what"
	if "$@" >"$LOG" 2>&1; then
		echo "done"
		return
	fi
	echo failed
	tail -n 40 "$LOG" >&2
	exit 1
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

prepare() {
	local series=6.1

	[ "$HOST" != 1 ] || series=host
	mkdir -p "$REPO/build"
	say "Installing what is missing on this machine (Debian packages only)"
	"$REPO/scripts/deps.sh" build vm quickstart
	if [ "$HOST" = 1 ] && [ ! -d "/lib/modules/$(uname -r)/build" ]; then
		quietly "headers of this machine's kernel" \
			as_root apt-get -y install "linux-headers-$(uname -r)"
	fi
	say "Building the kernel module and the tools"
	quietly "layerblk.ko" "$REPO/scripts/build-module.sh" "$series"
	quietly "layerctl and layerck" make -C "$REPO" stage
	say "Getting an image to run"
	if [ -n "$IMAGE" ]; then
		[ -e "$IMAGE" ] || { echo "quickstart: no such image: $IMAGE" >&2; exit 1; }
		IMAGE=$(readlink -f "$IMAGE")
		echo "    yours: $IMAGE"
	else
		printf '    %s\n' "A small Debian with a guest book in it, in three layers: the Debian" \
			"root, SQLite on top of it, and the application. (Made once, then kept.)"
		"$REPO/scripts/make-image.sh" >"$LOG.image" 2>"$LOG" ||
			{ tail -n 40 "$LOG" >&2; exit 1; }
		IMAGE=$(cat "$LOG.image")
	fi
}

main() {
	prepare
	if [ "$HOST" = 1 ]; then
		say "Giving the tour on this machine's own kernel (HOST=1)"
		exec_host
	fi
	say "Starting a throwaway VM: this machine's files, read-only, another kernel"
	echo "    (Without KVM it is emulated: correct, but some ten times slower.)"
	exec "$REPO/scripts/vm.sh" --kernel 6.1 --mem 2G --verbose \
		--install "$REPO/build/stage" --disk scratch=16G,fs=ext4 \
		--env "IMAGE=$IMAGE" --env "COLOR=$B" --timeout 1500 \
		-- "$REPO/scripts/quickstart-tour.sh" /scratch
}

exec_host() {
	local run=(env "IMAGE=$IMAGE" "COLOR=$B" "PATH=$REPO/build/stage/usr/sbin:$PATH"
		"MODULE=$REPO/build/kmod-$(uname -r)/layerblk.ko"
		"$REPO/scripts/quickstart-tour.sh" /var/tmp)

	[ "$(id -u)" -eq 0 ] || run=(sudo "${run[@]}")
	exec "${run[@]}"
}

main
