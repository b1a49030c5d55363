#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: after a power cut ps -a shows the containers that were there, with what they had written, and start works
# where: vm-own
# requires: file:Kbuild file:userspace/Makefile
# timeout: 600
# shellcheck disable=SC2016 # expanded in the container
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

host() {
	local rc=0

	"$TEST_REPO/tests/lib/mkimage.py" oci "$TEST_META/tiny"
	vm_phase work --disk pool=8G --keep-disks "$T/disks" --env "IMAGES=$TEST_META" \
		--cut-on '^working' --cut-after 0-2 >"$T/out" || rc=$?
	assert_eq "$rc" 99 "the end of the work: $(tail -n 3 "$T/out")"
	vm_phase check --disk pool=8G --keep-disks "$T/disks"
	rm -rf "$TEST_META/tiny"
}

work_phase() {
	layerctl pool create --force "$VM_DISK_pool" >/dev/null
	layerctl image import "$IMAGES/tiny" >/dev/null
	layerctl create --name made tiny echo from a made one >/dev/null
	layerctl run --name ended tiny sh -c 'echo ended >/file; exit 7' || true
	layerctl run -d --name up -v data:/data tiny sh -c 'echo kept >>/file; echo kept >/data/file; sync; echo written; sleep 1000' >/dev/null
	layerctl run -d --rm --name passing tiny sleep 1000 >/dev/null
	layerctl run -d --root shared --name over tiny sh -c \
		'echo kept >>/file; rm -rf /opaque; dd if=/dev/zero of=/zeros bs=64k count=100 2>/dev/null; sync; echo written; sleep 1000' >/dev/null
	until layerctl logs up | grep written && layerctl logs over | grep written; do sleep 0.2; done
	echo "working"
	layerctl commit over half-done >/dev/null
	sleep 100
}

check_phase() {
	layerctl pool open "$VM_DISK_pool" >/dev/null
	POOL=$VM_DISK_pool
	step "what was there"
	assert_eq "$(layerctl ps -q | wc -l)" 0 running
	assert_eq "$(layerctl ps -a --format json | jq -c '[.[] | [.name, .state, .exit_code]] | sort')" \
		'[["ended","exited",7],["made","created",null],["over","exited",137],["up","exited",137]]'
	assert_eq "$(layerctl volume ls --quiet | grep -c '^commit-' || true)" 0 "volumes of the commit"
	step "they start"
	assert_eq "$(layerctl start -a made)" "from a made one"
	layerctl start up >/dev/null
	wait_until 60 layerctl exec up sh -c '[ "$(wc -l </file)" = 2 ]'
	assert_eq "$(layerctl exec up cat /data/file)" kept
	layerctl cp ended:/file "$T/file"
	assert_eq "$(cat "$T/file")" ended
	layerctl start over >/dev/null
	wait_until 60 layerctl exec over sh -c '[ "$(wc -l </file)" = 2 ] && [ ! -e /opaque ]'
	assert_eq "$(layerctl diff over | tr '\n' ' ')" "A /file D /opaque A /zeros "
	layerctl rm -f up made ended over >/dev/null
	assert_eq "$(status .active_volumes)" 0 "active volumes"
	layerctl pool close "$POOL"
	pool_check "$POOL"
}

case $PHASE in
'') host ;;
work) work_phase ;;
check) check_phase ;;
esac
