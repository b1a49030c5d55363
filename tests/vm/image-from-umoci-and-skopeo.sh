#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: images made by umoci and skopeo, in all their forms, come to the tree that umoci unpacks
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:umoci cmd:skopeo cmd:setcap
# timeout: 600
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

pool_on "$VM_DISK_pool"
cd "$T"
export TMPDIR=$T XDG_RUNTIME_DIR=$T

step "an image of three layers"
umoci init --layout src
umoci new --image src:v1
umoci unpack --image src:v1 b1 >/dev/null 2>&1
r=b1/rootfs
mkdir -p $r/bin $r/etc $r/usr/lib $r/dir/sub $r/gone/deep $r/refill
cp /bin/busybox $r/bin/
ln -s usr/lib $r/lib
ln -s busybox $r/bin/sh
ln $r/bin/busybox $r/bin/hard
# One that containers have: the kernel refuses to run a file that asks for others.
setcap cap_net_bind_service+ep $r/bin/hard
echo text >$r/etc/text
chown 12345:54321 $r/etc/text
chmod 4750 $r/etc/text
mknod $r/etc/zero c 1 5
mkfifo -m 600 $r/etc/fifo
touch -d '2001-02-03 04:05:06.789012345' $r/etc/old
/usr/bin/python3 - $r/etc/text <<'PY'
import os, sys
os.setxattr(sys.argv[1], "user.note", b"\x00binary\xff")
PY
truncate -s 3M $r/etc/sparse
echo x >$r/gone/deep/file
echo x >$r/refill/old
echo x >"$r/dir/sub/name with blanks and ü"
umoci repack --image src:v1 b1 >/dev/null
umoci unpack --image src:v1 b2 >/dev/null 2>&1
r=b2/rootfs
rm -r $r/gone
rm $r/etc/old
rm -r $r/refill && mkdir $r/refill && echo y >$r/refill/new
echo more >>$r/etc/text
rm -r $r/dir/sub && echo file >$r/dir/sub
umoci repack --image src:v2 b2 >/dev/null
umoci config --image src:v2 --config.cmd /bin/sh --config.cmd -c --config.cmd 'cat /etc/text' --config.env A=B
umoci unpack --image src:v2 b3 >/dev/null 2>&1

# What must be equal: kinds, modes, owners, sizes, times of all but directories
# that a whiteout changed, links, devices, contents, extended attributes.
cat >list.py <<'PY'
import hashlib, os, stat, sys
top = os.fsencode(sys.argv[1])
inodes = {}
for base, dirs, files in os.walk(top):
    for name in sorted(dirs + files):
        path = os.path.join(base, name)
        st = os.lstat(path)
        row = [os.path.relpath(path, top), oct(st.st_mode), st.st_uid, st.st_gid]
        if not stat.S_ISDIR(st.st_mode):
            row += [st.st_nlink, st.st_rdev, st.st_mtime_ns // 10**9, inodes.setdefault(st.st_ino, row[0])]
        if stat.S_ISLNK(st.st_mode):
            row += [os.readlink(path)]
        if stat.S_ISREG(st.st_mode):
            row += [st.st_size, hashlib.sha256(open(path, "rb").read()).hexdigest()]
        row += [(key, os.getxattr(path, key, follow_symlinks=False))
                for key in sorted(os.listxattr(path, follow_symlinks=False))]
        print(*row)
PY
tree_list() {
	/usr/bin/python3 list.py "$1" | sort
}
tree_list b3/rootfs >want
[ "$(wc -l <want)" -ge 15 ] || fail "the reference tree is too small"

step "its forms"
skopeo --insecure-policy copy -q oci:src:v2 oci:plain-copy:v2
skopeo --insecure-policy copy -q --dest-compress-format zstd --dest-compress oci:src:v2 oci:zstd:v2
skopeo --insecure-policy copy -q oci:src:v2 oci-archive:archive.tar:v2
skopeo --insecure-policy copy -q oci:src:v2 docker-archive:docker.tar:app:v2
gzip -k docker.tar

mkdir m
try() {
	local name=$1

	shift
	step "$*"
	layerctl image import "$@"
	d=$(disk "$(image_volume "$name")")
	e2fsck -fn "$d" >fsck 2>&1 || { cat fsck; fail "not a clean file system"; }
	mount -o ro "$d" m
	tree_list m >got
	umount m
	diff want got || fail "the trees differ"
	layerctl deactivate "$(image_volume "$name")"
	assert_eq "$(layerctl run --rm "$name")" "$(cat b3/rootfs/etc/text)" "what it runs"
	layerctl image rm "$name" >/dev/null
	layerctl image prune >/dev/null
	assert_eq "$(layerctl volume ls --quiet | wc -l)" 0 "volumes after image rm"
}
try src:v2 --image v2 src
try plain-copy:v2 plain-copy
try zstd:v2 zstd
try archive:v2 archive.tar
try app:v2 docker.tar
try other:name --tag other:name docker.tar.gz

step "both images of one layout share layers"
layerctl image import src
assert_eq "$(layerctl image ls --quiet | wc -l)" 2 images
assert_eq "$(layerctl volume ls --quiet | wc -l)" 2 "layers of 1 and 2"
layerctl image rm src:v1 src:v2 >/dev/null
