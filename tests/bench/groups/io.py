# SPDX-License-Identifier: GPL-2.0
"""What a 4 KiB I/O costs.

One fio job (io_uring, depth 16, O_DIRECT, a fixed seed), the same for each target, on equal disks in the same boot. The cost is the
instructions of everything that runs from the job's first I/O to its last, fio itself, the kernel's I/O path, and what the target does in the
background meanwhile; after writes, also what is left to do until it is at rest (the commit). Metadata is warm for every target:
the region is read through once before. "Above raw" takes away what the same job costs on the bare disk.
"""
from lib import clock, direct, fio, profile
from lib.registry import Figure, benchmark
from lib.target import TARGETS

MIB = 1 << 20
MAPPED = (0, 64 * MIB)      # every 4 KiB of it written by itself, in random order
HOLE = (256 * MIB, 64 * MIB)  # between mapped blocks
AFTER = 320 * MIB
SIZE = 512 * MIB
SNAP = 64 * MIB
DEPTH = 64


def warm(volume, region=MAPPED):
    fio.job(volume.dev, "read", bs="64k", depth=4, offset=region[0], size=region[1])


class Mapped:
    """Each target with a volume of 512 MiB whose first 64 MiB are mapped, 4 KiB by 4 KiB in random order."""

    def __init__(self):
        self.targets = [t() for t in TARGETS]
        self.volume, self.frozen, self.deep = {}, {}, {}
        for t in self.targets:
            v = t.volume("data", SIZE)
            fio.job(v.dev, "randwrite", offset=MAPPED[0], size=MAPPED[1])
            fio.job(v.dev, "write", bs="64k", offset=AFTER, size=MIB)
            t.rest()
            warm(v)
            self.volume[t.name] = v

    def snapshot(self, target, name):
        """A writable snapshot of the mapped volume, at rest and warm."""
        v = target.snapshot(self.volume[target.name], name)
        target.rest()
        warm(v)
        return v

    def chain(self, target):
        """A snapshot of a snapshot of ..., 64 times, each with 16 random writes of its own; made once."""
        if target.name not in self.deep:
            v = self.volume[target.name]
            for i in range(DEPTH):
                v = target.snapshot(v, f"deep{i}")
                direct.scatter(v.dev, 16, MAPPED[1], i)
            target.rest()
            warm(v)
            self.deep[target.name] = v
        return self.deep[target.name]

    def remove(self):
        for t in self.targets:
            t.remove()


def cost(bed, pick, rw, region=MAPPED, name="cost", tail=False, stride=0, **job):
    """The job on each target's volume, as a figure in thousands of instructions an I/O. stride: one 4 KiB write in each so many bytes."""
    values, idle, more = {}, {}, {}
    for t in bed.targets:
        v = pick(t)
        with clock.Meter(t.devices()) as m:
            mark = (profile.START, "" if tail else profile.STOP)
            if stride:
                job["extra"] = fio.scattered(v.dev, *region, stride)
            r = fio.job(v.dev, rw, offset=region[0], size=region[1], mark=mark, **job)
            rest = clock.Meter()
            if tail:
                with rest:
                    t.rest()
                profile.stop()
            profile.label(t.name, r["ios"])
        total = r["total_ns"] + (rest.busy if tail else 0)
        values[t.name] = round(total / r["ios"] / 1000, 3)
        idle[t.name] = round(r["idle_ns"] / r["ios"] / 1000, 3)
        more[t.name] = dict(m.io, ios=r["ios"], after=round(rest.busy / r["ios"] / 1000, 3) if tail else 0)
    return Figure(name, "k/IO", values, {"idle": idle, "io": more})


@benchmark("io.read-mapped", Mapped)
def read_mapped(bed):
    """random read, mapped, metadata cached

    64 MiB that were written 4 KiB by 4 KiB in random order, so that maps are as large as such data makes them."""
    yield cost(bed, lambda t: bed.volume[t.name], "randread")


@benchmark("io.read-depth-1", Mapped)
def read_depth_1(bed):
    """random read on a snapshot, depth 1

    A writable snapshot of the mapped volume: all it reads is shared with its origin."""
    yield cost(bed, lambda t: bed.snapshot(t, "one"), "randread")


@benchmark("io.read-unmapped", Mapped)
def read_unmapped(bed):
    """random read of unmapped space

    64 MiB of a hole between mapped blocks of the same volume. Nothing is read from the disk."""
    yield cost(bed, lambda t: bed.volume[t.name], "randread", HOLE)


@benchmark("io.read-queue-1", Mapped)
def read_queue_1(bed):
    """random read, mapped, one I/O at a time

    As io.read-mapped, with a queue of 1."""
    yield cost(bed, lambda t: bed.volume[t.name], "randread", depth=1)


@benchmark("io.read-64k", Mapped)
def read_64k(bed):
    """random read of 64 KiB, mapped 4 KiB by 4 KiB

    What was written in random order is read in larger pieces: how well it was laid out."""
    f = cost(bed, lambda t: bed.volume[t.name], "randread", bs="64k", extra=["--loops=4"])
    yield f
    yield Figure("device-reads", "/IO", {t: round(c["reads"] / c["ios"], 3) for t, c in f.extra["io"].items()})


@benchmark("io.read-recent", Mapped)
def read_recent(bed):
    """random read of what was just written, before it is at rest

    16 MiB of random first writes, and at once random reads of them; commits come as each target pleases."""
    def pick(t):
        v = t.volume("recent", 16 * MIB)
        fio.job(v.dev, "randwrite", size=16 * MIB)
        return v
    yield cost(bed, pick, "randread", (0, 16 * MIB), extra=["--loops=4"])


@benchmark("io.mixed", Mapped)
def mixed(bed):
    """70% random reads, 30% random overwrites

    Of a volume's own blocks."""
    yield cost(bed, lambda t: own(t, "mixed"), "randrw", tail=True, extra=["--rwmixread=70"])


@benchmark("io.overwrite", Mapped)
def overwrite(bed):
    """random overwrite of owned blocks

    Of a volume's own blocks, mapped before and shared with nobody."""
    yield cost(bed, own, "randwrite", tail=True)


def own(t, name="own"):
    """A volume of its own, for a snapshot of "data" may have been taken before."""
    v = t.volume(name, MAPPED[1])
    fio.job(v.dev, "randwrite", size=MAPPED[1])
    t.rest()
    warm(v)
    return v


@benchmark("io.first-write", Mapped)
def first_write(bed):
    """random first write into unmapped space

    4 KiB by 4 KiB into a hole of 64 MiB, with the commits that this causes, up to the last."""
    yield cost(bed, lambda t: bed.volume[t.name], "randwrite", HOLE, tail=True)


@benchmark("io.first-write-snapshot", Mapped)
def first_write_snapshot(bed):
    """random first write to a fresh snapshot

    64 MiB of 4 KiB writes in random order to shared blocks, with the commits, up to the last; and what the disk read and wrote
    for each byte that the application wrote, metadata included."""
    f = cost(bed, lambda t: bed.snapshot(t, "fresh"), "randwrite", (0, SNAP), tail=True)
    yield f
    yield from bytes_for_a_byte(f, SNAP)


@benchmark("io.read-depth-64", Mapped)
def read_depth_64(bed):
    """random read on a snapshot, depth 64

    64 snapshots on top of each other, each with a few writes of its own; read from the last."""
    yield cost(bed, bed.chain, "randread")


@benchmark("io.read-depth-64-many", Mapped)
def read_depth_64_many(bed):
    """the same, with 1,000 other volumes

    In the same pool."""
    def pick(t):
        v = bed.chain(t)
        t.others(1000)
        t.rest()
        warm(v)
        return v
    yield cost(bed, pick, "randread")


WIDE = 1024 * MIB


class Wide:
    """Each target with a volume of 1 GiB, mapped by writes of 1 MiB one after the other."""

    def __init__(self):
        self.targets = [t(4096) for t in TARGETS]
        self.volume = {}
        for t in self.targets:
            v = t.volume("data", 2 * WIDE)
            fio.job(v.dev, "write", bs="1m", depth=4, size=WIDE)
            t.rest()
            self.volume[t.name] = v

    def remove(self):
        for t in self.targets:
            t.remove()


@benchmark("io.read-wide", Wide)
def read_wide(bed):
    """random read of what was written in sequence

    64 MiB of random reads over 1 GiB."""
    yield cost(bed, lambda t: bed.volume[t.name], "randread", (0, WIDE), ios=16384)


@benchmark("io.first-write-wide", Wide)
def first_write_wide(bed):
    """random first write into unmapped space, far apart

    64 MiB of 4 KiB writes, one in each 64 KiB of 1 GiB: the peer provisions a block of its own for each."""
    yield cost(bed, lambda t: bed.volume[t.name], "randwrite", (WIDE, WIDE), tail=True, stride=65536)


@benchmark("io.first-write-snapshot-wide", Wide)
def first_write_snapshot_wide(bed):
    """random first write to a fresh snapshot, far apart

    64 MiB of 4 KiB writes, one in each 64 KiB of 1 GiB of shared blocks, with the commits. The peer copies 64 KiB for each, as it does for
    any write that has no neighbour; where an application comes to write the rest of it, io.first-write-snapshot is the measure."""
    def pick(t):
        v = t.snapshot(bed.volume[t.name], "fresh")
        t.rest()
        return v
    f = cost(bed, pick, "randwrite", (0, WIDE), tail=True, stride=65536)
    yield f
    yield from bytes_for_a_byte(f, SNAP)


@benchmark("io.read-sequential-after", Wide)
def read_sequential_after(bed):
    """sequential read of a snapshot after random writes, 1 MiB

    256 MiB of a snapshot into which one block in each 64 KiB was written; thousands of instructions for each MiB, and the reads of the disk."""
    def pick(t):
        v = t.snapshot(bed.volume[t.name], "after")
        fio.job(v.dev, "randwrite", size=256 * MIB, extra=fio.scattered(v.dev, 0, 256 * MIB, 65536))
        t.rest()
        return v
    f = cost(bed, pick, "read", (0, 256 * MIB), bs="1m")
    f.unit = "k/MiB"
    yield f
    yield Figure("device-reads", "/MiB", {t: round(c["reads"] / c["ios"], 2) for t, c in f.extra["io"].items()})


def bytes_for_a_byte(figure, written):
    for name, key in (("read-bytes", "read_sectors"), ("written-bytes", "write_sectors")):
        yield Figure(name, "B/B", {t: round(c[key] * 512 / written, 4) for t, c in figure.extra["io"].items()})


class Empty:
    """Targets without volumes."""

    def __init__(self):
        self.targets = [t() for t in TARGETS]

    def remove(self):
        for t in self.targets:
            t.remove()


@benchmark("io.fill", Empty)
def fill(bed):
    """sequential fill, 1 MiB

    256 MiB of a new volume, in writes of 1 MiB at depth 16; instructions for each MiB, and the bytes that the disk wrote for each byte."""
    f = cost(bed, lambda t: t.volume("fill", 256 * MIB), "write", (0, 256 * MIB), bs="1m", tail=True)
    f.unit = "k/MiB"
    yield f
    yield Figure("written-bytes", "B/B", {t: round(c["write_sectors"] * 512 / (256 * MIB), 4) for t, c in f.extra["io"].items()})
