# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What scripts/vm.sh needs to boot: the choice of accelerator, the initramfs
# and the guest's module directory. All results are cached by what they are
# made of; each appears by a rename, so callers at the same time do not meet.

# accel CACHE VMLINUZ: prints "kvm CPU" or "tcg CPU".
# A /dev/kvm that can be opened may still hang a stock kernel (nested guests),
# so KVM is used only after it booted one; the answer holds until the host is
# booted anew or its QEMU changes.
vm_accel() {
	local cache=$1 vmlinuz=$2 key file tmp cpu
	local tcg="tcg max,la57=off"

	case ${LAYERBLK_VM_ACCEL-} in
	tcg) echo "$tcg"; return ;;
	kvm) echo "kvm host"; return ;;
	esac
	if [ ! -w /dev/kvm ]; then
		echo "$tcg"
		return
	fi
	key=$( { cat /proc/sys/kernel/random/boot_id; qemu-system-x86_64 --version
		stat -c %i /dev/kvm; } | sha256sum | cut -c1-16)
	file=$cache/accel-$key
	if [ ! -s "$file" ]; then
		tmp=$(mktemp -d "$cache/probe.XXXXXX")
		echo "$tcg" >"$tmp/answer"
		vm_probe_initramfs "$tmp"
		for cpu in host host,arch-capabilities=off; do
			vm_probe_kvm "$tmp" "$vmlinuz" "$cpu" || continue
			echo "kvm $cpu" >"$tmp/answer"
			break
		done
		mv "$tmp/answer" "$file"
		rm -rf "$tmp"
	fi
	cat "$file"
}

vm_probe_initramfs() {
	mkdir -p "$1/root/bin"
	cp /bin/busybox "$1/root/bin/"
	printf '%s\n' '#!/bin/busybox sh' '/bin/busybox echo PROBE-OK' \
		'/bin/busybox poweroff -f' >"$1/root/init"
	chmod +x "$1/root/init"
	(cd "$1/root" && find . | cpio -o -H newc --quiet) >"$1/initrd"
}

vm_probe_kvm() {
	timeout -s KILL 6 qemu-system-x86_64 -M q35 -accel kvm -cpu "$3" -smp 2 \
		-m 512M -nodefaults -display none -no-reboot -kernel "$2" \
		-initrd "$1/initrd" -append "console=ttyS0 quiet panic=-1" \
		-serial stdio </dev/null 2>/dev/null | grep -qa PROBE-OK
}

# vm_initramfs CACHE MODROOT KREL EARLY_INIT: prints the initramfs' path.
vm_initramfs() {
	local cache=$1 modroot=$2 krel=$3 init=$4 key file tmp m path
	local want=(virtio_pci virtio_blk virtio_console 9pnet_virtio 9p overlay)

	key=$(cat "$init" "${BASH_SOURCE[0]}" /bin/busybox | sha256sum | cut -c1-16)
	file=$cache/initramfs-$krel-$key
	if [ ! -s "$file" ]; then
		tmp=$(mktemp -d "$cache/initramfs.XXXXXX")
		mkdir -p "$tmp/root/bin" "$tmp/root/modules"
		cp /bin/busybox "$tmp/root/bin/"
		: >"$tmp/root/modules/order"	# it stays empty where all is built in
		install -m 755 "$init" "$tmp/root/init"
		for m in "${want[@]}"; do
			modprobe -d "$modroot" -S "$krel" --show-depends "$m"
		done | awk '$1 == "insmod" && !seen[$2]++ {print $2}' |
		while read -r path; do
			m=$(basename "$path")
			vm_plain_module "$path" >"$tmp/root/modules/${m%%.ko*}.ko"
			echo "${m%%.ko*}.ko" >>"$tmp/root/modules/order"
		done
		(cd "$tmp/root" && find . | cpio -o -H newc --quiet) >"$tmp/cpio"
		mv "$tmp/cpio" "$file"
		rm -rf "$tmp"
	fi
	echo "$file"
}

vm_plain_module() {
	case $1 in
	*.xz) xz -dc "$1" ;;
	*.zst) zstd -qdc "$1" ;;
	*) cat "$1" ;;
	esac
}

# vm_modules RUN MODROOT KREL [KO]: prints the directory that the guest sees as
# /lib/modules/KREL: the distribution's, plus KO in updates/ when there is one,
# with depmod's index made here since it is slow in an emulated guest.
vm_modules() {
	local run=$1 modroot=$2 krel=$3 ko=${4-} base dir

	base=$modroot/lib/modules/$krel
	if [ -z "$ko" ]; then
		readlink -f "$base"
		return
	fi
	dir=$run/modules/lib/modules/$krel
	mkdir -p "$dir/updates"
	cp "$ko" "$dir/updates/layerblk.ko"
	# The tests that were built with it, if they were.
	[ ! -f "${ko%.ko}_kunit.ko" ] || cp "${ko%.ko}_kunit.ko" "$dir/updates/"
	ln -s "$(readlink -f "$base/kernel")" "$dir/kernel"
	cp "$base"/modules.builtin* "$base/modules.order" "$dir/"
	depmod -b "$run/modules" "$krel"
	ln -s "$(readlink -f "$base/build")" "$dir/build"
	echo "$dir"
}
