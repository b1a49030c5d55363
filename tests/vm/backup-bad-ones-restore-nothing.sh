#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: damaged, cut and misplaced backups, a full pool and kills leave no volume, snapshot, disk or file behind
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 1200
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

expect_klog 'critical space allocation error, dev layerblk'
expect_klog 'Buffer I/O error on dev(ice)? layerblk'
expect_klog 'layerblk: .*(full|no space|low)'

pool_in_file 256M
v=$(volume v 64M)
block_write "$v" 0 first 2000
b0=$(layerctl volume backup -o "$T/b0" v)
block_write "$v" 100 second 50
b1=$(layerctl volume backup --since "$b0" -o "$T/b1" v)
block_write "$v" 300 third 50
b2=$(layerctl volume backup --since "$b1" -o "$T/b2" v)
layerctl deactivate v
before=$(layerctl volume ls -q | sort)
mkdir "$T/out"

# untouched: nothing has come to the pool, and nothing is under way.
untouched() {
	assert_eq "$(layerctl volume ls -q | sort)" "$before" "volumes"
	assert_eq "$(status .active_volumes)" 0 "active volumes"
	[ -z "$(find /run/layerblk/work -name '*.restore-*' -o -name '*@backup-*')" ] || fail "a lock is left"
	[ -z "$(find "$T/out" -type f 2>/dev/null)" ] || fail "half a file is left"
}

# bad REGEX ARGS...: a restore that must be refused and leave nothing.
bad() {
	local re=$1

	shift
	refused -m "$re" within 120 layerctl volume restore --name new "$@" </dev/null
	untouched
}

# flip FILE OFFSET: one bit of a copy, as $T/bad.
flip() {
	cp "$1" "$T/bad"
	printf '%b' "\\x$(printf %02x $((0x$(od -An -tx1 -j "$2" -N 1 "$1" | tr -d " ") ^ 4)))" |
		dd of="$T/bad" bs=1 seek="$2" conv=notrunc status=none
}

step "damage"
size=$(stat -c %s "$T/b0")
for at in 5 200 $((size / 2)) $((size - 60)); do
	flip "$T/b0" "$at"
	bad 'damaged|no backup' -i "$T/bad"
done
for at in 0 100 $((size / 3)) $((size - 72)) $((size - 1)); do
	head -c "$at" "$T/b0" >"$T/bad"
	bad 'empty|cut short|middle' -i "$T/bad"
done
flip "$T/b1" 3000
bad 'damaged' -i "$T/b0" -i "$T/bad"
bad 'damaged|no backup' -i "$T/b0" -i "$T/bad" -i "$T/b2"
echo "this is no backup, whatever else it is" >"$T/bad"
bad 'no backup' -i "$T/bad"
head -c 1000000 /dev/urandom >"$T/bad"
bad 'no backup' -i "$T/bad"
bad 'No such file' -i "$T/none"
cat "$T/b0" "$T/bad" >"$T/bad2"
bad 'damaged' -i "$T/bad2"
/usr/bin/python3 "$TEST_REPO/tests/lib/volstream.py" version 2 "$T/b0" "$T/bad"
bad 'version 2 of the format' -i "$T/bad"

step "damage, at many places of a small stream, and of a compressed one"
w=$(volume w 8M)
block_write "$w" 3 small 2
layerctl volume backup -o "$T/s0" w >/dev/null
layerctl volume backup -o "$T/s1" --compress zstd w >/dev/null
layerctl deactivate w
before=$(layerctl volume ls -q | sort)
for file in s0 s1; do
	size=$(stat -c %s "$T/$file")
	for n in $(seq 0 9); do
		at=$((size * n / 10 + n % 7))
		# Reading is the same with and without --check; some really restore.
		restore=(layerctl volume restore --check -i)
		[ $((n % 5)) != 4 ] || restore=(layerctl volume restore --name new -i)
		flip "$T/$file" $at
		refused -m 'damaged|no backup' "${restore[@]}" "$T/bad"
		head -c $at "$T/$file" >"$T/bad"
		refused -m 'empty|cut short|middle' "${restore[@]}" "$T/bad"
	done
	untouched
done

step "wrong order"
bad 'follows on' -i "$T/b1"
bad 'follows on' -i "$T/b0" -i "$T/b2"
bad 'follows on' -i "$T/b1" -i "$T/b0"
bad 'follows on' -i "$T/b0" -i "$T/b1" -i "$T/b1"
bad 'twice' -i "$T/b0" -i "$T/b0"
bad 'not in the backups' -i "$T/b0" other
refused -m 'exists' layerctl volume restore -i "$T/b0"
untouched
flip "$T/b0" 5000
refused -m 'damaged' layerctl volume restore --replace -i "$T/bad"
untouched
refused layerctl volume restore -i "$T/b0" --name 'a/b'

step "a pool that gets full"
f=$(volume filler 512M)
within 300 dd if=/dev/zero of="$f" bs=1M oflag=direct conv=notrunc status=none 2>"$T/said" && fail "the pool does not get full"
grep -q 'No space' "$T/said" || fail "$(cat "$T/said")"
layerctl deactivate filler
before=$(layerctl volume ls -q | sort)
bad 'No space left|full' -i "$T/b0"
layerctl volume rm filler
before=$(layerctl volume ls -q | sort)
room() {
	[ "$(status .free)" -gt $((64 << 20)) ]
}
wait_until 60 room

step "a backup that cannot be written"
refused layerctl volume backup v -o "$T/nowhere/out"
untouched
refused -m 'No space left' layerctl volume backup v -o /dev/full
untouched
(layerctl volume backup v 2>"$T/said" || echo $? >"$T/rc") | head -c 1000 >/dev/null
grep -q 'Broken pipe' "$T/said" || fail "a reader that went away: $(cat "$T/said")"
untouched
refused -m 'no such backup' layerctl volume backup v --since v@backup-1 -o "$T/out/x"
refused layerctl volume backup none -o "$T/out/x"
untouched

# swept: the next command clears away; what the kernel still does for the killed one, a later command.
swept() {
	local deadline=$((SECONDS + 60))

	while layerctl volume backups 2>&1 >/dev/null | grep 'stays for now'; do
		[ $SECONDS -lt $deadline ] || fail "what the killed command left is still there"
		sleep 1
	done
}

# with_disk_open COMMAND...: while somebody has new's disk open.
with_disk_open() {
	local rc=0

	exec 4<"$(disk new)"
	"$@" || rc=$?
	exec 4<&-
	return $rc
}

step "killed in the middle"
mkfifo "$T/pipe"
for signal in KILL TERM; do
	# The reader takes half and waits: the backup is surely in the middle.
	layerctl volume backup v -o "$T/pipe" 2>/dev/null & pid=$!
	exec 3<"$T/pipe"
	head -c 3000000 <&3 >/dev/null
	assert_eq "$(layerctl volume ls -q | wc -l)" $(($(wc -l <<<"$before") + 1)) "the snapshot while it is written"
	layerctl volume backups >/dev/null
	assert_eq "$(layerctl volume ls -q | wc -l)" $(($(wc -l <<<"$before") + 1)) "another command leaves it alone"
	kill -"$signal" $pid
	exec 3<&-
	wait $pid && fail "it was not killed"
	swept
	untouched

	layerctl volume restore --name new <"$T/pipe" 2>/dev/null & pid=$!
	exec 3>"$T/pipe"
	head -c 3000000 "$T/b0" >&3
	sleep 1
	layerctl volume ls -q | grep -q '^restore-' || fail "no working volume"
	layerctl volume ls -q | grep -qx new && fail "it is visible before it is whole"
	kill -"$signal" $pid
	exec 3>&-
	wait $pid && fail "it was not killed"
	swept
	untouched
done

step "killed at any moment"
for n in $(seq 1 6); do
	layerctl volume backup v -o "$T/out/x" >/dev/null 2>&1 & pid=$!
	sleep 0.$((n * 7 % 10))
	kill -KILL $pid 2>/dev/null || true
	wait $pid || true
	swept
	# Whichever was first, the end or the signal: a whole file under its name, or none at all; its snapshot is a whole one's.
	find "$T/out" ! -name x -type f | grep . && fail "half a file is left"
	[ ! -e "$T/out/x" ] || layerctl volume restore --check -i "$T/out/x"
	layerctl volume backups -q v | grep -vxF -e "$b0" -e "$b1" -e "$b2" >"$T/more" || true
	[ ! -s "$T/more" ] || [ -e "$T/out/x" ] || fail "the snapshot of a backup that is not there"
	xargs -r -n 1 layerctl volume rm <"$T/more" >/dev/null
	rm -f "$T/out/x"
	untouched

	layerctl volume restore --name new -i "$T/b0" -i "$T/b1" >/dev/null 2>&1 & pid=$!
	sleep 0.$((n * 3 % 10))
	kill -KILL $pid 2>/dev/null || true
	wait $pid || true
	if layerctl volume ls -q | grep -qx new; then
		cmp "$(disk "$b1")" "$(disk new)"
		layerctl deactivate "$b1"
		layerctl volume rm new >/dev/null
	fi
	swept
	untouched
done

step "after all of that, the good ones restore"
layerctl volume restore -i "$T/b0" -i "$T/b1" -i "$T/b2" --name new
cmp "$(disk "$b2")" "$(disk new)"
layerctl deactivate "$b2"

step "in the place of another one"
refused -m 'in use' with_disk_open layerctl volume restore --replace -i "$T/b0" --name new
layerctl volume restore --replace -i "$T/b0" --name new
cmp "$(disk "$b0")" "$(disk new)"
layerctl deactivate "$b0"
layerctl volume restore --replace -i "$T/b0" --name newer
layerctl volume ls -q | grep '@replaced' && fail "what was replaced is still there"
true
