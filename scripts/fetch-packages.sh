#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Downloads Debian packages for an image that is built where there is no
# network, with all that they need and the image does not have.
#
#   scripts/fetch-packages.sh IMAGE PACKAGE...
#
# IMAGE is an OCI layout, as scripts/make-image.sh prints it. The files are kept
# in the cache (LAYERBLK_CACHE); their directory is printed. Needs no root.

set -euo pipefail

REPO=$(cd "$(dirname "$0")/.." && pwd -P)
CACHE=${LAYERBLK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/layerblk}
SUITE=bookworm

# The package list of the image is the one of the last layer that has it.
status_file() {
	local manifest blob

	manifest=$(jq -r '.manifests[0].digest' "$IMAGE/index.json")
	for blob in $(jq -r '.layers[].digest' "$IMAGE/blobs/${manifest/://}"); do
		tar -xOzf "$IMAGE/blobs/${blob/://}" --wildcards --no-wildcards-match-slash \
			'*var/lib/dpkg/status' >"$WORK/layer" 2>/dev/null || true
		[ ! -s "$WORK/layer" ] || mv "$WORK/layer" "$WORK/status"
	done
	[ -s "$WORK/status" ] || { echo "fetch-packages: $IMAGE has no list of packages" >&2; exit 1; }
}

fetch() {
	mkdir -p "$WORK/state/lists/partial" "$WORK/cache/archives/partial"
	echo "deb $("$REPO/scripts/kernel.sh" mirror) $SUITE main" >"$WORK/sources.list"
	cat >"$WORK/apt.conf" <<-EOF
		Dir::State "$WORK/state";
		Dir::State::status "$WORK/status";
		Dir::Cache "$WORK/cache";
		Dir::Etc::sourcelist "$WORK/sources.list";
		Dir::Etc::sourceparts "-";
		APT::Install-Recommends "false";
		APT::Sandbox::User "";
		Debug::NoLocking "true";
	EOF
	APT_CONFIG=$WORK/apt.conf apt-get -q update >&2
	APT_CONFIG=$WORK/apt.conf apt-get -q -y --download-only install "$@" >&2
	mkdir "$WORK/packages"
	mv "$WORK"/cache/archives/*.deb "$WORK/packages/"
}

[ $# -ge 2 ] || { sed -n '4,/^$/s/^# \{0,1\}//p' "$0"; exit 2; }
IMAGE=$1
shift
FINAL=$CACHE/image/packages-$(printf '%s\n' "$(readlink -f "$IMAGE")" "$@" | sha256sum | head -c 16)
mkdir -p "$CACHE/image"
exec 9>"$CACHE/image/.lock"
flock 9
if [ ! -d "$FINAL" ]; then
	echo "fetch-packages: downloading $* (once; they are kept)" >&2
	WORK=$(mktemp -d "$CACHE/image/.work.XXXXXX")
	trap 'rm -rf "$WORK"' EXIT
	status_file
	fetch "$@"
	mv "$WORK/packages" "$FINAL"
fi
echo "$FINAL"
