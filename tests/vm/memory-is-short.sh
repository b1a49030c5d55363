#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: a small machine without swap: file systems on volumes are written back under memory pressure, the node cache shrinks, nothing hangs, only the hog dies
# where: vm-own
# requires: file:Kbuild file:userspace/Makefile
# timeout: 400
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

# Megabytes: of the machine, and written.
MEMORY=${MEMORY:-320}
WRITTEN=${WRITTEN:-${SOAK_WRITTEN:-128}}

host() {
	VM_TIMEOUT=${SOAK_LIMIT:-360} vm_phase work --mem "${MEMORY}M" --disk pool=4G --env "WRITTEN=$WRITTEN" --env "SOAK_LIMIT=${SOAK_LIMIT-}" \
		--out "$T/out"
	# The phase has seen to it that these are the ends of hogs, and of nobody else.
	expect_klog 'Out of memory: Killed process [0-9]+ \(hog\)'
	expect_klog 'Call Trace:'
}

counter() {
	cat "/sys/fs/layerblk/$UUID/$1"
}
available() {
	awk '$1 == "MemAvailable:" {print int($2 / 1024)}' /proc/meminfo
}

# Takes memory, all but a little, and then until the kernel kills it; again and again.
hogs() {
	while [ ! -e "$T/stop" ]; do
		hog 8 2 >/dev/null || true
		bash -c "hog -1 0; true" >/dev/null 2>&1
	done
}

# The kernel has killed hogs, nobody else, and has complained of nothing else.
only_hogs_died() {
	local died traces

	died=$(dmesg | grep -c 'invoked oom-killer' || true)
	traces=$(dmesg | grep -c 'Call Trace:' || true)
	echo "hogs killed: $(dmesg | grep -c 'Out of memory: Killed process [0-9]* (hog)' || true)"
	assert_eq "$traces" "$died" "call traces, and reports of the kernel's lack of memory"
	! dmesg | grep 'Killed process' | grep -v '(hog)' || fail "the kernel killed the wrong one"
	assert_ge "$died" 1 "hogs killed"
}

work() {
	local f x i cached least

	POOL=$VM_DISK_pool
	layerctl pool create --force "$POOL" >/dev/null
	UUID=$(status .uuid)
	echo "$(available) MiB available, no swap: $(awk 'END {print NR - 1}' /proc/swaps)"

	step "a map of many extents, all of it in the cache"
	f=$(volume scattered 1G)
	fio --name=scatter --filename="$f" --rw=randwrite --bs=4k --size=1G --io_size=64M --direct=1 --ioengine=libaio --iodepth=32 \
		--randrepeat=1 --output="$T/fio"
	layerctl deactivate scattered
	layerctl pool close "$POOL"
	layerctl pool open "$POOL" >/dev/null
	f=$(disk scattered)
	fio --name=read --filename="$f" --rw=randread --bs=4k --size=1G --io_size=8M --direct=1 --ioengine=libaio --iodepth=32 --output="$T/fio"
	cached=$(counter cache_bytes) least=$(counter cache_bytes)
	echo "cache: $cached bytes"
	assert_ge "$cached" 300000 "bytes of nodes in the cache"

	step "files are written faster than the disk takes them, while memory is taken away"
	x=$(volume files 2G)
	mkfs.ext4 -q "$x"
	mkdir "$T/m"
	mount "$x" "$T/m"
	hogs &
	for ((i = 0; i < WRITTEN / 16; i++)); do
		pattern "file $i" $((16 << 20)) >"$T/m/$i"
		# Snapshots, deletions and discards while there is nothing left.
		[ $((i % 4)) != 3 ] || within 100 layerctl snapshot files "s$i" >/dev/null
		[ $((i % 8)) != 7 ] || within 100 layerctl volume rm "s$((i - 4))" >/dev/null
		[ "$(counter cache_bytes)" -ge "$least" ] || least=$(counter cache_bytes)
	done
	within 200 sync -f "$T/m"
	touch "$T/stop"
	wait
	echo "least cache: $least bytes; now $(counter cache_bytes); $(available) MiB available"
	assert_le "$least" $((cached / 2)) "bytes of nodes in the cache when memory was short"

	step "all of it is right"
	echo 3 >/proc/sys/vm/drop_caches
	for ((i = 0; i < WRITTEN / 16; i++)); do
		cmp "$T/m/$i" <(pattern "file $i" $((16 << 20))) || fail "file $i"
	done
	umount "$T/m"
	e2fsck -fn "$x" >"$T/fsck" 2>&1 || { cat "$T/fsck"; fail "the file system is damaged"; }
	layerctl pool close --force "$POOL"
	pool_check "$POOL"
	only_hogs_died
}

case $PHASE in
'') host ;;
work) work ;;
esac
