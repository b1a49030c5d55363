#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a busy volume, backed up full and incrementally, restores to the exact bytes of each snapshot; a stream is as large as the change
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:fio
# timeout: 1200
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

pool_on "$VM_DISK_pool"

# same A B: two volumes hold the same bytes.
same() {
	local a b rc=0

	a=$(disk "$1")
	b=$(disk "$2")
	cmp "$a" "$b" || rc=1
	layerctl deactivate "$1"
	layerctl deactivate "$2"
	[ "$rc" = 0 ] || fail "$2 is not what $1 is"
}

# backups VOLUME JQ-PATH: of its newest backup.
backups() {
	layerctl volume backups --format json "$1" | jq -r ".[0] | $2"
}

step "full and three incremental ones, while fio writes"
v=$(volume busy 192M)
mkfs.ext4 -q -E lazy_itable_init=1 "$v"
mkdir "$T/m"
mount "$v" "$T/m"
layerctl volume set --label owner=me --label backup= --quota 1G busy
mkdir "$T/m/dir"
pattern keep 3000000 >"$T/m/dir/keep"
fio --name=busy --directory="$T/m" --size=40M --rw=randwrite --bsrange=4k-64k --rate=2M --time_based --runtime=600 --ioengine=sync \
	>"$T/fio" 2>&1 & fio=$!
# shellcheck disable=SC2016 # defer evaluates later
defer 'kill $fio 2>/dev/null; wait $fio || true'
sleep 3
snaps=()
snaps[0]=$(within 120 layerctl volume backup -o "$T/b0" busy)
for i in 1 2 3; do
	sleep 2
	[ "$i" != 2 ] || rm "$T/m/dir/keep"
	compress=none
	[ "$i" != 3 ] || compress=zstd
	snaps[i]=$(within 120 layerctl volume backup --since "${snaps[i - 1]}" --compress "$compress" -o "$T/b$i" busy)
done
kill "$fio"
wait "$fio" || true
umount "$T/m"
ls -l "$T"/b?
layerctl volume backups
assert_eq "$(layerctl volume backups -q busy | wc -l)" 4 "backups"
assert_eq "$(backups busy .kind)" incremental "kind"
assert_eq "$(stat -c %a "$T/b0")" 600 "mode of the file"

for n in 0 1 2 3; do
	args=()
	for i in $(seq 0 $n); do
		args+=(-i "$T/b$i")
	done
	within 200 layerctl volume restore --check "${args[@]}"
	assert_eq "$(within 200 layerctl volume restore "${args[@]}" --name "back$n")" "back$n" "what restore prints"
	same "${snaps[n]}" "back$n"
done
# The same by a program that knows only what docs/backup.md says.
for n in 1 3; do
	mapfile -t files < <(seq -f "$T/b%g" 0 $n)
	/usr/bin/python3 "$TEST_REPO/tests/lib/volstream.py" apply "$T/img" "${files[@]}"
	cmp "$T/img" "$(disk "${snaps[n]}")"
	layerctl deactivate "${snaps[n]}"
done
rm "$T/img"
/usr/bin/python3 "$TEST_REPO/tests/lib/volstream.py" show "$T"/b?
d=$(disk back3)
e2fsck -fn "$d" >"$T/fsck" 2>&1 || { cat "$T/fsck"; fail "the restored file system is not clean"; }
layerctl deactivate back3
assert_eq "$(volume_value back3 '.labels.owner')" me "label"
assert_eq "$(layerctl volume ls -q --filter label=backup | grep -c '^back[0-9]')" 4 "labels"
[ "$(volume_value back3 .quota)" = $((1 << 30)) ] || fail "the quota is not restored: $(layerctl volume inspect back3)"

step "the size of a stream is that of the change"
w=$(volume quiet 256M)
block_write "$w" 1000 base 2000
f0=$(layerctl volume backup -o "$T/q0" quiet)
assert_le "$(stat -c %s "$T/q0")" $((2000 * 4096 * 101 / 100)) "the full stream"
for b in $(seq 10 20 2000); do
	block_write "$w" "$b" "change$b"
done
blkdiscard -o $((2500 * 4096)) -l $((100 * 4096)) "$w"
f1=$(layerctl volume backup --since last -o "$T/q1" quiet)
size=$(stat -c %s "$T/q1")
echo "100 scattered blocks and a discard of 100: $size bytes"
assert_ge "$size" $((100 * 4096)) "the incremental stream"
assert_le "$size" $((100 * 4096 + 100 * 16 + 1024)) "the incremental stream"
reads=$(io_count "$VM_DISK_pool" read_sectors)
f2=$(layerctl volume backup --since last -o "$T/q2" quiet)
reads=$(($(io_count "$VM_DISK_pool" read_sectors) - reads))
echo "a backup without a change reads $reads sectors of the pool's disk"
assert_le "$reads" 2000 "sectors read"
assert_le "$(stat -c %s "$T/q2")" 1024 "a stream without a change"
cat "$T/q0" "$T/q1" "$T/q2" | within 120 layerctl volume restore --name q
same "$f1" q
[ "$(volume_value q .total)" -le $((2200 * 4096)) ] || fail "what was discarded takes space"
same "$f2" q

step "the size of the volume changes in between"
layerctl volume resize quiet 384M
block_write "$w" 90000 far 3
layerctl volume backup --since last -o "$T/q3" quiet >/dev/null
layerctl volume restore -i "$T/q0" -i "$T/q1" -i "$T/q2" -i "$T/q3" --name q3
same "$(backups quiet .name)" q3
layerctl deactivate quiet
layerctl volume resize --shrink quiet 8M
layerctl volume resize quiet 256M
layerctl volume backup --since "$f0" -o "$T/q4" quiet >/dev/null
layerctl volume restore -i "$T/q0" -i "$T/q4" --name q4
same "$(backups quiet .name)" q4

step "all volumes in one stream, through a pipe, and a frozen one"
layerctl snapshot quiet image
within 300 layerctl volume backup busy quiet image --compress zstd 2>"$T/said" >"$T/pipe"
cat "$T/said"
refused -m 'exists' layerctl volume restore -i "$T/pipe"
layerctl volume set -n busy0 busy
layerctl volume set -n quiet0 quiet
layerctl volume set -n image0 image
within 300 layerctl volume restore <"$T/pipe" | tee "$T/out"
assert_eq "$(tr '\n' ' ' <"$T/out")" "busy quiet image " "restored"
same "$(layerctl volume backups --format json busy0 | jq -r '.[0].name')" busy
same image0 image
assert_eq "$(volume_value image .frozen)" true "frozen"
mkdir "$T/files"
n=$(layerctl volume backup --all --filter label=backup --since last -o "$T/files" | wc -l)
assert_eq "$n" "$(find "$T/files" -name '*.lbk' | wc -l)" "files"
assert_ge "$n" 5 "volumes with the label"

step "old snapshots are removed, but for the newest"
assert_eq "$(layerctl volume backup-prune quiet0 --keep-last 2 --dry-run | wc -l)" 4 "what would be removed"
assert_eq "$(layerctl volume backups -q quiet0 | wc -l)" 6 "backups before"
layerctl volume backup-prune quiet0 --keep-last 2
assert_eq "$(layerctl volume backups -q quiet0 | wc -l)" 2 "backups after"
layerctl volume backup-prune --all --keep-daily 1
assert_eq "$(layerctl volume backups --format json | jq 'group_by(.volume_id) | map(length) | max')" 1 "backups after a rule of one"
layerctl volume backup --since last -o "$T/q5" quiet0
refused layerctl volume backup --since "$f0" -o "$T/q6" quiet0
[ ! -e "$T/q6" ] || fail "a refused backup left a file"
assert_eq "$(status .active_volumes)" 1 "active volumes (busy0)"
