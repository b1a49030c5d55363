# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What in a kernel log fails a test. Used in the guest after every test and on
# the host for the whole log of a boot.

# Never acceptable, whatever the test does.
KLOG_FATAL='WARNING:|BUG:|Oops|kernel BUG|general protection|double fault'
KLOG_FATAL+='|Call Trace:|unable to handle|Unable to handle'
KLOG_FATAL+='|blocked for more than|possible circular|possible recursive locking'
KLOG_FATAL+='|non-static key|inconsistent lock|inconsistent \{|suspicious RCU'
KLOG_FATAL+='|KASAN|UBSAN|KCSAN|kmemleak: [0-9]+ new'
KLOG_FATAL+='|soft lockup|hard LOCKUP|detected stalls|self-detected stall'
KLOG_FATAL+='|refcount_t:|list_(add|del) corruption|stack-protector'
KLOG_FATAL+='|sleeping function called|scheduling while atomic'
KLOG_FATAL+='|page allocation failure|workqueue lockup'
KLOG_FATAL+='|Out of memory|WQ_MEM_RECLAIM'

# Acceptable only where a test announced it with expect_klog.
KLOG_UNLESS_EXPECTED='I/O error|critical (space|medium|target) |EXT4-fs (error|warning)'
KLOG_UNLESS_EXPECTED+='|JBD2: .*(error|Error)|XFS.*(Corruption|corruption|[Ss]hut|metadata I/O error)'
KLOG_UNLESS_EXPECTED+='|layerblk: .*(error|damaged|checksum|read-only)'

# klog_fatal FILE: does it hold a line after which the machine is not to be
# trusted?
klog_fatal() {
	grep -aqE "$KLOG_FATAL" "$1"
}

# klog_without_traces FILE REGEX_FILE: the log but for the call traces that come
# after a line which matches: what the kernel itself says of memory that it did
# not get.
klog_without_traces() {
	awk -v regexes="$2" '
		BEGIN { while ((getline line < regexes) > 0) re = re (re == "" ? "" : "|") line }
		re != "" && $0 ~ re { skip = 1 }
		!skip { print }
		/<\/TASK>/ { skip = 0 }' "$1"
}

# klog_check FILE [EXPECTED_REGEX_FILE]: prints the lines that fail a test and
# returns 1 if there are any. A file expect-trace beside the other has what
# klog_without_traces takes.
klog_check() {
	local file=$1 expected=${2-/dev/null} bad traces

	traces=$(dirname "$expected")/expect-trace
	[ -e "$expected" ] || expected=/dev/null
	[ -e "$traces" ] || traces=/dev/null
	bad=$(klog_without_traces "$file" "$traces" | grep -aE "$KLOG_FATAL|$KLOG_UNLESS_EXPECTED" |
		{ if [ -s "$expected" ]; then grep -avEf "$expected"; else cat; fi; } || true)
	[ -n "$bad" ] || return 0
	printf '%s\n' "$bad"
	return 1
}
