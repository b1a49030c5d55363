# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# Pools and volumes for the tests in the VM. Source after test.sh.
#
# Whatever pool a test makes here is closed when it ends, and then read by
# layerck: a test that leaves a damaged pool fails, whatever else it found.

# The shared VM's disks, for a pool and for what else a test needs.
VM_DISK_pool=${VM_DISK_pool-} VM_DISK_spare=${VM_DISK_spare-}
export VM_DISK_pool VM_DISK_spare

PATH=$PATH:/usr/libexec/layerblk-tests

# pool_on DEVICE [OPTIONS]: a pool on a whole device; sets POOL and POOL_DEV.
pool_on() {
	local dev=$1

	shift
	layerctl pool create --force "$@" "$dev" >/dev/null
	POOL=$dev POOL_DEV=$(readlink -f "$dev")
	# Last of all: the disk is every test's, and must not hold a pool for the next one's "open --all".
	defer "layerctl pool destroy '$POOL' >/dev/null 2>&1 || true"
	defer "pool_end '$POOL'"
}

# pool_in_file SIZE [OPTIONS]: a pool in $T/pool.img; sets POOL and POOL_DEV (the
# loop device).
pool_in_file() {
	local size=$1

	shift
	POOL=$T/pool.img
	layerctl pool create --size "$size" "$@" "$POOL" >/dev/null
	POOL_DEV=$(losetup -n -O NAME -j "$POOL" | tr -d ' ')
	[ -n "$POOL_DEV" ] || fail "no loop device behind $POOL"
	defer "pool_end '$POOL'"
}

# pool_on_slow SIZE: a pool on a disk whose I/O can be made to take its time; not yet.
pool_on_slow() {
	local loop

	modprobe dm-delay
	truncate -s "$1" "$T/img"
	loop=$(losetup -f --show "$T/img")
	defer "losetup -d '$loop'"
	SLOW_LOOP=$loop
	echo "0 $(blockdev --getsz "$loop") delay $loop 0 0" | dmsetup create lbk-slow
	defer 'dmsetup remove --retry lbk-slow'
	pool_on /dev/mapper/lbk-slow
}

# slow READ [WRITE]: the milliseconds that each takes on that disk (WRITE: 0).
slow() {
	echo "0 $(blockdev --getsz "$SLOW_LOOP") delay $SLOW_LOOP 0 $1 $SLOW_LOOP 0 ${2:-0}" | dmsetup load lbk-slow
	dmsetup suspend --noflush lbk-slow
	dmsetup resume lbk-slow
}

# pool_end DEVICE|FILE: closes it if it is open, and checks it.
pool_end() {
	pool_unmount_all
	if layerctl pool status "$1" >/dev/null 2>&1; then
		within 120 layerctl pool close --force "$1" || return 1
	fi
	pool_check "$1"
}

pool_unmount_all() {
	local dir

	awk '$1 ~ "^/dev/layerblk" {print $2}' /proc/mounts | tac |
		while read -r dir; do
			umount "$dir" || umount -l "$dir"
		done
}

# pool_check DEVICE|FILE: layerck over a closed pool, shown only when it finds.
pool_check() {
	if ! within 300 layerck "$1" >"$T/layerck.out" 2>&1; then
		cat "$T/layerck.out" >&2
		echo "layerck is not content with $1" >&2
		return 1
	fi
}

# volume NAME SIZE: makes and activates it; prints its disk.
volume() {
	layerctl volume create --size "$2" "$1" >/dev/null
	disk "$1"
}

# child SOURCE NAME: a snapshot, active; prints its disk.
child() {
	layerctl snapshot "$1" "$2" >/dev/null
	disk "$2"
}

# disk NAME: activates it, prints its disk.
disk() {
	layerctl activate "$1" >"$T/disk.out"
	cat "$T/disk.out"
}

# status JQ-PATH: a value of the pool's status, as .counters.commits.
status() {
	layerctl pool status --format json "$POOL" |
		jq -r "(if type == \"array\" then .[0] else . end) | $1"
}

# status_is JQ-PATH VALUE
status_is() {
	[ "$(status "$1")" = "$2" ]
}

# volume_value NAME JQ-PATH
volume_value() {
	layerctl volume inspect "$1" |
		jq -r "(if type == \"array\" then .[0] else . end) | $2"
}

# io_count DEVICE WHAT: reads, read_sectors, writes, write_sectors, discards or
# flushes since the disk was made.
io_count() {
	local n

	case $2 in
	reads) n=1 ;; read_sectors) n=3 ;; writes) n=5 ;; write_sectors) n=7 ;;
	discards) n=12 ;; flushes) n=16 ;;
	*) fail "no counter $2" ;;
	esac
	awk -v n="$n" '{print $n}' "/sys/class/block/$(basename "$(readlink -f "$1")")/stat"
}

# bytes_of FILE: the space it takes.
bytes_of() {
	echo $(($(stat -c '%b * %B' "$1")))
}

# pattern SEED SIZE: that many bytes which do not repeat, the same for a seed.
pattern() {
	block pattern "$1" "$2"
}

# block_write DEVICE BLOCK SEED [COUNT]: COUNT (1) blocks of 4 KiB, O_DIRECT.
block_write() {
	block write "$@"
}

# block_is DEVICE BLOCK SEED [COUNT]: fails unless it holds what block_write wrote.
block_is() {
	block check "$@" || fail "$1 block $2 does not hold '$3'"
}

# block_is_zero DEVICE BLOCK [COUNT]
block_is_zero() {
	block zero "$@" || fail "$1 block $2 is not zero"
}

# tree_sum DIRECTORY: one sum over names, modes, owners and contents.
tree_sum() {
	(cd "$1" && find . -xdev -not -path './lost+found*' \
		-printf '%P %y %m %U %G %s %l\n' | grep -v '^ d' | sort &&
		find . -xdev -type f -not -path './lost+found*' -print0 | sort -z |
		xargs -0 -r sha256sum) | sha256sum | cut -d' ' -f1
}
