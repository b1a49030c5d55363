#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: ext4 and xfs work on volumes and on snapshots, and the parent stays as it was
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:mkfs.xfs
# timeout: 420
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

pool_on "$VM_DISK_pool"
mkdir "$T/m"
# Some thousand files of all sizes that every Debian has.
source=$(find /usr/share/perl -name strict.pm -printf "%h\n" | head -n 1)
for fs in ext4 xfs; do
	step "$fs: a volume"
	d=$(volume "$fs" 1G)
	case $fs in
	ext4) mkfs.ext4 -q -E nodiscard "$d"; opts=noatime ;;
	xfs) mkfs.xfs -q -K "$d"; opts=noatime,nouuid ;;
	esac
	mount -o "$opts" "$d" "$T/m"
	cp -a "$source" "$T/m/tree"
	ln "$T/m/tree/strict.pm" "$T/m/hard"
	sum=$(tree_sum "$T/m")
	umount "$T/m"
	layerctl deactivate "$fs"
	layerctl freeze "$fs"

	step "$fs: two snapshots of it"
	for s in a b; do
		d=$(child "$fs" "$fs-$s")
		mount -o "$opts" "$d" "$T/m"
		assert_eq "$(tree_sum "$T/m")" "$sum" "$fs-$s differs from its parent"
		echo "only $s" >"$T/m/mine"
		rm -r "$T/m/tree/unicore"
		pattern "$fs-$s" 8000000 >"$T/m/new"
		sync "$T/m/new"
		tree_sum "$T/m" >"$T/sum-$fs-$s"
		umount "$T/m"
		layerctl deactivate "$fs-$s"
	done

	step "$fs: each as it was left"
	for s in a b; do
		d=$(disk "$fs-$s")
		case $fs in
		ext4) e2fsck -fn "$d" ;;
		xfs) xfs_repair -n "$d" 2>&1 | tail -n 3 ;;
		esac
		mount -o "$opts" "$d" "$T/m"
		assert_eq "$(cat "$T/m/mine")" "only $s"
		assert_eq "$(tree_sum "$T/m")" "$(cat "$T/sum-$fs-$s")" "$fs-$s"
		umount "$T/m"
	done
	d=$(disk "$fs")
	mount -o "ro,$opts" "$d" "$T/m"
	assert_eq "$(tree_sum "$T/m")" "$sum" "the frozen $fs volume changed"
	umount "$T/m"
done
