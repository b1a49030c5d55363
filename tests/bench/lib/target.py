# SPDX-License-Identifier: GPL-2.0
"""What is compared: the raw disk, dm-thin and layerblk, each on disks of its own that are equal.

A target makes volumes and snapshots, tells which devices' counters are its cost, and brings itself to rest: everything that a write has
left to do later (a commit) is done when rest() returns, and its cost belongs to the writes.
"""
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

    def __init__(self, mib=POOL_MIB, cache_mib=0, queues=1, disk=None):
        self.disks = []
        self.mib, self.cache_mib, self.queues = mib, cache_mib, queues
        self.dev = disk or self.new_disk("data", mib)

    def new_disk(self, what, mib):
        disk = NullDisk(f"{self.name}-{what}", mib, self.cache_mib, self.queues)
        self.disks.append(disk)
        return disk.dev

    def devices(self):
        """Whose counters are this target's."""
        return [self.dev]

    def settle(self):
        run("udevadm", "settle")

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
        run("dd", "if=/dev/zero", f"of={self.meta}", "bs=4096", "count=1", "oflag=direct", "status=none")
        table = f"0 {dm.sectors(self.dev)} thin-pool {self.meta} {self.dev} {self.BLOCK} 0 1 skip_block_zeroing"
        dm.create("bench-pool", table)
        self.messenger = dm.Messenger("bench-pool")
        self.next = 0
        self.active = []

    def devices(self):
        return [self.dev, self.meta]

    def message(self, text):
        self.messenger.send(text)

    def activate(self, name, number, size):
        dev = dm.create(f"bench-{name}", f"0 {size // 512} thin /dev/mapper/bench-pool {number}")
        self.active.append(f"bench-{name}")
        return Volume(name, number, dev, size)

    def number(self):
        self.next += 1
        return self.next

    def volume(self, name, size):
        number = self.number()
        self.message(f"create_thin {number}")
        return self.activate(name, number, size)

    def snapshot(self, volume, name):
        """The origin must be suspended or inactive: as in use, it stays, suspended for the instant."""
        number = self.number()
        run("dmsetup", "suspend", f"bench-{volume.name}")
        self.message(f"create_snap {number} {volume.number}")
        run("dmsetup", "resume", f"bench-{volume.name}")
        return self.activate(name, number, volume.size)

    def drop(self, volume):
        dm.remove(f"bench-{volume.name}")
        self.active.remove(f"bench-{volume.name}")
        self.message(f"delete {volume.number}")

    def others(self, count):
        for _ in range(count):
            self.message(f"create_thin {self.number()}")

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


class Layerblk(Target):
    """A pool on the whole disk, as layerctl makes it."""
    name = "layerblk"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        run("modprobe", "layerblk")
        self.uuid = run("layerctl", "pool", "create", "--force", self.dev).split()[0]
        self.pool = Pool(self.uuid)
        self.active = {}

    def volume(self, name, size):
        return self.activate(name, self.pool.create(name, size), size)

    def activate(self, name, number, size):
        self.active[number] = name
        return Volume(name, number, self.pool.activate(number), size)

    def deactivate(self, volume):
        self.settle()
        self.pool.deactivate(volume.number)
        self.active.pop(volume.number, None)

    def freeze(self, volume):
        """The volume becomes an immutable layer, as an image's."""
        self.deactivate(volume)
        self.pool.freeze(volume.number)

    def snapshot(self, volume, name):
        """A writable volume with the content of a writable one: its frozen snapshot, and a child of that."""
        frozen = self.pool.snapshot(volume.number, f"{name}.layer")
        return self.activate(name, self.pool.snapshot(frozen, name), volume.size)

    def drop(self, volume):
        self.deactivate(volume)
        self.pool.rm(volume.number)

    def others(self, count):
        for i in range(count):
            self.pool.create(f"other{i}", 1 << 30)

    def rest(self):
        self.pool.sync()

    def remove(self):
        self.settle()
        self.pool.release()
        run("layerctl", "pool", "close", "--force", self.dev)
        super().remove()


TARGETS = (Raw, Thin, Layerblk)
