#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a chain 128 layers deep shows every layer's data, and depth costs a read nothing
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 420
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

pool_on "$VM_DISK_pool"
depth=128

d=$(volume l0 64M)
block_write "$d" 0 l0
layerctl deactivate l0
layerctl freeze l0
for ((i = 1; i < depth; i++)); do
	d=$(child "l$((i - 1))" "l$i")
	# One block of its own, and one that the next layer writes over.
	block_write "$d" "$i" "l$i"
	block_write "$d" 1000 "top-$i"
	layerctl deactivate "l$i"
	layerctl freeze "l$i"
done

step "the top shows all"
top=$(child "l$((depth - 1))" top)
for ((i = 0; i < depth; i++)); do
	block_is "$top" "$i" "l$i"
done
block_is "$top" 1000 "top-$((depth - 1))"

step "the middle shows its own past"
mid=$(disk l64)
block_is "$mid" 64 l64
block_is "$mid" 1000 top-64
block_is_zero "$mid" 65

step "a data block costs one read, at any depth"
layerctl deactivate top
layerctl deactivate l64
layerctl pool close "$POOL"
layerctl pool open "$POOL"
cost() {
	local d before

	d=$(disk "$1")
	block_is "$d" 0 l0
	before=$(io_count "$POOL_DEV" reads)
	dd if="$d" bs=4096 skip="$2" count=1 iflag=direct status=none >/dev/null
	echo $(($(io_count "$POOL_DEV" reads) - before))
	layerctl deactivate "$1" >/dev/null
}
assert_eq "$(cost l1 1)" 1 "reads at depth 1"
assert_eq "$(cost top 1)" 1 "reads at depth 128"

step "the deletion of a middle layer hides it, and its data stays visible above"
layerctl volume rm l64
block_is "$(disk top)" 64 l64
