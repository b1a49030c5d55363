# SPDX-License-Identifier: GPL-2.0
"""What people do with images and containers, beside Debian's Podman with overlay on ext4.

Both have a disk of their own of the same kind (null_blk with 100 us a request), the same image (four layers, 3,000 files, 60 MB unpacked), crun as the runtime, no
network. The time is until the command returns; what is written is counted until the disk is synced after it, so that what either leaves to
do later is in it. Elapsed time of an emulated machine: the ratio is what matters. The best of three rounds.
"""
import os
import shutil
import time

from lib import clock
from lib.command import run
from lib.disk import NullDisk
from lib.registry import Figure, benchmark
from lib.target import Layerblk

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IMAGE = "/tmp/bench-image"
CONTEXT = "/tmp/bench-context"
ROOT = "/run/bench-podman"
ROUNDS = 3
DISK = {"mib": 3072, "latency_ns": 100000, "cache_mib": 64}
DOCKERFILE = """ARG BASE
FROM ${BASE}
RUN i=0; while [ $i -lt 500 ]; do busybox dd if=/bin/busybox of=/built-$i bs=8k count=1 2>/dev/null; i=$((i + 1)); done
"""
LARGE_MIB = 128


class Podman:
    name = "podman"

    def __init__(self):
        self.disk = NullDisk("podman", **DISK)
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.disk.dev)
        os.makedirs(ROOT, exist_ok=True)
        run("mount", self.disk.dev, ROOT)

    def devices(self):
        return [self.disk.dev]

    def __call__(self, *args):
        return run("podman", "--root", f"{ROOT}/storage", "--runroot", "/run/bench-podman-run", "--storage-driver", "overlay", "--runtime", "crun",
                   "--cgroup-manager", "cgroupfs", "--events-backend", "none", "--log-level", "error", *args)

    def load(self):
        self("pull", "-q", f"oci:{IMAGE}")
        self("tag", self("images", "-q", "--no-trunc").split()[0], "usual")

    def drop(self):
        self("rmi", "-a", "-f")

    def end(self, name):
        self("rm", "-f", "-t", "0", name)

    def rest(self):
        run("sync", "-f", ROOT)

    def remove(self):
        self("rm", "-a", "-f", "-t", "0")
        run("umount", "-R", ROOT)
        self.disk.remove()


class Own:
    name = "layerblk"

    def __init__(self):
        self.target = Layerblk(**DISK)

    def devices(self):
        return self.target.devices()

    def __call__(self, *args):
        return run("layerctl", *args)

    def load(self):
        self("image", "import", "--quiet", "--size", "2G", IMAGE)

    def drop(self):
        self("image", "prune", "-a", "-f")

    def end(self, name):
        self("rm", "-f", name)

    def rest(self):
        # The file systems of those that run, then the pool.
        run("sync")
        self.target.rest()

    def remove(self):
        for name in self("ps", "-aq").split():
            self("rm", "-f", name)
        self.target.remove()


class Engines:
    """Both, without an image."""

    def __init__(self):
        run("cp", "-r", f"{HERE}/../image", IMAGE)
        os.makedirs(CONTEXT)
        with open(f"{CONTEXT}/Dockerfile", "w") as f:
            f.write(DOCKERFILE)
        self.engines = [Podman(), Own()]
        for engine in self.engines:
            # Programs and libraries come into memory.
            engine("version")
            engine("images")
        self.loaded = False

    def load(self):
        """For what needs the image to be there."""
        if not self.loaded:
            for engine in self.engines:
                engine.load()
        self.loaded = True

    def remove(self):
        for engine in self.engines:
            engine.remove()
        shutil.rmtree(IMAGE)
        shutil.rmtree(CONTEXT)


class Best:
    """Of the rounds of one engine."""

    def __init__(self):
        self.seconds = self.mib = None

    def measure(self, engine, work):
        engine.rest()
        with clock.Meter(engine.devices()) as m:
            start = time.monotonic()
            work()
            seconds = time.monotonic() - start
            engine.rest()
        mib = m.io["write_sectors"] / 2048
        self.seconds = seconds if self.seconds is None else min(seconds, self.seconds)
        self.mib = mib if self.mib is None else min(mib, self.mib)


def figures(best):
    yield Figure("time", "s", {name: round(b.seconds, 2) for name, b in best.items()})
    yield Figure("written", "MiB", {name: round(b.mib, 2) for name, b in best.items()})


def each_round(bed, prepare, work, after, loaded=True):
    """The best of each engine's rounds; prepare and after are not counted."""
    best = {}
    if loaded:
        bed.load()
    for engine in bed.engines:
        best[engine.name] = Best()
        for _ in range(ROUNDS):
            prepare(engine)
            best[engine.name].measure(engine, lambda engine=engine: work(engine))
            after(engine)
    yield from figures(best)


def nothing(_engine):
    pass


@benchmark("podman.import", Engines, machine="smp")
def load(bed):
    """import an image of four layers"""
    yield from each_round(bed, nothing, lambda e: e.load(), lambda e: e.drop(), loaded=False)


@benchmark("podman.run", Engines, machine="smp")
def whole(bed):
    """run --rm IMAGE true"""
    yield from each_round(bed, nothing, lambda e: e("run", "--rm", "--network", "none", "usual", "true"), nothing)


@benchmark("podman.start", Engines, machine="smp")
def start(bed):
    """run -d: until the container runs"""
    yield from each_round(bed, nothing, lambda e: e("run", "-d", "--name", "one", "--network", "none", "usual", "sleep", "1000"), lambda e: e.end("one"))


@benchmark("podman.remove", Engines, machine="smp")
def remove(bed):
    """rm -f of a container that runs"""
    yield from each_round(bed, lambda e: e("run", "-d", "--name", "one", "--network", "none", "usual", "sleep", "1000"), lambda e: e.end("one"), nothing)


@benchmark("podman.build", Engines, machine="smp")
def build(bed):
    """build: a RUN that writes 500 files"""
    yield from each_round(bed, nothing, lambda e: e("build", "-q", "--no-cache", "--network", "none", "--build-arg", "BASE=usual", "-t", "built", CONTEXT),
                          lambda e: e("rmi", "-f", "built"))


@benchmark("podman.commit", Engines, machine="smp")
def commit(bed):
    """commit a container that has written 128 MiB"""
    bed.load()
    for engine in bed.engines:
        engine("run", "--name", "wrote", "--network", "none", "usual", "dd", "if=/dev/zero", "of=/large", "bs=1M", f"count={LARGE_MIB}")
    yield from each_round(bed, nothing, lambda e: e("commit", "-q", "wrote", "large") if e.name == "podman" else e("commit", "wrote", "large"),
                          lambda e: e("rmi", "-f", "large"))
    for engine in bed.engines:
        engine("commit", "wrote", "large")
        engine("rm", "wrote")


@benchmark("podman.change", Engines, machine="smp")
def change(bed):
    """a container changes 4 KiB of the image's file of 128 MiB"""
    def prepare(engine):
        engine("run", "-d", "--name", "one", "--network", "none", "large", "sleep", "1000")
    yield from each_round(bed, prepare, lambda e: e("exec", "one", "dd", "if=/bin/busybox", "of=/large", "bs=4k", "count=1", "conv=notrunc,fsync"),
                          lambda e: e.end("one"))
