# SPDX-License-Identifier: GPL-2.0
"""Importing an image, beside unpacking its layers with tar.

The image has four layers (gzip) with 3,000 files, 60 MB unpacked, in memory. The yardstick is the raw disk: ext4 made and mounted before, each layer
unpacked over the one below by "tar -xz", then the file system synced and unmounted. layerctl's import verifies digests, makes the file system, a volume and
a snapshot for each layer, and is durable at its end. Both on null_blk. Once in elapsed time with several processors, where reading, decompressing and
writing can overlap for both (gzip is a process of its own), and once in instructions.
"""
import glob
import json
import os
import time

from lib import clock
from lib.command import run
from lib.registry import Figure, benchmark
from lib.target import Layerblk, Raw

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IMAGE = "/tmp/bench-image"
MOUNT = "/run/bench-mount"
ROUNDS = 3


class Source:
    """The image in memory. The disks are made for each round."""

    def __init__(self):
        if not os.path.isdir(IMAGE):
            run("cp", "-r", f"{HERE}/../image", IMAGE)
        os.makedirs(MOUNT, exist_ok=True)

    def remove(self):
        run("rm", "-r", IMAGE)


def layers():
    """The layers' files, the lowest first."""
    for path in glob.glob(f"{IMAGE}/blobs/sha256/*"):
        with open(path, "rb") as f:
            if f.read(1) == b"{":
                f.seek(0)
                manifest = json.load(f)
                if "layers" in manifest:
                    return [f"{IMAGE}/blobs/sha256/{x['digest'].split(':')[1]}" for x in manifest["layers"]]
    raise RuntimeError("no manifest")


def unpack():
    raw = Raw(2048)
    run("mkfs.ext4", "-q", raw.dev)
    run("mount", raw.dev, MOUNT)
    try:
        with clock.Meter(raw.devices()) as m:
            start = time.monotonic()
            for path in layers():
                run("tar", "-xzf", path, "-C", MOUNT, "--exclude=.wh.*")
            run("umount", MOUNT)
            m.seconds = time.monotonic() - start
    finally:
        raw.remove()
    return m


def load():
    own = Layerblk(2048)
    try:
        with clock.Meter(own.devices()) as m:
            start = time.monotonic()
            run("layerctl", "image", "import", "--quiet", "--size", "2G", IMAGE)
            m.seconds = time.monotonic() - start
    finally:
        own.remove()
    return m


@benchmark("image.import", Source, machine="smp")
def elapsed(_bed):
    """import an image of four layers; raw: tar -x into ext4

    Elapsed seconds, the best of three."""
    values = {"raw": min(unpack().seconds for _ in range(ROUNDS)), "layerblk": min(load().seconds for _ in range(ROUNDS))}
    yield Figure("time", "s", {k: round(v, 3) for k, v in values.items()})


@benchmark("image.import-cost", Source)
def cost(_bed):
    """the same, in instructions and in bytes written

    Millions of instructions, after a round that is not counted."""
    values = {}
    for name, way in (("raw", unpack), ("layerblk", load)):
        way()
        values[name] = way()
    yield Figure("cost", "M", {k: round(m.busy / 1e6, 1) for k, m in values.items()})
    yield Figure("written", "MiB", {k: round(m.io["write_sectors"] / 2048, 1) for k, m in values.items()})
