#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: images go to another pool as blocks: the same there, shared layers once, only what is missing after a cut, and nothing of what is bad
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon
# timeout: 900
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"
. "$TEST_REPO/tests/lib/terminal.sh"

pool_on "$VM_DISK_pool" --label here
pool_on "$VM_DISK_spare" --label there
cd "$T"
export TMPDIR=$T
mkdir m
stream() {
	/usr/bin/python3 "$TEST_REPO/tests/lib/volstream.py" "$@"
}

# volumes POOL: how many it has.
volumes() {
	layerctl volume ls -q "$1" | wc -l
}

# images POOL: their names and ids.
images() {
	layerctl images --pool "$1" --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' | sort
}

# rest POOL: what must never be left.
rest() {
	assert_eq "$(layerctl volume ls --format json "$1" | jq '[.[] | select(.frozen | not)] | length')" 0 "working volumes in $1"
	assert_eq "$(POOL=$1 status .active_volumes)" 0 "active volumes in $1"
	[ -z "$(find /run/layerblk/work -name '*.receive-*')" ] || fail "a lock is left"
}

# tree POOL IMAGE: its files.
tree() {
	local volume

	volume=$(layerctl image inspect --pool "$1" "$2" | jq -r '.[0].Layers[-1].volume')
	layerctl activate "$1/$volume" >disk
	mount -o ro,noload "$(cat disk)" m 2>/dev/null || mount -o ro,norecovery,nouuid "$(cat disk)" m
	/usr/bin/python3 "$TEST_REPO/tests/lib/treelist.py" m
	umount m
	layerctl deactivate "$1/$volume"
}

# same IMAGE: whatever can be asked about it is answered alike in both pools.
same() {
	tree here "$1" >want
	tree there "$1" >got
	diff want got
	layerctl save --pool here -q "$1" >want
	layerctl save --pool there -q "$1" | cmp - want
	for what in "inspect" "history --no-trunc --format json"; do
		# shellcheck disable=SC2086
		layerctl image $what --pool here "$1" | jq 'del(.[] | .Layers, .Imported, .Size, .layer, .size)' >want
		# shellcheck disable=SC2086
		layerctl image $what --pool there "$1" | jq 'del(.[] | .Layers, .Imported, .Size, .layer, .size)' | diff want -
	done
	rest here
	rest there
}

step "an image from elsewhere, and one built upon it"
mkimage oci tiny
layerctl image import --pool here -q --size 64M tiny
mkdir ctx
echo one >ctx/one
echo two >ctx/two
cat >ctx/Dockerfile <<'END'
FROM tiny
COPY one /srv/
LABEL made=here
COPY two /srv/
RUN rm /all/text && echo three >/srv/three
END
layerctl build --pool here -q -t app:1 ctx
layerctl send --pool here -o app.lbk app:1 tiny app:1 2>said
cat said
grep -q 'final id' said || fail "nothing is said of the final id"
stream show app.lbk >shown
cat shown
assert_eq "$(grep -c ^image shown)" 2 "images in the stream"
assert_eq "$(grep -vc ^image shown)" 7 "layers in the stream: the four of tiny, three of app"
assert_eq "$(awk '!/^image/ {print $2}' shown | sort -u | wc -l)" 7 "each layer once"
rest here
layerctl receive --check -i app.lbk >checked
assert_eq "$(sort checked | tr '\n' ' ')" "app:1 tiny:latest " "receive --check"
assert_eq "$(volumes there)" 0 "volumes after --check"

step "through a pipe"
layerctl send --pool here app:1 tiny 2>/dev/null | layerctl receive --pool there >said
cat said
assert_eq "$(grep -c 'Received$' said)" 7 "layers received"
assert_eq "$(grep '^Loaded image: ' said | sort | tr '\n' ' ')" "Loaded image: app:1 Loaded image: tiny:latest " "images received"
assert_eq "$(volumes there)" 7 "volumes there"
assert_eq "$(images there)" "$(images here)" "images"
same app:1
same tiny:latest
layerctl receive --pool there --have | sort >have-there
layerctl receive --pool here --have | sort | diff - have-there

step "exactly the same blocks, by a reader of its own too"
stream apply out app.lbk
top=$(layerctl image inspect --pool there app:1 | jq -r '.[0].Layers[-1].volume')
cmp out "$(disk "there/$top")"
cmp out "$(disk "here/$top")"
layerctl deactivate "there/$top"
layerctl deactivate "here/$top"
rm out

step "again, and compressed: all of it is there"
layerctl send --pool here --compress zstd -o again.lbk app:1 2>/dev/null
assert_le $(($(stat -c %s again.lbk) * 10)) $(($(stat -c %s app.lbk) * 9)) "a compressed stream"
layerctl receive --pool there -i again.lbk >said
assert_eq "$(volumes there)" 7 "volumes there"
assert_eq "$(cat said)" "Loaded image: app:1" "what is said of an image that is there"

step "it runs there, is built upon, and the build's cache has come along"
assert_eq "$(layerctl run --pool there --rm app:1 cat /srv/three)" three "a container of it"
layerctl build --pool there -t app:cached ctx 2>said
assert_eq "$(grep -c CACHED said)" 3 "cached steps"
printf 'FROM app:1\nCOPY one /srv/more\n' >ctx/next
layerctl build --pool there -q -t app:next -f ctx/next ctx >/dev/null
assert_eq "$(layerctl run --pool there --rm app:next cat /srv/more)" one "what was built on it"
layerctl rmi --pool there app:next app:cached >/dev/null
assert_eq "$(volumes there)" 7 "volumes there"

step "a small layer more: its stream is as large as what it changes, and goes on by itself"
dd if=/dev/urandom of=ctx/noise bs=4096 count=64 status=none
printf 'FROM app:1\nCOPY noise /noise\n' >ctx/more
layerctl build --pool here -q -t app:2 -f ctx/more ctx >/dev/null
layerctl receive --pool there --have | layerctl send --pool here --have - app:2 2>said >more.lbk
grep -q 'without 7' said || fail "$(cat said)"
stream show more.lbk | grep -v ^image >shown
assert_eq "$(wc -l <shown)" 1 "layers in the stream"
size=$(stat -c %s more.lbk)
echo "$size bytes for a layer with 262144"
assert_ge "$size" 262144 "the stream of the small layer"
assert_le "$size" $((262144 + 160000)) "the stream of the small layer"
layerctl receive --check -i more.lbk 2>said
grep -q '7 layers are left out' said || fail "$(cat said)"
layerctl receive --pool there <more.lbk
same app:2

step "cut short anywhere, and gone on with"
layerctl rmi --pool there app:1 app:2 tiny >/dev/null
assert_eq "$(volumes there)" 0 "volumes after rmi"
assert_eq "$(layerctl receive --pool there --have)" "" "what is said to be there"
layerctl send --pool here -q -o app.lbk app:2
stream ends app.lbk >parts
before=0
for n in 1 2 5 8; do
	# In the middle of the blocks of the nth layer.
	end=$(awk '$2 == "volume-end" {print $1}' parts | sed -n "${n}p")
	head -c $((end - 100)) app.lbk >cut.lbk
	refused -m 'cut short|middle' layerctl receive --pool there -i cut.lbk
	rest there
	assert_eq "$(images there)" "" "half an image"
	assert_eq "$(volumes there)" $((n - 1)) "whole layers after the cut"
	layerctl receive --pool there --have >have
	assert_eq "$(wc -l <have)" $((n - 1)) "what is said to be there"
	layerctl send --pool here -q --have have app:2 >rest.lbk
	assert_eq "$(stream show rest.lbk | grep -vc ^image)" $((8 - n + 1)) "layers in the stream that goes on"
	[ "$before" = 0 ] || assert_le "$(stat -c %s rest.lbk)" "$before" "what is still to go"
	before=$(stat -c %s rest.lbk)
done
assert_eq "$(layerctl df --pool there --format json | jq -r '.[] | select(.type == "Build Cache") | .total')" 7 "layers of no image in df"
head -c "$(tail -n 2 parts | head -n 1 | cut -d' ' -f1)" app.lbk >cut.lbk
layerctl receive --pool there <rest.lbk
same app:2
refused -m 'cut short' layerctl receive --pool there -i cut.lbk
layerctl rmi --pool there app:2 >/dev/null
assert_eq "$(volumes there)" 0 "volumes after rmi"

step "killed in the middle"
mkfifo pipe
end=$(awk '$2 == "volume-end" {print $1}' parts | sed -n 2p)
for signal in KILL TERM; do
	layerctl receive --pool there -i pipe >out 2>&1 & pid=$!
	exec 3>pipe
	head -c $((end - 1000)) app.lbk >&3
	wait_until 60 grep -qE 'Received|Already there' out
	wait_until 60 test "$(layerctl volume ls -q there | grep -c '^receive-')" = 1
	kill -$signal $pid
	exec 3>&-
	wait $pid && fail "it was not killed"
	# What the kernel still writes back for it, a later command clears away.
	clear_away() {
		layerctl images --pool there >/dev/null 2>said
		! grep -q 'stays for now' said
	}
	wait_until 60 clear_away
	rest there
	assert_eq "$(volumes there)" 1 "volumes after the kill"
done
layerctl system prune --pool there -f >said
assert_eq "$(volumes there)" 0 "volumes after prune"
(layerctl send --pool here app:2 2>said || echo $? >rc) | head -c 1000 >/dev/null
grep -q 'Broken pipe' said || fail "a reader that went away: $(cat said)"
assert_eq "$(cat rc)" 1 "the status of send"
refused layerctl send --pool here app:2 -o /dev/full
refused layerctl send --pool here app:2 -o none/file
for command in "send app:2" receive; do
	# shellcheck disable=SC2086
	terminal '' layerctl $command --pool here
	assert_eq "$STATUS" 1 "$command with a terminal"
	grep -q 'it is a terminal' text || fail "$command with a terminal"
done
rest here

step "what is bad"
# bad REGEX ARGS...: must be refused, and nothing be there then, but for whole layers.
bad() {
	local re=$1

	shift
	refused -m "$re" within 120 layerctl receive --pool there "$@" </dev/null
	rest there
	assert_eq "$(images there)" "" "images"
}
# flip FILE OFFSET: one bit of a copy, as bad.lbk.
flip() {
	cp "$1" bad.lbk
	printf '%b' "\\x$(printf %02x $((0x$(od -An -tx1 -j "$2" -N 1 "$1" | tr -d " ") ^ 4)))" |
		dd of=bad.lbk bs=1 seek="$2" conv=notrunc status=none
}
size=$(stat -c %s app.lbk)
for at in 5 150 5000 $((size / 2)) $((size - 300)) $((size - 100)); do
	flip app.lbk $at
	refused -m 'damaged|no stream' layerctl receive --check -i bad.lbk
done
flip app.lbk 150
bad damaged -i bad.lbk
flip app.lbk $(($(awk '$2 == "volume-end" {print $1; exit}' parts) / 2))
bad damaged -i bad.lbk
assert_eq "$(volumes there)" 0 "volumes"
head -c 100000 /dev/urandom >bad.lbk
bad 'no stream' -i bad.lbk
bad 'empty'
bad 'No such file' -i none
stream version 2 app.lbk bad.lbk
bad 'version 2 of the format' -i bad.lbk
bad 'follows on the layer [0-9a-f]+, which this pool does not have.*without --have' -i more.lbk
layerctl receive --pool here --have >have
layerctl send --pool here -q --have have -o bad.lbk app:2
bad 'neither in the stream nor' -i bad.lbk
while read -r was is; do
	stream forge app.lbk bad.lbk "$was" "$is"
	bad '(digest|names|file system|makes no sense)' -i bad.lbk
	assert_eq "$(volumes there)" 0 "volumes"
done <<'END'
"os":"linux" "os":"minix"
app:2 ../:2
ext4 /etc
"version":1 "version":2
"offset" "offend"
END
stream forge app.lbk bad.lbk ext4 vfat
bad 'is not the vfat' -i bad.lbk
assert_eq "$(volumes there)" 0 "volumes"
volume here/v 8M >/dev/null
layerctl deactivate here/v
layerctl volume backup here/v -o v.lbk
bad 'backup of volumes.*volume restore' -i v.lbk
refused -m 'holds images.*layerctl receive' layerctl volume restore --pool there -i app.lbk
layerctl volume rm here/v >/dev/null
printf 'xyz\n' >have
refused -m 'line 1' layerctl send --pool here --have have app:2 -o none.lbk
refused -m 'no such image' layerctl send --pool here none:1 -o none.lbk
refused -m 'used by itself' layerctl receive --pool there --have --check
[ -z "$(find . -name 'none*')" ] || fail "a file is left"
head -c $((end - 100)) app.lbk >cut.lbk
bad 'middle' -i cut.lbk
rm ./*.lbk

step "there, where the same image was imported: its own layers stay what they are"
layerctl image prune --pool there -f >/dev/null
layerctl image import --pool there -q --size 64M tiny
assert_eq "$(volumes there)" 4 "volumes"
layerctl send --pool here -q tiny | layerctl receive --pool there >said
assert_eq "$(cat said)" "Loaded image: tiny:latest" "an image that is there"
assert_eq "$(volumes there)" 4 "volumes"
layerctl send --pool here -q tiny app:1 | layerctl receive --pool there >/dev/null
assert_eq "$(volumes there)" 11 "volumes: what is sent follows on its own layers"
same app:1
layerctl save --pool here -q tiny >want
layerctl save --pool there -q tiny | cmp - want
layerctl image import --pool there -q --tag other:1 tiny
assert_eq "$(volumes there)" 11 "volumes after another import"
layerctl rmi --pool there app:1 >/dev/null
assert_eq "$(volumes there)" 4 "volumes after the received image went"
layerctl image import --pool there -q --tag third:1 tiny
assert_eq "$(volumes there)" 4 "volumes: the imported layers are still found"
layerctl send --pool here -q app:1 | layerctl receive --pool there >/dev/null
layerctl rmi --pool there tiny other:1 third:1 >/dev/null
assert_eq "$(volumes there)" 7 "volumes after the imported image went"
assert_eq "$(layerctl run --pool there --rm app:1 cat /srv/three)" three "the received one"
layerctl rmi --pool there app:1 >/dev/null
assert_eq "$(volumes there)" 0 "volumes after rmi"

step "received first: an import takes up its layers"
layerctl send --pool here -q app:1 | layerctl receive --pool there -q >said
assert_eq "$(cat said)" "$(layerctl image inspect --pool here app:1 | jq -r '.[0].Id')" "what -q says"
layerctl image import --pool there -q tiny
assert_eq "$(volumes there)" 7 "volumes"
layerctl rmi --pool there app:1 tiny >/dev/null
assert_eq "$(volumes there)" 0 "volumes after rmi"

step "xfs, a commit of a container, and no name"
mkimage deep deep layers=2
layerctl image import --pool here -q --fs xfs --size 512M deep >/dev/null
layerctl run --pool here --name grows -w / deep sh -c 'echo more >/more'
layerctl commit --pool here grows grown:1 >/dev/null
layerctl rm --pool here grows >/dev/null
layerctl send --pool here -q grown:1 -o grown.lbk
layerctl receive --pool there -i grown.lbk
same grown:1
layerctl rmi --pool there grown:1 >/dev/null
layerctl send --pool here -q "$(layerctl images --pool here -q --no-trunc grown:1)" | layerctl receive --pool there >said
grep -q 'Loaded image ID: sha256:' said || fail "$(cat said)"
layerctl image prune --pool there -f >/dev/null
assert_eq "$(volumes there)" 0 "volumes after prune"
