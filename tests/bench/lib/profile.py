# SPDX-License-Identifier: GPL-2.0
"""Marks for the plug-in that counts instructions by function (profile/insnprof.c): when the emulator has it, what is between start and stop
of a job is its profile. Without it nothing happens."""
import os

from .command import run

WANTED = os.environ.get("BENCH_PROFILE") == "1"
MARK = "/usr/libexec/layerblk-bench/profile-mark"
# Commands for a job of fio.
START, STOP = (f"; {MARK} start", f"{MARK} stop; ") if WANTED else ("", "")
# The benchmark that runs.
current = ""


def start():
    if WANTED:
        run(MARK, "start")


def stop():
    if WANTED:
        run(MARK, "stop")


def label(target, count, unit="I/O"):
    """The profile that was stopped last is that of `target` in this benchmark, and `count` is what its instructions are divided by."""
    if WANTED:
        with open(f"{os.environ['VM_OUT']}/profile.labels", "a") as f:
            f.write(f"{current}\t{target}\t{count}\t{unit}\n")


def symbols():
    if WANTED:
        with open("/proc/kallsyms") as f, open(f"{os.environ['VM_OUT']}/kallsyms", "w") as out:
            out.write(f.read())
