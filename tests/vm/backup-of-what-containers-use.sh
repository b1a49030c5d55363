#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a container's volume is backed up under it, restored and used by another; --all and the timer's commands; progress on a terminal
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon cmd:zstd
# timeout: 900
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"
. "$TEST_REPO/tests/lib/terminal.sh"

containers_on "$VM_DISK_pool"

# A counter in a file of its own, and the same in another right after it: at any instant they are equal, or one apart.
# shellcheck disable=SC2016 # expanded in the container
writer='n=0; while :; do n=$((n + 1)); echo $n >/data/one.new; mv /data/one.new /data/one; echo $n >/data/two.new; mv /data/two.new /data/two; done'
# shellcheck disable=SC2016 # expanded in the container
reader='[ -s /data/one ] && [ -s /data/two ] && echo "$(cat /data/one) $(cat /data/two)"'

step "under a running container"
within 100 layerctl run -d --name app -v data:/data tiny sh -c "$writer" >/dev/null
wait_until 60 sh -c 'layerctl exec app cat /data/two >/dev/null 2>&1'
layerctl volume set --label backup=yes --label app=counter data
within 120 layerctl volume backup -o "$T/d0" data
sleep 2
within 120 layerctl volume backup --since last -o - data 2>"$T/said" | zstd -q >"$T/d1.zst"
cat "$T/said"
grep -q 'data@backup-.*incremental' "$T/said" || fail "what is said beside a stream"
assert_eq "$(layerctl ps -q | wc -l)" 1 "the container runs on"
zstd -dcq "$T/d1.zst" | cat "$T/d0" - | within 120 layerctl volume restore --name copy
layerctl volume restore -q -i "$T/d0" --name copy0
read -r one two <<<"$(within 100 layerctl run --rm -v copy:/data tiny sh -c "$reader")"
echo "at the second backup: $one $two"
assert_le "$two" "$one" "the second file is not ahead of the first"
assert_le $((one - two)) 1 "the two files belong to one instant"
read -r one0 _ <<<"$(within 100 layerctl run --rm -v copy0:/data tiny sh -c "$reader")"
[ "$one" -gt "$one0" ] || fail "the second backup is not later than the first: $one0, $one"
assert_eq "$(volume_value copy '.labels.app')" counter "label"
refused -m 'in use' layerctl volume restore --replace -i "$T/d0"
refused -m "container's root" layerctl volume restore --replace -i "$T/d0" --name app
layerctl stop -t 1 app
layerctl volume restore --replace -i "$T/d0"
layerctl start app
wait_until 60 sh -c 'layerctl exec app cat /data/two >/dev/null 2>&1'

step "--all: data volumes, and no container's root or layer"
layerctl volume create --size 16M plain >/dev/null
layerctl snapshot plain frozen >/dev/null
within 200 layerctl volume backup --all --compress zstd 2>"$T/said" | within 200 layerctl volume restore --check
sed 's/.*: \(.*\)@backup-.*/\1/' "$T/said" | sort | tr '\n' ' ' >"$T/volumes"
assert_eq "$(cat "$T/volumes")" "copy copy0 data plain " "what --all is"

step "a container's root by its name"
within 120 layerctl volume backup -o "$T/root" app
layerctl volume restore -i "$T/root" --name root
mkdir "$T/m"
mount "$(disk root)" "$T/m"
assert_eq "$(cat "$T/m/etc/passwd")" "$(layerctl exec app cat /etc/passwd)" "a file of it"
umount "$T/m"
layerctl deactivate root
assert_eq "$(layerctl ps -aq | wc -l)" 1 "the restored root is no container"

step "the timer's commands"
mkdir "$T/files"
cat >"$T/default" <<EOF
DIRECTORY=$T/files
KEEP_OPTIONS="--keep-last 2"
EOF
unit=/lib/systemd/system/layerblk-backup.service
timer() {
	local line

	# As systemd would: the environment, then the commands one after the other.
	while read -r line; do
		eval "export $line"
	done < <(sed -n 's/^Environment=//p' "$unit")
	# shellcheck source=/dev/null
	. "$T/default"
	while read -r line; do
		eval "within 200 $line"
	done < <(sed -n 's/^ExecStart=//p' "$unit")
}
# The others' chains begin with the backups above, which are not in this directory.
layerctl volume create --fs ext4 --size 64M --label backup=yes late >/dev/null
for i in 1 2 3; do
	within 100 layerctl run --rm -v late:/data tiny sh -c "echo $i >>/data/file"
	(timer)
	sleep 1
done
ls -l "$T/files"
assert_eq "$(find "$T/files" -name 'data@backup-*.lbk' | wc -l)" 3 "files of data"
assert_eq "$(find "$T/files" -name 'copy*.lbk' | wc -l)" 6 "copies have the label, too"
assert_eq "$(find "$T/files" -name 'plain*' | wc -l)" 0 "files of a volume without the label"
assert_eq "$(layerctl volume backups -q data | wc -l)" 2 "snapshots that are kept"
mapfile -t files < <(find "$T/files" -name 'late@*' | sort)
within 200 layerctl volume restore "${files[@]/#/--input=}" --name chain
cmp "$(disk late)" "$(disk chain)"
layerctl deactivate late
layerctl deactivate chain

step "on a terminal"
TERM=xterm terminal "" layerctl volume backup -o "$T/t0" copy
grep -q 'Backing up copy .*%' "$T/text" || fail "no progress"
TERM=xterm terminal "" layerctl volume restore -i "$T/t0" --name copy9
grep -q 'Restoring .*%' "$T/text" || fail "no progress"
TERM=xterm terminal "" layerctl volume backup copy
[ "$STATUS" = 1 ] || fail "a stream onto the terminal: $STATUS"
grep -q 'it is a terminal' "$T/text" || fail "why not"
