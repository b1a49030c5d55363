#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: layerctl mount and umount, by name and by directory, busy and shared mounts, frozen and dirty file systems
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:mkfs.xfs
# timeout: 300
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

pool_in_file 2G
mkdir "$T/a" "$T/b" "$T/c"
# hold SECONDS FILE: has it open for so long, in the background; $! is its pid.
hold() {
	# shellcheck disable=SC2217 # open is all it needs to be
	sleep "$1" <"$2" &
}
mounted() {
	awk -v d="$1" '$2 == d {print $1}' /proc/mounts
}
active() {
	volume_value "$1" .active
}

step "mount activates, umount by name deactivates"
mkfs.ext4 -q "$(volume e 256M)"
layerctl deactivate e
layerctl mount e "$T/a"
assert_eq "$(active e)" true
echo data >"$T/a/file"
layerctl umount e
assert_eq "$(mounted "$T/a")" ""
assert_eq "$(active e)" false

step "umount by directory, relative too"
layerctl mount -o noatime e "$T/a"
grep -q " $T/a ext4 .*noatime" /proc/mounts || fail "the option is not there"
(cd "$T" && layerctl umount ./a)
assert_eq "$(active e)" false

step "a volume that is mounted twice keeps its disk until the second is gone"
layerctl mount e "$T/a"
layerctl mount e "$T/b"
layerctl umount "$T/a"
assert_eq "$(active e)" true
assert_eq "$(cat "$T/b/file")" data
layerctl mount e "$T/a"
layerctl umount e
assert_eq "$(mounted "$T/a")$(mounted "$T/b")" ""
assert_eq "$(active e)" false
layerctl mount e "$T/a"
layerctl umount --keep-active e
assert_eq "$(active e)" true

step "what is in use is refused and its user named"
layerctl mount e "$T/a"
hold 300 "$T/a/file"
user=$!
defer "kill $user 2>/dev/null || true"
refused -m "in use by sleep \(pid $user\)" layerctl umount e
assert_eq "$(cat "$T/a/file")" data
refused -m "mounted on $T/a" layerctl deactivate e
kill $user
wait $user 2>/dev/null || true
layerctl umount e

step "who has it open for a moment is waited for"
for i in 1 2 3; do
	layerctl mount e "$T/a"
	hold 1.5 "$T/a/file"
	within 30 layerctl umount "$T/a"
	wait
	d=$(disk e)
	hold 1.5 "$d"
	within 30 layerctl deactivate e
	wait
	assert_eq "$(active e)" false "try $i"
done

step "--lazy detaches at once, and the disk goes when the user does"
layerctl mount e "$T/a"
hold 5 "$T/a/file"
within 30 layerctl umount --lazy "$T/a"
assert_eq "$(mounted "$T/a")" ""
wait
assert_eq "$(active e)" false

step "a failed mount leaves no disk"
layerctl volume create --size 16M blank >/dev/null
refused -m "has none" layerctl mount blank "$T/a"
assert_eq "$(active blank)" false
refused layerctl mount e "$T/not-there"
refused layerctl mount e "$T/pool.img"
refused layerctl mount -t xfs e "$T/a"
refused layerctl mount -o no-such-option e "$T/a"
assert_eq "$(active e)" false
refused -m "not mounted" layerctl umount e
refused -m "no volume" layerctl umount "$T"

step "a snapshot of a mounted file system mounts read-only and is clean"
layerctl mount e "$T/a"
echo more >"$T/a/file2"
layerctl snapshot e e1 >/dev/null
layerctl mount e1 "$T/b"
assert_eq "$(cat "$T/b/file2")" more
refused touch "$T/b/new"
layerctl umount e1
layerctl umount e

step "a frozen file system with a dirty log mounts, too"
layerctl snapshot e1 dirty >/dev/null
layerctl mount dirty "$T/a"
echo late >"$T/a/late"
sync -f "$T/a/late"
dd if=/dev/zero of="$T/a/more" bs=64k count=20 conv=fsync status=none
d=$(disk dirty)
dd if="$d" of="$T/copy" bs=1M iflag=direct conv=sparse status=none
layerctl umount dirty
d=$(disk dirty)
dd if="$T/copy" of="$d" bs=1M oflag=direct status=none
dumpe2fs -h "$d" 2>/dev/null | grep -q needs_recovery || fail "the copy is clean; it should not be"
layerctl freeze dirty
layerctl mount dirty "$T/a"
refused touch "$T/a/new"
layerctl umount dirty

step "xfs: a volume and its snapshots at once"
mkfs.xfs -q -K "$(volume x 512M)"
layerctl mount x "$T/a"
echo one >"$T/a/file"
layerctl snapshot x x1 >/dev/null
echo two >"$T/a/file"
layerctl snapshot x1 x2 >/dev/null
layerctl mount x1 "$T/b"
layerctl mount x2 "$T/c"
assert_eq "$(cat "$T/a/file" "$T/b/file" "$T/c/file" | tr '\n' ' ')" "two one one "
echo three >"$T/c/file"
layerctl umount x x1 x2
layerctl mount --read-only x2 "$T/c"
assert_eq "$(cat "$T/c/file")" three
refused touch "$T/c/new"
layerctl umount "$T/c"

step "close with a mount is refused, with --force it is not"
layerctl mount x "$T/a"
refused -m "mounted on $T/a" layerctl pool close "$POOL"
layerctl pool close --force "$POOL"
assert_eq "$(mounted "$T/a")" ""
