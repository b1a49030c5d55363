#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Boots a throwaway VM with a Debian kernel and the host's root (read-only,
# under an overlay in memory), runs one command in it and returns its exit
# code. Nothing the guest does changes the host, but for its out share.
#
#   scripts/vm.sh [OPTIONS] [--] COMMAND [ARG...]
#   scripts/vm.sh [OPTIONS] --shell            an interactive shell
#
# Machine:
#   --kernel SERIES    see scripts/kernel.sh (default $KERNEL, else 6.1)
#   --smp N, --mem M   processors and memory (2, 2G)
#   --cpu MODEL        QEMU's -cpu
#   --icount           emulated, with a clock that counts instructions: one takes
#                      one nanosecond of the guest's time (one processor)
#   --append ARGS      more kernel command line
#   --qemu-arg ARG     one more argument for QEMU (repeatable)
#   --disk NAME=SIZE[,zeros=drop][,fs=ext4][,log=FILE]
#                      a sparse disk of serial NAME: /dev/disk/by-id/virtio-NAME,
#                      $VM_DISK_NAME in the command's environment. A disk named
#                      "scratch" is mounted at /scratch (give it a file system).
#                      zeros=drop: blocks of zeros take no space on the host.
#                      FILE gets what is written to it, in the format of
#                      dm-log-writes (see tests/lib/logwrites.py).
#   --disk-cache MODE  QEMU's cache mode for the disks (writeback)
#   --keep-disks DIR   disks live in DIR and stay there; those that exist are
#                      used as they are
#   --module FILE      the layerblk.ko to make modprobe-able in the guest
#                      (default: the one make module built for that kernel)
#   --no-module        none
#   --install DIR      copy DIR over the guest's root before anything starts
#                      (what make install put into a DESTDIR)
# Running:
#   --out DIR          a host directory that the guest sees, writable, as
#                      /run/vm/out ($VM_OUT)
#   --log FILE         the kernel's log goes there
#   --env NAME=VALUE   for the command (repeatable)
#   --timeout SECONDS  the whole run (600)
#   --cut-after S[-T]  power cut S (or random between S and T, fractions
#                      allowed) seconds after the guest is up
#   --cut-on REGEX     the clock of --cut-after starts at this line of output
#   --verbose          say what is booted
#
# At most LAYERBLK_VM_SLOTS (2) VMs run on a host at a time; the others wait.
#
# Exit code: the command's; 124 time-out; 125 the VM could not be started;
# 126 the guest died before the command ended; 99 the power was cut as asked.

set -euo pipefail

REPO=$(cd "$(dirname "$0")/.." && pwd -P)
CACHE=${LAYERBLK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/layerblk}
# shellcheck source=scripts/vm/boot-lib.sh
. "$REPO/scripts/vm/boot-lib.sh"

SERIES=${KERNEL:-6.1} SMP=2 MEM=2G CPU='' ICOUNT=0 APPEND='' TIMEOUT=600
DISKDIR='' DISKCACHE=writeback MODULE=auto INSTALL='' OUT='' LOG='' SHELL_MODE=0
CUT_AFTER='' CUT_ON='' VERBOSE=0
QEMU_ARGS=() DISKS=() ENVS=()
KREL='' VMLINUZ='' MODROOT='' # from kernel.sh
RUN='' QEMU_PID='' PUMP_PID='' UP_PATTERN='vm: up after'

die() {
	echo "vm: $*" >&2
	exit 125
}

usage() {
	sed -n '4,/^$/s/^# \{0,1\}//p' "$0"
}

parse_args() {
	while [ $# -gt 0 ]; do
		case $1 in
		--kernel) SERIES=$2; shift ;;
		--smp) SMP=$2; shift ;;
		--mem) MEM=$2; shift ;;
		--cpu) CPU=$2; shift ;;
		--icount) ICOUNT=1 SMP=1 ;;
		--append) APPEND+=" $2"; shift ;;
		--qemu-arg) QEMU_ARGS+=("$2"); shift ;;
		--disk) DISKS+=("$2"); shift ;;
		--disk-cache) DISKCACHE=$2; shift ;;
		--keep-disks) DISKDIR=$2; shift ;;
		--module) MODULE=$2; shift ;;
		--no-module) MODULE='' ;;
		--install) INSTALL=$(cd "$2" && pwd -P) || die "no $2"; shift ;;
		--out) OUT=$2; shift ;;
		--log) LOG=$2; shift ;;
		--env) ENVS+=("$2"); shift ;;
		--timeout) TIMEOUT=$2; shift ;;
		--cut-after) CUT_AFTER=$2; shift ;;
		--cut-on) CUT_ON=$2; shift ;;
		--shell) SHELL_MODE=1 ;;
		--verbose) VERBOSE=1 ;;
		-h|--help) usage; exit 0 ;;
		--) shift; break ;;
		-*) usage >&2; exit 2 ;;
		*) break ;;
		esac
		shift
	done
	COMMAND=("$@")
	if [ "$SHELL_MODE" = 1 ]; then
		[ $# -gt 0 ] || COMMAND=(bash -l)
	elif [ $# -eq 0 ]; then
		usage >&2
		exit 2
	fi
}

check_tools() {
	local t

	for t in qemu-system-x86_64 busybox cpio modprobe depmod setpriv flock; do
		PATH=$PATH:/usr/sbin:/sbin command -v "$t" >/dev/null ||
			die "$t is missing: run scripts/deps.sh vm"
	done
	PATH=$PATH:/usr/sbin:/sbin
}

# Holds one of the host's VM slots for as long as this process or QEMU lives.
take_slot() {
	local slots=${LAYERBLK_VM_SLOTS:-2} i said=0

	while :; do
		for ((i = 0; i < slots; i++)); do
			exec 8>>"/tmp/layerblk-vm.slot$i"
			chmod 666 "/tmp/layerblk-vm.slot$i" 2>/dev/null || true
			if flock -n 8; then
				return
			fi
		done
		if [ "$said" = 0 ] && [ "$VERBOSE" = 1 ]; then
			echo "vm: waiting for one of $slots slots" >&2
			said=1
		fi
		sleep 0.5
	done
}

# Sparse disks; fills DISK_ARGS and tells the guest their names.
make_disks() {
	local spec name size fs log zeros file i=0 letters=abcdefghijklmnopqrstuvwxyz

	DISK_ARGS=()
	[ -n "$DISKDIR" ] || DISKDIR=$RUN/disks
	mkdir -p "$DISKDIR"
	for spec in "${DISKS[@]}"; do
		name=${spec%%=*}
		size=${spec#*=}
		fs='' log=''
		zeros=''
		case $size in *,zeros=drop*) zeros=,detect-zeroes=unmap; size=${size/,zeros=drop/} ;; esac
		case $size in *,log=*) log=${size##*,log=}; size=${size%,log=*} ;; esac
		case $size in *,fs=*) fs=${size##*,fs=}; size=${size%%,*} ;; esac
		file=$DISKDIR/$name.img
		if [ ! -e "$file" ]; then
			truncate -s "$size" "$file" || die "disk $spec"
			[ -z "$fs" ] || "mkfs.$fs" -q "$file" || die "mkfs.$fs $file"
		fi
		if [ -n "$log" ]; then
			rm -f "$log"
			truncate -s 64G "$log" || die "log of disk $spec"
			DISK_ARGS+=(-blockdev "driver=blklogwrites,node-name=d$i,discard=unmap,file.driver=file,file.filename=$file,file.discard=unmap,log.driver=file,log.filename=$log")
		else
			DISK_ARGS+=(-drive "file=$file,format=raw,if=none,id=d$i,cache=$DISKCACHE,discard=unmap$zeros")
		fi
		DISK_ARGS+=(-device "virtio-blk-pci,drive=d$i,serial=$name")
		ENVS+=("VM_DISK_${name//[^a-zA-Z0-9]/_}=/dev/vd${letters:i:1}")
		i=$((i + 1))
	done
}

# What the guest reads in its out share.
write_config() {
	local e

	{
		printf 'VM_KREL=%q\n' "$KREL"
		printf 'VM_REPO=%q\n' "$REPO"
		printf 'VM_CACHE=%q\n' "$CACHE"
		printf 'VM_CWD=%q\n' "$PWD"
		printf 'VM_MODULES=%q\n' "$MODULES"
		printf 'VM_INSTALL=%q\n' "$INSTALL"
		printf 'VM_INTERACTIVE=%q\n' "$SHELL_MODE"
		printf 'VM_TERM=%q\n' "${TERM:-linux}"
		printf 'VM_TTY_SIZE=%q\n' "$(stty size 2>/dev/null || true)"
	} >"$OUT/vm.conf"
	{
		echo "export VM_OUT=/run/vm/out VM_REPO=$(printf %q "$REPO")"
		echo "export VM_KERNEL=$(printf %q "$SERIES")"
		for e in "${ENVS[@]}"; do
			echo "export ${e%%=*}=$(printf %q "${e#*=}")"
		done
		printf 'exec'
		printf ' %q' "${COMMAND[@]}"
		echo
	} >"$OUT/command"
	rm -f "$OUT/exit-code"
}

start_qemu() {
	local accel cpu nine=security_model=none,multidevs=remap args

	read -r accel cpu < <(vm_accel "$CACHE/vm" "$VMLINUZ")
	[ "$ICOUNT" = 0 ] || cpu=max,la57=off,family=23,-erms,-fsrm
	case $accel/$ICOUNT in
	*/1) accel=tcg,thread=single QEMU_ARGS+=(-icount shift=0) ;;
	tcg/*) accel=tcg,thread=multi ;;
	esac
	args=(-M q35 -accel "$accel" -cpu "${CPU:-$cpu}" -smp "$SMP" -m "$MEM"
		-nodefaults -display none -no-reboot
		-kernel "$VMLINUZ" -initrd "$INITRD"
		-append "console=ttyS0 loglevel=5 panic=-1 mitigations=off log_buf_len=8M$APPEND"
		-serial "file:$RUN/kernel.log"
		-virtfs "local,path=/,mount_tag=hostroot,readonly=on,$nine"
		-virtfs "local,path=$OUT,mount_tag=out,$nine"
		-device virtio-serial-pci "${DISK_ARGS[@]}" "${QEMU_ARGS[@]}")
	[ "$VERBOSE" = 0 ] ||
		echo "vm: Linux $KREL, $SMP processors, $MEM, $accel" >&2
	: >"$RUN/kernel.log"
	if [ "$SHELL_MODE" = 1 ]; then
		args+=(-chardev "stdio,id=c0,signal=off" -device "virtconsole,chardev=c0")
		# No background, and no death signal: it owns the terminal.
		qemu-system-x86_64 "${args[@]}" && return
		die "qemu failed"
	fi
	args+=(-chardev "file,id=c0,path=$RUN/stdout"
		-device "virtserialport,chardev=c0,name=stdio")
	# Held open here until QEMU has ended, so that neither side waits for
	# the other if QEMU fails to start.
	mkfifo "$RUN/stdout"
	exec 6<>"$RUN/stdout"
	pump <"$RUN/stdout" 6>&- 8>&- &
	PUMP_PID=$!
	setpriv --pdeathsig KILL qemu-system-x86_64 "${args[@]}" \
		</dev/null >"$RUN/qemu.err" 2>&1 6>&- &
	QEMU_PID=$!
}

# Seconds to wait before a power cut: S, or a random point between S and T.
cut_delay() {
	awk -v r="$CUT_AFTER" -v seed="$RANDOM$RANDOM" 'BEGIN {
		srand(seed); n = split(r, p, "-")
		printf "%.3f\n", n == 2 ? p[1] + rand() * (p[2] - p[1]) : p[1] }'
}

power_cut() {
	: >"$RUN/cut"
	kill -KILL "$QEMU_PID" 2>/dev/null || true
}

# Passes the output on; leaves a mark when the line of --cut-on comes.
pump() {
	local line

	if [ -z "$CUT_ON" ]; then
		cat
		return
	fi
	while IFS= read -r line; do
		printf '%s\n' "$line"
		[[ $line =~ $CUT_ON ]] && : >"$RUN/armed"
	done
}

# The clock of a power cut runs from the line of --cut-on, or from when the
# guest is up.
cut_clock_runs() {
	if [ -n "$CUT_ON" ]; then
		[ -e "$RUN/armed" ]
	else
		grep -qa "$UP_PATTERN" "$RUN/kernel.log"
	fi
}

cut_power_then() {
	until cut_clock_runs; do
		kill -0 "$QEMU_PID" 2>/dev/null || return 0
		sleep 0.1
	done
	sleep "$(cut_delay)"
	power_cut
}

watch_timeout() {
	sleep "$TIMEOUT"
	: >"$RUN/timeout"
	kill -KILL "$QEMU_PID" 2>/dev/null || true
}

wait_qemu() {
	local timer cutter=''

	# The helpers must not hold the slot, nor outlive this script.
	watch_timeout 6>&- 8>&- &
	timer=$!
	if [ -n "$CUT_AFTER" ]; then
		cut_power_then 6>&- 8>&- &
		cutter=$!
	fi
	wait "$QEMU_PID" 2>/dev/null || true
	exec 6>&-
	wait "$PUMP_PID" 2>/dev/null || true
	reap "$timer"
	[ -z "$cutter" ] || reap "$cutter"
}

reap() {
	local children

	children=$(pgrep -P "$1" || true)
	# shellcheck disable=SC2086
	kill "$1" $children 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

verdict() {
	if [ -s "$OUT/exit-code" ]; then
		cat "$OUT/exit-code"
	elif [ -e "$RUN/timeout" ]; then
		echo "vm: time-out after $TIMEOUT s" >&2
		echo 124
	elif [ -e "$RUN/cut" ]; then
		echo 99
	else
		cat "$RUN/qemu.err" >&2 2>/dev/null || true
		echo "vm: the guest died; the end of its log:" >&2
		tail -n 30 "$RUN/kernel.log" >&2
		echo 126
	fi
}

# shellcheck disable=SC2317 # called by the trap
cleanup() {
	[ -z "$QEMU_PID" ] || kill -KILL "$QEMU_PID" 2>/dev/null || true
	[ -z "$LOG" ] || [ ! -f "$RUN/kernel.log" ] || cp "$RUN/kernel.log" "$LOG" || true
	[ -z "$RUN" ] || rm -rf "$RUN"
}

main() {
	local tmp=${LAYERBLK_VM_TMP:-$REPO/build/vm} rc

	parse_args "$@"
	# What the kernel does not know goes into the environment of its first process.
	case $SERIES in debug|kcsan) APPEND+=' VM_HUNG=240' ;; esac
	check_tools
	mkdir -p "$CACHE/vm" "$tmp"
	RUN=$(mktemp -d "$tmp/run.XXXXXX")
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	# shellcheck source=/dev/null
	. <("$REPO/scripts/kernel.sh" get "$SERIES" || echo "die 'no kernel $SERIES'")
	if [ "$MODULE" = auto ]; then
		MODULE=$REPO/build/kmod-$KREL/layerblk.ko
		[ -f "$MODULE" ] || MODULE=''
	fi
	[ -z "$MODULE" ] || [ -f "$MODULE" ] || die "no module $MODULE"
	INITRD=$(vm_initramfs "$CACHE/vm" "$MODROOT" "$KREL" "$REPO/scripts/vm/early-init")
	MODULES=$(vm_modules "$RUN" "$MODROOT" "$KREL" "$MODULE")
	[ -n "$OUT" ] || OUT=$RUN/out
	mkdir -p "$OUT"
	OUT=$(cd "$OUT" && pwd -P)
	make_disks
	write_config
	take_slot
	start_qemu
	[ "$SHELL_MODE" = 1 ] || wait_qemu
	rc=$(verdict)
	QEMU_PID=''
	exit "$rc"
}

main "$@"
