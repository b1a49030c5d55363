#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: the power is cut during an import: no half layer, layerck clean, the next import finishes
# where: vm-own
# requires: file:Kbuild file:userspace/Makefile
# timeout: 900
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

CUTS=${CUTS:-3}

host() {
	local i rc

	"$TEST_REPO/tests/lib/mkimage.py" deep "$TEST_META/deep" layers=12
	"$TEST_REPO/tests/lib/mkimage.py" big "$TEST_META/big" size=24
	for ((i = 1; i <= CUTS; i++)); do
		step "cut $i"
		rc=0
		vm_phase import --disk pool=8G --keep-disks "$T/disks" \
			--env "IMAGES=$TEST_META" --env "ROUND=$i" \
			--cut-on '^importing' --cut-after 1-10 >"$T/out" || rc=$?
		# An import that was faster than the cut is no failure.
		[ "$rc" = 99 ] || [ "$rc" = 0 ] || { cat "$T/out"; fail "the import ended with $rc"; }
		vm_phase check --disk pool=8G --keep-disks "$T/disks" --env "IMAGES=$TEST_META"
	done
	rm -rf "$TEST_META/deep" "$TEST_META/big"
}

import_phase() {
	layerctl pool create --force "$VM_DISK_pool" >/dev/null
	echo "importing"
	layerctl image import "$IMAGES/big"
	layerctl image import "$IMAGES/deep"
	echo "imported"
}

check_phase() {
	local frozen name d

	pool_check "$VM_DISK_pool" || fail "layerck before the journal is replayed"
	layerctl pool open "$VM_DISK_pool"
	POOL=$VM_DISK_pool
	mkdir "$T/m"
	step "what is there is whole"
	layerctl volume ls --format json >"$T/volumes"
	jq -r '.[] | select(.frozen) | .name' "$T/volumes" >"$T/layers"
	while read -r name; do
		d=$(disk "$name")
		e2fsck -fn "$d" >"$T/fsck" 2>&1 || { cat "$T/fsck"; fail "layer $name is damaged"; }
		mount -o ro "$d" "$T/m"
		[ -x "$T/m/bin/busybox" ] || fail "layer $name is not whole"
		cmp "$T/m/bin/busybox" /bin/busybox || fail "layer $name lacks data"
		umount "$T/m"
		layerctl deactivate "$name"
	done <"$T/layers"
	frozen=$(wc -l <"$T/layers")
	echo "$frozen layers, $(layerctl image ls --quiet | wc -l) images"
	for name in $(layerctl image ls --quiet); do
		layerctl image history "$name" >/dev/null || fail "an image without its record"
	done

	step "the next import finishes"
	layerctl image import "$IMAGES/big"
	layerctl image import "$IMAGES/deep"
	assert_eq "$(layerctl image ls --quiet | wc -l)" 2 images
	# 12 and 2 layers, of which both have the first.
	assert_eq "$(layerctl volume ls --format json | jq '[.[] | select(.frozen)] | length')" 13 "layers"
	assert_eq "$(layerctl volume ls --format json | jq '[.[] | select(.frozen | not)] | length')" 0 \
		"volumes that an interrupted import left"

	step "and all of it can go"
	layerctl image rm big:latest deep:latest
	assert_eq "$(layerctl volume ls --quiet | wc -l)" 0 "volumes left"
	layerctl pool close "$POOL"
	pool_check "$POOL"
}

case $PHASE in
'') host ;;
import) import_phase ;;
check) check_phase ;;
esac
