#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Reads a log of writes as dm-log-writes and QEMU's blklogwrites keep it, and makes disks of it.

usage: logwrites.py list LOG                      a line for each entry
       logwrites.py cut LOG IMAGE SEED            IMAGE becomes what a power cut may leave at the log's end
       logwrites.py steps LOG IMAGE               does what the lines on standard input say:
         next                                     IMAGE goes on to behind the next flush (or write with FUA) that makes something durable
         lose FILE SEED                           FILE, a copy of IMAGE, gets a part of what comes next, up to the flush after

A log is blocks of its own sector size. Block 0: magic, version and number of entries (8 bytes each), sector size (4). Then the
entries: a block with the sector, the number of sectors, flags and the length of what follows in the same block (8 bytes
each), and behind it, but for a discard, the data. It describes a disk with a volatile cache: an entry with a flush makes
durable all before it, one with FUA itself. What comes behind the last flush is on the disk or not, each for itself.

"next" prints how many entries it has come past and the text of the last mark among them (- if there is none), or "end" when there is
no such place any more. "lose" prints how many were lost of how many.

The log of a machine that was killed holds more than its first block says: what is whole is taken.
"""

import random
import struct
import sys

MAGIC = 0x6a736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
KNOWN = 31


class Entry:
    def __init__(self, number, sector, count, flags, text, data):
        self.number, self.sector, self.count, self.flags, self.text, self.data = number, sector, count, flags, text, data

    def words(self):
        return " ".join(word for bit, word in ((FLUSH, "flush"), (FUA, "fua"), (DISCARD, "discard"), (MARK, "mark"))
                        if self.flags & bit)


def entries(log, size):
    """All of them; data is the offset of an entry's data in the log."""
    log.seek(0)
    magic, _, count, sectorsize = struct.unpack("<QQQI", log.read(28))
    if magic != MAGIC:
        sys.exit("logwrites: no log of writes")
    at, number = sectorsize, 0
    while True:
        log.seek(at)
        head = log.read(sectorsize)
        if len(head) < sectorsize:
            return
        sector, sectors, flags, length = struct.unpack_from("<QQQQ", head)
        nothing = not (sectors or flags)
        if nothing or flags & ~KNOWN or (sector + sectors) * sectorsize > size or length > sectorsize - 32:
            # A mark has sector 0 and no sectors, but a flag; only a killed writer leaves nothing.
            if number < count:
                sys.exit(f"logwrites: entry {number} of {count} makes no sense")
            return
        at += sectorsize
        text = head[32:32 + length].rstrip(b"\0").decode(errors="replace") if flags & MARK else ""
        yield Entry(number, sector * sectorsize, sectors * sectorsize, flags, text, at)
        if not flags & (DISCARD | MARK):
            at += sectors * sectorsize
        number += 1


def put(log, image, entry):
    """Applies it. A discarded range is zeros, as it is on the disks that are logged."""
    if entry.flags & MARK or not entry.count:
        return
    image.seek(entry.sector)
    left = entry.count
    log.seek(entry.data)
    while left:
        n = min(left, 1 << 20)
        image.write(bytes(n) if entry.flags & DISCARD else log.read(n))
        left -= n


def size_of(f):
    return f.seek(0, 2)


def lossy(log, image, tail, rand):
    """A part of what no flush has made durable; the number of the lost."""
    chance = rand.choice((0.0, 0.2, 0.5, 0.8, 1.0))
    kept = [entry for entry in tail if rand.random() < chance]
    for entry in kept:
        put(log, image, entry)
    return len(tail) - len(kept)


def cut(log, image, seed):
    """Everything up to the last flush, of the rest a part."""
    tail, total = [], 0
    for entry in entries(log, size_of(image)):
        total += 1
        if entry.flags & FLUSH:     # it comes before the data it carries
            for waiting in tail:
                put(log, image, waiting)
            tail = []
        if entry.flags & FUA:
            put(log, image, entry)
        elif entry.count:
            tail.append(entry)
    lost = lossy(log, image, tail, random.Random(seed))
    print(f"{total} entries, {len(tail)} behind the last flush, of which {lost} are lost")


class Steps:
    def __init__(self, log, image):
        self.log, self.image = log, image
        self.entries = list(entries(log, size_of(image)))
        self.at, self.mark = 0, "-"

    def next(self):
        applied = False
        while self.at < len(self.entries):
            entry = self.entries[self.at]
            self.at += 1
            if entry.flags & MARK:
                self.mark = entry.text
            put(self.log, self.image, entry)
            applied |= entry.count > 0
            if applied and entry.flags & (FLUSH | FUA):
                while self.at < len(self.entries) and self.entries[self.at].flags & MARK:
                    self.mark = self.entries[self.at].text
                    self.at += 1
                self.image.flush()
                return f"{self.at} {self.mark}"
        return "end"

    def lose(self, path, seed):
        tail = []
        for entry in self.entries[self.at:]:
            if entry.flags & (FLUSH | FUA):
                # Its data may be there though it has not ended.
                tail += [entry] if entry.count else []
                break
            if entry.count:
                tail.append(entry)
        with open(path, "r+b") as image:
            return f"{lossy(self.log, image, tail, random.Random(seed))} {len(tail)}"

    def run(self):
        for line in sys.stdin:
            words = line.split()
            print(self.next() if words[0] == "next" else self.lose(words[1], int(words[2])), flush=True)


def main():
    args = sys.argv[1:]
    if len(args) == 2 and args[0] == "list":
        with open(args[1], "rb") as log:
            for entry in entries(log, 1 << 62):
                print(entry.number, entry.sector // 512, entry.count // 512, entry.words(), entry.text)
    elif len(args) == 4 and args[0] == "cut":
        with open(args[1], "rb") as log, open(args[2], "r+b") as image:
            cut(log, image, int(args[3]))
    elif len(args) == 3 and args[0] == "steps":
        with open(args[1], "rb") as log, open(args[2], "r+b") as image:
            Steps(log, image).run()
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
