#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: snapshots of a mounted, busy volume hold the data of one instant and need no fsck
# smp: 2
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 300
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

pool_on "$VM_DISK_pool"
v=$(volume busy 512M)
mkfs.ext4 -q "$v"
mkdir "$T/m" "$T/s"
mount "$v" "$T/m"

# The writer raises a number in "first" and, when that is on the disk, in
# "second": at any instant first is second or one more. Two others make noise.
writer() {
	local i=0

	while [ -e "$T/go" ]; do
		i=$((i + 1))
		printf '%08d' "$i" | dd of="$T/m/first" conv=fsync,notrunc status=none
		printf '%08d' "$i" | dd of="$T/m/second" conv=fsync,notrunc status=none
	done
}
noise() {
	local i=0

	while [ -e "$T/go" ]; do
		i=$((i + 1))
		mkdir -p "$T/m/$1/$((i % 20))"
		head -c $(((i * 7919) % 60000)) /dev/urandom >"$T/m/$1/$((i % 20))/f$((i % 7))"
		[ $((i % 5)) != 0 ] || rm -rf "$T/m/$1/$(((i + 3) % 20))"
	done
}
: >"$T/go"
writer & w=$!
noise n1 & n1=$!
noise n2 & n2=$!
# shellcheck disable=SC2016 # defer evaluates later
defer 'rm -f "$T/go"; wait'

for i in 1 2 3 4 5; do
	sleep 2
	within 60 layerctl snapshot busy "s$i" >/dev/null
done
rm "$T/go"
wait $w $n1 $n2
umount "$T/m"

last=0
for i in 1 2 3 4 5; do
	d=$(disk "s$i")
	# -n writes nothing, not even the journal's replay: it must be clean.
	e2fsck -fn "$d" >"$T/fsck" 2>&1 || { cat "$T/fsck"; fail "snapshot $i is not clean"; }
	grep -q 'recovering journal\|skipping journal' "$T/fsck" && fail "snapshot $i was not frozen: its journal is not empty"
	mount -o ro "$d" "$T/s"
	a=$((10#$(cat "$T/s/first")))
	b=$((10#$(cat "$T/s/second")))
	umount "$T/s"
	echo "snapshot $i: first $a, second $b"
	[ "$a" = "$b" ] || [ "$a" = $((b + 1)) ] || fail "not one instant: first $a, second $b"
	[ "$a" -gt "$last" ] || fail "snapshot $i is not later than the one before"
	last=$a
done
