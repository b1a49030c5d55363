#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A file tree as a list that is equal for equal trees, one line an entry, in order.

usage: treelist.py [--no-times] DIRECTORY

Kind, mode, owner, size, times to the nanosecond, link counts, which names are one file, devices,
targets, contents and extended attributes. lost+found of the top is left out, and so are sockets.
"""

import hashlib
import os
import stat
import sys


def row(top, path, inodes, times):
    st = os.lstat(path)
    name = os.path.relpath(path, top)
    out = [name, oct(st.st_mode), st.st_uid, st.st_gid]
    if times:
        out.append(st.st_mtime_ns)
    if not stat.S_ISDIR(st.st_mode):
        out += [st.st_nlink, st.st_rdev, inodes.setdefault(st.st_ino, name)]
    if stat.S_ISLNK(st.st_mode):
        out.append(os.readlink(path))
    if stat.S_ISREG(st.st_mode):
        with open(path, "rb") as f:
            out += [st.st_size, hashlib.sha256(f.read()).hexdigest()]
    out += [(key, os.getxattr(path, key, follow_symlinks=False))
            for key in sorted(os.listxattr(path, follow_symlinks=False)) if key != "security.selinux"]
    return out


def main():
    args = sys.argv[1:]
    times = args[0] != "--no-times"
    top = os.fsencode(args[-1])
    paths, inodes = [top], {}
    for base, dirs, files in os.walk(top):
        if base == top and b"lost+found" in dirs:
            dirs.remove(b"lost+found")
        paths += [os.path.join(base, name) for name in dirs + files]
    for path in sorted(paths):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            print(*row(top, path, inodes, times))


main()
