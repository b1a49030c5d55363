# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: GPL-2.0
#
# Pools on a disk that fails as it is told, with the device mapper. Source after pool.sh.
#
# DM_FILE is what lies below: at any instant a copy of it is what a crash would leave of a disk without a cache.

DM=lbk-faulty

# pool_on_dm SIZE [OPTIONS]: a pool on a device that is good as yet.
pool_on_dm() {
	local size=$1

	shift
	dm_make "$size"
	pool_on "/dev/mapper/$DM" "$@"
	POOL_UUID=$(status .uuid)
}

# dm_make SIZE: the device alone.
dm_make() {
	DM_FILE=$T/disk.img
	truncate -s "$1" "$DM_FILE"
	DM_LOOP=$(losetup -f --show "$DM_FILE")
	defer "losetup -d '$DM_LOOP'"
	dm_bad_init
	dm_table | dmsetup create $DM
	defer "dmsetup remove --retry $DM"
}

# dm_table: a table for the device, of the areas that come as lines "FIRST COUNT TARGET [ARGUMENTS]" (blocks of 4 KiB, ascending);
# all else is as good as the disk below. The target "elsewhere BLOCK" is what lies from BLOCK on. With DM_DUST it is all of that target.
dm_table() {
	if [ "$DM_DUST" = 1 ]; then
		echo "0 $(blockdev --getsz "$DM_LOOP") dust $DM_LOOP 0 4096"
		return
	fi
	awk -v loop="$DM_LOOP" -v end="$(blockdev --getsz "$DM_LOOP")" '
		BEGIN { at = 0 }
		function area(first, count, target, rest) {
			if (count > 0)
				print first, count, target, target == "error" ? "" : loop " " first " " rest
		}
		{
			first = $1 * 8; count = $2 * 8; target = $3; block = $4
			$1 = $2 = $3 = ""
			area(at, first - at, "linear")
			if (target == "elsewhere")
				print first, count, "linear", loop, block * 8
			else
				area(first, count, target, $0)
			at = first + count
		}
		END { area(at, end - at, "linear") }'
}

# dm_is: the device is from now on as the lines on standard input say.
dm_is() {
	dm_table >"$T/dm-table"
	dmsetup load $DM "$T/dm-table"
	dmsetup suspend --noflush $DM
	dmsetup resume $DM
}

# dm_all TARGET [ARGUMENTS]: all of it.
dm_all() {
	echo "0 $(($(blockdev --getsz "$DM_LOOP") / 8)) $*" | dm_is
}

dm_good() {
	dm_is </dev/null
}

# The ways in which dm-flakey is down for good.
FLAKEY_ERROR_ALL='flakey 0 36000 0'
FLAKEY_ERROR_WRITES='flakey 0 36000 1 error_writes'
FLAKEY_DROP_WRITES='flakey 0 36000 1 drop_writes'
# Where the kernel does not copy what it spoils, the writer's memory is spoilt too, which may be a cached node. So it is a byte of a
# metadata block's header that means nothing there.
FLAKEY_CORRUPT_WRITES='flakey 0 36000 5 corrupt_bio_byte 43 w 77 0'

# Bad sectors: of dm-dust where the kernel has it, areas of dm-error where not. Either way reading them fails.
DM_DUST=0

dm_bad_init() {
	[ "${DM_WANT_DUST-}" != 1 ] || ! modprobe -q dm-dust || DM_DUST=1
}

# bad_blocks NUMBER...: these, and no others, cannot be read.
bad_blocks() {
	local b

	if [ $DM_DUST = 1 ]; then
		dmsetup message $DM 0 clearbadblocks >/dev/null 2>&1
		for b; do
			dmsetup message $DM 0 addbadblock "$b"
		done
		dmsetup message $DM 0 "$([ $# = 0 ] && echo disable || echo enable)" >/dev/null 2>&1 || true
		return
	fi
	for b; do
		echo "$b 1 error"
	done | sort -n | dm_is
}

# dump WHAT JQ-FILTER: of layerck's dump of the pool, which may be open.
dump() {
	layerck --dump="$1" --format json "$POOL" | jq -r "$2"
}

# failed: has the pool turned read-only?
failed() {
	[ "$(cat "/sys/fs/layerblk/$POOL_UUID/state")" = failed ]
}

# mended: the device is good again, the pool is closed and opened.
mended() {
	dm_good
	reopened
}

reopened() {
	within 60 layerctl pool close --force "$POOL" || true
	refused layerctl pool status "$POOL"
	within 60 layerctl pool open "$POOL" >/dev/null
}

# right_or_refused DEVICE BLOCK SEED [COUNT]: what is read is what was written. What cannot be read is no lie.
right_or_refused() {
	if dd if="$1" of=/dev/null bs=4096 skip="$2" count="${4:-1}" iflag=direct status=none 2>/dev/null; then
		block_is "$@"
	fi
}
