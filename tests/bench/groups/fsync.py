# SPDX-License-Identifier: GPL-2.0
"""What a durable 4 KiB write costs: writes, flushes and bytes on the disk for each fsync.

Writes past the page cache, each followed by an fsync, to blocks that are new or shared. Two kinds of disk: one with a volatile cache and
FUA (null_blk with cache_size; each request takes 20 µs, so that callers can meet), and one with a volatile cache and no FUA (QEMU's
virtio disk; every target has its own). The peer's metadata disk is of the same kind as its data disk, and both are counted. Counted is what
the disks count while the job runs; commits that fall into it are in, and "amortised" is with all that is left to do afterwards.
"""
import os

from lib import clock, fio, profile
from lib.registry import Figure, benchmark
from lib.target import Layerblk, Raw, Thin

MIB = 1 << 20
COUNT = 512
REGION = 64 * MIB


class Bed:
    """Each target with a mapped volume of 64 MiB to take snapshots of."""

    def make(self):
        raise NotImplementedError

    def __init__(self):
        self.targets = self.make()
        self.volume, self.number = {}, 0
        for t in self.targets:
            v = t.volume("data", 16 * REGION)
            fio.job(v.dev, "write", bs="1m", depth=1, size=REGION)
            t.rest()
            self.volume[t.name] = v

    def fresh(self, target):
        """A part of the volume that nothing has written yet."""
        return self.volume[target.name], (self.number + 1) * REGION

    def remove(self):
        for t in self.targets:
            t.remove()


class Fua(Bed):
    """On null_blk with a volatile cache and FUA."""

    def make(self):
        return [t(2048, cache_mib=64, latency_ns=20000) for t in (Raw, Thin, Layerblk)]


class NoFua(Bed):
    """On QEMU's virtio disks, which have a volatile cache and no FUA."""

    def make(self):
        raw, thin, meta, own = (os.environ[f"VM_DISK_{name}"] for name in ("raw", "thin", "meta", "layerblk"))
        return [Raw(disk=raw), Thin(disk=thin, meta=meta), Layerblk(disk=own)]


def synced(bed, pick, jobs=1):
    """The figures of a job of random writes with an fsync after each; pick gives (volume, offset)."""
    figures = {key: {} for key in ("writes", "flushes", "bytes", "reads", "cost", "amortised-writes")}
    idle, journal = {}, {}
    for t in bed.targets:
        v, offset = pick(t)
        t.rest()
        before = t.pool.status().journal_writes if t.name == "layerblk" else 0
        with clock.Meter(t.devices()) as all_of_it:
            with clock.Meter(t.devices()) as m:
                r = fio.job(v.dev, "randwrite", depth=1, offset=offset, size=REGION, ios=COUNT // jobs, numjobs=jobs,
                            extra=["--ioengine=psync", "--fsync=1"], mark=(profile.START, profile.STOP), waits=True)
            if t.name == "layerblk":
                journal[t.name] = round((t.pool.status().journal_writes - before) / r["ios"], 4)
            t.rest()
        n = r["ios"]
        profile.label(t.name, n, "fsync")
        for key in ("writes", "flushes", "reads"):
            figures[key][t.name] = round(m.io[key] / n, 4)
        figures["bytes"][t.name] = round(m.io["write_sectors"] * 512 / (n * 4096), 4)
        figures["cost"][t.name] = round(r["total_ns"] / n / 1000, 2)
        figures["amortised-writes"][t.name] = round(all_of_it.io["writes"] / n, 4)
        idle[t.name] = round(r["idle_ns"] / n / 1000, 2)
    if jobs > 1:
        del figures["cost"]  # the jobs' readings of the idle time are not one instant's
    units = {"bytes": "B/B", "cost": "k/op"}
    for key, values in figures.items():
        yield Figure(key, units.get(key, "/op"), values, {"idle": idle} if key == "cost" else {})
    if jobs > 1:
        yield Figure("journal-writes", "/op", journal)


def fresh(bed):
    def pick(t):
        where = bed.fresh(t)
        if t is bed.targets[-1]:
            bed.number += 1
        return where
    return pick


def snapshot(bed, name):
    return lambda t: (t.snapshot(bed.volume[t.name], name), 0)


@benchmark("fsync.new", NoFua)
def new(bed):
    """4 KiB write + fsync, newly allocated, no FUA

    Into space that was never written."""
    yield from synced(bed, fresh(bed))


@benchmark("fsync.snapshot", NoFua)
def on_snapshot(bed):
    """4 KiB write + fsync into a fresh snapshot, no FUA

    Blocks that the snapshot shares with its origin."""
    yield from synced(bed, snapshot(bed, "one"))


@benchmark("fsync.new-8", NoFua)
def new_8(bed):
    """the same by 8 writers, newly allocated, no FUA

    Eight threads write to one volume, each with its own fsyncs."""
    yield from synced(bed, fresh(bed), jobs=8)


@benchmark("fsync.fua-new", Fua)
def fua_new(bed):
    """4 KiB write + fsync, newly allocated, with FUA

    Into space that was never written."""
    yield from synced(bed, fresh(bed))


@benchmark("fsync.fua-snapshot", Fua)
def fua_snapshot(bed):
    """4 KiB write + fsync into a fresh snapshot, with FUA

    Blocks that the snapshot shares with its origin."""
    yield from synced(bed, snapshot(bed, "one"))


@benchmark("fsync.fua-new-8", Fua)
def fua_new_8(bed):
    """the same by 8 writers, newly allocated, with FUA

    Eight threads write to one volume, each with its own fsyncs."""
    yield from synced(bed, fresh(bed), jobs=8)
