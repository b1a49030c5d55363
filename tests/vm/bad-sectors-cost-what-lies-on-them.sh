#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: bad sectors (dm-dust, or dm-error in a kernel without it) under metadata and data: second copies help, else that read fails, no more
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:dmsetup
# timeout: 300
DM_WANT_DUST=1
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/dm.sh"

expect_klog 'layerblk: .*'
expect_klog 'I/O error(, | on )dev(ice)? (layerblk|dm-|loop)[0-9]+'

OPS=900
pool_on_dm 192M
v=$(volume v 32M)
w=$(volume w 32M)
oracle write "$v" v 1 1 $OPS - >/dev/null
block_write "$w" 0 w 64
layerctl snapshot w kept >/dev/null
bad_is=$([ "$DM_DUST" = 1 ] && echo dm-dust || echo dm-error)
echo "bad sectors by $bad_is"
reopened

# Where things lie.
id=$(volume_value v .id)
read -r root root_copy < <(dump catalog ".catalog[] | select(.item == \"map\" and .volume == $id) | \"\(.root) \(.root_copy)\"")
read -r catalog catalog_copy < <(dump superblock '.superblock.catalog_root | "\(.addr) \(.addr2)"')
read -r table table_copy < <(dump superblock '.superblock.region_root | "\(.addr) \(.addr2)"')
mirror=$(dump superblock .superblock.mirror_block)
slot=$(($(dump superblock .superblock.generation) % 2))
dump "map:$id" '.map[] | if .node then "leaf \(.node) \(.level)" else "extent \(.lblk) \(.pblk)" end' >"$T/map"
# The second leaf with a logical block of it, and one of the leaf before.
read -r leaf in_leaf elsewhere data < <(awk '
	$1 == "leaf" { node = $3 == 0 ? $2 : 0; if (node) leaves++ }
	$1 == "extent" && leaves == 1 && !elsewhere { elsewhere = $2; data = $3 }
	$1 == "extent" && leaves == 2 { print node, $2, elsewhere, data; exit }' "$T/map")
[ -n "$leaf" ] || fail "the map of v has one leaf only"

# opened [OPTIONS]: closed and opened, with nothing cached.
opened() {
	layerctl pool close --force "$POOL"
	within 60 layerctl pool open "$@" "$POOL" >/dev/null
	v=$(disk v)
	w=$(disk w)
}
readable() {
	dd if="$1" of=/dev/null bs=4096 skip="$2" count=1 iflag=direct status=none 2>/dev/null
}
all_right() {
	oracle check "$v" v 1 1 $OPS - >"$T/oracle" || { cat "$T/oracle"; fail "$1"; }
	block_is "$w" 0 w 64
}

step "one copy of what there are two of: nobody notices"
for which in "$root $catalog $table $slot" "$root_copy $catalog_copy $table_copy $((mirror + slot))"; do
	# shellcheck disable=SC2086 # several
	bad_blocks $which
	opened --read-only
	all_right "with bad sectors at $which"
done

step "both copies"
bad_blocks "$root" "$root_copy"
opened --read-only
! readable "$v" "$in_leaf" || fail "a volume without a root is read"
block_is "$w" 0 w 64
layerctl volume ls >/dev/null
bad_blocks
all_right "when the sectors are good again, without closing the pool"
layerctl pool close --force "$POOL"
for both in "$catalog $catalog_copy" "0 1 $mirror $((mirror + 1))" "$slot $((mirror + slot))"; do
	# shellcheck disable=SC2086 # two or more
	bad_blocks $both
	refused within 60 layerctl pool open --read-only "$POOL"
done
bad_blocks
layerctl pool open "$POOL" >/dev/null
v=$(disk v) w=$(disk w)
all_right "when all is good again"

step "a leaf and a block of data, in an open pool: what lies there cannot be read, all else can"
cold() {
	echo 2 >/proc/sys/vm/drop_caches
}
cold
bad_blocks "$leaf" "$data"
! readable "$v" "$in_leaf" || fail "a leaf that cannot be read is believed"
! readable "$v" "$elsewhere" || fail "a block that cannot be read is read"
rc=0
oracle check "$v" v 1 1 $OPS - >"$T/oracle" || rc=$?
cat "$T/oracle"
assert_eq "$rc" 3 "the oracle"
block_is "$w" 0 w 64
! dd if=/dev/zero of="$v" bs=4096 seek="$in_leaf" count=1 oflag=direct conv=notrunc status=none 2>/dev/null ||
	fail "a write whose place cannot be looked up succeeds"
layerctl snapshot kept another >/dev/null
layerctl volume rm another >/dev/null
! failed || fail "the pool failed, though only reads did"

step "a scrub finds them"
layerctl scrub --wait >"$T/scrub" 2>&1 || true
[ "$(cat "/sys/fs/layerblk/$POOL_UUID/scrub_errors")" -gt 0 ] || { cat "$T/scrub"; fail "the scrub did not find the leaf"; }
bad_blocks
all_right "when they are good again"
layerctl scrub --wait >/dev/null
assert_eq "$(cat "/sys/fs/layerblk/$POOL_UUID/scrub_errors")" 0 "errors that a scrub of a good disk finds"

step "a commit that meets one makes the pool read-only, and a good disk makes it good again"
layerctl volume create --size 1M after >/dev/null
cold
bad_blocks "$leaf"
blkdiscard "$v" || true
sync "$v" 2>/dev/null || true
layerctl freeze after >/dev/null 2>&1 && fail "the commit did not meet the bad leaf"
wait_until 10 failed
bad_blocks
reopened
v=$(disk v) w=$(disk w)
block_is "$w" 0 w 64
blkdiscard "$v"
block_is_zero "$v" 0 8192

step "so does a deletion"
oracle write "$v" v 1 1 $OPS - >/dev/null
opened
leaf=$(dump "map:$id" 'first(.map[] | select(.node and .level == 0) | .node)')
cold
bad_blocks "$leaf"
layerctl deactivate v
layerctl volume rm v
sleep 3
bad_blocks
layerctl pool close --force "$POOL" || true
layerctl pool open "$POOL" >/dev/null
none_hidden() {
	[ "$(cat "/sys/fs/layerblk/$POOL_UUID/hidden_volumes")" = 0 ]
}
wait_until 30 none_hidden
block_is "$(disk w)" 0 w 64
