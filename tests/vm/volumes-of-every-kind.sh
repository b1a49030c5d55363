#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: volumes with every file system, clones, storage elsewhere, growth with the file system, prune, and what rm refuses
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon cmd:mkfs.btrfs cmd:mkfs.ntfs cmd:mkfs.vfat
# timeout: 1200
# shellcheck disable=SC2016 # expanded in the container
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

expect_klog '.*I/O error.*'
expect_klog '.*no-such-disk.*'
containers_on "$VM_DISK_pool"
run() {
	within 100 layerctl run --rm "$@"
}
of() {
	layerctl volume inspect "$1" | jq -r ".[0]$2"
}
active() {
	layerctl volume ls --format json | jq -r '.[] | select(.active) | .name' | sort | tr '\n' ' '
}
kinds() {
	layerctl volume ls --filter "kind=$1" --quiet | sort | tr '\n' ' '
}

step "created in Docker's words"
assert_eq "$(layerctl volume create data)" data
assert_eq "$(of data .size)" 10737418240 "the size that none was asked for"
assert_eq "$(of data .kind) $(of data .driver)" "data layerblk"
name=$(layerctl volume create)
assert_eq "${#name}" 64 "a name that is made up"
assert_eq "$(of "$name" .anonymous)" true
layerctl volume create --driver local --label use=test labelled >/dev/null
assert_eq "$(layerctl volume ls --filter label=use=test -q)" labelled
refused -m local layerctl volume create --driver glusterfs x
refused -m "option" layerctl volume create --opt colour=red x
refused -m exists layerctl volume create data
assert_eq "$(kinds data)" "$(printf '%s\n' data labelled "$name" | sort | tr '\n' ' ')"

step "file systems"
for fs in xfs btrfs vfat ntfs3 ext4; do
	if ! modprobe -n -q "fs-$fs" && ! grep -qw "$fs" /proc/filesystems; then
		refused -m "no driver" layerctl volume create --fs $fs --size 1G "on-$fs"
		continue
	fi
	layerctl volume create --fs $fs --size 1G "on-$fs" >/dev/null
	run -v "on-$fs:/d" tiny sh -c "echo kept on $fs >/d/file"
	assert_eq "$(run -v "on-$fs:/d" tiny cat /d/file)" "kept on $fs"
	type=$(run -v "on-$fs:/d" tiny busybox awk '$2 == "/d" {print $3}' /proc/mounts)
	assert_eq "$type" "$fs"
done
refused -m "mkfs.nosuchfs is not installed" layerctl volume create --fs nosuchfs x
refused -m "cannot be" layerctl volume create --fs ../x x
refused layerctl volume create --fs xfs --size 16M too-small
assert_eq "$(layerctl volume ls --quiet | grep 'too-small\|volume-' || true)" "" "volumes that are left over"

step "a volume with a file system, or one that was made with it by --mount, begins with what the image has there"
want=$(run tiny sh -c 'cd /all && find . ! -type d | sort')
layerctl volume create --fs xfs --size 1G filled >/dev/null
assert_eq "$(run -v filled:/all tiny sh -c 'cd /all && find . ! -type d | sort')" "$want"
assert_eq "$(run --mount type=volume,source=opted,target=/d,volume-opt=fs=xfs,volume-opt=size=2G,volume-opt=quota=1G tiny ls /d)" ""
assert_eq "$(of opted .filesystem) $(of opted .size) $(of opted .quota)" "xfs 2147483648 1073741824"
layerctl volume create --fs ext4 --size 64M --quota 64K tight >/dev/null 2>&1 && fail "a file system larger than the quota was made"
layerctl volume create --fs ext4 --size 64M --quota 16M tight >/dev/null
run -v tight:/d tiny busybox dd if=/dev/urandom of=/d/f bs=1048576 count=32 conv=fsync >/dev/null 2>&1 &&
	fail "a quota was overrun"

step "clones, of volumes in use as well"
for fs in ext4 xfs btrfs; do
	layerctl volume clone "on-$fs" "copy-$fs" >/dev/null
	assert_eq "$(run -v "copy-$fs:/c" -v "on-$fs:/d" tiny sh -c 'echo more >>/c/file; cat /d/file')" "kept on $fs"
	assert_eq "$(run -v "copy-$fs:/c" tiny busybox tail -n 1 /c/file)" more
done
layerctl run -d --name busy -v on-ext4:/d tiny sh -c 'i=0; while :; do i=$((i + 1)); echo $i >/d/count; done' >/dev/null
layerctl volume clone --quota 1G on-ext4 copy-busy >/dev/null
run -v copy-busy:/c tiny busybox grep -qx '[0-9]*' /c/count || [ "$(run -v copy-busy:/c tiny stat -c %s /c/count)" = 0 ] || fail "the clone of a busy volume"
assert_eq "$(of copy-busy .quota)" 1073741824
assert_eq "$(layerctl volume ls -q | grep '^clone-' || true)" "" "working snapshots"
refused -m exists layerctl volume clone on-ext4 copy-ext4
refused layerctl volume clone nobody x

step "snapshot and rollback of a volume"
run -v data:/d tiny sh -c 'echo before >/d/file'
layerctl volume snapshot data monday >/dev/null
assert_eq "$(kinds snapshot)" "monday "
run -v data:/d tiny sh -c 'echo after >/d/file'
assert_eq "$(run -v monday:/d:ro tiny cat /d/file)" before
layerctl volume rollback data monday
assert_eq "$(run -v data:/d tiny cat /d/file)" before

step "growth, with the file system, while a container has it and while nobody has"
kib() {
	run -v "$1:/d" tiny busybox df -k /d | busybox awk 'NR > 1 && NF > 1 {print $(NF - 4)}' | tail -n 1
}
for fs in ext4 xfs btrfs; do
	small=$(kib "on-$fs")
	layerctl volume resize -r "on-$fs" 2G
	[ "$(kib "on-$fs")" -gt $((small * 3 / 2)) ] || fail "$fs has not grown: from $small KiB to $(kib "on-$fs")"
	assert_eq "$(run -v "on-$fs:/d" tiny cat /d/file)" "kept on $fs"
done
refused layerctl volume resize -r on-vfat 2G
assert_eq "$(active)" "busy on-ext4 " "disks"

step "storage elsewhere"
mkdir "$T/elsewhere"
layerctl volume create --opt type=none --opt device="$T/elsewhere" --opt o=bind bound >/dev/null
run -v bound:/b tiny sh -c 'echo from inside >/b/file'
assert_eq "$(cat "$T/elsewhere/file")" "from inside"
layerctl volume create --opt type=tmpfs --opt device=tmpfs --opt o=size=1m,mode=700 ram >/dev/null
assert_eq "$(run -v ram:/r tiny stat -c %a /r)" 700
truncate -s 64M "$T/disk"
mkfs.ext4 -q "$T/disk"
run --mount "type=volume,src=loop,dst=/l,volume-driver=local,volume-opt=type=ext4,volume-opt=device=$T/disk,volume-opt=o=loop" tiny sh -c 'echo kept >/l/file'
assert_eq "$(run -v loop:/l tiny cat /l/file)" kept
assert_eq "$(of loop .driver) $(of loop .options.type) $(of loop .options.o)" "local ext4 loop"
refused -m "device" layerctl volume create --opt type=nfs x
refused -m "own file system" layerctl volume create --opt type=nfs --opt device=:/x --size 1G x
refused layerctl volume clone loop x
layerctl volume create --opt type=ext4 --opt device="$T/no-such-disk" broken >/dev/null
assert_eq "$(status_of layerctl run --rm -v broken:/d tiny true)" 125
grep -q no-such-disk "$T/err" || fail "$(cat "$T/err")"
assert_eq "$(layerctl ps -aq | wc -l)" 1 "containers that are left over"
losetup -n -O BACK-FILE -l | grep -q elsewhere && fail "a loop device is left over"

step "in use, also by a container that does not run: refused"
layerctl run --name ended -v data:/d tiny true
refused -m "container ended" layerctl volume rm data
refused -m "container busy" layerctl volume rm -f on-ext4
refused -m "container's root" layerctl volume rm ended
layer=$(image_volume tiny)
refused -m "image's layer" layerctl volume rm "$layer"
assert_eq "$(of data '.used_by | join(" ")')" ended
layerctl rm -f ended busy >/dev/null

step "prune: anonymous ones, and all that nobody uses"
layerctl create --name keeps -v /anonymous tiny true >/dev/null
assert_eq "$(layerctl volume ls -q --filter dangling=true | grep -cx "$name")" 1
echo n | layerctl volume prune >/dev/null
of "$name" .name >/dev/null
layerctl volume prune -f >"$T/pruned"
grep -qx "$name" "$T/pruned" || fail "$(cat "$T/pruned")"
grep -q '^Total reclaimed space: ' "$T/pruned" || fail "$(cat "$T/pruned")"
refused layerctl volume inspect "$name"
of data .name >/dev/null
layerctl volume prune -f -a --filter label=use=test >"$T/pruned"
assert_eq "$(sed -n 2p "$T/pruned")" labelled
layerctl volume prune -fa >/dev/null
assert_eq "$(layerctl volume ls -q --filter kind=data | wc -l)" 1 "what the container keeps"
assert_eq "$(kinds snapshot)" "monday " "snapshots stay"
layerctl start -a keeps
layerctl rm -v keeps >/dev/null
assert_eq "$(kinds data)" ""
assert_eq "$(active)" "" "disks"
