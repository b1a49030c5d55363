#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: the power is cut during writes, snapshots, deletions and imports: opens without repair, what was acknowledged is there
# where: vm-own
# requires: file:Kbuild file:userspace/Makefile
# timeout: 900
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

# Three volumes with an oracle (tests/vm/helpers/oracle.c) and one with ext4 are written, with a flush after every few writes, while others make and
# remove snapshots and import images. QEMU is killed meanwhile. Of what the pool's disk has been sent behind its last flush a random part is
# lost, as it is with a volatile cache. The next boot judges what is left and goes on in the same pool. What is said on
# the console before the cut, with "end" as its last word, has been done.
CUTS=${CUTS:-${SOAK_ROUNDS:-5}}
SEED=${SEED:-${SOAK_SEED:-$RANDOM$RANDOM}}
LIFE=${LIFE:-25}	# rounds in one pool
ROUND=${ROUND-}
VOLUMES=(a b c)
STEPS=1000000		# operations of a round, at most

host() {
	local i disk=$T/disks/pool.img rc want

	echo "seed $SEED, $CUTS cuts"
	mkdir -p "$T/share" "$T/disks"
	mkimage oci "$T/tiny"
	for ((i = 1; i <= CUTS + 1; i++)); do
		step "round $i"
		[ "$i" -le "$CUTS" ] && want=99 || want=0
		[ -e "$disk" ] || truncate -s 640M "$disk"
		cp --sparse=always "$disk" "$T/before.img"
		rc=0
		vm_phase round --disk "pool=640M,log=$T/log" --keep-disks "$T/disks" --out "$T/share" \
			${SOAK_ROUNDS:+--smp 2} --env "ROUND=$i" --env "SEED=$SEED" --env "CUTS=$CUTS" --env "LIFE=$LIFE" \
			--env "IMAGE=$T/tiny" --cut-on '^acked fs 2 ' --cut-after "0.5-$((8 * ${TEST_TIME_SCALE:-1}))" >"$T/share/said-$i" || rc=$?
		sed '/^acked/d' "$T/share/said-$i" | grep -av ' end$' || true
		if [ "$rc" != "$want" ]; then
			keep_evidence "$i"
			fail "round $i (seed $SEED) ended with $rc"
		fi
		echo "flushes acknowledged: $(grep -ac '^acked .* end$' "$T/share/said-$i" || true)"
		[ "$rc" = 0 ] || "$TEST_REPO/tests/lib/logwrites.py" cut "$T/log" "$T/before.img" "$SEED$i"
		mv "$T/before.img" "$disk"
	done
	echo "$CUTS cuts, seed $SEED: nothing lost"
}

# keep_evidence ROUND: the disk as it was before that round, and what was said.
keep_evidence() {
	cp --sparse=always "$T/before.img" "$TEST_META/pool-before-round-$1.img"
	cp -r "$T/share" "$TEST_META/share"
}

round_phase() {
	POOL=$VM_DISK_pool
	POOL_DEV=$POOL
	LAST=$((ROUND - 1))
	SAID=${VM_OUT:?}/said-$LAST
	if [ $((LAST % LIFE)) != 0 ]; then
		check_all
		rm -f "$VM_OUT"/base-$((LAST - LIFE))-*
	fi
	echo "judged after $SECONDS s"
	[ "$ROUND" -le "$CUTS" ] || return 0
	begin
	echo "writing after $SECONDS s"
	work
}

# said REGEX: the words of the last line of the round before that match.
said() {
	{ grep -aE "^$1( .*)? end\$" "$SAID" || true; } | tail -n 1
}

# first ROUND: its first operation. base ROUND VOLUME: the file that says what was there before it.
first() {
	echo $(($1 * STEPS + 1))
}
base() {
	echo "$VM_OUT/base-$1-$2"
}

# ---------------------------------------------------------------- after the cut

check_all() {
	local v acked

	pool_check "$POOL" || fail "layerck before the journal is replayed"
	layerctl pool open "$POOL" >/dev/null
	for v in "${VOLUMES[@]}"; do
		acked=$(said "acked $v" | awk '{print $3}')
		oracle check "$(disk "$v")" "$v" "$SEED" "$(first "$LAST")" "${acked:-0}" "$(base "$LAST" "$v")" || fail "$v"
	done
	check_files
	check_snapshots
	check_image
	[ $((ROUND % 3)) != 0 ] || roll_back
	layerctl pool close --force "$POOL"
	pool_check "$POOL" || fail "layerck after the replay"
}

check_files() {
	local fs acked i

	acked=$(said "acked fs" | awk '{print $3}')
	fs=$(disk fs)
	mkdir -p "$T/m"
	mount "$fs" "$T/m"
	for ((i = 1; i <= ${acked:-0}; i++)); do
		cmp "$T/m/round-$LAST/$i" <(pattern "$LAST file $i" $((i * 997 % 50000 + 1))) ||
			fail "file $i of $acked, flushed before the cut, is lost"
	done
	umount "$T/m"
	e2fsck -fn "$fs" >"$T/fsck" 2>&1 || { cat "$T/fsck"; fail "the file system is damaged"; }
	echo "fs: ${acked:-0} files"
}

# The list of those that may be there (name, volume, round, operation ended before, operation begun after) goes from round to round.
check_snapshots() {
	local s v round ended begun there=0

	{ grep -aE '^snapping .* end$' "$SAID" || true; } | while read -r _ s v ended _; do
		begun=$(said "snapped $s" | awk '{print $3}')
		echo "$s $v $LAST $ended ${begun:-0}"
	done >>"$VM_OUT/snapshots"
	layerctl volume ls --quiet >"$T/names"
	: >"$T/snapshots"
	while read -r s v round ended begun; do
		if ! grep -qxF "$s" "$T/names"; then
			[ -n "$(said "removing $s")" ] || [ "$begun" = 0 ] || fail "snapshot $s is lost"
			continue
		fi
		[ -z "$(said "removed $s")" ] || fail "snapshot $s was removed, and is there"
		oracle instant "$(disk "$s")" "$v" "$SEED" "$(first "$round")" "$ended" "$begun" "$(base "$round" "$v")" >"$T/instant" ||
			{ cat "$T/instant"; fail "snapshot $s of $v"; }
		layerctl deactivate "$s"
		echo "$s $v $round $ended $begun" >>"$T/snapshots"
		there=$((there + 1))
	done <"$VM_OUT/snapshots"
	cp "$T/snapshots" "$VM_OUT/snapshots"
	echo "$there snapshots"
}

check_image() {
	local name imported

	if ! layerctl image ls --quiet | grep -q .; then
		imported=$(said imported | awk '{print $2}')
		[ -z "$imported" ] || [ -n "$(said "unimporting $imported")" ] || fail "the image is lost"
		return 0
	fi
	name=$(image_volume tiny)
	mkdir -p "$T/i"
	mount -o ro "$(disk "$name")" "$T/i"
	tiny_is_right "$T/i"
	umount "$T/i"
	layerctl deactivate "$name"
	layerctl image rm tiny >/dev/null
	echo "the image is whole"
}

# The newest snapshot of the first volume is its content again.
roll_back() {
	local s v round ended begun

	read -r s v round ended begun < <(awk '$2 == "a"' "$VM_OUT/snapshots" | tail -n 1) || return 0
	layerctl deactivate a
	layerctl volume rollback a "$s"
	oracle instant "$(disk a)" "$v" "$SEED" "$(first "$round")" "$ended" "$begun" "$(base "$round" "$v")" || fail "a after a rollback to $s"
}

# ---------------------------------------------------------------- until the cut

begin() {
	local v

	if [ $((LAST % LIFE)) = 0 ]; then
		layerctl pool create --force "$POOL" >/dev/null
		layerctl volume create --size 128M fs >/dev/null
		mkfs.ext4 -q "$(disk fs)"
		for v in "${VOLUMES[@]}"; do
			layerctl volume create --size 16M "$v" >/dev/null
		done
		: >"$VM_OUT/snapshots"
	else
		layerctl pool open "$POOL" >/dev/null
	fi
	for v in "${VOLUMES[@]}"; do
		oracle read "$(disk "$v")" "$v" "$(base "$ROUND" "$v")"
	done
	sync -f "$VM_OUT"
}

work() {
	local v d

	mkdir -p "$T/m"
	mount -o discard "$(disk fs)" "$T/m"
	for v in "${VOLUMES[@]}"; do
		d=$(disk "$v")
		nice oracle write "$d" "$v" "$SEED" "$(first "$ROUND")" 0 "$T/progress-$v" &
	done
	files &
	snapshots &
	images &
	wait -n || true
	fail "one of those who write has ended"
}

files() {
	local i

	rm -rf "$T/m"/round-* && mkdir "$T/m/round-$ROUND"
	for ((i = 1; ; i++)); do
		pattern "$ROUND file $i" $((i * 997 % 50000 + 1)) >"$T/m/round-$ROUND/$i"
		sync "$T/m/round-$ROUND/$i" "$T/m/round-$ROUND"
		echo "acked fs $i end"
	done
}

snapshots() {
	local i v old ended begun

	for ((i = 1; ; i++)); do
		v=${VOLUMES[i % 3]}
		[ -e "$T/progress-$v" ] || { sleep 0.1; continue; }
		read -r ended _ < <(oracle progress "$T/progress-$v")
		echo "snapping $v$ROUND-$i $v $ended end"
		layerctl snapshot "$v" "$v$ROUND-$i" >/dev/null
		read -r _ begun < <(oracle progress "$T/progress-$v")
		echo "snapped $v$ROUND-$i $begun end"
		layerctl volume ls --quiet | sed -n "/^${v}[0-9]/p" | sort -V >"$T/of"
		[ "$(wc -l <"$T/of")" -gt 2 ] || continue
		old=$(sed -n "$((i % 2 + 1))p" "$T/of")
		echo "removing $old end"
		layerctl volume rm "$old" >/dev/null
		echo "removed $old end"
	done
}

images() {
	local i

	for ((i = 1; ; i++)); do
		layerctl image import --quiet "$IMAGE" >/dev/null
		echo "imported $i end"
		sleep 1
		echo "unimporting $i end"
		layerctl image rm tiny >/dev/null
	done
}

case $PHASE in
'') host ;;
round) round_phase ;;
esac
