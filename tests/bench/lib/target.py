# SPDX-License-Identifier: GPL-2.0
"""What is compared: the raw disk, dm-thin and layerblk, each on disks of its own that are equal.

A target makes volumes and snapshots, tells which devices' counters are its cost, and brings itself to rest: everything that a write has
left to do later (a commit) is done when rest() returns, and its cost belongs to the writes.
"""
import itertools
import os

from . import dm
from .command import run
from .disk import NullDisk
from .layerblk import Pool

MIB = 1 << 20
POOL_MIB = 3072


class Volume:
    def __init__(self, name, number, dev, size):
        self.name, self.number, self.dev, self.size = name, number, dev, size


class Target:
    name = ""

    def __init__(self, mib=POOL_MIB, disk=None, **kind):
        """kind: of its disks, as NullDisk takes it. disk: a device to use instead."""
        self.disks, self.kind = [], kind
        self.dev = disk or self.new_disk("data", mib)

    def new_disk(self, what, mib):
        disk = NullDisk(f"{self.name}-{what}", mib, **self.kind)
        self.disks.append(disk)
        return disk.dev

    def devices(self):
        """Whose counters are this target's."""
        return [self.dev]

    def rest(self):
        fd = os.open(self.dev, os.O_RDWR)
        os.fsync(fd)
        os.close(fd)

    def remove(self):
        for disk in self.disks:
            disk.remove()


class Raw(Target):
    """The disk itself: a volume is the disk, and so is its snapshot."""
    name = "raw"

    def volume(self, name, size):
        return Volume(name, 0, self.dev, size)

    def snapshot(self, volume, name):
        return Volume(name, 0, self.dev, volume.size)

    def drop(self, volume):
        pass

    def others(self, count):
        pass


class Thin(Target):
    """dm-thin with its smallest blocks (64 KiB), zeroing skipped, discards passed on; metadata on a disk of the same kind."""
    name = "dm-thin"
    BLOCK = 128  # sectors

    def __init__(self, *args, meta=None, **kwargs):
        super().__init__(*args, **kwargs)
        run("modprobe", "dm-thin-pool")
        self.meta = meta or self.new_disk("meta", 512)
        # What is on the disk would be taken for a pool's metadata.
        run("dd", "if=/dev/zero", f"of={self.meta}", "bs=4096", "count=1", "oflag=direct", "status=none")
        table = f"0 {dm.sectors(self.dev)} thin-pool {self.meta} {self.dev} {self.BLOCK} 0 1 skip_block_zeroing"
        dm.create("bench-pool", table)
        self.messenger = dm.Messenger("bench-pool")
        self.numbers = itertools.count(1)
        self.active = []

    def devices(self):
        return [self.dev, self.meta]

    def message(self, text):
        self.messenger.send(text)

    def activate(self, name, number, size):
        dev = dm.create(f"bench-{name}", f"0 {size // 512} thin /dev/mapper/bench-pool {number}")
        self.active.append(f"bench-{name}")
        return Volume(name, number, dev, size)

    def deactivate(self, volume):
        dm.remove(f"bench-{volume.name}")
        self.active.remove(f"bench-{volume.name}")

    def volume(self, name, size):
        number = next(self.numbers)
        self.message(f"create_thin {number}")
        return self.activate(name, number, size)

    def freeze(self, volume):
        """There is no such state; a layer is a volume that nobody uses any more."""
        self.deactivate(volume)

    def quiesce(self, volume):
        run("dmsetup", "suspend", f"bench-{volume.name}")

    def resume(self, volume):
        run("dmsetup", "resume", f"bench-{volume.name}")

    def request_snapshot(self, origin):
        """Of a volume that is quiet. Gives the snapshot's number."""
        return send_snapshot(self, self.messenger, origin)

    def request_delete(self, number):
        self.message(f"delete {number}")

    def caller(self):
        """Requests from a thread of its own."""
        return ThinCaller(self)

    def snapshot(self, volume, name):
        self.quiesce(volume)
        number = self.request_snapshot(volume.number)
        self.resume(volume)
        return self.activate(name, number, volume.size)

    def drop(self, volume):
        self.deactivate(volume)
        self.request_delete(volume.number)

    def others(self, count):
        for _ in range(count):
            self.message(f"create_thin {next(self.numbers)}")

    def metadata_blocks(self):
        return int(dm.status("bench-pool")[4].split("/")[0])

    def remove(self):
        self.messenger.close()
        for name in reversed(self.active):
            dm.remove(name)
        dm.remove("bench-pool")
        super().remove()

    def rest(self):
        """A flush of any volume commits the pool."""
        if self.active:
            fd = os.open(f"/dev/mapper/{self.active[-1]}", os.O_RDWR)
            os.fsync(fd)
            os.close(fd)


def send_snapshot(thin, messenger, origin):
    number = next(thin.numbers)
    messenger.send(f"create_snap {number} {origin}")
    return number


class ThinCaller:
    def __init__(self, thin):
        self.thin, self.messenger = thin, dm.Messenger("bench-pool")

    def request_snapshot(self, origin):
        return send_snapshot(self.thin, self.messenger, origin)


class Layerblk(Target):
    """A pool on the whole disk, as layerctl makes it."""
    name = "layerblk"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        run("modprobe", "layerblk")
        self.uuid = run("layerctl", "pool", "create", "--force", self.dev).split()[0]
        self.pool = Pool(self.uuid)
        self.names = itertools.count(1)

    def volume(self, name, size):
        return self.activate(name, self.pool.create(name, size), size)

    def activate(self, name, number, size):
        return Volume(name, number, self.pool.activate(number), size)

    def deactivate(self, volume):
        self.pool.deactivate(volume.number)

    def freeze(self, volume):
        """The volume becomes an immutable layer, as an image's."""
        self.deactivate(volume)
        self.pool.freeze(volume.number)

    def snapshot(self, volume, name):
        """A writable volume with the content of a writable one: its frozen snapshot, and a child of that."""
        frozen = self.pool.snapshot(volume.number, f"{name}.layer")
        return self.activate(name, self.pool.snapshot(frozen, name), volume.size)

    def quiesce(self, volume):
        """A snapshot does that by itself."""

    resume = quiesce

    def request_snapshot(self, origin):
        """Of a frozen volume a writable child, of a writable one a frozen snapshot. Gives its number."""
        return self.pool.snapshot(origin, f"snapshot{next(self.names)}")

    def request_delete(self, number):
        self.pool.rm(number)

    def caller(self):
        """Requests from a thread of its own."""
        return LayerblkCaller(self)

    def drop(self, volume):
        self.deactivate(volume)
        self.pool.rm(volume.number)

    def others(self, count):
        for _ in range(count):
            self.pool.create(f"other{next(self.names)}", 1 << 30)

    def rest(self):
        self.pool.sync()

    def metadata_blocks(self):
        return self.pool.status().meta_blocks

    def remove(self):
        self.pool.release()
        run("layerctl", "pool", "close", "--force", self.dev)
        super().remove()


class LayerblkCaller:
    def __init__(self, owner):
        self.pool, self.names = Pool(owner.uuid), owner.names

    def request_snapshot(self, origin):
        return self.pool.snapshot(origin, f"snapshot{next(self.names)}")


TARGETS = (Raw, Thin, Layerblk)
