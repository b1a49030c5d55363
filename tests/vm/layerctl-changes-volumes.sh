#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: layerctl resize, rename, quota, labels, rollback, freeze, diff, events and udev links
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 240
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

layerctl events --format json >"$T/events" &
follower=$!
defer "kill $follower 2>/dev/null; wait $follower 2>/dev/null; true"
sleep 1
pool_in_file 1G --label main
uuid=$(status .uuid)

step "labels and filters"
layerctl volume create --size 64M --label role=web --label tier=1 --label bare web >/dev/null
layerctl volume create --size 64M --label role=db db >/dev/null
assert_eq "$(volume_value web '.labels | tojson')" '{"bare":"","role":"web","tier":"1"}'
assert_eq "$(layerctl volume ls -q --filter label=role)" "web
db"
assert_eq "$(layerctl volume ls -q --filter label=role=db)" db
assert_eq "$(layerctl volume ls -q --filter label=bare --filter name=we)" web
layerctl volume set web --label role=app --label-rm tier --label-rm never-there
assert_eq "$(volume_value web '.labels | tojson')" '{"bare":"","role":"app"}'
refused layerctl volume set web
refused layerctl volume set web --label =x

step "a name with all that a name may have"
odd=$'gr\xc3\xbc\xc3\x9fe \xe6\x97\xa5\xe6\x9c\xac "quoted" \\back *? -'
layerctl volume create --size 4K "$odd" >/dev/null
assert_eq "$(volume_value "$odd" .name)" "$odd"
layerctl activate "$odd" >/dev/null
layerctl deactivate "$odd"
layerctl volume rm "$odd" >/dev/null
layerctl volume create --size 4K -- --dashes >/dev/null
layerctl volume rm -- --dashes >/dev/null

step "rename, by id"
layerctl volume set id:2 --name data
assert_eq "$(layerctl volume inspect id:2 | jq -r '.[0].name')" data
refused -m "exists|there already" layerctl volume set data --name web

step "links by udev"
d=$(disk data)
if pidof systemd-udevd udevd >/dev/null 2>&1; then
	wait_until 10 test -L /dev/layerblk/main/data
	assert_eq "$(readlink -f "/dev/layerblk/$uuid/data")" "$d"
fi

step "resize while it is mounted"
mkfs.ext4 -q "$d"
mkdir "$T/m"
layerctl mount data "$T/m"
layerctl volume resize data 128M
layerctl volume resize data +64M
assert_eq "$(blockdev --getsize64 "$d")" $((192 << 20))
resize2fs "$d" >/dev/null 2>&1
assert_ge "$(df --output=size -k "$T/m" | tail -1)" $((150 << 10))
refused -m shrink layerctl volume resize data 64M
layerctl umount data
layerctl volume resize --shrink data 64M
assert_eq "$(volume_value data .size)" $((64 << 20))

step "quota"
layerctl volume create --size 64M --quota 1M small >/dev/null
d=$(disk small)
refused dd if=/dev/urandom of="$d" bs=64k count=64 oflag=direct status=none
layerctl volume set small --quota none
dd if=/dev/urandom of="$d" bs=64k count=64 oflag=direct status=none
refused layerctl volume set small --quota 1
layerctl deactivate small

step "rollback keeps an active volume active, and refuses a mounted one"
d=$(disk web)
block_write "$d" 5 before
layerctl snapshot web web1 >/dev/null
block_write "$d" 5 after
block_write "$d" 6 after
layerctl snapshot web web2 >/dev/null
layerctl volume rollback web web1
d=$(disk web)
block_is "$d" 5 before
refused -m "no ancestor" layerctl volume rollback web data
block_is "$d" 5 before
layerctl volume rollback web web1
block_is "$(disk web)" 5 before

step "diff"
assert_eq "$(layerctl volume diff web1 web2)" "C 20480 8192"
assert_eq "$(layerctl volume diff web2)" "C 20480 8192"
assert_eq "$(layerctl volume diff web2 web1)" "C 20480 4096
D 24576 4096"
assert_eq "$(layerctl volume diff --summary web2 web1)" "4KiB changed, 4KiB cleared, in 2 ranges"
assert_eq "$(layerctl volume diff --format json web1 web2 | jq -c .)" \
	'{"changed":8192,"cleared":0,"ranges":[{"start":20480,"length":8192,"data":true}]}'
refused -m "not frozen" layerctl volume diff web1 web

step "freeze lets an unused disk go"
disk small >/dev/null
refused -m exists layerctl freeze --name web1 small
assert_eq "$(volume_value small .active)" true
layerctl freeze --name layer small
assert_eq "$(volume_value layer .frozen)" true
refused layerctl freeze layer
refused layerctl snapshot --quota 1M web s
layerctl snapshot --frozen layer copy >/dev/null
assert_eq "$(volume_value copy .frozen)" true

step "rm: forced, in use, with children"
layerctl volume rm --force not-there
refused layerctl volume rm not-there
refused -m children layerctl volume rm --no-children layer
layerctl volume rm layer copy >/dev/null
mkfs.ext4 -q -F "$(disk data)"
layerctl mount data "$T/m"
refused layerctl volume rm data
layerctl umount data

step "scrub"
layerctl scrub --wait | grep -q '^done: .* 0 errors$' || fail "scrub"
layerctl scrub --status --format json | jq -e '.state == "done" and .errors == 0 and .read > 0' >/dev/null || fail "status"
refused layerctl scrub --wait --stop

step "the events of all that"
wait_until 10 grep -q scrub-done "$T/events"
jq -es 'map(select(.volume == 1) | .type) | index("volume-create") != null and index("volume-rollback") != null' \
	"$T/events" >/dev/null || fail "$(cat "$T/events")"
jq -es '[.[].type] as $t | ["pool-open", "volume-create", "volume-change", "volume-snapshot", "volume-freeze", "volume-remove",
	"volume-activate", "volume-deactivate", "scrub-done"] | all(. as $x | $t | index($x) != null)' "$T/events" >/dev/null ||
	fail "not all events: $(jq -r .type "$T/events" | sort | uniq -c)"
jq -es '[.[].sequence] as $s | $s == ($s | sort)' "$T/events" >/dev/null || fail "out of order"
within 20 layerctl events main --type volume-create --count 1 >"$T/one" &
one=$!
sleep 2
layerctl volume create --size 4K last >/dev/null
wait $one
grep -q "volume-create pool=$uuid .*name=last" "$T/one" || fail "$(cat "$T/one")"
refused layerctl events --type no-such-type

step "completion"
assert_eq "$(layerctl __complete volume inspect we | sort | tr '\n' ' ')" "web web1 web2 "
assert_eq "$(layerctl __complete pool close m)" main
layerctl completion bash >"$T/completion"
# shellcheck disable=SC2016 # for the inner shell
completed=$(bash -c '. "$0"; COMP_WORDS=(layerctl snapshot da); COMP_CWORD=2; _layerctl; echo "${COMPREPLY[*]}"' "$T/completion")
assert_eq "$completed" data
