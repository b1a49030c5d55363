#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# desc: run -it gives a terminal of the right size, keys reach the container, the exit status comes back
# requires: mod:layerblk cmd:layerctl cmd:layerck cmd:crun
# timeout: 300
. "$TEST_REPO/tests/lib/test.sh"
. "$TEST_REPO/tests/lib/pool.sh"
. "$TEST_REPO/tests/lib/images.sh"

pool_on "$VM_DISK_pool"
mkimage oci "$T/tiny"
layerctl image import "$T/tiny" >/dev/null

cat >"$T/terminal.py" <<'PY'
"""Runs a command on a terminal of 33 by 99; types each line of its input when "$ " or what precedes "<<" is seen."""
import fcntl, os, pty, select, signal, struct, sys, termios, time
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
typed = [part.split("<<") for part in sys.argv[1].split("|")] if sys.argv[1] else []
seen, end = b"", time.time() + 60
while time.time() < end:
    if typed and typed[0][0].encode() in seen:
        os.write(fd, typed.pop(0)[1].encode().decode("unicode_escape").encode())
        seen_so_far, seen = seen, b""
        sys.stdout.write(seen_so_far.decode())
    if not select.select([fd], [], [], 0.1)[0]:
        continue
    try:
        part = os.read(fd, 4096)
    except OSError:
        break
    if not part:
        break
    seen += part
sys.stdout.write(seen.decode())
if time.time() >= end:
    os.kill(pid, signal.SIGKILL)
    sys.exit("in vain waited for %r" % typed[:1])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
terminal() {
	local rc=0

	within 120 /usr/bin/python3 "$T/terminal.py" "$@" >"$T/out" || rc=$?
	tr -d '\r' <"$T/out" >"$T/text"
	cat "$T/text"
	echo
	STATUS=$rc
}

step "size, name, exit status"
terminal "" layerctl run --rm -it tiny /bin/busybox sh -c 'busybox stty size; busybox tty; exit 3'
assert_eq "$STATUS" 3 "the exit status"
grep -qx '33 99' "$T/text" || fail "not of the size of the terminal outside"
grep -qx '/dev/pts/0' "$T/text" || fail "not a terminal of its own"

step "a shell, typed into"
# shellcheck disable=SC2016 # computed inside
terminal '# <<echo $((6 * 7))\n|42<<exit 4\n' layerctl run --rm -it tiny sh
assert_eq "$STATUS" 4 "the exit status"
grep -q '^42' "$T/text" || fail "no answer"

step "Ctrl-C goes to what runs inside, not to layerctl"
# To a process that was there before the key: the shell itself, between two commands, would go on with the next.
# shellcheck disable=SC2016 # computed inside
terminal '# <<sh -c "echo $((40 + 2))go; exec sleep 100"\n|42go<<\x03|# <<echo $((40 + 3))alive\n|43alive<<exit 6\n' \
	layerctl run --rm -it tiny sh
assert_eq "$STATUS" 6 "the exit status"

step "-t alone"
terminal "" layerctl run --rm -t tiny sh -c 'test -t 1 && exit 5'
assert_eq "$STATUS" 5 "the exit status"
assert_eq "$(layerctl ps -aq | wc -l)" 0 containers
layerctl image rm tiny
