#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: 20 containers that read the same 10 MiB cost at most 1.3 times the memory of overlayfs with --root shared, each its own with a plain root
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon cmd:jq cmd:mkfs.ext4
# timeout: 1200
# shellcheck disable=SC2016 # expanded in the container
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

COUNT=20 SIZE=10
READ='cat /big/* >/dev/null; echo own >/tmp/own; echo ready; exec sleep 1000'

containers_on "$VM_DISK_pool"
mkimage big "$T/big" size=$SIZE
layerctl image import "$T/big" >/dev/null

# In KiB: what is in the page cache, of files and of disks. What is in memory only, such as a tmpfs, is none of it.
cached() {
	awk '/^(Buffers|Cached):/ {sum += $2} /^Shmem:/ {sum -= $2} END {print sum}' /proc/meminfo
}
slab() {
	awk '/^Slab:/ {print $2}' /proc/meminfo
}
# The kernel's other memory, for information: stacks of its threads, what there is of once a CPU.
threads() {
	awk '/^(KernelStack|Percpu):/ {sum += $2} END {print sum}' /proc/meminfo
}
forget() {
	local i

	for i in 1 2; do
		sync
		echo 3 >/proc/sys/vm/drop_caches
		sleep 0.5
	done
}
# What there is when one container runs already, and what twenty more have added.
measure_begin() {
	CACHED=$(cached) SLAB=$(slab) THREADS=$(threads)
}
measure_end() {
	sync
	CACHED=$(($(cached) - CACHED)) SLAB=$(($(slab) - SLAB)) THREADS=$(($(threads) - THREADS))
	step "$1: $CACHED KiB of page cache, $SLAB KiB of slab, $THREADS KiB of stacks and per-CPU memory"
}

# ------------------------------------------------------------------ layerctl's containers

all_ready() {
	local i

	for ((i = 1; i <= COUNT; i++)); do
		[ "$(layerctl logs "c$i")" = ready ] || return 1
	done
}

# by_containers ROOT: the first one brings the programs that start containers into the cache.
by_containers() {
	local i

	layerctl create --root "$1" --name warm tiny sleep 1000 >/dev/null
	forget
	layerctl start warm >/dev/null
	layerctl logs warm
	measure_begin
	for ((i = 1; i <= COUNT; i++)); do
		within 60 layerctl run -d --root "$1" --name "c$i" big sh -c "$READ" >/dev/null
	done
	wait_until 100 all_ready
	measure_end "--root $1"
	layerctl ps -aq | xargs layerctl rm -f >/dev/null
}

# ------------------------------------------------------------------ the same over overlayfs

# model_of NAME: the configuration of a container of layerctl's, and the files that it mounts, in $BUNDLES/model.
model_of() {
	local dir

	dir=/run/layerblk/containers/$(layerctl inspect "$1" | jq -r '.[0].Id')
	mkdir "$BUNDLES/model"
	cp -r "$dir"/{config.json,host*} "$BUNDLES/model"
	[ ! -e "$dir/resolv.conf" ] || cp "$dir/resolv.conf" "$BUNDLES/model"
	jq --arg from "$dir" --arg to "$BUNDLES/model" 'walk(if type == "string" and startswith($from) then $to + ltrimstr($from) else . end)' \
		"$dir/config.json" >"$BUNDLES/model/config.json"
}

# overlay_run NAME LOWER COMMAND: under conmon and crun, the changes on the same ext4 as the layer; what layerctl has in /run, is there, too.
overlay_run() {
	local name=$1 dir=$PLAIN/$1 bundle=$BUNDLES/$1

	mkdir -p "$dir/upper" "$dir/work" "$dir/root" "$bundle"
	mount -t overlay -o "lowerdir=$2,upperdir=$dir/upper,workdir=$dir/work" overlay "$dir/root"
	jq --arg root "$dir/root" --arg name "$name" --arg command "$3" '.root.path = $root | .linux.cgroupsPath = "/plain/" + $name |
		.hostname = $name | .process.args = ["sh", "-c", $command]' "$BUNDLES/model/config.json" >"$bundle/config.json"
	conmon --api-version 1 --cid "$name" --cuuid "$name" --name "$name" --runtime "$(command -v crun)" --bundle "$bundle" \
		--persist-dir "$bundle" --container-pidfile "$bundle/pid" --conmon-pidfile "$bundle/conmon" --log-path "k8s-file:$bundle/log" \
		--full-attach --no-sync-log --log-level error </dev/null >/dev/null 2>&1
	wait_until 60 crun state "$name" >/dev/null 2>&1
	crun start "$name"
}
overlay_ready() {
	local i

	for ((i = 1; i <= COUNT; i++)); do
		grep -q ready "$BUNDLES/o$i/log" || return 1
	done
}

by_overlayfs() {
	local i

	PLAIN=$T/plain BUNDLES=$(mktemp -d /run/plain-XXXXXX)
	defer 'rm -rf "$BUNDLES"'
	mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$VM_DISK_spare" 2G
	mkdir "$PLAIN"
	mount "$VM_DISK_spare" "$PLAIN"
	defer 'umount -R "$PLAIN" 2>/dev/null || true'
	layerctl run -d --root shared --name model tiny sleep 1000 >/dev/null
	model_of model
	layerctl rm -f model >/dev/null
	for i in tiny big; do
		mkdir "$PLAIN/$i"
		layerctl create --name source $i true >/dev/null
		layerctl export source | tar -C "$PLAIN/$i" -xpf -
		layerctl rm source >/dev/null
	done
	forget
	overlay_run warm "$PLAIN/tiny" 'exec sleep 1000'
	measure_begin
	for ((i = 1; i <= COUNT; i++)); do
		overlay_run o$i "$PLAIN/big" "$READ"
	done
	wait_until 100 overlay_ready
	measure_end overlayfs
	for i in warm $(seq -f 'o%g' $COUNT); do
		crun delete -f "$i"
		umount "$PLAIN/$i/root"
	done
	umount "$PLAIN"
}

# Once without looking, so that none of the three is the first of its kind.
layerctl run --rm --root shared big true

by_overlayfs
overlay=$CACHED overlay_all=$((CACHED + SLAB))
by_containers shared
shared=$CACHED shared_all=$((CACHED + SLAB))
by_containers plain
step "with slab: overlayfs $overlay_all KiB, --root shared $shared_all KiB, --root plain $((CACHED + SLAB)) KiB"

assert_ge "$overlay" $((SIZE * 1024)) "what was to be read was not"
assert_le "$overlay" $((4 * SIZE * 1024)) "overlayfs has one cache for all"
assert_ge "$shared" $((SIZE * 1024)) "what was to be read was not"
assert_ge "$CACHED" $((COUNT * SIZE * 1024)) "plain roots have a cache each"
assert_le $((shared * 10)) $((overlay * 13)) "ten times the page cache of --root shared, in KiB"
assert_le $((shared_all * 10)) $((overlay_all * 13)) "ten times that and its slab"
