#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: layerctl run: environment, arguments, exit status, isolation, volumes, and nothing left
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon
# timeout: 420
# shellcheck disable=SC2016 # expanded in the container
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

pool_on "$VM_DISK_pool"
mkimage oci "$T/tiny"
layerctl image import "$T/tiny"
run() {
	within 100 layerctl run --rm "$@"
}

step "the image's own command, environment and directory"
assert_eq "$(run tiny:latest)" "running app as 0 with args:"
assert_eq "$(run tiny:latest sh -c 'echo "$GREETING in $(pwd)"')" "hello from the image in /app"
assert_eq "$(run tiny:latest echo one 'two  words')" "one two  words"

step "the exit status is the container's"
for want in 0 1 7 126; do
	rc=0
	run tiny:latest sh -c "exit $want" || rc=$?
	assert_eq "$rc" "$want" "exit status"
done
rc=0
run tiny:latest no-such-command 2>"$T/err" || rc=$?
assert_eq "$rc" 127 "a command that is not there"
rc=0
layerctl run --rm no-such-image 2>"$T/err" || rc=$?
assert_eq "$rc" 125 "as docker run says that it failed itself"
grep -q 'no such image' "$T/err" || fail "no words: $(cat "$T/err")"

step "what it writes is its own"
run tiny:latest sh -c 'echo mine >/etc/layers; rm -r /all; cat /etc/layers'
assert_eq "$(run tiny:latest tail -n 1 /etc/layers)" app "the image changed"
assert_eq "$(run tiny:latest cat /all/text)" "text of the third layer" "the image changed"

step "it sees no host"
run tiny:latest sh -c 'ls /' | grep -q scratch && fail "the host's directories"
assert_eq "$(run tiny:latest sh -c 'echo $$')" 1 "a PID namespace of its own"

step "a volume outlives it"
layerctl volume create --size 64M keep >/dev/null
run -v keep:/data tiny:latest sh -c 'echo kept >/data/file'
assert_eq "$(run -v keep:/data tiny:latest cat /data/file)" kept

step "standard input"
assert_eq "$(echo through | within 100 layerctl run --rm -i tiny:latest cat)" through

step "ten of them, two at a time: never busy, nothing left"
before=$(layerctl volume ls --quiet | sort)
for ((i = 0; i < 5; i++)); do
	run tiny:latest sh -c 'dd if=/dev/zero of=/big bs=64k count=100 2>/dev/null; sync' & a=$!
	run tiny:latest sh -c 'touch /tmp/x; ls /all >/dev/null' & b=$!
	wait $a
	wait $b
done
assert_eq "$(layerctl volume ls --quiet | sort)" "$before" "volumes"
layerctl pool status --format json "$POOL" | jq '.active_volumes // .[0].active_volumes'
assert_eq "$(status .active_volumes)" 0 "active volumes"
grep -E "^/dev/layerblk| /run/layerblk" /proc/mounts && fail "a mount is left"
[ -z "$(crun list -q 2>/dev/null)" ] || fail "crun still knows a container"
layerctl image rm tiny:latest
