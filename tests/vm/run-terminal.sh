#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: run -it gives a terminal of the right size, keys reach the container, the exit status comes back
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun cmd:conmon
# timeout: 600
# shellcheck disable=SC2016 # computed inside
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"
. "$TEST_REPO/tests/lib/terminal.sh"

pool_on "$VM_DISK_pool"
mkimage oci "$T/tiny"
layerctl image import "$T/tiny" >/dev/null

step "size, name, exit status"
terminal "" layerctl run --rm -it tiny /bin/busybox sh -c 'busybox stty size; busybox tty; exit 3'
assert_eq "$STATUS" 3 "the exit status"
grep -qx '33 99' "$T/text" || fail "not of the size of the terminal outside"
grep -qx '/dev/pts/0' "$T/text" || fail "not a terminal of its own"

step "a shell, typed into"
terminal '# <<echo $((6 * 7))\n|42<<exit 4\n' layerctl run --rm -it tiny sh
assert_eq "$STATUS" 4 "the exit status"
grep -q '^42' "$T/text" || fail "no answer"

step "Ctrl-C goes to what runs inside, not to layerctl"
# To a process that was there before the key: the shell itself, between two commands, would go on with the next.
terminal '# <<sh -c "echo $((40 + 2))go; exec sleep 100"\n|42go<<\x03|# <<echo $((40 + 3))alive\n|43alive<<exit 6\n' \
	layerctl run --rm -it tiny sh
assert_eq "$STATUS" 6 "the exit status"

step "detached by its keys, it goes on; attached again, it is the same shell"
terminal '# <<X=$((40 + 4)); echo $X\n|44<<\x10\x11' layerctl run --name kept -it tiny sh
assert_eq "$STATUS" 0 "the exit status of a detached run"
assert_eq "$(layerctl ps --format json | jq -r '.[0].name')" kept "running"
terminal '<<\n|# <<\x10echo $((X + 1))\n|45<<\x10\x11' layerctl attach kept
assert_eq "$STATUS" 0 "the exit status of a detached attach"
terminal '<<\n|# <<echo $((X + 2))\n|46<<\x10\x11p\n|# <<ab' layerctl attach --detach-keys a,b kept
assert_eq "$STATUS" 0 "other keys"
terminal '<<\n|# <<exit 5\n' layerctl attach kept
assert_eq "$STATUS" 5 "the exit status of what it was attached to"
refused -m 'not running' layerctl attach kept </dev/null
refused -m 'detach keys' layerctl attach --detach-keys ctrl-1 kept </dev/null
terminal '# <<exit 6\n' layerctl start -ai kept
assert_eq "$STATUS" 6 "started again, with its terminal"
layerctl rm kept

step "exec with a terminal, detached from"
layerctl run -d --name base tiny sleep 1000 >/dev/null
terminal '# <<busybox stty size; echo $((40 + 7))\n|47<<exit 8\n' layerctl exec -it base sh
assert_eq "$STATUS" 8 "exec's exit status"
grep -qx '33 99' "$T/text" || fail "not of the size of the terminal outside"
terminal '# <<sleep 500\n|500<<\x10\x11' layerctl exec -it base sh
assert_eq "$STATUS" 0 "the exit status of a detached exec"
# shellcheck disable=SC2009 # in the container
layerctl exec base sh -c 'busybox ps | busybox grep -q "[s]leep 500"' || fail "it ended with its terminal"
layerctl rm -f base

step "-t alone"
terminal "" layerctl run --rm -t tiny sh -c 'test -t 1 && exit 5'
assert_eq "$STATUS" 5 "the exit status"
assert_eq "$(layerctl ps -aq | wc -l)" 0 containers
layerctl image rm tiny
