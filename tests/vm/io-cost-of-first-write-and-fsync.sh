#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a first write to a snapshot reads nothing; an fsync is one journal write and no commit
# requires: mod:layerblk cmd:layerctl cmd:layerck
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

pool_on "$VM_DISK_pool"
layerctl pool set --commit-interval 1h "$POOL"
d=$(volume layer 64M)
block_write "$d" 0 layer 256
layerctl deactivate layer
layerctl freeze layer
d=$(child layer c)
udevadm settle
# Once before counting, so that the map's nodes are in memory.
block_is "$d" 0 layer
block_write "$d" 200 warm
sync "$d"

# cost COMMAND...: sets the change of each counter.
reads=0 read_sectors=0 writes=0 write_sectors=0 flushes=0
cost() {
	local c
	local -A before
	local counters=(reads read_sectors writes write_sectors flushes)

	for c in "${counters[@]}"; do
		before[$c]=$(io_count "$POOL_DEV" "$c")
	done
	local commits journal
	commits=$(status .counters.commits)
	journal=$(status .counters.journal_writes)
	"$@"
	for c in "${counters[@]}"; do
		printf -v "$c" %d $(($(io_count "$POOL_DEV" "$c") - before[$c]))
	done
	commits=$(($(status .counters.commits) - commits))
	journal=$(($(status .counters.journal_writes) - journal))
	COMMITS=$commits JOURNAL=$journal
	echo "    $*: reads $reads, writes $writes, sectors written $write_sectors, flushes $flushes, commits $COMMITS, journal writes $JOURNAL"
}
# write BLOCK [BYTES]: from memory, O_DIRECT, nothing else.
write() {
	dd if=/dev/urandom of="$d" bs="${2:-4096}" seek=$(($1 * 4096 / ${2:-4096})) count=1 \
		oflag=direct conv=notrunc status=none
}

step "an aligned 4 KiB first write to a shared block"
cost write 1
assert_eq "$reads" 0 reads
assert_eq "$writes" 1 writes
assert_eq "$write_sectors" 8 "sectors written"
assert_eq "$flushes" 0 flushes
assert_eq "$JOURNAL" 0 "journal writes"
assert_eq "$COMMITS" 0 commits

step "its fsync: one journal write, no commit"
cost sync "$d"
assert_eq "$JOURNAL" 1 "journal writes"
assert_eq "$COMMITS" 0 commits
assert_eq "$writes" 1 writes
assert_le "$write_sectors" 16 "sectors written"
assert_eq "$reads" 0 reads

step "an fsync with nothing new: a bare flush"
# Which the disk counts among its writes, as one of no sectors.
cost sync "$d"
assert_eq "$JOURNAL" 0 "journal writes"
assert_eq "$write_sectors" 0 "sectors written"
assert_le "$flushes" 1 flushes
assert_eq "$COMMITS" 0 commits

step "a write to a block of its own: in place, no metadata at its fsync"
cost write 1
assert_eq "$writes" 1 writes
cost sync "$d"
assert_eq "$write_sectors" 0 "sectors written by the fsync"
assert_eq "$JOURNAL" 0 "journal writes"

step "512 bytes of a shared block: the rest of the block is read, once"
cost write 2 512
assert_eq "$reads" 1 reads
assert_eq "$read_sectors" 8 "sectors read"
assert_eq "$writes" 1 writes
assert_eq "$write_sectors" 8 "sectors written"

step "sixteen first writes and one fsync: still one journal write"
for ((i = 16; i < 32; i++)); do
	write $i
done
cost sync "$d"
assert_eq "$JOURNAL" 1 "journal writes"
assert_eq "$COMMITS" 0 commits

step "reading what is unmapped costs nothing"
cost dd if="$d" of=/dev/null bs=1M skip=32 count=4 iflag=direct status=none
assert_eq "$reads" 0 reads

step "O_DSYNC: data and journal, no commit"
cost dd if=/dev/urandom of="$d" bs=4096 seek=100 count=1 oflag=direct,dsync conv=notrunc status=none
assert_eq "$JOURNAL" 1 "journal writes"
assert_eq "$COMMITS" 0 commits
assert_eq "$write_sectors" 16 "sectors written"
