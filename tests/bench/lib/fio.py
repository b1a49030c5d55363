# SPDX-License-Identifier: GPL-2.0
"""fio jobs, the same for every target.

A job does a fixed number of I/Os with a fixed seed, so that two runs do the same. The time is fio's own, from its first I/O to its last (its
start and end are not in it), less what the processor idled between; the job itself reads the idle time before and after.
"""
import json
import os

from . import clock, disk
from .command import run

TMP = "/tmp/bench"
COMMON = ["--ioengine=io_uring", "--direct=1", "--thread", "--randrepeat=1", "--allrandrepeat=1", "--output-format=json", "--group_reporting"]
# Names of commands to run around the next job's I/O, for the profile.
around = None


def job(dev, rw, bs="4k", depth=16, offset=0, size=128 << 20, ios=None, numjobs=1, extra=(), devices=()):
    """A dict: ios, ns (per I/O, busy), idle_ns (per I/O), io (the devices' counters)."""
    os.makedirs(TMP, exist_ok=True)
    before, after = f"{TMP}/idle-before", f"{TMP}/idle-after"
    pre, post = f"cat /proc/timer_list >{before}", f"cat /proc/timer_list >{after}"
    if around:
        pre, post = f"{pre}; {around} start", f"{around} stop; {post}"
    args = ["fio", "--name=job", f"--filename={dev}", f"--rw={rw}", f"--bs={bs}", f"--iodepth={depth}", f"--offset={offset}", f"--size={size}",
            f"--numjobs={numjobs}", f"--exec_prerun={pre}", f"--exec_postrun={post}", *COMMON, *extra]
    if ios:
        args.append(f"--number_ios={ios}")
    count = disk.counters(devices)
    text = run(*args)
    result = json.loads(text[text.index("{"):])["jobs"][0]
    if result["error"]:
        raise RuntimeError(f"fio: error {result['error']} in {' '.join(args)}")
    done = result["read"]["total_ios"] + result["write"]["total_ios"]
    took = 1e6 * max(result["read"]["runtime"], result["write"]["runtime"])
    with open(before) as a, open(after) as b:
        idle = clock.parse_idle(b.read()) - clock.parse_idle(a.read())
    idle = min(idle, took)
    return {"ios": done, "ns": (took - idle) / done, "idle_ns": idle / done, "total_ns": took - idle, "elapsed_ns": took,
            "io": disk.change(count, disk.counters(devices))}
