#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: data volumes are made when missing, shared by running containers, read-only when asked, and stay
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon
# timeout: 600
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
assert_eq "$(run -v inner:/i tiny ls /i)" "$(printf 'lost+found\ny')"

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

step "what they hold outlives images"
layerctl image rm tiny
assert_eq "$(layerctl volume ls --quiet | sort | tr '\n' ' ')" "data frozen-data inner outer "
