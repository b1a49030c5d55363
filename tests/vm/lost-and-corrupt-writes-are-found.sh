#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: dm-flakey drops or corrupts writes of metadata, reads are misdirected: found by checksum or generation, never believed
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:dmsetup mod:dm-flakey
# timeout: 300
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/dm.sh"

expect_klog 'layerblk: .*'
expect_klog 'I/O error(, | on )dev(ice)? (layerblk|dm-|loop)[0-9]+'

pool_on_dm 192M
v=$(volume v 16M)
w=$(volume w 16M)
oracle write "$v" v 1 1 500 - >/dev/null
block_write "$w" 0 w 64
layerctl pool close --force "$POOL"
cp --sparse=always "$DM_FILE" "$T/good.img"

mirror=$(dump superblock .superblock.mirror_block)
journal=$(dump superblock .superblock.journal_block)
journal_end=$((journal + $(dump superblock .superblock.journal_blocks)))
# Nodes lie, and are written, near the end of a region: "copy 1" and "copy 2" of everything.
near() {
	local addr end

	addr=$(dump superblock "$1")
	end=$(((addr / 32384 + 1) * 32384))
	[ "$end" -le "$total" ] || end=$total
	echo "$((addr - 3000)) $((end - addr + 3000))"
}
total=$(dump superblock .superblock.total_blocks)
nodes1=$(near .superblock.catalog_root.addr)
nodes2=$(near .superblock.catalog_root.addr2)
echo "nodes are written to $nodes1 and $nodes2"

# The disk as it was when all was well.
restore() {
	cp --sparse=never "$T/good.img" "$DM_FILE"
	blockdev --flushbufs "$DM_LOOP"
	blockdev --flushbufs /dev/mapper/$DM
}

# judged NAME: the pool is opened, and what it says is right, or it says that it does not know. Sets SEEN.
judged() {
	local rc=0

	SEEN=right
	pool_check "$POOL" 2>/dev/null || SEEN=damaged
	if ! within 60 layerctl pool open "$POOL" >/dev/null 2>"$T/refusal"; then
		[ $SEEN = damaged ] || fail "$1: layerck is content with what the module refuses: $(cat "$T/refusal")"
		SEEN="refused: $(tail -n 1 "$T/refusal")"
		return
	fi
	if v=$(disk v 2>/dev/null); then
		oracle check "$v" v 1 1 "$ACKED" - >"$T/oracle" || rc=$?
		case $rc in
		0) ;;
		3) SEEN="$SEEN, $(grep 'cannot be read' "$T/oracle")" ;;
		*) cat "$T/oracle"; fail "$1: what is wrong is believed" ;;
		esac
	fi
	if w=$(disk w 2>/dev/null); then
		right_or_refused "$w" 0 w 64
	fi
	within 60 layerctl pool close --force "$POOL" >/dev/null 2>&1 || true
}

# commits NAME: a volume, frozen by a commit.
commits() {
	layerctl volume create --size 1M "$1" && layerctl freeze "$1"
}

# lies NAME AREA TARGET: a workload with two commits on a disk with such an area, one more when it is good again; then opened anew. It ends
# where a request meets a lie.
lies() {
	local rc=0

	restore
	layerctl pool open "$POOL" >/dev/null
	v=$(disk v)
	dm_is <<<"$2 $3"
	{
		oracle write "$v" v 1 501 300 - && layerctl snapshot v s1 && commits f1 && oracle write "$v" v 1 801 100 - &&
			layerctl snapshot v s2 && commits f2 && dm_good && oracle write "$v" v 1 901 100 - && layerctl volume rm s1
	} >"$T/said" 2>"$T/met" || echo "$1: met: $(tail -n 1 "$T/met")"
	dm_good
	ACKED=$(awk '$1 == "acked" {a = $3} END {print a + 0}' "$T/said")
	oracle check "$v" v 1 1 "$ACKED" - >"$T/oracle" || rc=$?
	[ $rc = 0 ] || [ $rc = 3 ] || { cat "$T/oracle"; fail "$1: wrong while the pool is open"; }
	within 60 layerctl pool close --force "$POOL" 2>/dev/null || true
	judged "$1"
	echo "$1: $SEEN"
}

step "writes that do not arrive"
lies "nodes' first copy dropped" "$nodes1" "$FLAKEY_DROP_WRITES"
lies "nodes dropped" "$nodes1 $FLAKEY_DROP_WRITES
$nodes2" "$FLAKEY_DROP_WRITES"
[ "$SEEN" != right ] || fail "lost nodes are not missed"
lies "bitmaps dropped" "2 2" "$FLAKEY_DROP_WRITES"
lies "superblocks dropped" "0 2" "$FLAKEY_DROP_WRITES"

step "writes that arrive spoilt"
lies "nodes' second copy spoilt" "$nodes2" "$FLAKEY_CORRUPT_WRITES"
lies "nodes spoilt" "$nodes1 $FLAKEY_CORRUPT_WRITES
$nodes2" "$FLAKEY_CORRUPT_WRITES"
[ "$SEEN" != right ] || fail "spoilt nodes are not found"
lies "mirrors spoilt" "$mirror 2" "$FLAKEY_CORRUPT_WRITES"

step "reads that come back with another block, a good one: that read fails, and no more"
restore
catalog=$(dump superblock .superblock.catalog_root.addr)
read -r root root_copy < <(dump catalog 'first(.catalog[] | select(.item == "map" and .owned > 100)) | "\(.root) \(.root_copy)"')
dm_is <<<"$root 1 elsewhere $catalog
$root_copy 1 elsewhere $catalog"
layerctl pool open "$POOL" >/dev/null
v=$(disk v) w=$(disk w)
rc=0
oracle check "$v" v 1 1 500 - >"$T/oracle" || rc=$?
cat "$T/oracle"
assert_eq "$rc" 3 "the oracle"
! failed || fail "the pool failed by a read"
dm_good
oracle check "$v" v 1 1 500 - >"$T/oracle" || { cat "$T/oracle"; fail "v, when the disk is good again"; }
block_is "$w" 0 w 64

step "a journal record that the disk has spoilt, with others behind it: what follows is not dropped silently"
copy_now() {
	sync "$DM_LOOP"
	cp --sparse=always "$DM_FILE" "$T/crashed.img"
}
dm_is <<<"$journal $((journal_end - journal)) $FLAKEY_CORRUPT_WRITES"
layerctl volume create --size 1M first >/dev/null
dm_good
layerctl volume create --size 1M second >/dev/null
copy_now
layerctl pool close --force "$POOL"
mv "$T/crashed.img" "$T/kept.img"
cp "$T/kept.img" "$T/good.img"
restore
refused within 60 layerctl pool open "$POOL"
! pool_check "$POOL" 2>/dev/null || fail "layerck is content with it"
within 60 layerctl pool open --force-fallback "$POOL" >/dev/null
block_is "$(disk w)" 0 w 64
layerctl pool close --force "$POOL"
