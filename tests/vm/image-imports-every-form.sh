#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: OCI layouts and docker archives, gzip, zstd and plain, come to the same right file system
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:zstd
# timeout: 420
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

pool_on "$VM_DISK_pool"
mkdir "$T/m"
for form in oci oci-zstd oci-plain oci-tar docker; do
	step "$form"
	mkimage $form "$T/$form"
	layerctl image import "$T/$form"
	assert_eq "$(layerctl image ls --quiet | wc -l)" 1 images
	assert_eq "$(layerctl volume ls --format json | jq '[.[] | select(.frozen)] | length')" 4 layers
	d=$(disk "$(image_volume tiny:latest)")
	e2fsck -fn "$d" >"$T/fsck" 2>&1 || { cat "$T/fsck"; fail "not a clean file system"; }
	mount -o ro "$d" "$T/m"
	tiny_is_right "$T/m"
	tree_sum "$T/m" >"$T/sum"
	[ ! -e "$T/first-sum" ] || cmp "$T/sum" "$T/first-sum" || fail "$form differs from the first form"
	mv "$T/sum" "$T/first-sum"
	umount "$T/m"
	layerctl deactivate "$(image_volume tiny:latest)"
	if [ "$form" = oci ]; then
		layerctl image inspect tiny:latest >"$T/inspect"
		grep -q 'hello from the image' "$T/inspect" || fail "the image's config is not in the pool"
		assert_eq "$(layerctl image history --format json tiny:latest | jq length)" 4 "history"
	fi
	layerctl image rm tiny:latest
	assert_eq "$(layerctl volume ls --quiet | wc -l)" 0 "volumes after image rm"
done

step "standard input, xfs"
mkimage docker "$T/archive"
gzip -c "$T/archive" | layerctl image import --fs xfs -
d=$(disk "$(image_volume tiny:latest)")
assert_eq "$(blkid -o value -s TYPE "$d")" xfs "file system"
mount -o ro,norecovery,nouuid "$d" "$T/m"
tiny_is_right "$T/m"
umount "$T/m"
