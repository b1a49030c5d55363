# SPDX-License-Identifier: GPL-2.0
"""A few writes past the page cache, where starting fio for them would be what takes the time."""
import mmap
import os
import random

BLOCK = 4096


def scatter(dev, count, size, seed):
    """Writes so many blocks at random places of the first `size` bytes, one after the other."""
    rng = random.Random(seed)
    page = mmap.mmap(-1, BLOCK)
    page.write(bytes(rng.randrange(256) for _ in range(16)) * (BLOCK // 16))
    fd = os.open(dev, os.O_RDWR | os.O_DIRECT)
    try:
        for _ in range(count):
            os.pwrite(fd, page, rng.randrange(size // BLOCK) * BLOCK)
    finally:
        os.close(fd)


def zeros(dev, places):
    """Writes a MiB of zeros at each of these offsets, from one large page."""
    buffer = mmap.mmap(-1, 4 << 20)
    buffer.madvise(mmap.MADV_HUGEPAGE)
    view = memoryview(buffer)
    fd = os.open(dev, os.O_RDWR | os.O_DIRECT)
    try:
        for at in places:
            os.pwrite(fd, view[2 << 20:3 << 20], at)
    finally:
        os.close(fd)
