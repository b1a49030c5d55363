#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: images of umoci and skopeo, saved again, have the same ids and layers, and others read the same trees from them
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:umoci cmd:skopeo cmd:buildah cmd:podman cmd:setcap cmd:zstd
# timeout: 1200
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

pool_on "$VM_DISK_pool"
cd "$T"
export TMPDIR=$T XDG_RUNTIME_DIR=$T
tree_list() {
	/usr/bin/python3 "$TEST_REPO/tests/lib/treelist.py" "$@"
}
buildah() {
	command buildah --root "$T/storage" --runroot "$T/run" --storage-driver vfs "$@"
}
podman() {
	command podman --root "$T/storage" --runroot "$T/run" --storage-driver vfs --cgroup-manager cgroupfs "$@"
}

step "an image of three layers, by umoci"
umoci init --layout src
umoci new --image src:v1
umoci unpack --image src:v1 b1 >/dev/null 2>&1
r=b1/rootfs
mkdir -p $r/bin $r/etc $r/usr/lib $r/dir/sub $r/gone/deep $r/refill
cp /bin/busybox $r/bin/
ln -s usr/lib $r/lib
ln -s busybox $r/bin/sh
ln $r/bin/busybox $r/bin/hard
setcap cap_net_bind_service+ep $r/bin/hard
echo text >$r/etc/text
chown 3000000:54321 $r/etc/text
chmod 4750 $r/etc/text
mknod $r/etc/zero c 1 5
mknod $r/etc/disk b 259 70000
mkfifo -m 600 $r/etc/fifo
touch -d '2001-02-03 04:05:06.789012345' $r/etc/old
/usr/bin/python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.note", b"\0binary\xff")' $r/etc/text
truncate -s 3M $r/etc/sparse
echo x >$r/gone/deep/file
echo x >$r/refill/old
echo x >"$r/dir/sub/name with blanks and ü"
echo x >"$r/dir/$(printf 'n%.0s' {1..200})"
umoci repack --image src:v1 b1 >/dev/null
umoci unpack --image src:v1 b2 >/dev/null 2>&1
r=b2/rootfs
rm -r $r/gone
rm $r/etc/old
rm -r $r/refill && mkdir $r/refill && echo y >$r/refill/new
echo more >>$r/etc/text
# No directory becomes a file here: umoci's layer would be one that buildah does not take.
rm -r $r/dir/sub && echo file >$r/dir/other
umoci repack --image src:v2 b2 >/dev/null
umoci config --image src:v2 --config.cmd /bin/sh --config.env A=B
umoci unpack --image src:v2 b3 >/dev/null 2>&1
tree_list b3/rootfs >want
[ "$(wc -l <want)" -ge 15 ] || fail "the reference tree is too small"

config_of() {
	skopeo --insecure-policy inspect --raw "$1" | jq -r .config.digest
}
id=$(config_of oci:src:v2)

step "the same id and the same tars, whatever form it had"
skopeo --insecure-policy copy -q --dest-compress-format zstd --dest-compress oci:src:v2 oci:zstd:v2
skopeo --insecure-policy copy -q oci:src:v2 docker-archive:docker.tar:app:v2
skopeo --insecure-policy copy -q --dest-decompress oci:src:v2 dir:plain
for n in $(jq -r '.layers[].digest' plain/manifest.json); do
	n=${n#sha256:}
	if gzip -t plain/"$n" 2>/dev/null; then gzip -dc plain/"$n"; else cat plain/"$n"; fi >tar."$n"
	sha256sum <tar."$n" | cut -d' ' -f1
done >diffs
jq -r '.rootfs.diff_ids[]' "src/blobs/sha256/${id#sha256:}" | cut -d: -f2 | cmp - diffs

for form in "--image v2 src" "--tag src:v2 zstd" "--tag src:v2 docker.tar"; do
	# shellcheck disable=SC2086 # words
	layerctl image import -q $form
	rm -rf out out.tar
	layerctl save -o out.tar src:v2
	mkdir out
	tar -C out -xf out.tar
	[ "${form% docker.tar}" != "$form" ] || assert_eq "$(jq -r '.[0].Config' out/manifest.json)" "blobs/sha256/${id#sha256:}" "the id"
	jq -r '.[0].Layers[]' out/manifest.json | sed 's|.*/||' | cmp - diffs || fail "the layers"
	while read -r n; do
		sha256sum "out/blobs/sha256/$n" | grep -q "^$n " || fail "the blob $n"
	done <diffs
	sha256sum <out.tar >sum
	layerctl save src:v2 | sha256sum | cmp - sum || fail "another archive at the second time"
	layerctl image rm src:v2 >/dev/null
	layerctl image prune >/dev/null
	assert_eq "$(layerctl volume ls --quiet | wc -l)" 0 "volumes after image rm"
done

step "others read the same image and the same tree"
layerctl image import -q --image v2 src
layerctl image import -q --image v1 src
layerctl tag src:v2 example.com/team/app:1.0
layerctl save -o docker.tar src:v2 src:v1 example.com/team/app:1.0
assert_eq "$(jq length <<<"$(tar -xOf docker.tar manifest.json)")" 2 "images in the archive"
assert_eq "$(tar -tf docker.tar | grep -c 'blobs/sha256/.')" 6 "blobs: two layers shared by two images, two configs, two manifests"
assert_eq "$(config_of docker-archive:docker.tar:src:v2)" "$id" "the id that skopeo reads"
assert_eq "$(config_of docker-archive:docker.tar:example.com/team/app:1.0)" "$id" "the id under another name"
layerctl save --format oci-archive --compress gzip -o gzip.tar src:v2
layerctl save --format oci-archive --compress zstd -o zstd.tar src:v2
layerctl image export src:v2 src:v1 layout
for n in oci-archive:gzip.tar:v2 oci-archive:zstd.tar:v2 oci:layout:v2; do
	assert_eq "$(config_of "$n")" "$id" "the id in $n"
	rm -rf copy
	skopeo --insecure-policy copy -q --dest-compress-format gzip --dest-compress "$n" oci:copy:x || fail "skopeo does not take $n"
	umoci unpack --image copy:x b4 >umoci.log 2>&1 || { cat umoci.log; fail "umoci does not unpack $n"; }
	tree_list b4/rootfs >got
	diff want got || fail "the tree of $n"
	rm -rf b4
done
umoci unpack --image layout:v1 b4 >/dev/null 2>&1
name=$(buildah from oci-archive:gzip.tar:v2)
assert_eq "sha256:$(buildah inspect --format '{{.FromImageID}}' "$name")" "$id" "the id that buildah reads"
# Its driver makes the root directory itself, with a time of its own.
tree_list "$(buildah mount "$name")" | sed 1d >got
sed 1d want | diff - got || fail "the tree that buildah has"
buildah rm "$name" >/dev/null
podman load -q -i docker.tar
assert_eq "$(podman image inspect --format '{{.Id}}' example.com/team/app:1.0)" "${id#sha256:}" "the id that podman reads"
podman load -q -i zstd.tar

step "and it comes back here as the same image"
before=$(layerctl image ls --no-trunc --quiet | sort)
layerctl volume ls --format json | jq -S 'map(.name)' >volumes
layerctl load -q -i docker.tar
layerctl load -q <gzip.tar
assert_eq "$(layerctl image ls --no-trunc --quiet | sort)" "$before" "images after load"
layerctl volume ls --format json | jq -S 'map(.name)' | cmp - volumes
layerctl rmi -f src:v1 src:v2 example.com/team/app:1.0 >/dev/null
layerctl load -i zstd.tar
assert_eq "$(layerctl image ls --no-trunc --quiet)" "$id" "the id after load"

step "a tar with one file twice, xfs"
mkdir -p w && echo first >w/f && tar -C w -cf twice.tar f && echo second >w/f && tar -C w -rf twice.tar f
umoci init --layout twice && umoci new --image twice:1 && umoci raw add-layer --image twice:1 twice.tar
layerctl image import --fs xfs --size 400M -q --tag twice:1 twice
layerctl save --format oci-dir -o t twice:1
cmp "t/blobs/sha256/$(sha256sum <twice.tar | cut -d' ' -f1)" twice.tar

step "bad requests leave nothing"
refused -m 'no such image' layerctl save -o none.tar src:v2 not-there
refused -m 'one of' layerctl save --format zip -o none.tar src:v2
refused -m 'not one of' layerctl save --compress lzma -o none.tar src:v2
refused layerctl save -o /not/there/none.tar src:v2
refused -m 'not empty' layerctl image export src:v2 src
refused -m 'needs --output' layerctl save --format oci-dir src:v2
refused layerctl load -i not-there.tar
head -c 20000 docker.tar >short.tar
refused layerctl load -i short.tar
refused layerctl tag src:v2 'Bad Name'
refused -m 'no such image' layerctl tag nope a:b
assert_eq "$(find . -maxdepth 1 -name 'none*' | wc -l)" 0 "files left over"
[ -z "$(ls /run/layerblk/mount 2>/dev/null)" ] || fail "mount points are left"

assert_eq "$(status .active_volumes)" 0 "active volumes"
