#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: dm-flakey and dm-error: errors go to who asked, a failed metadata write makes the pool read-only, nothing flushed is lost
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:dmsetup mod:dm-flakey
# timeout: 300
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/dm.sh"

expect_klog 'layerblk: .*'
expect_klog 'I/O error(, | on )dev(ice)? (layerblk|dm-|loop)[0-9]+'
expect_klog 'EXT4-fs (warning|error|\(layerblk)'
expect_klog 'JBD2: .*layerblk'

pool_on_dm 192M
# Nothing is committed but by what this test does.
layerctl pool set --commit-interval 1h "$POOL"
v=$(volume v 32M)
w=$(volume w 32M)
block_write "$v" 0 v-old 64
block_write "$w" 0 w 64
sync "$v"

# works: the pool is as good as new.
works() {
	v=$(disk v)
	w=$(disk w)
	block_is "$w" 0 w 64
	block_write "$v" 2000 "after $1"
	sync "$v"
	block_is "$v" 2000 "after $1"
	layerctl snapshot v snap >/dev/null
	layerctl volume rm snap >/dev/null
	wait_until 20 settled
}
settled() {
	[ "$(cat "/sys/fs/layerblk/$POOL_UUID/"{hidden_volumes,pending_blocks} | tr -d '\n')" = 00 ]
}

step "a write that fails is its writer's loss alone"
dm_all "$FLAKEY_ERROR_WRITES"
! block_write "$v" 3 v-new 2>/dev/null || fail "a failed write succeeds"
! block_write "$v" 100 v-new 4 2>/dev/null || fail "a failed first write succeeds"
! dd if=/dev/urandom of="$v" bs=512 seek=1601 count=1 oflag=direct conv=notrunc status=none 2>/dev/null ||
	fail "a failed first write of a part succeeds"
block_is "$v" 0 v-old 64
block_is_zero "$v" 100 4
block_is_zero "$v" 200
dm_good
! failed || fail "the pool failed, though no metadata was written"
block_write "$v" 100 v-new 4
sync "$v"
block_is "$v" 100 v-new 4
works "a failed data write"

layerctl events --format json >"$T/events" &
defer "kill $! 2>/dev/null"

# fails_by WHAT COMMAND...: the command meets a device that is bad already, and the pool must fail by it.
fails_by() {
	local what=$1 before

	shift
	before=$(dmesg | grep -c 'read-only until' || true)
	if [ "$1" = '!' ]; then
		shift
		within 60 "$@" 2>/dev/null || true
	else
		refused within 60 "$@"
	fi
	wait_until 10 failed
	status .state | grep -q failed || fail "layerctl does not know that the pool failed"
	[ "$(cat "/sys/fs/layerblk/$POOL_UUID/failed_errno")" -lt 0 ] || fail "no errno in sysfs"
	[ "$(dmesg | grep -c 'read-only until' || true)" -gt "$before" ] || fail "$what: the log does not say it"
	refused layerctl volume create --size 1M x
	refused layerctl volume rm w
	! block_write "$v" 30 refused 2>/dev/null || fail "$what: a failed pool takes writes"
	! sync "$v" 2>/dev/null || fail "$what: a failed pool acknowledges a flush"
}

step "a journal write fails: the flush fails, and the pool with it"
block_write "$v" 1000 not-flushed 8
dm_all "$FLAKEY_ERROR_WRITES"
fails_by "the journal" sync "$v"
block_is "$v" 0 v-old 64
block_is "$w" 0 w 64
mended
works "a failed journal write"
block_is "$v" 100 v-new 4
has() {
	grep -q "$1" "$T/events"
}
wait_until 10 has pool-failed

step "a commit fails wherever it writes"
super=$(dump superblock .superblock.mirror_block)
journal=$(dump superblock .superblock.journal_block)
at=400		# blocks that are not the volume's yet
# Nodes are written near those that are there.
nodes=$(($(dump superblock .superblock.catalog_root.addr) - 3000))
for area in "superblocks 0 2" "mirrors $super 2" "bitmaps 2 2" "nodes $nodes 3200" "journal $journal 512"; do
	read -r what first count <<<"$area"
	layerctl volume create --size 1M "f-$what" >/dev/null
	block_write "$v" 300 "acked before $what" 8
	sync "$v"
	at=$((at + 16))
	block_write "$v" $at "lost with $what" 8
	echo "$first $count error" | dm_is
	# The journal's part is met by a flush, the others by the commit of a freeze.
	case $what in
	journal) fails_by "$what" sync "$v" ;;
	*) fails_by "$what" layerctl freeze "f-$what" ;;
	esac
	mended
	v=$(disk v)
	block_is "$v" 300 "acked before $what" 8
	works "$what"
	# The mirror comes last: the request has failed, and yet what it asked for is on the disk, whole.
	if [ "$what" = mirrors ] && [ "$(volume_value f-mirrors .frozen)" = true ]; then
		block_is "$v" $at "lost with $what" 8
	else
		assert_eq "$(volume_value "f-$what" .frozen)" false "frozen by a commit that failed"
	fi
done

step "nothing goes any more: dm-error below, a file system on top"
fs=$(volume fs 64M)
mkfs.ext4 -q "$fs"
mkdir "$T/m"
mount "$fs" "$T/m"
pattern kept 100000 >"$T/m/kept"
sync -f "$T/m"
dm_all error
pattern lost 3000000 >"$T/m/lost" || true
(! sync -f "$T/m") 2>/dev/null || fail "a file system on a dead device was synced"
! block_write "$w" 5 nothing 2>/dev/null || fail "a write to a dead device succeeds"
! dd if="$w" of=/dev/null bs=4096 count=1 iflag=direct status=none 2>/dev/null || fail "a read of a dead device succeeds"
within 60 umount "$T/m"
# No write of metadata has failed yet, for no data have arrived. Now one does.
refused layerctl volume create --size 1M x
wait_until 10 failed
mended
mount "$(disk fs)" "$T/m"
cmp "$T/m/kept" <(pattern kept 100000)
umount "$T/m"
e2fsck -fn "$(disk fs)" >"$T/fsck" 2>&1 || { cat "$T/fsck"; fail "the file system is damaged"; }
works "a dead device"

step "closed while nothing goes"
block_write "$v" 500 acked 8
sync "$v"
block_write "$v" 600 not-acked 8
dm_all "$FLAKEY_ERROR_ALL"
refused within 60 layerctl pool close --force "$POOL"
mended
block_is "$(disk v)" 500 acked 8
works "a close without a device"
