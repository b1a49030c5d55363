#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: dm-log-writes below a busy pool: at every flush, and with parts of what follows lost, layerck is content and what was acknowledged is there
# where: vm-own
# requires: file:Kbuild file:userspace/Makefile
# timeout: 400
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

# The log is played back twice: in the VM, where the module opens one state in so many and the oracle judges what it holds; and
# then on the host, where layerck, which is fast there, reads every state, and as many variants of each.
ROUNDS=${SOAK_LOG_ROUNDS:-3}
OPENED=${SOAK_OPENED:-6}
VARIANTS=${SOAK_VARIANTS:-3}
SEED=${SEED:-${SOAK_SEED:-$RANDOM$RANDOM}}
LOG=lbk-log
VM_DISK_log=${VM_DISK_log-}

host() {
	local layerck=$TEST_STAGE/usr/sbin/layerck states=0 points=0 lost=0 i

	echo "seed $SEED"
	VM_TIMEOUT=${SOAK_LIMIT:-300} vm_phase work --disk pool=32M --disk log=8G --disk scratch=1G,fs=ext4 --keep-disks "$T/disks" \
		--env "SEED=$SEED" --env "SOAK_LOG_ROUNDS=$ROUNDS" --env "SOAK_OPENED=$OPENED" || fail "in the VM (seed $SEED)"
	step "every flush, and $VARIANTS variants of each"
	truncate -s 32M "$T/replay.img"
	playback "$T/disks/log.img" "$T/replay.img"
	while next_flush; do
		points=$((points + 1))
		judged_by_layerck "$T/replay.img"
		for ((i = 0; i < VARIANTS; i++)); do
			cp --sparse=always "$T/replay.img" "$T/torn.img"
			ask lose "$T/torn.img" "$SEED$points$i"
			lost=$((lost + ${ANSWER% *}))
			judged_by_layerck "$T/torn.img"
		done
		states=$((states + 1 + VARIANTS))
	done
	echo "$points flushes, $states states, $lost writes lost: layerck is content with all (seed $SEED)"
	assert_ge "$points" 40 "flushes"
}

judged_by_layerck() {
	"$layerck" "$1" >"$T/layerck.out" 2>&1 || {
		cat "$T/layerck.out"
		cp --sparse=always "$1" "$TEST_META/"
		fail "layerck after '$MARK' (seed $SEED)"
	}
}

# playback LOG IMAGE: IMAGE is where the log begins. ask LINE: see tests/lib/logwrites.py; sets ANSWER.
playback() {
	coproc "$TEST_REPO/tests/lib/logwrites.py" steps "$1" "$2"
}
ask() {
	echo "$*" >&"${COPROC[1]}"
	read -r ANSWER <&"${COPROC[0]}"
}

# next_flush: to the next one at which there is a pool; sets MARK. Fails when there is none.
next_flush() {
	MARK=-
	while [ "$MARK" = - ]; do
		ask next
		[ "$ANSWER" != end ] || return 1
		MARK=${ANSWER#* }
	done
}

# ---------------------------------------------------------------- in the VM

work_phase() {
	T=/scratch
	modprobe dm-log-writes
	# QEMU's disks come with a page cache of their own above them; what matters is what dm-log-writes sees.
	echo "0 $(blockdev --getsz "$VM_DISK_pool") log-writes $VM_DISK_pool $VM_DISK_log" | dmsetup create $LOG
	POOL=/dev/mapper/$LOG
	layerctl pool create "$POOL" >/dev/null
	work
	layerctl pool close --force "$POOL"
	pool_check "$POOL"
	dmsetup remove --retry $LOG
	some_opened
}

# mark: what has been acknowledged so far: operations of a and b, volumes that are there.
declare -A done_=([a]=0 [b]=0) acked=([a]=0 [b]=0)
THERE=''
mark() {
	dmsetup message $LOG 0 mark "${acked[a]},${acked[b]},$THERE"
}

# many VOLUME COUNT: operations, of which those up to the last flush are acknowledged.
many() {
	local d

	d=$(disk "$1")
	oracle write "$d" "$1" "$SEED" $((done_[$1] + 1)) "$2" - >"$T/said"
	done_[$1]=$((done_[$1] + $2))
	acked[$1]=$(awk -v before="${acked[$1]}" '{before = $3} END {print before}' "$T/said")
	mark
}

work() {
	local i v

	for v in a b; do
		layerctl volume create --size 2M $v >/dev/null
		THERE=$THERE:$v
	done
	mark
	for ((i = 1; i <= ROUNDS; i++)); do
		many a 12
		many b 12
		layerctl snapshot a "s$i" >/dev/null
		THERE=$THERE:s$i
		mark
		many a 8
		layerctl volume create --size 1M --label "round=$i" "c$i" >/dev/null
		THERE=$THERE:c$i
		mark
		if [ "$i" -gt 2 ]; then
			# From here on it may be gone.
			THERE=${THERE/:s$((i - 2))/}
			mark
			layerctl volume rm "s$((i - 2))" >/dev/null
		fi
	done
}

# Of the flushes some, spread evenly, each with a part of what follows.
some_opened() {
	local points=0 i=0 opened=0

	truncate -s 32M "$T/replay.img"
	playback "$VM_DISK_log" "$T/replay.img"
	while next_flush; do
		points=$((points + 1))
	done
	truncate -s 0 "$T/replay.img"
	truncate -s 32M "$T/replay.img"
	playback "$VM_DISK_log" "$T/replay.img" 2>/dev/null
	while next_flush; do
		i=$((i + 1))
		[ $((i * OPENED / points)) -gt "$opened" ] || continue
		opened=$((opened + 1))
		cp --sparse=always "$T/replay.img" "$T/torn.img"
		ask lose "$T/torn.img" "$SEED$i"
		judged_by_module "$T/torn.img"
	done
	echo "$points flushes, $opened of them opened"
}

judged_by_module() {
	local a b names name v

	IFS=, read -r a b names <<<"$MARK"
	pool_check "$1" || fail "at '$MARK'"
	within 60 layerctl pool open "$1" >/dev/null
	for name in ${names//:/ }; do
		layerctl volume inspect "$name" >/dev/null || fail "$name is lost at '$MARK'"
	done
	for v in "a $a" "b $b"; do
		oracle check "$(disk "${v% *}")" "${v% *}" "$SEED" 1 "${v#* }" - >"$T/oracle" || { cat "$T/oracle"; fail "${v% *} at '$MARK'"; }
	done
	within 60 layerctl pool close --force "$1"
	pool_check "$1" || fail "after the replay, at '$MARK'"
}

case $PHASE in
'') host ;;
work) work_phase ;;
esac
