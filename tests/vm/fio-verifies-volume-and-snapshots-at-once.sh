#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: fio with verification, 512 B to 1 MiB mixed, on a volume and at once on its snapshots
# smp: 2
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:fio
# timeout: 600
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

pool_on "$VM_DISK_pool"

# job NAME DEVICE SEED OFFSET SIZE
job() {
	printf '[%s]\nfilename=%s\nrandseed=%s\noffset=%s\nsize=%s\n' "$1" "$2" "$3" "$4" "$5"
}
common() {
	cat <<FIO
[global]
ioengine=libaio
iodepth=8
direct=1
rw=randwrite
bssplit=512/15:1k/5:4k/40:4608/5:16k/15:64k/15:1M/5
blockalign=512
verify=crc32c
verify_fatal=1
verify_backlog=256
norandommap=0
FIO
}
fio_run() {
	within 500 fio --output="$T/fio.out" "$@" || { tail -n 40 "$T/fio.out"; fail "fio found a difference"; }
}

step "a volume"
v=$(volume v 256M)
{ common; job base "$v" 11 0 64M; } >"$T/one"
fio_run "$T/one"

step "its snapshots hold the same"
layerctl snapshot v s >/dev/null
a=$(child s a)
b=$(child s b)
{ common; job same-a "$a" 11 0 64M; } >"$T/same"
fio_run --verify_only "$T/same"

step "all three are written at once, over old and new ground"
{ common; job v "$v" 21 0 48M; job a "$a" 22 8M 48M; job b "$b" 23 16M 48M; } >"$T/three"
fio_run "$T/three"

step "the frozen one did not change, nor did one leak into another"
# fio would open it for writing, so a child that nobody wrote to stands for it.
s=$(child s untouched)
{ common; job same-s "$s" 11 0 64M; } >"$T/frozen"
fio_run --verify_only "$T/frozen"
fio_run --verify_only "$T/three"
cmp -n $((1 << 20)) -i $((63 << 20)) "$s" "$a" || fail "what nobody wrote differs"
