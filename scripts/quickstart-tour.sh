#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The tour that make quickstart gives, inside the VM or on the host, as root.
#
#   IMAGE=path [MODULE=layerblk.ko] scripts/quickstart-tour.sh DIRECTORY
#
# Makes a pool in a file under DIRECTORY, imports the image, runs containers
# and shows where their data lives; leaves nothing behind. Every command is
# shown as it is typed; what it claims is also checked, so that a tour that
# ends well proves what it says.

set -euo pipefail

DIR=$(mktemp -d "$1/layerblk-quickstart.XXXXXX")
POOL_FILE=$DIR/pool.img
OWN_IMAGE=1
B=${COLOR-} N=''
[ -z "$B" ] || N=$'\e[0m'

say() {
	printf '\n%s==> %s%s\n' "$B" "$1" "$N"
	shift
	[ $# -eq 0 ] || printf '    %s\n' "$@"
}

# typed COMMAND...: as one would type it.
typed() {
	local word line=''

	for word in "$@"; do
		[[ $word != *[[:space:]\;\>]* ]] || word="'$word'"
		line+=" $word"
	done
	printf '\n    %s$%s%s\n' "$B" "$line" "$N"
}

# run COMMAND...: shows it, then its output.
run() {
	typed "$@"
	"$@" 2>&1 | sed 's/^/    /'
}

# want TEXT COMMAND...: as run; its output must hold TEXT.
want() {
	local text=$1 out

	shift
	typed "$@"
	out=$("$@" 2>&1) || { echo "$out"; die "that should have worked"; }
	printf '    %s\n' "${out//$'\n'/$'\n    '}"
	grep -qF -- "$text" <<<"$out" || die "that should have said: $text"
}

die() {
	echo "quickstart: $*" >&2
	exit 1
}

# shellcheck disable=SC2317 # called by the trap
cleanup() {
	local rc=$?

	layerctl pool close "$POOL_FILE" >/dev/null 2>&1 ||
		layerctl pool close --force "$POOL_FILE" >/dev/null 2>&1 || true
	rm -rf "$DIR"
	exit $rc
}

start() {
	local dep

	trap cleanup EXIT
	say "Loading the module" \
		"It gives the machine one new device, /dev/layerblk-control, and a disk" \
		"/dev/layerblkN for every volume in use."
	if [ -n "${MODULE-}" ]; then
		# insmod takes the file as it is; what it needs comes first.
		for dep in $(modinfo -F depends "$MODULE" | tr , ' '); do
			modprobe "$dep"
		done
		[ -d /sys/module/layerblk ] || run insmod "$MODULE"
	else
		run modprobe layerblk
	fi
	[ -c /dev/layerblk-control ] || die "no control device"

	say "Making a pool" \
		"A pool is where all layers and volumes live. It may be a whole disk; here" \
		"it is a file, which is 8 GiB large only in name: space is taken as needed."
	run layerctl pool create "$POOL_FILE" --size 8G --label demo
	run du -h "$POOL_FILE"
}

import() {
	say "Importing the image" \
		"Every layer of the image becomes a frozen volume on top of the one below." \
		"Unpacking is done once; a container takes no copy of it."
	run layerctl image import "$IMAGE"
	run layerctl image ls
	NAME=$(layerctl image ls --quiet | head -n 1)
	[ -n "$NAME" ] || die "the image is not there"
	if [ "$OWN_IMAGE" = 0 ]; then
		run layerctl image history "$NAME"
		run layerctl tree
		[ "$(layerctl volume ls --filter frozen=true --quiet | wc -l)" -ge 3 ] ||
			die "fewer than three layers"
	fi
}

containers() {
	say "Running a container" \
		"layerctl takes a snapshot of the top layer (that takes no space and the same" \
		"instant however large the image is), mounts it and starts crun in it."
	want "Debian" layerctl run --rm "$NAME" sh -c 'head -n 1 /etc/os-release; id -un'

	say "What a container changes stays in its snapshot" \
		"This one writes over a file of the image; the next one sees the image's own."
	want "scribbled" layerctl run --rm "$NAME" sh -c 'echo scribbled over >/etc/motd; cat /etc/motd'
	want "Welcome" layerctl run --rm "$NAME" cat /etc/motd

	say "A volume outlives the container" \
		"Ada's container is gone when Grace's starts; the guest book, on a volume of" \
		"its own, is not."
	run layerctl volume create guests --size 256M
	want "signed by Ada" layerctl run --rm -v guests:/data "$NAME" guestbook sign Ada
	want "signed by Grace" layerctl run --rm -v guests:/data "$NAME" guestbook sign Grace
	want "Ada" layerctl run --rm -v guests:/data "$NAME" guestbook
}

own_image() {
	run layerctl image history "$NAME"
	run layerctl tree
	say "Running a container from your image" \
		"layerctl takes a snapshot of the top layer, mounts it and starts crun in it."
	run layerctl run --rm "$NAME"
}

sizes() {
	say "Where everything is" \
		"The tree shows the layers. OWN is what a volume itself takes, TOTAL that and" \
		"what it shares with the ones above it in the tree."
	run layerctl tree
	run layerctl pool status
	run du -h "$POOL_FILE"

	say "Checking the pool" \
		"Closed, the pool is read from end to end by a checker that trusts nothing."
	run layerctl pool close "$POOL_FILE"
	run layerck "$POOL_FILE"
}

start
[ -d "$IMAGE" ] && grep -qs guestbook "$IMAGE/index.json" && OWN_IMAGE=0
import
if [ "$OWN_IMAGE" = 0 ]; then
	containers
else
	own_image
fi
sizes
say "That was layerblk." \
	"make vm-shell gives you a shell in such a VM to try things yourself; the README" \
	"says how to install it for good, and docs/architecture.md how it works."
