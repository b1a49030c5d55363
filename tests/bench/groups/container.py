# SPDX-License-Identifier: GPL-2.0
"""What a container's life costs: ext4 on a writable snapshot of an image of eight layers.

Each layer is a snapshot of the one below, mounted, given files of its own, unmounted. Counted are the I/Os on the disks (no FUA) for: a new
container (a snapshot of the top layer, its disk, the mount); a new file of 4 KiB with its fsync; and the container's end (unmount, its disk
gone, the snapshot deleted, durable). The file system, its options and what is done in it are the same for both; requests go straight to the kernel for both.
Nothing of a container's disk is in the page cache before, for the disk is new; the pools' own metadata is as warm as use leaves it.

The raw disk has a copy of the top layer, mounted anew each time: what it reads and writes is the file system's own share, which no layer below it can take away
(but for reads of what was never written, which a thin volume answers without its disk). Nothing is created or deleted there.
"""
import os

from lib import clock
from lib.command import run
from lib.registry import Figure, benchmark
from lib.target import Layerblk, Raw, Thin

MIB = 1 << 20
LAYERS = 8
SIZE = 1024 * MIB
TIMES = 10
MOUNT = "/run/bench-mount"


class Copy(Raw):
    """The top layer on the raw disk."""

    def fill(self, source):
        run("dd", f"if={source}", f"of={self.dev}", "bs=1M", "oflag=direct", "status=none")

    def request_snapshot(self, _):
        return 0

    def activate(self, name, _, size):
        return self.volume(name, size)

    def deactivate(self, volume):
        pass

    def request_delete(self, _):
        pass


class Image:
    """dm-thin and layerblk on QEMU's virtio disks, each with the same image of eight layers, and the raw disk with the last of them."""

    def __init__(self):
        os.makedirs(MOUNT, exist_ok=True)
        thin, meta, own = (os.environ[f"VM_DISK_{name}"] for name in ("thin", "meta", "layerblk"))
        self.targets = [Thin(disk=thin, meta=meta), Layerblk(disk=own)]
        self.top = {}
        for t in self.targets:
            v = t.volume("layer0", SIZE)
            run("mkfs.ext4", "-q", "-E", "lazy_itable_init=1,lazy_journal_init=1", v.dev)
            for i in range(LAYERS):
                if i:
                    v = t.activate(f"layer{i}", t.request_snapshot(v.number), SIZE)
                run("mount", v.dev, MOUNT)
                layer(i)
                run("umount", MOUNT)
                t.freeze(v)
            t.rest()
            self.top[t.name] = v.number
        raw = Copy(disk=os.environ["VM_DISK_raw"])
        source = t.activate("copied", t.request_snapshot(v.number), SIZE)
        raw.fill(source.dev)
        t.deactivate(source)
        t.request_delete(source.number)
        t.rest()
        self.targets.insert(0, raw)
        self.top[raw.name] = 0

    def remove(self):
        for t in self.targets:
            t.remove()


def layer(i):
    """A directory of 64 files of 1 to 64 KiB, and one of 1 MiB."""
    os.makedirs(f"{MOUNT}/usr/layer{i}")
    for j in range(64):
        with open(f"{MOUNT}/usr/layer{i}/file{j}", "wb") as f:
            f.write(bytes([j]) * ((j + 1) * 1024))
    with open(f"{MOUNT}/usr/layer{i}/large", "wb") as f:
        f.write(b"large " * (MIB // 6))


def new_file(i):
    fd = os.open(f"{MOUNT}/new{i}", os.O_CREAT | os.O_WRONLY, 0o644)
    os.write(fd, b"x" * 4096)
    os.fsync(fd)
    os.close(fd)


def life(target, top, i, sums):
    with clock.Meter(target.devices()) as m:
        v = target.activate(f"container{i}", target.request_snapshot(top), SIZE)
        run("mount", v.dev, MOUNT)
    sums["start"].add(m)
    with clock.Meter(target.devices()) as m:
        new_file(i)
    sums["file"].add(m)
    run("umount", MOUNT)
    with clock.Meter(target.devices()) as m:
        target.deactivate(v)
        target.request_delete(v.number)
    sums["end"].add(m)


@benchmark("container.life", Image)
def container(bed):
    """a container: start; new 4 KiB file + fsync; delete

    The mean of ten, after one that is not counted. The unmount is not counted: it writes back what the file system left. Each deletion is durable
    before the next start; what either target leaves to do in the background is done after the last, and counted among the ends."""
    sums = {}
    for t in bed.targets:
        life(t, bed.top[t.name], 0, {k: clock.Sum() for k in ("start", "file", "end")})
        sums[t.name] = {k: clock.Sum() for k in ("start", "file", "end")}
        t.rest()
        for i in range(TIMES):
            life(t, bed.top[t.name], i + 1, sums[t.name])
        with clock.Meter(t.devices()) as m:
            t.rest()
        sums[t.name]["end"].add(m)
    del sums["raw"]["end"]
    for what in ("start", "file", "end"):
        for key, unit in (("reads", "/op"), ("writes", "/op"), ("flushes", "/op"), ("kib", "KiB/op"), ("cost", "k/op")):
            figure = {}
            for name, s in sums.items():
                if what not in s:
                    continue
                m = s[what]
                total = {"kib": m.io["write_sectors"] / 2, "cost": m.busy / 1000}.get(key, m.io[key])
                figure[name] = round(total / TIMES, 2)
            yield Figure(f"{what}-{key}", unit, figure)
