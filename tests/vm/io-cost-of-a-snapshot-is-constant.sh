#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a snapshot costs the same I/O at depth 1 and 100, with 10 and 10,000 volumes
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 600
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

pool_on "$VM_DISK_pool"
uuid=$(status .uuid)
layerctl pool set --commit-interval 1h "$POOL"

# A frozen layer of some size, and a chain of 100 on top of it.
d=$(volume base 256M)
block_write "$d" 0 base 1024
layerctl deactivate base
layerctl freeze base
bulk chain "$uuid" base deep 100

# cost SOURCE PREFIX: the smallest I/O of five snapshots, as "reads sectors writes sectors flushes":
# a commit that falls into one of them is not the snapshot's.
cost() {
	local i now before best=''

	for i in 1 2 3 4 5 6; do
		before=$(counters)
		layerctl snapshot "$1" "$2$i" >/dev/null
		now=$(paste <(counters) <(echo "$before") | awk '{printf "%s%d", (NR > 1 ? " " : ""), $1 - $2}')
		# The first one warms what is cached.
		[ "$i" = 1 ] || best=$(printf '%s\n' ${best:+"$best"} "$now" | sort -n -k3 -k4 | head -n 1)
	done
	echo "$best"
}
counters() {
	local c

	for c in reads read_sectors writes write_sectors flushes; do
		io_count "$POOL_DEV" $c
	done
}

bulk create "$uuid" few 10 1048576
a=$(cost base at-1-)
b=$(cost deep99 at-100-)
echo "depth 1: $a; depth 100: $b (reads, sectors, writes, sectors, flushes)"
assert_eq "$b" "$a" "the cost at depth 100"
read -r _ _ writes _ _ <<<"$a"
assert_le "$writes" 2 "writes of a snapshot"

bulk create "$uuid" many 10000 1048576
assert_ge "$(status .volumes)" 10000 volumes
c=$(cost base of-many-)
echo "with 10,000 volumes: $c"
assert_eq "$c" "$a" "the cost with 10,000 volumes"

step "a snapshot of a writable volume is one commit, whatever the volume holds"
# The commit writes a path of the catalog and of the map, twice, and bitmaps: it grows with their heights alone.
d=$(child base w)
block_write "$d" 5 w
e=$(cost w frozen-)
echo "of a writable volume: $e"
read -r _ _ writes _ flushes <<<"$e"
assert_le "$writes" 32 "writes of a snapshot of a writable volume"
assert_le "$flushes" 4 "flushes of a snapshot of a writable volume"
