# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# The kernel's fault injection for tests in the VM: source after pool.sh, and
# require what is used, as faults:failslab. Everything is off again at the end.

FAULTS=/sys/kernel/debug

# faults_expected: what the log may say in a test that makes things fail.
faults_expected() {
	expect_klog 'layerblk: '
	expect_klog 'FAULT_INJECTION'
	expect_klog 'I/O error|critical (space|medium|target) '
	# The kernel's own words about memory that it did not get.
	expect_trace 'percpu: allocation failed|vmalloc error: size|page allocation failure'
}

# fault_volumes: "base" and "next", frozen; "data", active; "back" with a
# snapshot "back-then".
fault_volumes() {
	local d

	d=$(volume base 4M)
	block_write "$d" 0 base 16
	layerctl volume set base --label note=something
	layerctl deactivate base
	layerctl freeze base
	d=$(child base next)
	block_write "$d" 8 next 16
	layerctl deactivate next
	layerctl freeze next
	volume data 4M >/dev/null
	d=$(volume back 4M)
	block_write "$d" 0 back 16
	layerctl snapshot back back-then >/dev/null
	layerctl deactivate back
}

# faults_on_device DEVICE: I/O on it may fail.
faults_on_device() {
	local file

	file=/sys/class/block/$(basename "$1")/make-it-fail
	echo 1 >"$file"
	defer "[ ! -e '$file' ] || echo 0 >'$file'"
}

# faults_set CAPABILITY FILE VALUE
faults_set() {
	echo "$3" >"$FAULTS/$1/$2"
}

# faults_everywhere: whatever asks for memory may fail, and none does by chance.
faults_everywhere() {
	local c

	for c in failslab fail_page_alloc fail_make_request; do
		faults_set $c verbose 0
		faults_set $c probability 0
		faults_set $c interval 1
		faults_set $c times -1
		faults_set $c space 0
	done
	faults_set failslab ignore-gfp-wait N
	faults_set fail_page_alloc ignore-gfp-wait N
	faults_set fail_page_alloc ignore-gfp-highmem N
	faults_set fail_page_alloc min-order 0
	defer faults_off
}

# faults_in_module CAPABILITY PERCENT: of what the module's own code asks for,
# in whatever task, that much fails.
faults_in_module() {
	local base size

	read -r size base < <(awk '$1 == "layerblk" {print $2, $6}' /proc/modules)
	faults_set "$1" stacktrace-depth 32
	faults_set "$1" require-start "$base"
	faults_set "$1" require-end "$(printf '0x%x' $((base + size)))"
	faults_set "$1" probability "$2"
}

faults_off() {
	local c

	for c in failslab fail_page_alloc fail_make_request; do
		faults_set $c probability 0
		faults_set $c require-start 0
		faults_set $c require-end 0xffffffffffffffff
	done
}

# pool_mend: opens the pool again if a failure has made it read-only.
pool_mend() {
	[[ $(status .state) == failed* ]] || return 0
	within 120 layerctl pool close --force "$POOL" || true
	within 120 layerctl pool open "$POOL" >/dev/null
}
