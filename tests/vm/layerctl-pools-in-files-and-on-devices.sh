#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: pools in files and on devices: loop devices, labels, opening by path, UUID, label and --all, growth, destruction
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 300
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

F=$T/one.img
loops() {
	losetup -n -O NAME -j "$1" | tr -d ' \n'
}
uuid_of() {
	layerctl pool status --format json "$1" | jq -r .uuid
}
defer "layerctl pool close --all --force"

step "a file: sparse, behind a loop device with direct I/O"
uuid=$(layerctl pool create --size 256M --label first "$F")
[[ $uuid =~ ^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$ ]] || fail "no UUID: $uuid"
assert_eq "$(stat -c %s "$F")" $((256 << 20))
assert_le "$(bytes_of "$F")" $((16 << 20))
loop=$(loops "$F")
assert_eq "$(cat "/sys/block/${loop#/dev/}/loop/dio")" 1 "no direct I/O"
assert_eq "$(cat "/sys/block/${loop#/dev/}/loop/autoclear")" 1 "it would stay"
assert_eq "$(stat -c %a "$F")" 600

step "closing takes the loop device away"
layerctl volume create --size 8M v >/dev/null
layerctl pool close first
assert_eq "$(loops "$F")" ""

step "opening by file, UUID, its beginning, label"
for name in "$F" "$uuid" "${uuid:0:4}" "${uuid:0:13}" first; do
	assert_eq "$(layerctl pool open "$name")" "$uuid" "$name"
	assert_eq "$(layerctl volume ls --quiet "$name")" v
	refused layerctl pool open "$name"
	layerctl pool close "$name"
	assert_eq "$(loops "$F")" "" "$name"
done
refused -m "no device or file" layerctl pool open nothing
refused layerctl pool open 0123
(cd "$T" && layerctl pool open one.img >/dev/null && layerctl pool close ./one.img)

step "a loop device that is there already serves"
losetup -f --direct-io=on "$F"
mine=$(loops "$F")
layerctl pool open "$F" >/dev/null
assert_eq "$(layerctl pool ls --format json | jq -r '.[0].device')" "$mine"
layerctl pool close first
assert_eq "$(loops "$F")" "$mine" "somebody else's loop device is gone"
layerctl pool open "$mine" >/dev/null
layerctl pool close "$mine"
losetup -d "$mine"

step "two pools: names with the pool in front"
other=$(layerctl pool create --force "$VM_DISK_spare")
layerctl pool open "$F" >/dev/null
refused -m "more than one pool" layerctl volume ls
refused -m "more than one pool" layerctl volume create --size 1M x
layerctl volume create --size 1M "${other:0:8}/x" >/dev/null
assert_eq "$(layerctl volume ls --quiet "$VM_DISK_spare")" x
assert_eq "$(layerctl volume inspect first/v | jq -r '.[0].pool')" "$uuid"
assert_eq "$(layerctl volume inspect first/id:1 "${other:0:4}/id:1" | jq -r '.[].name' | tr '\n' ' ')" "v x "
refused -m "another one" layerctl snapshot first/v "${other:0:8}/s"
refused -m "two pools" layerctl volume diff first/v "${other:0:8}/x"
refused -m "another open pool" layerctl pool create --size 64M --label first "$T/two.img"
[ ! -e "$T/two.img" ] || fail "a refused pool leaves its file"

step "--all"
layerctl pool close --all
assert_eq "$(layerctl pool ls --quiet)" ""
layerctl pool ls --all --format json | jq -e --arg a "$uuid" --arg b "$other" \
	'map(select(.state == "closed") | .uuid) | contains([$a, $b])' >/dev/null || fail "--all does not find both"
layerctl pool open --all | sort >"$T/opened"
assert_eq "$(grep -cx -e "$uuid" -e "$other" "$T/opened")" 2 "not both were opened"
layerctl pool close "$VM_DISK_spare"

step "growth: by size, by more, to all of the device"
assert_eq "$(layerctl pool grow first 300M)" 300MiB
assert_eq "$(layerctl pool grow +100M)" 400MiB
truncate -s 512M "$F"
assert_eq "$(layerctl pool grow)" 512MiB
refused -m "never shrinks" layerctl pool grow first 512M
refused -m "never shrinks" layerctl pool grow first 100M
refused layerctl pool grow first 1000
refused layerctl pool grow first 9223372036854775807
assert_eq "$(stat -c %s "$F")" $((512 << 20))
assert_eq "$(layerctl pool status first --format json | jq .size)" $((512 << 20))

step "settings"
layerctl pool set first --no-space queue --no-space-timeout 90s --low-water 25% --commit-interval 5s --cache 8M --label renamed
# The cache holds whole nodes.
layerctl pool status renamed --format json | jq -e '.settings | (.cache_limit > 8380000 and .cache_limit <= 8388608) and
	del(.cache_limit) == {"no_space": "queue", "no_space_timeout_ms": 90000, "low_water": 134217728,
	"commit_interval_ms": 5000}' >/dev/null || fail "$(layerctl pool status renamed --format json | jq -c .settings)"
for bad in "--no-space maybe" "--low-water 100%" "--low-water 1T" "--commit-interval 1ms" "--commit-interval 2h" \
	"--cache 1k" "--label a/b" "--label cafe" "--no-space-timeout x" ""; do
	# shellcheck disable=SC2086 # words are meant
	refused layerctl pool set renamed $bad
done
layerctl pool set renamed --no-space error
layerctl pool close renamed
layerctl pool open "$F" >/dev/null
assert_eq "$(layerctl pool status renamed --format json | jq -r '.settings | "\(.no_space) \(.low_water)"')" "error 134217728"

step "a killed create leaves no pool that opens halfway, nor a loop device"
for i in 1 2 3 4 5 6 7 8; do
	layerctl pool create --no-open --size 256M "$T/killed.img" >/dev/null &
	sleep 0.0$i
	kill -9 $! 2>/dev/null || true
	wait $! 2>/dev/null || true
	wait_until 10 test -z "$(loops "$T/killed.img" 2>/dev/null || true)"
	rm -f "$T/killed.img"
done

step "destroy"
refused -m "it is open" layerctl pool destroy "$F"
layerctl pool close renamed
refused layerctl pool destroy "$T"
layerctl pool destroy "$F"
assert_eq "$(bytes_of "$F") $(stat -c %s "$F")" "0 $((512 << 20))"
refused -m "no layerblk pool" layerctl pool open "$F"
refused layerctl pool open "$uuid"
layerctl pool create "$F" >/dev/null
layerctl activate "$(layerctl volume create --size 1M v)" >/dev/null
layerctl pool destroy --force "$F"
refused layerctl pool open "$F"
assert_eq "$(loops "$F")" ""
layerctl pool destroy "$VM_DISK_spare"
refused layerctl pool open "$VM_DISK_spare"

step "what was on the device is gone when force was used, at its end too"
mkfs.ext4 -q "$VM_DISK_spare"
printf 'label: gpt\nstart=2048\n' >"$T/gpt"
if command -v sfdisk >/dev/null; then
	sfdisk -q "$VM_DISK_spare" <"$T/gpt" >/dev/null
	refused -m "partition table of gpt|signature" layerctl pool create "$VM_DISK_spare"
fi
layerctl pool create --force --no-open "$VM_DISK_spare" >/dev/null
assert_eq "$(wipefs "$VM_DISK_spare")" "" "signatures are left"
layerctl pool destroy "$VM_DISK_spare"
