#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: data volumes are made when missing, shared by running containers, read-only when asked, and stay
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon
# timeout: 900
# shellcheck disable=SC2016 # expanded in the container
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

pool_on "$VM_DISK_pool"
mkimage oci "$T/tiny"
layerctl image import "$T/tiny" >/dev/null
run() {
	within 100 layerctl run --rm "$@"
}

step "made when missing"
run -v data:/data tiny sh -c 'echo one >/data/file'
assert_eq "$(run -v data:/elsewhere tiny cat /elsewhere/file)" one
assert_eq "$(status .active_volumes)" 0 "active volumes"

step "read-only"
run -v data:/data:ro tiny sh -c 'touch /data/x 2>/dev/null' && fail "it was written to"
assert_eq "$(run -v data:/data:ro tiny cat /data/file)" one

step "two containers at once see each other's writes"
run -v data:/data tiny sh -c 'echo a >/data/a; while [ ! -e /data/b ]; do sleep 0.1; done; echo seen >/data/seen' & a=$!
run -v data:/data tiny sh -c 'while [ ! -e /data/a ]; do sleep 0.1; done; echo b >/data/b'
wait $a
assert_eq "$(run -v data:/data tiny cat /data/seen)" seen
assert_eq "$(status .active_volumes)" 0 "active volumes"

step "several, one within another"
run -v outer:/o -v inner:/o/in tiny sh -c 'echo 1 >/o/x; mkdir -p /o/in; echo 2 >/o/in/y'
assert_eq "$(run -v inner:/i tiny ls -A /i)" y

step "a frozen volume only read-only; a container's root never"
layerctl snapshot data frozen-data
assert_eq "$(run -v frozen-data:/d:ro tiny cat /d/file)" one
run -v frozen-data:/d tiny true 2>"$T/err" && fail "a frozen volume was mounted writable"
grep -q frozen "$T/err" || fail "$(cat "$T/err")"
layerctl run --name root tiny true
run -v root:/d tiny true 2>"$T/err" && fail "a container's root as a volume"
grep -q "container's root" "$T/err" || fail "$(cat "$T/err")"
layerctl rm root

step "a directory of the host"
mkdir "$T/host"
run -v "$T/host:/h" tiny sh -c 'echo from inside >/h/file'
assert_eq "$(cat "$T/host/file")" "from inside"

step "a new volume begins with what the image has there"
want=$(run tiny sh -c 'cd /all && find . ! -type d | sort; stat -c "%a %u:%g" .; cat text-again')
assert_eq "$(run -v filled:/all tiny sh -c 'cd /all && find . ! -type d | sort; stat -c "%a %u:%g" .; cat text-again')" "$want" "its content"
run -v filled:/all tiny rm /all/text-again
run -v filled:/opaque tiny ls -A /opaque >"$T/again"
grep -E 'above|text-again' "$T/again" && fail "filled a second time"
assert_eq "$(run --mount type=volume,source=bare,target=/all,volume-nocopy tiny ls -A /all)" "" "not filled"

step "--mount and --tmpfs"
assert_eq "$(run --mount type=volume,src=data,dst=/d,readonly tiny sh -c 'cat /d/file; touch /d/x 2>/dev/null || echo no' | tr '\n' ' ')" "one no "
assert_eq "$(run --mount type=bind,source="$T/host",target=/h tiny cat /h/file)" "from inside"
rc=0
layerctl run --rm --mount "type=bind,source=$T/no-such,target=/h" tiny true 2>"$T/err" || rc=$?
assert_eq "$rc" 125 "a bind mount of nothing"
assert_eq "$(run --mount type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=700 tiny sh -c 'busybox df -k /t | tail -n 1 | busybox awk "{print \$2}"; stat -c %a /t' | tr '\n' ' ')" "1024 700 "
assert_eq "$(run --tmpfs /t:size=2m --read-only tiny sh -c 'echo x >/t/x; cat /t/x')" x
[ ! -e "$T/no-such" ] || fail "--mount made a directory of the host"

step "anonymous volumes go with --rm and rm -v, and stay with rm"
count() {
	layerctl volume ls --filter frozen=false --quiet | wc -l
}
before=$(count)
run -v /anonymous tiny sh -c 'echo x >/anonymous/y'
assert_eq "$(count)" "$before" "after --rm"
layerctl run --name one -v /anonymous tiny sh -c 'echo kept >/anonymous/y'
layerctl start -a one
layerctl rm -v one
assert_eq "$(count)" "$before" "after rm -v"
layerctl run --name one -v /anonymous tiny sh -c 'echo kept >/anonymous/y'
name=$(layerctl inspect one | jq -r '.[0].Mounts[0].Name')

step "--volumes-from"
assert_eq "$(run --volumes-from one tiny cat /anonymous/y)" kept
assert_eq "$(run --volumes-from one:ro tiny sh -c 'cat /anonymous/y; touch /anonymous/z 2>/dev/null || echo no' | tr '\n' ' ')" "kept no "
rc=0
layerctl create --volumes-from nobody tiny true 2>"$T/err" || rc=$?
assert_eq "$rc" 125 "volumes from nobody"
mkdir "$T/backup"
run --volumes-from one -v "$T/backup:/backup" tiny busybox tar -C /anonymous -cf /backup/b.tar .
tar -xOf "$T/backup/b.tar" ./y | grep -x kept >/dev/null || fail "no backup"
layerctl rm one
assert_eq "$(count)" $((before + 1)) "after rm without -v"
assert_eq "$(run -v "$name:/a" tiny cat /a/y)" kept
layerctl volume rm "$name"
layerctl volume rm filled bare

step "what they hold outlives images"
layerctl image rm tiny
assert_eq "$(layerctl volume ls --quiet | sort | tr '\n' ' ')" "data frozen-data inner outer "
