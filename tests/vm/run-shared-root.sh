#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: containers with --root shared use one disk of their image's layer; diff, commit, quota, restart and removal are those of plain ones
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon
# timeout: 1500
# shellcheck disable=SC2016 # expanded in the container
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

# A quota that is full, in the kernel's words.
expect_klog '.*I/O error.*'
containers_on "$VM_DISK_pool"
ctl() {
	within 100 layerctl "$@"
}
shared() {
	ctl run --root shared "$@"
}
nothing_left() {
	assert_eq "$(status .active_volumes)" 0 "active volumes"
	grep -E "^/dev/layerblk| /run/layerblk" /proc/mounts && fail "a mount is left"
	[ -z "$(find /run/layerblk/view /run/layerblk/containers -mindepth 1 2>/dev/null)" ] || fail "a directory is left"
	assert_eq "$(ctl volume ls --quiet | grep -cE '^(commit|import)-' || true)" 0 "volumes of work"
}
# tree_of CONTAINER: what is in it, but for what is the runtime's own.
tree_of() {
	rm -rf "$T/tree"
	mkdir "$T/tree"
	ctl export "$1" | tar -C "$T/tree" --delay-directory-restore --xattrs --xattrs-include='*' -xpf -
	rm -rf "$T/tree"/{dev,proc,sys,etc/hosts,etc/hostname,etc/resolv.conf}
	/usr/bin/python3 "$TEST_REPO/tests/lib/treelist.py" "$T/tree" | grep -v "^b'\(\.\|etc\)' "
}
none_runs() {
	[ -z "$(ctl ps -q)" ]
}
none_works() {
	layerctl ps -a >/dev/null && ! layerctl volume ls --quiet | grep -q ^commit- && [ "$(status .active_volumes)" = 0 ]
}
root_of() {
	echo "/proc/$(ctl inspect "$1" | jq '.[0].State.Pid')/root"
}
templates() {
	ctl volume ls --quiet --filter kind=template
}
# summary TYPE: how many there are, and how many are in use.
summary() {
	ctl df --format json | jq -r --arg type "$1" '.[] | select(.type == $type) | "\(.total) \(.active)"'
}
ended_thrice() {
	[ "$(ctl logs again | wc -l)" = 3 ] && none_runs
}

step "one disk and one template for all, and nothing stays active"
for i in 1 2 3; do
	shared -d --name "s$i" tiny sh -c "echo $i >/own; sleep 1000" >/dev/null
done
assert_eq "$(ctl inspect s1 | jq -r '.[0].Root')" shared
assert_eq "$(status .active_volumes)" 4 "three volumes and a layer"
assert_eq "$(ctl volume ls --quiet | grep -c '^template-')" 1 templates
assert_eq "$(volume_value s1 .parent)" "$(volume_value s2 .parent)" "what they are snapshots of"
for i in 1 2 3; do
	wait_until 60 layerctl exec s$i test -s /own
	assert_eq "$(ctl exec s$i cat /own)" "$i"
	assert_eq "$(ctl diff s$i)" "A /own"
done
ctl stop -t 0 s1 s2 s3 >/dev/null
nothing_left
ctl rm s2 s3 >/dev/null

step "what it has written stays until rm"
ctl start s1 >/dev/null
assert_eq "$(ctl exec s1 cat /own)" 1
ctl exec s1 sh -c 'echo more >>/own; rm /etc/layers'
ctl restart -t 0 s1 >/dev/null
assert_eq "$(ctl exec s1 cat /own | tr '\n' ' ')" "1 "
ctl rm -f s1 >/dev/null
refused -m 'no such container' layerctl start s1
nothing_left

step "the image's files, of every kind"
ctl create --root shared --name fresh tiny sleep 1000 >/dev/null
assert_eq "$(ctl diff fresh)" "" "of one that never ran"
ctl start fresh >/dev/null
tiny_is_right "$(root_of fresh)"
assert_eq "$(ctl diff fresh)" "" "of one that has changed nothing"
ctl rm -f fresh >/dev/null

step "a template is neither a snapshot nor a data volume"
ctl run -d --root shared --name one tiny sh -c 'echo one >/own; sleep 1000' >/dev/null
wait_until 60 layerctl exec one test -s /own
template=$(templates)
assert_eq "$(volume_value "$template" .id)" "$(volume_value one .parent)" "what it is a snapshot of"
assert_eq "$(ctl volume ls --quiet --filter kind=snapshot; ctl volume ls --quiet --filter kind=data)" ""
assert_eq "$(summary Snapshots) $(summary "Local Volumes") $(summary "Build Cache")" "0 0 0 0 1 1"
refused -m 'one has a shared root' layerctl volume rm "$template"
ctl volume snapshot one of-one >/dev/null
ctl volume rm of-one >/dev/null
refused -m 'one has a shared root' layerctl volume rm "$template"
ctl system prune -f --volumes >"$T/pruned"
grep -q template "$T/pruned" && fail "it is in use"
ctl volume backup -q -o "$T/backup" --all >/dev/null
assert_eq "$(ctl volume ls --quiet --filter kind=snapshot)" "" "what --all has backed up"
snapshot=$(ctl volume backup -q -o "$T/backup-of-one" one)
refused -m "container's root" layerctl volume restore --replace -i "$T/backup-of-one"
refused -m 'belongs to' layerctl volume restore --replace -i "$T/backup-of-one" --name "$template"
ctl volume restore -q -i "$T/backup-of-one" --name two
assert_eq "$(ctl volume ls --quiet --filter kind=data)" two
assert_eq "$(ctl run --rm -v two:/two tiny cat /two/root/own)" one "what is in the backup"
ctl volume rm two "$snapshot" >/dev/null
ctl rm -f one >/dev/null
ctl system prune -f >"$T/pruned"
grep -qx "$template" "$T/pruned" || fail "it stays: $(cat "$T/pruned")"
assert_eq "$(templates) $(summary "Build Cache")" " 0 0"

step "several want it at once, and somebody takes it away"
pids=()
for i in 1 2 3 4; do
	layerctl create --root shared --name "at-once-$i" tiny true >/dev/null & pids+=($!)
done
for i in 1 2 3 4 5 6; do
	templates | xargs -r layerctl volume rm >/dev/null 2>&1 || true
done
for pid in "${pids[@]}"; do
	wait "$pid"
done
assert_eq "$(templates | wc -l)" 1
ctl rm at-once-{1,2,3,4} >/dev/null
templates | xargs layerctl volume rm >/dev/null
nothing_left

step "restart on failure"
ctl run -d --root shared --name again --restart on-failure:2 tiny sh -c 'echo x >>/x; echo x; exit 1' >/dev/null
wait_until 60 ended_thrice
assert_eq "$(ctl cp again:/x - | tar -xOf - | wc -l)" 3 "lines that it has written"
ctl rm again >/dev/null
nothing_left

# Everything that a layer can have, with times that are said.
CHANGES='set -e
cd /; echo new >/tmp/added; echo more >>/etc/layers; rm -r /opaque; mkdir /opaque; echo again >/opaque/file
mkdir -p /made/deep; echo x >/made/deep/er; ln /made/deep/er /made/hard; ln -s deep /made/link; chmod 700 /root; rm /becomes-file
busybox mv /becomes-dir /moved; busybox chown 12:34 /all/noise; chmod 4755 /all/empty; busybox ln /etc/group /etc/group2
busybox mkfifo /made/fifo; echo tail | dd of=/made/sparse bs=1 seek=5000000 2>/dev/null; rm /all/fifo
busybox mv /all/link /all/link2; rm /etc/passwd; mkdir /etc/passwd; echo app:x:1000:1000::/:/bin/sh >/etc/passwd/inside'
TIMES='busybox find / -xdev -exec busybox touch -h -d "2020-01-01 00:00:00" {} + 2>/dev/null || true'
step "diff and commit come to the same as with a plain root"
for root in plain shared; do
	ctl run --root $root --name $root tiny sh -c "$CHANGES"
	ctl diff $root >"$T/diff-$root"
	ctl start $root >/dev/null && ctl wait $root >/dev/null
	ctl diff $root | cmp - "$T/diff-$root"
done
diff "$T/diff-plain" "$T/diff-shared"
grep -qx 'A /moved/inside' "$T/diff-shared" || fail "the list: $(cat "$T/diff-shared")"
ctl rm plain shared >/dev/null
for root in plain shared; do
	ctl run -d --root $root --name $root tiny sh -c "$CHANGES; $TIMES; echo done; sleep 1000" >/dev/null
	wait_until 100 sh -c "layerctl logs $root 2>/dev/null | grep -qx done"
	/usr/bin/python3 - "$(root_of $root)" <<-'PY'
		import os, stat, sys
		os.mknod(sys.argv[1] + "/made/null", stat.S_IFCHR | 0o640, os.makedev(1, 3))
		for name in "/made/null", "/made":
		    os.utime(sys.argv[1] + name, (1577836800, 1577836800))
		os.setxattr(sys.argv[1] + "/made/deep/er", "user.note", b"a\0b")
		os.setxattr(sys.argv[1] + "/made", "trusted.own", b"x")
		os.setxattr(sys.argv[1] + "/all/setuid", "security.capability", bytes([1, 0, 0, 2, 0, 32] + [0] * 14))
	PY
	id=$(ctl commit -m "by $root" -c 'ENV A=b' $root made:$root)
	[[ $id == sha256:* ]] || fail "not an id: $id"
	ctl exec $root true
	ctl create --name "from-$root" made:$root true >/dev/null
	tree_of "from-$root" >"$T/tree-$root"
	tree_of $root >"$T/own-$root"
done
diff "$T/tree-plain" "$T/tree-shared"
diff "$T/own-shared" "$T/tree-shared"
[ "$(wc -l <"$T/tree-shared")" -gt 60 ] || fail "too little in it: $(cat "$T/tree-shared")"
grep -q user.note "$T/tree-shared" || fail "no attributes in the comparison"
grep -q 'overlay\.' "$T/tree-shared" && fail "overlayfs's own attributes are in the layer"
assert_eq "$(ctl image history made:shared --format json | jq -r '.[0].comment')" "by shared"
assert_eq "$(ctl run --rm --root shared made:shared sh -c 'cat /moved/inside /opaque/file; echo $A' | tr '\n' ' ')" "a directory now again b "
assert_eq "$(volume_value "$(image_volume made:shared)" .parent)" "$(volume_value "$(image_volume tiny)" .id)" "what the layer is a child of"
nothing_of_work=$(ctl volume ls --quiet | grep -cE '^commit-' || true)
assert_eq "$nothing_of_work" 0 "volumes of the commit"

step "directories that take each other's names"
ctl run --name swap tiny sh -c 'mkdir /a /b; echo one >/a/x; echo two >/b/x; busybox touch -d "2020-01-01 00:00:00" /a/x /b/x'
ctl commit swap swap:0 >/dev/null
ctl rm swap >/dev/null
ctl run --root shared --name swap swap:0 sh -c 'busybox mv /a /c; busybox mv /b /a; busybox mv /c /b'
assert_eq "$(ctl diff swap | grep x | sort | tr '\n' ' ')" "C /a/x C /b/x "
ctl commit swap swap:1 >/dev/null
assert_eq "$(ctl run --rm swap:1 cat /a/x /b/x | tr '\n' ' ')" "two one "
ctl rm swap >/dev/null
ctl image rm swap:1 swap:0 >/dev/null

step "a layer that was committed goes out and comes back"
ctl save -o "$T/made.tar" made:shared
ctl rm -f from-shared from-plain >/dev/null
ctl image rm made:shared >/dev/null
ctl load -i "$T/made.tar" >/dev/null
ctl create --name from-shared made:shared true >/dev/null
tree_of from-shared | diff "$T/tree-shared" -
ctl rm -f from-shared plain >/dev/null

step "a second commit holds all that is not as in the image, and links stay links"
ctl exec shared sh -c 'echo both >>/made/hard; echo later >/later'
ctl commit shared made:later >/dev/null
assert_eq "$(ctl run --rm --root shared made:later sh -c 'cat /made/deep/er /later; echo too >>/made/deep/er; tail -n 1 /made/hard' | tr '\n' ' ')" "x both later too "
ctl commit --pause=false shared made:unpaused >/dev/null
ctl rm -f shared >/dev/null
nothing_left

step "an image that a container uses stays"
ctl create --root shared --name user made:later cat /later >/dev/null
layer=$(image_volume made:later)
refused -m 'was made from it' layerctl image rm made:later
ctl image rm -f made:later >/dev/null
ctl image prune -f >/dev/null 2>&1 || ctl image prune >/dev/null
volume_value "$layer" .name >/dev/null
assert_eq "$(ctl start -a user)" later
refused -m 'has been removed' layerctl commit user again
ctl rm user >/dev/null
ctl image prune -f >/dev/null 2>&1 || ctl image prune >/dev/null
refused -m 'no such|not' layerctl volume inspect "$layer"

step "quota"
ctl run --root shared --name full --storage-size 8M tiny sh -c 'dd if=/dev/zero of=/big bs=1M count=64 2>/dev/null; sync /big' && fail "no quota"
ctl rm full >/dev/null

step "volumes, tmpfs, what is read-only"
assert_eq "$(shared --rm -v filled:/all tiny cat /all/text)" "text of the third layer" "a volume begins with what the image has"
assert_eq "$(shared --rm --read-only --tmpfs /t -v data:/data tiny sh -c 'touch /x 2>/dev/null || echo ro; echo t >/t/x; echo d >/data/x; cat /t/x /data/x' | tr '\n' ' ')" "ro t d "
shared --name anonymous -v /tmp/here tiny sh -c 'echo x >/tmp/here/x'
ctl rm -v anonymous >/dev/null
nothing_left

step "several look into one that does not run, and it starts meanwhile"
ctl create --root shared --name looked tiny sh -c 'cat /tmp/from-1 /tmp/from-4 | busybox wc -c' >/dev/null
head -c 1000 /dev/zero >"$T/file"
pids=()
for i in 1 2 3 4; do
	layerctl cp "$T/file" looked:/tmp/from-$i & pids+=($!)
done
for pid in "${pids[@]}"; do
	wait "$pid"
done
ctl export looked >"$T/looked.tar" & pid=$!
assert_eq "$(ctl start -a looked)" 2000
wait $pid
ctl rm looked >/dev/null
nothing_left

step "killed with its conmon, and started at once"
shared -d --name killed tiny sh -c 'echo line >>/lines; sync; sleep 1000' >/dev/null
wait_until 60 layerctl exec killed test -s /lines
kill -KILL "$(cat "/run/layerblk/containers/$(ctl inspect killed | jq -r '.[0].Id')/conmon.pid")" "$(ctl inspect killed | jq '.[0].State.Pid')"
wait_until 60 none_runs
ctl start killed >/dev/null
wait_until 60 layerctl exec killed sh -c '[ "$(wc -l </lines)" = 2 ]'
ctl rm -f killed >/dev/null
nothing_left

step "commands that are killed leave nothing"
ctl create --root shared --name base tiny sh -c 'dd if=/dev/zero of=/big bs=64k count=200 2>/dev/null' >/dev/null
ctl start -a base >/dev/null
for ((i = 0; i < 6; i++)); do
	layerctl commit base killed:$i >/dev/null 2>&1 & pid=$!
	sleep "0.$((RANDOM % 10))"
	kill -KILL $pid 2>/dev/null || true
	wait $pid || true
done
wait_until 60 none_works
nothing_left
ctl rm base >/dev/null

step "xfs"
layerctl image import --fs xfs --tag tiny-xfs "$T/tiny" >/dev/null
shared --name on-xfs tiny-xfs sh -c 'echo x >/x; rm /all/text; busybox mv /all /every'
assert_eq "$(ctl diff on-xfs | grep -cE '^(A /x|D /all|A /every/attr)$')" 3 "$(ctl diff on-xfs)"
ctl commit on-xfs made-xfs >/dev/null
assert_eq "$(ctl run --rm --root shared made-xfs sh -c 'cat /x; cat /every/noise | busybox wc -c')" "$(printf 'x\n300000')"
ctl rm on-xfs >/dev/null
nothing_left

step "the configuration file"
conf=/etc/layerblk/layerblk.conf
mkdir -p /etc/layerblk
defer "rm -f $conf"
printf '# defaults\n\nroot = shared\n' >$conf
ctl create --name by-conf tiny true >/dev/null
ctl create --name by-option --root plain tiny true >/dev/null
assert_eq "$(ctl inspect by-conf by-option | jq -r '.[].Root' | tr '\n' ' ')" "shared plain "
ctl rm by-conf by-option >/dev/null
printf 'root = shared\nroof = none\n' >$conf
assert_eq "$(status_of layerctl create tiny true)" 125
grep -q 'layerblk.conf:2.*roof' "$T/err" || fail "$(cat "$T/err")"
printf 'root = both\n' >$conf
assert_eq "$(status_of layerctl run tiny true)" 125
grep -q 'layerblk.conf:1.*both' "$T/err" || fail "$(cat "$T/err")"
rm $conf
assert_eq "$(status_of layerctl run --root both tiny true)" 125
grep -q neither "$T/err" || fail "$(cat "$T/err")"
nothing_left
