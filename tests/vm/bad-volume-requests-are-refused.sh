#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: bad names and sizes, volumes that are mounted, frozen or missing: a clear error, nothing changed
# requires: mod:layerblk cmd:layerctl cmd:layerck
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

pool_in_file 256M
base=$(volume base 32M)
block_write "$base" 0 base
layerctl deactivate base
layerctl freeze base
layerctl volume create --size 64M v >/dev/null
v=$(disk v)
mkfs.ext4 -q "$v"
mkdir "$T/m"
mount "$v" "$T/m"
list() {
	layerctl volume ls --all --format json | jq -S 'map(del(.own, .own_metadata))'
}
list >"$T/before"

step "names"
for name in a/b /a . .. '' "$(printf 'a\nb')" "$(printf 'x%.0s' {1..256})"; do
	refused layerctl volume create --size 1M "$name"
	refused layerctl snapshot base "$name"
	refused layerctl volume set --name "$name" base
done
refused layerctl volume create --size 1M base
refused layerctl snapshot base v

step "sizes"
for size in 0 1 4095 4097 -1 -4096 9223372036854775808 18446744073709551616 8E 16E 1X '' ' ' 1.00001K 0x10; do
	refused layerctl volume create --size "$size" "n"
done
refused layerctl volume create --quota 1 n
refused layerctl volume resize v 0
refused layerctl volume resize v 16M
refused layerctl volume resize base 64M

step "mounted"
refused layerctl volume rm v
refused layerctl freeze v
refused layerctl deactivate v
refused layerctl pool close "$POOL"
refused layerctl pool destroy "$POOL"
touch "$T/m/still-here"

step "frozen"
refused dd if=/dev/zero of="$(disk base)" bs=4096 count=1 oflag=direct status=none
refused blkdiscard "$(disk base)"
layerctl deactivate base
refused layerctl freeze base
refused layerctl volume rollback base v

step "missing"
refused layerctl volume rm nobody
refused layerctl snapshot nobody x
refused layerctl activate nobody
refused layerctl volume inspect nobody
refused layerctl volume rollback v base
refused layerctl volume diff base nobody
refused layerctl pool status no-such-pool

step "words"
refused layerctl
refused layerctl no-such-command
refused layerctl volume no-such-command
refused layerctl volume create --no-such-option n
refused layerctl volume create --size 1M a b

list >"$T/after"
diff "$T/before" "$T/after" || fail "something changed"
umount "$T/m"
e2fsck -fn "$v"
block_is "$(disk base)" 0 base
