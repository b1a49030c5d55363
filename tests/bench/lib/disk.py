# SPDX-License-Identifier: GPL-2.0
"""Disks in the guest's memory (null_blk), and what block devices count about themselves.

Every target of a comparison lies on disks made here with the same settings, so that what differs is what lies above. A disk keeps what is
written in pages of the guest's memory (null_blk's memory_backed) and completes each request in the submitter's context: no time passes in
which the processor idles, so that the guest's time is its instructions.
"""
import os
import time

CONFIG = "/sys/kernel/config/nullb"

# The columns of /sys/class/block/*/stat that are looked at.
COLUMNS = {"reads": 0, "read_sectors": 2, "writes": 4, "write_sectors": 6, "discards": 11, "flushes": 15}


def put(path, value):
    with open(path, "w") as f:
        f.write(str(value))


def setup():
    """The module, without disks as yet."""
    if not os.path.isdir(CONFIG):
        os.system("modprobe null_blk nr_devices=0")
        os.path.isdir(CONFIG) or os.system("mount -t configfs configfs /sys/kernel/config")


class NullDisk:
    """A disk of so many MiB. cache_mib: it has a volatile cache (and FUA), and so is sent flushes. latency_ns: what each request takes (by
    a timer), 0: it is done when it is sent. queues: hardware queues."""

    def __init__(self, name, mib, cache_mib=0, latency_ns=0, queues=1):
        setup()
        self.dir = f"{CONFIG}/{name}"
        before = set(os.listdir("/sys/block"))
        os.mkdir(self.dir)
        for key, value in (("size", mib), ("memory_backed", 1), ("blocksize", 4096), ("irqmode", 2 if latency_ns else 0),
                           ("completion_nsec", latency_ns), ("discard", 1), ("cache_size", cache_mib), ("submit_queues", queues)):
            put(f"{self.dir}/{key}", value)
        put(f"{self.dir}/power", 1)
        self.name = (set(os.listdir("/sys/block")) - before).pop()
        self.dev = f"/dev/{self.name}"
        for _ in range(200):
            if os.path.exists(self.dev):
                break
            time.sleep(0.02)

    def remove(self):
        put(f"{self.dir}/power", 0)
        os.rmdir(self.dir)


def counters(devices):
    """The sum of each counter over these devices ("/dev/X" or "X")."""
    total = dict.fromkeys(COLUMNS, 0)
    for dev in devices:
        with open(f"/sys/class/block/{os.path.basename(os.path.realpath(dev))}/stat") as f:
            words = f.read().split()
        for key, column in COLUMNS.items():
            total[key] += int(words[column])
    return total


def change(before, after):
    return {key: after[key] - before[key] for key in before}
