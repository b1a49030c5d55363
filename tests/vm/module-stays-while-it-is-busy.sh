#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: the module does not unload while a pool, a volume, a mount, the control device or a request is in use, and nothing breaks by trying
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:dmsetup
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

# stays WHY: both ways to unload it are refused as busy.
stays() {
	refused -m 'in use' rmmod layerblk
	refused -m 'in use' modprobe -r layerblk
	[ -d /sys/module/layerblk ] || fail "$1: it is gone"
}
goes() {
	modprobe -r layerblk
	[ ! -d /sys/module/layerblk ] || fail "it did not unload"
	modprobe layerblk
}

modprobe layerblk
step "the control device is open"
exec 5</dev/layerblk-control
stays "an open control device"
exec 5<&-
goes

step "events are waited for"
layerctl events >/dev/null &
events=$!
waits() {
	grep -q layerblk-control <(ls -l /proc/$events/fd)
}
wait_until 10 waits
stays "a reader of events"
kill $events
wait $events || true
goes

pool_on_slow 256M
v=$(volume v 64M)
mkfs.ext4 -q "$v"
layerctl deactivate v

step "a pool is open, and nothing of it in use"
stays "an open pool"

step "a volume is active; open; mapped by another driver; mounted"
v=$(disk v)
stays "an active volume"
exec 5<"$v"
stays "an open volume"
exec 5<&-
echo "0 $(blockdev --getsz "$v") linear $v 0" | dmsetup create lbk-above
stays "a volume below the device mapper"
dmsetup remove --retry lbk-above
mkdir "$T/m"
mount "$v" "$T/m"
pattern before 500000 >"$T/m/file"
stays "a mounted volume"
sync -f "$T/m"

step "bios are in flight"
slow 0 400
defer 'slow 0'
dd if=/dev/zero of="$T/m/zeros" bs=1M count=4 oflag=direct status=none &
writer=$!
sleep 0.5
stays "a write in flight"
wait $writer
slow 0

step "its attributes are being read"
exec 5<"/sys/fs/layerblk/$(status .uuid)/state"
stays "an open attribute"
read -r state <&5
assert_eq "$state" ok
exec 5<&-

step "a request is in progress in another process"
# A snapshot: several writes one after the other, of which each takes its time.
pattern more 3000000 >"$T/m/more"
slow 0 500
layerctl snapshot v s >/dev/null &
request=$!
tries=0
while kill -0 $request 2>/dev/null; do
	stays "a snapshot being taken"
	tries=$((tries + 1))
	sleep 0.1
done
wait $request
assert_ge $tries 3 "attempts while the snapshot was being taken"
cmp "$T/m/file" <(pattern before 500000)
umount "$T/m"

step "a pool is being closed, and opened"
dd if=/dev/urandom of="$v" bs=64k count=16 oflag=direct conv=notrunc status=none
layerctl pool close --force "$POOL" &
request=$!
tries=0
while kill -0 $request 2>/dev/null; do
	# It goes once the pool is closed, which is not before the request ends.
	! rmmod layerblk 2>/dev/null || break
	tries=$((tries + 1))
	sleep 0.1
done
wait $request
assert_ge $tries 3 "attempts while the pool was being closed"
modprobe layerblk
slow 300 300
layerctl pool open "$POOL" >/dev/null &
request=$!
# Before it has the control device the module may well go.
has_control() {
	[ ! -d /proc/$request ] || grep -q layerblk-control <(ls -l /proc/$request/fd 2>/dev/null)
}
wait_until 10 has_control
tries=0
while kill -0 $request 2>/dev/null; do
	! rmmod layerblk 2>/dev/null || break
	tries=$((tries + 1))
	sleep 0.1
done
assert_ge $tries 2 "attempts while the pool was being opened"
wait $request || fail "a pool could not be opened while others tried to unload the module"
slow 0
stays "the pool that was opened meanwhile"

step "nothing broke, and it goes when all is put away"
mount "$(disk s)" "$T/m" -o ro
cmp "$T/m/file" <(pattern before 500000)
umount "$T/m"
layerctl pool close --force "$POOL"
goes
layerctl pool open "$POOL" >/dev/null
e2fsck -fn "$(disk s)" >"$T/fsck" 2>&1 || { cat "$T/fsck"; fail "the snapshot is damaged"; }
