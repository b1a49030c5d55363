#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: damaged, cut and misplaced backups, a full pool and kills leave no volume, snapshot, disk or file behind
# smp: 2
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 600
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

# untouched: nothing has come to the pool, and nothing is under way.
untouched() {
	assert_eq "$(layerctl volume ls -q | sort)" "$before" "volumes"
	assert_eq "$(status .active_volumes)" 0 "active volumes"
	[ -z "$(find /run/layerblk/work -name '*.restore-*' -o -name '*@backup-*')" ] || fail "a lock is left"
	[ -z "$(find "$T" -name '*.??????' -path '*out*')" ] || fail "half a file is left"
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
for at in 0 5 40 200 5000 $((size / 2)) $((size - 1)) $((size - 60)); do
	flip "$T/b0" "$at"
	bad 'damaged|no backup' -i "$T/bad"
done
for at in 0 100 $((size / 3)) $((size - 72)) $((size - 1)); do
	head -c "$at" "$T/b0" >"$T/bad"
	bad 'empty|cut short|middle' -i "$T/bad"
	refused layerctl volume restore --check -i "$T/bad"
done
flip "$T/b1" 3000
bad 'damaged' -i "$T/b0" -i "$T/bad"
echo "this is no backup, whatever else it is" >"$T/bad"
bad 'no backup' -i "$T/bad"
bad 'No such file' -i "$T/none"

step "wrong order"
bad 'follows on' -i "$T/b1"
bad 'follows on' -i "$T/b0" -i "$T/b2"
bad 'follows on' -i "$T/b1" -i "$T/b0"
bad 'follows on' -i "$T/b0" -i "$T/b1" -i "$T/b1"
bad 'twice' -i "$T/b0" -i "$T/b0"
bad 'not in the backups' -i "$T/b0" other
refused -m 'exists' layerctl volume restore -i "$T/b0"
untouched
refused layerctl volume restore -i "$T/b0" --name 'a/b'

step "a pool that gets full"
f=$(volume filler 512M)
timeout -k 5 120 dd if=/dev/urandom of="$f" bs=1M count=210 oflag=direct conv=notrunc status=none 2>/dev/null || true
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
mkdir "$T/out"
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
	rm -f "$T"/out/x.*
	untouched
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
done

step "after all of that, the good ones restore"
layerctl volume restore -i "$T/b0" -i "$T/b1" -i "$T/b2" --name new
cmp "$(disk "$b2")" "$(disk new)"
