# SPDX-License-Identifier: GPL-2.0
"""What requests cost that change metadata, and how much metadata there is.

Counted are the writes, flushes, reads and bytes on the disks (no FUA, so that each flush is seen) from the request until it is durable,
which both the peer's message and layerblk's request are when they return. Requests go straight to the kernel, for both: no tool is started.
Of the peer only the message to the pool counts, not the suspension of the origin that it asks its user for.
"""
import os
import threading

from lib import clock, direct, fio
from lib.registry import Figure, benchmark
from lib.target import Layerblk, Thin

MIB = 1 << 20
TIMES = 20
CALLERS = 8


class Pools:
    """dm-thin and layerblk on QEMU's virtio disks, each with a volume of 64 MiB of data, frozen, and ten volumes."""

    def __init__(self):
        thin, meta, own = (os.environ[f"VM_DISK_{name}"] for name in ("thin", "meta", "layerblk"))
        self.targets = [Thin(disk=thin, meta=meta), Layerblk(disk=own)]
        self.layer = {}
        for t in self.targets:
            v = t.volume("layer", 64 * MIB)
            fio.job(v.dev, "write", bs="1m", depth=1, size=64 * MIB)
            t.freeze(v)
            t.others(10)
            t.rest()
            self.layer[t.name] = v.number

    def remove(self):
        for t in self.targets:
            t.remove()


def counted(values):
    """Figures of {target: (counters, divisor)}."""
    for key, unit in (("writes", "/op"), ("flushes", "/op"), ("reads", "/op"), ("kib", "KiB/op"), ("cost", "k/op")):
        figure = {}
        for name, (m, n) in values.items():
            total = {"kib": m.io["write_sectors"] / 2, "cost": m.busy / 1000}.get(key, m.io.get(key))
            figure[name] = round(total / n, 3)
        yield Figure(key, unit, figure)


def snapshots(bed):
    values = {}
    for t in bed.targets:
        made = [t.request_snapshot(bed.layer[t.name])]  # the first one warms what is cached
        t.rest()
        with clock.Meter(t.devices()) as m:
            for _ in range(TIMES):
                made.append(t.request_snapshot(bed.layer[t.name]))
        values[t.name] = (m, TIMES)
        for number in made:
            t.request_delete(number)
        t.rest()
    return values


@benchmark("metadata.snapshot", Pools)
def snapshot(bed):
    """create a snapshot of a layer, durable, 10 volumes

    A writable snapshot of a volume that is not in use: what starting a container needs."""
    yield from counted(snapshots(bed))


@benchmark("metadata.snapshot-active", Pools)
def snapshot_active(bed):
    """create a snapshot of a volume in use, durable

    A volume with a disk, after 16 random writes that are durable already. The peer's volume is suspended and resumed around it, outside the count."""
    values = {}
    for t in bed.targets:
        v = t.activate("busy", t.request_snapshot(bed.layer[t.name]), 64 * MIB)
        total = clock.Sum()
        for i in range(TIMES):
            direct.scatter(v.dev, 16, 64 * MIB, i)
            t.rest()
            t.quiesce(v)
            with clock.Meter(t.devices()) as m:
                t.request_snapshot(v.number)
            t.resume(v)
            total.add(m)
        values[t.name] = (total, TIMES)
    yield from counted(values)


@benchmark("metadata.snapshot-8", Pools)
def snapshot_8(bed):
    """create snapshots by 8 callers at once, durable

    Eight threads, each making snapshots of the same layer."""
    values = {}
    for t in bed.targets:
        callers = [t.caller() for _ in range(CALLERS)]
        todo = [threading.Thread(target=lambda c: [c.request_snapshot(bed.layer[t.name]) for _ in range(TIMES)], args=(c,)) for c in callers]
        with clock.Meter(t.devices()) as m:
            for thread in todo:
                thread.start()
            for thread in todo:
                thread.join()
        values[t.name] = (m, CALLERS * TIMES)
    yield from counted(values)


@benchmark("metadata.delete", Pools)
def delete(bed):
    """delete a snapshot that owns little

    Each has written 4 blocks; until all of their space is free again and the pool is at rest, divided by their number."""
    values = {}
    for t in bed.targets:
        made = []
        for i in range(TIMES):
            v = t.activate(f"small{i}", t.request_snapshot(bed.layer[t.name]), 64 * MIB)
            direct.scatter(v.dev, 4, 64 * MIB, i)
            t.deactivate(v)
            made.append(v.number)
        t.rest()
        with clock.Meter(t.devices()) as m:
            for number in made:
                t.request_delete(number)
            t.rest()
        values[t.name] = (m, TIMES)
    yield from counted(values)


@benchmark("metadata.snapshot-10000", Pools)
def snapshot_10000(bed):
    """create a snapshot of a layer, durable, 10,000 volumes

    The same pool, with 10,000 more volumes."""
    for t in bed.targets:
        t.others(10000)
        t.rest()
    yield from counted(snapshots(bed))
