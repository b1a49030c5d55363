# SPDX-License-Identifier: GPL-2.0
"""What maps take: on the disk, and in memory; and what opening a large pool reads.

Metadata is what the pool's own status says, before and after. Memory is what the target's cache of metadata holds after all of it has been
read: layerblk's cache of nodes, the peer's dm-bufio.
"""
import os
import random

from lib import clock, direct, fio
from lib.command import run
from lib.disk import put
from lib.registry import Figure, benchmark
from lib.target import Layerblk, Thin

MIB = 1 << 20
GIB = 1 << 30
RANDOM = 256 * MIB
SEQUENTIAL = 1024 * MIB
BUFIO = "/sys/module/dm_bufio/parameters/current_allocated_bytes"


class Pools:
    """dm-thin and layerblk on null_blk."""

    def __init__(self):
        self.targets = [t(2048) for t in (Thin, Layerblk)]

    def remove(self):
        for t in self.targets:
            t.remove()


def cached(target):
    """Bytes of metadata in memory."""
    if target.name == "layerblk":
        return target.pool.status().cache_bytes
    with open(BUFIO) as f:
        return int(f.read())


def mapped(bed, name, rw, bs, size):
    """(KiB of metadata, KiB in memory) for each GiB of such writes."""
    meta, memory = {}, {}
    for t in bed.targets:
        t.rest()
        before = t.metadata_blocks()
        v = t.volume(name, size)
        fio.job(v.dev, rw, bs=bs, size=size)
        t.rest()
        meta[t.name] = round((t.metadata_blocks() - before) * 4 * GIB / size, 1)
        put("/proc/sys/vm/drop_caches", 2)
        empty = cached(t)
        fio.job(v.dev, "read", bs="1m", depth=2, size=size)
        memory[t.name] = round(max(0, cached(t) - empty) / 1024 * GIB / size, 1)
        t.drop(v)
    return meta, memory


@benchmark("memory.random", Pools)
def random_maps(bed):
    """metadata and memory for each GiB of random 4 KiB mappings

    256 MiB written 4 KiB by 4 KiB in random order, each block once. The peer's maps are of 64 KiB, so it has a sixteenth of the mappings."""
    meta, memory = mapped(bed, "random", "randwrite", "4k", RANDOM)
    yield Figure("metadata", "KiB/GiB", meta)
    yield Figure("memory", "KiB/GiB", memory)


@benchmark("memory.sequential", Pools)
def sequential_maps(bed):
    """metadata and memory for each GiB written in sequence

    1 GiB, in writes of 1 MiB."""
    meta, memory = mapped(bed, "sequential", "write", "1m", SEQUENTIAL)
    yield Figure("metadata", "KiB/GiB", meta)
    yield Figure("memory", "KiB/GiB", memory)


@benchmark("memory.shrink", Pools)
def shrink(bed):
    """memory for metadata that the kernel asks back

    The part of the cache of metadata that is left when the kernel's shrinkers have run (drop_caches), after 64 MiB of random 4 KiB mappings were read."""
    left = {}
    for t in bed.targets:
        v = t.volume("shrink", 64 * MIB)
        fio.job(v.dev, "randwrite", size=64 * MIB)
        t.rest()
        fio.job(v.dev, "read", bs="1m", depth=2, size=64 * MIB)
        full = cached(t)
        for _ in range(3):
            put("/proc/sys/vm/drop_caches", 2)
        left[t.name] = round(cached(t) / full, 3)
        t.drop(v)
    yield Figure("left", "part", left)


class Large:
    """1,000 volumes with 100 MiB mapped each, in pieces of 1 MiB in random order, on a disk that keeps no zeros (QEMU's detect-zeroes), and so can be large."""
    VOLUMES, EACH = 1000, 100

    def __init__(self):
        self.target = Layerblk(disk=os.environ["VM_DISK_large"])
        self.numbers = []
        places = [i * MIB for i in range(2 * self.EACH)]
        rng = random.Random(1)
        for i in range(self.VOLUMES):
            v = self.target.volume(f"v{i}", 1024 * MIB)
            direct.zeros(v.dev, rng.sample(places, self.EACH))
            self.target.deactivate(v)
            self.numbers.append(v.number)
        self.target.rest()

    def remove(self):
        self.target.remove()


@benchmark("memory.open", Large)
def open_pool(bed):
    """open a pool of 1,000 volumes, 100 GiB mapped

    Reads on the disk, and their bytes, from the request to open it until the first 4 KiB have been read from one of its volumes."""
    t = bed.target
    number = bed.numbers[len(bed.numbers) // 2]
    t.pool.close()
    put("/proc/sys/vm/drop_caches", 3)
    with clock.Meter(t.devices()) as m:
        t.pool.open_device(t.dev)
        dev = t.pool.activate(number)
        run("dd", f"if={dev}", "of=/dev/null", "bs=4096", "count=1", "iflag=direct", "status=none")
    yield Figure("reads", "", {"layerblk": m.io["reads"]})
    yield Figure("kib", "KiB", {"layerblk": m.io["read_sectors"] / 2})
    yield Figure("cost", "k", {"layerblk": round(m.busy / 1000)})
    t.pool.deactivate(number)
