# SPDX-License-Identifier: GPL-2.0
"""Whether more processors do more.

Random 4 KiB reads of mapped blocks by 1, 2 and 4 jobs, on one volume and on as many volumes as there are jobs, in a machine with as many processors
as the host has (2 to 4) and the host's clock. The figure is what N jobs do together, divided by what one does; the bar compares it with
the same quotient of the raw disk, so that neither the emulator's speed nor the host's number of processors is in it. Every target's disk
has a queue for each processor. The host may have other things to do: each job is run several times, the targets in turn, and the best run of each
counts.
"""
import os

from lib import fio
from lib.registry import Figure, benchmark
from lib.target import TARGETS

MIB = 1 << 20
REGION = 32 * MIB
VOLUMES = 4
ROUNDS = 3
CPUS = os.cpu_count()


class Smp:
    """Each target with four volumes of 32 MiB, mapped 4 KiB by 4 KiB in random order (for raw: four parts of the disk)."""

    def __init__(self):
        self.targets = [t(1024, queues=CPUS) for t in TARGETS]
        self.places = {}
        for t in self.targets:
            volumes = [t.volume(f"v{i}", VOLUMES * REGION) for i in range(VOLUMES)]
            self.places[t.name] = [(v.dev, i * REGION if t.name == "raw" else 0) for i, v in enumerate(volumes)]
            for dev, offset in self.places[t.name]:
                fio.job(dev, "randwrite", offset=offset, size=REGION)
            t.rest()
            for dev, offset in self.places[t.name]:
                fio.job(dev, "read", bs="64k", depth=4, offset=offset, size=REGION)

    def remove(self):
        for t in self.targets:
            t.remove()


def rate(places):
    """I/Os in a second of a job for each place, all at once."""
    return fio.together([(dev, offset, REGION) for dev, offset in places], seconds=1)


def scaled(bed, spread):
    """A figure for each number of jobs: what they do, as a multiple of what one does."""
    counts = (1, 2, 4)
    best = {(t.name, n): 0 for t in bed.targets for n in counts}
    for _ in range(ROUNDS):
        for n in counts:
            for t in bed.targets:
                places = bed.places[t.name]
                best[t.name, n] = max(best[t.name, n], rate(places[:n] if spread else places[:1] * n))
    for n in counts[1:]:
        yield Figure(f"jobs-{n}", "× 1 job", {t.name: round(best[t.name, n] / best[t.name, 1], 3) for t in bed.targets},
                     {"iops": {t.name: round(best[t.name, n]) for t in bed.targets}, "one": {t.name: round(best[t.name, 1]) for t in bed.targets}})


@benchmark("scaling.one-volume", Smp, machine="smp")
def one_volume(bed):
    """random reads by 2 and 4 jobs on one volume

    All jobs read the same 32 MiB, each in an order of its own."""
    yield from scaled(bed, False)


@benchmark("scaling.four-volumes", Smp, machine="smp")
def four_volumes(bed):
    """random reads by 2 and 4 jobs, each on a volume of its own

    The same, on volumes of one pool."""
    yield from scaled(bed, True)
