# SPDX-License-Identifier: GPL-2.0
"""fio jobs, the same for every target.

A job does a fixed number of I/Os with a fixed seed, so that two runs do the same. The time is fio's own, from its first I/O to its last (its
start and end are not in it), less what the processor idled between; the job itself reads the idle time before and after.
"""
import json
import random

from . import clock, disk
from .command import run

TMP = "/tmp/bench"
COMMON = ["--ioengine=io_uring", "--direct=1", "--thread", "--randrepeat=1", "--allrandrepeat=1", "--output-format=json", "--group_reporting"]


def job(dev, rw, bs="4k", depth=16, offset=0, size=128 << 20, ios=None, numjobs=1, extra=(), devices=(), mark=("", "")):
    """A dict: ios, total_ns (busy), idle_ns, io (the devices' counters). mark: commands right before and after the I/O."""
    before, after = f"{TMP}/idle-before", f"{TMP}/idle-after"
    # fio redirects the last command's output itself.
    pre, post = f"cat /proc/timer_list >{before}{mark[0]}; :", f"{mark[1]}cat /proc/timer_list >{after}; :"
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
    return {"ios": done, "total_ns": took - idle, "idle_ns": idle, "io": disk.change(count, disk.counters(devices))}


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
