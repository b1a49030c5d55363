#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: udev links /dev/layerblk/POOL/NAME appear with a disk, follow a rename and go
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:udevadm
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

pool_in_file 256M --label links
layerctl volume create --size 16M v >/dev/null
layerctl volume create --size 16M 'name with spaces & ünïcödé' >/dev/null
v=$(disk v)
udevadm settle --timeout=30
assert_eq "$(readlink -f /dev/layerblk/links/v)" "$v" "the link"
disk 'name with spaces & ünïcödé' >/dev/null
udevadm settle --timeout=30
assert_eq "$(find /dev/layerblk/links -type l | wc -l)" 2 "links"
layerctl deactivate v
udevadm settle --timeout=30
[ ! -e /dev/layerblk/links/v ] || fail "the link is still there"
layerctl pool close --force "$POOL"
udevadm settle --timeout=30
[ -z "$(find /dev/layerblk -type l 2>/dev/null)" ] || fail "links are left"
