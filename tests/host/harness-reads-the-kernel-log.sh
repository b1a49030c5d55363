#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: each kind of kernel complaint fails a test, and ordinary lines do not
# where: host
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/klog.sh"

complains() {
	echo "[   12.345678] $1" >"$T/log"
	klog_check "$T/log" >/dev/null && fail "not found: $1"
	return 0
}
silent() {
	echo "[   12.345678] $1" >"$T/log"
	klog_check "$T/log" || fail "taken for a complaint: $1"
}

complains 'WARNING: CPU: 1 PID: 77 at block/blk-core.c:580 submit_bio_noacct+0x1/0x2'
complains 'WARNING: possible circular locking dependency detected'
complains 'WARNING: inconsistent lock state'
complains 'WARNING: suspicious RCU usage'
complains 'WARNING: possible recursive locking detected'
complains 'BUG: kernel NULL pointer dereference, address: 0000000000000008'
complains 'BUG: KASAN: use-after-free in lb_map_lookup+0x1/0x2'
complains 'BUG: sleeping function called from invalid context at mm/slab.h:1'
complains 'BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 33s!'
complains 'watchdog: BUG: soft lockup - CPU#0 stuck for 61s! [dd:1]'
complains 'general protection fault, probably for non-canonical address 0x1'
complains 'INFO: task fio:123 blocked for more than 60 seconds.'
complains 'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:'
complains 'rcu: INFO: rcu_preempt self-detected stall on CPU'
complains 'UBSAN: array-index-out-of-bounds in kmod/engine/tree.c:1:2'
complains 'INFO: trying to register non-static key.'
complains 'kmemleak: 3 new suspicious memory leaks (see /sys/kernel/debug/kmemleak)'
complains 'BUG: KCSAN: data-race in lb_vol_look / lb_vol_insert'
complains 'kernel BUG at mm/slub.c:305!'
complains 'refcount_t: underflow; use-after-free.'
complains 'list_add corruption. next->prev should be prev'
complains 'workqueue: PF_MEMALLOC task 1(kswapd0) is flushing !WQ_MEM_RECLAIM events:x'
complains 'kworker/u4:1: page allocation failure: order:4, mode:0x40cc0'
complains 'I/O error, dev vdb, sector 0 op 0x0:(READ) flags 0x0'
complains 'EXT4-fs error (device layerblk0): ext4_lookup:1: comm ls: bad'
complains 'XFS (layerblk0): Metadata corruption detected at xfs_agf_read'

silent 'EXT4-fs (layerblk0): mounted filesystem with ordered data mode. Quota mode: none.'
silent 'loop0: detected capacity change from 0 to 614400'
silent 'layerblk: loading out-of-tree module taints kernel.'
silent 'layerblk-test begin io-error-handling'

step "what was announced, and only that"
echo 'I/O error, dev vdb, sector 0' >"$T/log"
echo 'I/O error, dev vdb,' >"$T/expected"
klog_check "$T/log" "$T/expected" || fail "an announced line fails"
echo 'I/O error, dev vdc, sector 0' >>"$T/log"
klog_check "$T/log" "$T/expected" >/dev/null && fail "another device's line passes"

step "an announced trace, and nothing after it"
printf '%s\n' 'percpu: allocation failed, size=8 align=8 atomic=0' 'Call Trace:' ' <TASK>' ' dump_stack+0x1/0x2' ' </TASK>' >"$T/log"
rm "$T/expected"
klog_check "$T/log" "$T/expected" >/dev/null && fail "a trace that nobody announced passes"
echo 'percpu: allocation failed' >"$T/expect-trace"
klog_check "$T/log" "$T/expected" || fail "an announced trace fails"
echo 'BUG: KASAN: use-after-free in lb_map_lookup+0x1/0x2' >>"$T/log"
klog_check "$T/log" "$T/expected" >/dev/null && fail "what comes after an announced trace passes"
exit 0
