#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: the power is cut during writes: reopened without repair, layerck clean, what was flushed is there
# where: vm-own
# requires: file:Kbuild file:userspace/Makefile
# timeout: 900
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

# What a write phase prints as "acked N" on its console it had flushed before.
CUTS=${CUTS:-4}
ROUND=${ROUND-} ACKED=${ACKED-}

host() {
	local i rc acked

	for ((i = 1; i <= CUTS; i++)); do
		step "cut $i"
		rc=0
		vm_phase write --disk pool=4G --keep-disks "$T/disks" --env "ROUND=$i" \
			--cut-on '^acked 3 ' --cut-after 0.5-8 >"$T/out" || rc=$?
		[ "$rc" = 99 ] || { tail -n 20 "$T/out"; fail "the write phase ended with $rc"; }
		acked=$(grep -a '^acked [0-9]* end$' "$T/out" | tail -n 1 | awk '{print $2}')
		echo "acknowledged before the cut: $acked"
		vm_phase check --disk pool=4G --keep-disks "$T/disks" --env "ROUND=$i" \
			--env "ACKED=$acked"
	done
}

# Rounds go on in the same pool, so that later journals follow earlier ones.
write_phase() {
	local raw fs i

	if [ "$ROUND" = 1 ]; then
		layerctl pool create --force "$VM_DISK_pool" >/dev/null
		layerctl volume create --size 256M raw >/dev/null
		fs=$(volume fs 512M)
		mkfs.ext4 -q "$fs"
	else
		layerctl pool open "$VM_DISK_pool"
		fs=$(disk fs)
	fi
	raw=$(disk raw)
	mkdir "$T/m"
	mount "$fs" "$T/m"
	rm -rf "$T/m/round" && mkdir "$T/m/round"
	for ((i = 1; ; i++)); do
		# A file, an fsync of it and its directory; blocks here and there
		# with an fsync; now and then a snapshot and a deletion.
		pattern "$ROUND file $i" $((i * 997 % 50000 + 1)) >"$T/m/round/$i"
		sync "$T/m/round/$i" "$T/m/round"
		block_write "$raw" $((i * 7919 % 60000)) "$ROUND raw $i" 2
		sync "$raw"
		if [ $((i % 5)) = 0 ]; then
			layerctl snapshot raw "s$ROUND-$i" >/dev/null
			[ "$i" -lt 15 ] || layerctl volume rm "s$ROUND-$((i - 10))"
		fi
		# Not flushed: it may be there or not, but nothing else may suffer.
		dd if=/dev/urandom of="$raw" bs=4096 seek=$((61000 + i % 4000)) count=1 oflag=direct conv=notrunc status=none
		echo "acked $i end"
	done
}

check_phase() {
	local raw fs i

	pool_check "$VM_DISK_pool" || fail "layerck before the journal is replayed"
	layerctl pool open "$VM_DISK_pool"
	POOL=$VM_DISK_pool
	raw=$(disk raw)
	fs=$(disk fs)
	for ((i = ACKED; i > 0 && i > ACKED - 60; i--)); do
		block_is "$raw" $((i * 7919 % 60000)) "$ROUND raw $i" 2
	done
	mkdir "$T/m"
	mount "$fs" "$T/m"
	for ((i = 1; i <= ACKED; i++)); do
		cmp "$T/m/round/$i" <(pattern "$ROUND file $i" $((i * 997 % 50000 + 1))) ||
			fail "file $i of $ACKED, flushed before the cut, is lost"
	done
	umount "$T/m"
	e2fsck -fn "$fs" >"$T/fsck" 2>&1 || { cat "$T/fsck"; fail "the file system is damaged"; }
	# A snapshot that was acknowledged holds what it held.
	i=$((ACKED / 5 * 5))
	if [ "$i" -gt 0 ]; then
		block_is "$(disk "s$ROUND-$i")" $((i * 7919 % 60000)) "$ROUND raw $i" 2
	fi
	layerctl tree >/dev/null
	layerctl pool close --force "$POOL"
	pool_check "$POOL" || fail "layerck after the replay"
}

case $PHASE in
'') host ;;
write) write_phase ;;
check) check_phase ;;
esac
