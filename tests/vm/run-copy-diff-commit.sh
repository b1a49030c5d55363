#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: cp both ways, diff, commit, export, top and stats of containers that run and that do not
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon cmd:ps
# timeout: 600
# shellcheck disable=SC2016 # expanded in the container
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

containers_on "$VM_DISK_pool"
ctl() {
	within 100 layerctl "$@"
}

ctl run -d --name up -v data:/data --tmpfs /scratch tiny sh -c 'echo in volume >/data/v; sleep 1000' >/dev/null
ctl create --name down -v data:/data tiny true >/dev/null

step "cp into a container, and out of it"
mkdir -p "$T/src/sub" && echo one >"$T/src/a" && echo two >"$T/src/sub/b" && ln -s a "$T/src/link" && chmod 640 "$T/src/a"
for c in up down; do
	ctl cp "$T/src/a" $c:/tmp/new-name
	ctl cp "$T/src/a" $c:/tmp
	ctl cp "$T/src" $c:/tmp/tree
	ctl cp "$T/src" $c:/tmp/tree
	ctl cp "$T/src/." $c:/tmp/content/
	ctl cp "$T/src/a" $c:/data/from-$c
	ctl cp $c:/tmp "$T/out-$c"
	assert_eq "$(cat "$T/out-$c/new-name" "$T/out-$c/a" "$T/out-$c/tree/a" "$T/out-$c/tree/src/sub/b" "$T/out-$c/content/a" | tr '\n' ' ')" \
		"one one one two one " "what came back from $c"
	assert_eq "$(readlink "$T/out-$c/tree/link")" a "a link"
	assert_eq "$(stat -c '%a %u' "$T/out-$c/tree/a")" "640 0" "mode and owner"
	ctl cp $c:/data/v "$T/volume-$c"
	assert_eq "$(cat "$T/volume-$c")" "in volume"
	ctl cp $c:/etc/layers "$T/"
	ctl cp $c:all/text-again "$T/again"
	assert_eq "$(stat -c %u "$T/again")" 0 "the owner is ours"
	ctl cp -a $c:/all/text-again "$T/again"
	assert_eq "$(stat -c %u:%g "$T/again")" 1000:1001 "the owner is kept"
done
assert_eq "$(ctl exec up cat /tmp/tree/sub/b /data/from-down | tr '\n' ' ')" "two one "
ctl exec up sh -c 'echo x >/scratch/y'
ctl cp up:/scratch/y - | tar -tf - | grep -x y >/dev/null || fail "a tar to standard output"
tar -C "$T/src" -cf - . | ctl cp - down:/root
ctl cp down:/root/sub/b - | tar -xOf - | grep -x two >/dev/null || fail "a tar from standard input"

step "cp: what it refuses, and where links lead"
ctl exec up sh -c 'ln -s / /tmp/out; ln -s /../../etc /tmp/etc; ln -s /etc/passwd /tmp/passwd'
ctl cp "$T/src/a" up:/tmp/out/through
assert_eq "$(ctl exec up cat /through)" one
[ ! -e /through ] || fail "it left the container"
ctl cp -L up:/tmp/passwd "$T/passwd"
grep -q '^app:' "$T/passwd" || fail "a link led to the host"
ctl cp "$T/src/a" up:/tmp/etc/through-too
[ ! -e /etc/through-too ] || fail "it left the container"
refused -m 'No such file' layerctl cp up:/no-such "$T/x"
refused -m 'No such file' layerctl cp "$T/no-such" up:/tmp
refused -m 'not there' layerctl cp "$T/src/a" up:/no/such/dir
refused -m 'directory is not there' layerctl cp "$T/src/a" up:/tmp/no-such/
refused -m 'a file' layerctl cp "$T/src" up:/etc/passwd
refused -m 'neither' layerctl cp "$T/src" "$T/dst"
refused -m 'no such container' layerctl cp nobody:/x "$T/x"

step "diff"
ctl create --name fresh tiny true >/dev/null
assert_eq "$(ctl diff fresh)" "" "of one that never ran"
ctl run --name changed tiny sh -c 'echo new >/tmp/added; echo more >>/etc/layers; rm -r /opaque; mkdir -p /made/deep; touch /made/deep/er; chmod 700 /root'
assert_eq "$(ctl diff changed | grep -v busybox)" "$(printf '%s\n' 'C /etc' 'C /etc/layers' 'A /made' 'A /made/deep' 'A /made/deep/er' 'D /opaque' \
	'C /root' 'C /tmp' 'A /tmp/added')"
ctl diff up | grep -x 'A /through' >/dev/null || fail "of one that runs"
ctl diff up | grep /data/v && fail "what is mounted is not its own"
assert_eq "$(ctl diff --format json changed | jq -c '.[1]')" '{"kind":"C","path":"/etc/layers"}'

step "commit"
id=$(ctl commit -a me -m 'a change' -c 'ENV CHANGED=yes' -c 'LABEL a=b' changed made:1)
[[ $id == sha256:* ]] || fail "not an id: $id"
assert_eq "$(ctl run --rm made:1 cat /tmp/added)" new
assert_eq "$(ctl image ls --format json | jq -r '.[].repository' | grep -c made)" 1
layerctl save made:1 >"$T/made.tar"
assert_eq "$(ctl run --rm made:1 cat /tmp/added)" new "after it was saved"
assert_eq "$(ctl run --rm made:1 sh -c 'echo $CHANGED')" yes
refused layerctl commit -c 'NO SUCH' changed
assert_eq "$(ctl image history made:1 --format json | jq -r '.[0].comment')" "a change"
rc=0
ctl run --rm made:1 test -e /opaque || rc=$?
assert_eq "$rc" 1 "what was deleted"
ctl commit up running >/dev/null
assert_eq "$(ctl run --rm running cat /through)" one
assert_eq "$(ctl exec up cat /through)" one "it goes on"
assert_eq "$(ctl diff up | grep -cx 'A /through')" 1 "changes are those since its image"
ctl exec up sh -c 'echo later >/later'
ctl commit up running:2 >/dev/null
assert_eq "$(ctl run --rm running:2 cat /through /later | tr '\n' ' ')" "one later "
rc=0
ctl run --rm running cat /later 2>/dev/null || rc=$?
assert_eq "$rc" 1 "the first is as it was"
bare=$(ctl commit changed)
assert_eq "$(ctl run --rm "${bare#sha256:}" cat /tmp/added)" new "an image without a name"

step "export"
ctl export changed >"$T/root.tar"
tar -tf "$T/root.tar" | grep -x tmp/added >/dev/null || fail "not exported"
tar -tf "$T/root.tar" | grep '^lost+found' >/dev/null && fail "the file system's own"
tar -xOf "$T/root.tar" tmp/added | grep -x new >/dev/null || fail "its content"
tar --xattrs --xattrs-include='*' -tvvf "$T/root.tar" all/attr >/dev/null
ctl export -o "$T/up.tar" up
tar -tf "$T/up.tar" | grep '^data/v' >/dev/null && fail "what is mounted is not its own"

step "top, stats"
ctl top up | grep 'sleep 1000' >/dev/null || fail "top: $(ctl top up)"
assert_eq "$(ctl top up -o pid,comm -A | sed 1d | awk '{print $2}')" sleep
refused -m 'not running' layerctl top down
assert_eq "$(ctl stats --no-stream --format json | jq -r '.[].name')" up
assert_eq "$(ctl stats --no-stream --format json up | jq -r '.[].pids')" 1
refused -m 'no such container' layerctl stats --no-stream nobody

step "nothing is left"
ctl rm -f up down fresh changed >/dev/null
assert_eq "$(status .active_volumes)" 0 "active volumes"
[ -z "$(ls -A /run/layerblk/view)" ] || fail "a view is left"
grep -E "^/dev/layerblk| /run/layerblk" /proc/mounts && fail "a mount is left"
layerctl image rm "$bare" made:1 running:2 running tiny >/dev/null
