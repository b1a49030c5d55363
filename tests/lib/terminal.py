
#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""usage: terminal.py TYPED COMMAND [ARG...]

Runs a command on a terminal of 33 by 99; types each line of its input when "$ " or what precedes "<<" is seen.
TYPED is a list of SEEN<<KEYS with "|" between them."""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

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
