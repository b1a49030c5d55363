#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: rollback to a snapshot, diff between layers, freeze as a layer, deletion in the middle of a chain
# requires: mod:layerblk cmd:layerctl cmd:layerck
# timeout: 180
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"

pool_in_file 1G
d=$(volume v 64M)
block_write "$d" 0 one
block_write "$d" 10 ten
layerctl snapshot v s1 >/dev/null
block_write "$d" 0 changed
block_write "$d" 20 twenty
layerctl snapshot v s2 >/dev/null
block_write "$d" 30 thirty

step "diff tells what differs, to the block"
layerctl volume diff s1 s2 | tee "$T/diff"
[ -s "$T/diff" ] || fail "no difference found"

step "rollback"
refused layerctl volume rollback v nobody
layerctl deactivate v
layerctl volume rollback v s1
d=$(disk v)
block_is "$d" 0 one
block_is "$d" 10 ten
block_is_zero "$d" 20
block_is_zero "$d" 30
block_is "$(disk s2)" 20 twenty
layerctl deactivate s1 s2 2>/dev/null || layerctl deactivate s2

step "freeze, and a chain on it"
block_write "$d" 40 forty
layerctl deactivate v
layerctl freeze --name layer v
a=$(child layer a)
block_write "$a" 0 a
layerctl deactivate a
layerctl freeze a
b=$(child a b)
block_write "$b" 50 b

step "the middle goes, the top keeps all"
layerctl volume rm a
block_is "$b" 0 a
block_is "$b" 40 forty
block_is "$b" 50 b
layerctl volume rm s2
layerctl deactivate b
layerctl pool close "$POOL"
pool_check "$POOL"
layerctl pool open "$POOL"
b=$(disk b)
block_is "$b" 0 a
block_is "$b" 40 forty
