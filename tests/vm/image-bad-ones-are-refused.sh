#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: damaged layers, digests that do not match and tars that escape are refused, and leave nothing
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 420
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

pool_on "$VM_DISK_pool"
mkimage oci "$T/good"
layerctl image import "$T/good"
layerctl volume ls --format json | jq -S 'map({name, frozen, parent})' >"$T/before"

echo precious >"$T/victim"
for kind in bad-digest bad-size bad-diffid truncated garbage no-manifest no-blob bad-json \
	dotdot dotdot-inside symlink-escape symlink-layers hardlink-escape whiteout-escape; do
	step "$kind"
	# A name of its own: the good image's tag must stay with the good one.
	mkimage $kind "$T/bad"
	refused layerctl image import --tag "bad:$kind" "$T/bad"
	cat "$T/refused.err"
	assert_eq "$(layerctl image ls --quiet | wc -l)" 1 "images after $kind"
	rm -rf "$T/bad"
	for f in /escaped "$T/escaped" "$T/../escaped" /tmp/escaped; do
		[ ! -e "$f" ] || fail "$kind wrote $f"
	done
done
refused layerctl image import "$T/not-there"
refused layerctl image import /dev/null
refused layerctl image import "$T/victim"
refused layerctl image import --fs fat "$T/good"
mkdir "$T/hollow"
refused layerctl image import "$T/hollow"

step "whole layers may stay for the next import; half ones may not"
layerctl volume ls --format json >"$T/volumes"
assert_eq "$(jq '[.[] | select(.frozen | not)] | length' "$T/volumes")" 0 "volumes that are no layers"
mkdir "$T/m"
jq -r '.[].name' "$T/volumes" | while read -r name; do
	d=$(disk "$name")
	e2fsck -fn "$d" >/dev/null 2>&1 || fail "layer $name is damaged"
	layerctl deactivate "$name"
done
d=$(disk "$(image_volume tiny:latest)")
mount -o ro "$d" "$T/m"
tiny_is_right "$T/m"
umount "$T/m"
layerctl image rm tiny:latest
