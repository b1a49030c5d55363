#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: make quickstart runs to its end, and each thing that it claims is so
# where: vm-own
# requires: file:Kbuild file:userspace/Makefile
# timeout: 1200
. "$TEST_REPO/tests/lib/test.sh"

# The tour itself checks what it says and fails otherwise.
"$TEST_REPO/scripts/quickstart.sh" | tee "$T/out"
for text in 'signed by Grace' 'scribbled over' 'Welcome to the guest book' 'That was layerblk'; do
	grep -q "$text" "$T/out" || fail "the tour did not say: $text"
done
