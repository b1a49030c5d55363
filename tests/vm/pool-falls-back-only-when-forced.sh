#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: both copies of the newest superblock damaged: refused, opened when forced, under the pool's own UUID
# requires: mod:layerblk cmd:layerctl cmd:layerck
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

expect_klog 'layerblk: .*'

# fall_back DIRECTORY: a pool in there, whose newest superblock is gone, opened all the same.
fall_back() {
	local file=$1/pool.img

	mkdir "$1"
	layerctl pool create --size 48M "$file" >/dev/null
	uuid=$(POOL=$file status .uuid)
	layerctl pool close "$file"
	"$TEST_REPO/tests/lib/superblock.py" "$file" --damage 2
	refused layerctl pool open "$file"
	assert_eq "$(layerctl pool open --force-fallback "$file")" "$uuid" "the pool's UUID"
	defer "pool_end '$file'"
}

fall_back "$T/a"
a=$uuid
step "it is found by its UUID, which is not free for another"
within 10 layerctl pool status "$a" >/dev/null
cp --sparse=always "$T/a/pool.img" "$T/copy"
refused layerctl pool open --force-fallback "$T/copy"

step "a second one beside it"
fall_back "$T/b"
[ "$uuid" != "$a" ] || fail "two pools with one UUID"

step "both can be used"
for pool in "$a" "$uuid"; do
	layerctl volume create --size 8M "$pool/v" >/dev/null
	d=$(layerctl activate "$pool/v")
	assert_eq "$(cat "/sys/block/$(basename "$(readlink -f "$d")")/layerblk/pool_uuid")" "$pool"
	block_write "$d" 3 "$pool"
	layerctl deactivate "$pool/v"
	layerctl pool close "$pool"
done
layerctl pool open "$T/a/pool.img" "$T/b/pool.img" >/dev/null
block_is "$(layerctl activate "$a/v")" 3 "$a"
block_is "$(layerctl activate "$uuid/v")" 3 "$uuid"
