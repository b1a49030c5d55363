# SPDX-License-Identifier: GPL-2.0
"""fio jobs, the same for every target.

A job does a fixed number of I/Os with a fixed seed, so that two runs do the same. The time is fio's own, from its first I/O to its last (its
start and end are not in it).

On a disk that completes each request in its submitter's context there is nothing to wait for, so all of that time is instructions, and it repeats. On a disk
that takes its time ("waits") the idle time is taken away: fio has it read before and after the job's I/O; some milliseconds pass idle between these readings
even if a job never waits, which is measured by jobs of a single I/O, and is not the job's.
"""
import json
import random

from . import clock
from .command import run

TMP = "/tmp/bench"
COMMON = ["--ioengine=io_uring", "--direct=1", "--thread", "--randrepeat=1", "--allrandrepeat=1", "--output-format=json", "--group_reporting"]

_own = []


def measured(args, mark=("", "")):
    """Runs a job; gives its results and the nanoseconds idled from before its first I/O to after its last."""
    before, after = f"{TMP}/idle-before", f"{TMP}/idle-after"
    # fio redirects the last command's output itself.
    pre, post = f"cat /proc/timer_list >{before}{mark[0]}; :", f"{mark[1]}cat /proc/timer_list >{after}; :"
    text = run(*args, f"--exec_prerun={pre}", f"--exec_postrun={post}")
    result = json.loads(text[text.index("{"):])["jobs"][0]
    if result["error"]:
        raise RuntimeError(f"fio: error {result['error']} in {' '.join(args)}")
    with open(before) as a, open(after) as b:
        return result, clock.parse_idle(b.read()) - clock.parse_idle(a.read())


def own_idle(dev):
    """The idle time of a job that reads a single block; the least of three."""
    if not _own:
        args = ["fio", "--name=job", f"--filename={dev}", "--rw=read", "--bs=4k", "--size=4k", *COMMON]
        _own.append(min(measured(args)[1] for _ in range(3)))
    return _own[0]


def job(dev, rw, bs="4k", depth=16, offset=0, size=128 << 20, ios=None, numjobs=1, extra=(), mark=("", ""), waits=False):
    """A dict: ios, total_ns (busy), idle_ns. mark: commands right before and after the I/O."""
    args = ["fio", "--name=job", f"--filename={dev}", f"--rw={rw}", f"--bs={bs}", f"--iodepth={depth}", f"--offset={offset}", f"--size={size}",
            f"--numjobs={numjobs}", *COMMON, *extra]
    if ios:
        args.append(f"--number_ios={ios}")
    result, idle = measured(args, mark)
    done = result["read"]["total_ios"] + result["write"]["total_ios"]
    took = 1e6 * max(result["read"]["runtime"], result["write"]["runtime"])
    idle = max(0, min(idle - own_idle(dev), took)) if waits else 0
    return {"ios": done, "total_ns": took - idle, "idle_ns": idle}


def scattered(dev, offset, size, stride, length=4096, seed=1):
    """Options for a job that writes one block in each stride of the region, in random order: fio's own random offsets repeat strides."""
    order = list(range(offset, offset + size, stride))
    random.Random(seed).shuffle(order)
    path = f"{TMP}/scattered.log"
    with open(path, "w") as f:
        f.write(f"fio version 2 iolog\n{dev} add\n{dev} open\n")
        f.writelines(f"{dev} write {at} {length}\n" for at in order)
        f.write(f"{dev} close\n")
    return [f"--read_iolog={path}"]


def together(places, seconds, rw="randread"):
    """I/Os per second of one job for each (device, offset, size), all running at once for so long."""
    args = ["fio", *COMMON, f"--rw={rw}", "--bs=4k", "--iodepth=16", "--time_based", f"--runtime={seconds}", "--ramp_time=300ms", "--norandommap"]
    for i, (dev, offset, size) in enumerate(places):
        args += [f"--name=job{i}", f"--filename={dev}", f"--offset={offset}", f"--size={size}", f"--randseed={i + 1}"]
    text = run(*args)
    jobs = json.loads(text[text.index("{"):])["jobs"]
    return sum(j["read"]["iops"] + j["write"]["iops"] for j in jobs)
