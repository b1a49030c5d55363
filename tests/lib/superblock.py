#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Reads or changes fields of a pool's superblocks, with right checksums.

usage: superblock.py FILE                  print the newest one's fields
       superblock.py FILE FIELD=NUMBER...  change them in every copy
       superblock.py FILE --damage N       spoil N of the copies, newest first

For pools "of the future" and damaged ones. An independent reader of the format:
it takes its offsets from docs/format.md and shares no code with the engine.
"""

import struct
import sys

BLOCK = 4096
FIELDS = {"version": (64, "I"), "block_size": (68, "I"), "compat": (88, "Q"), "ro_compat": (96, "Q"),
          "incompat": (104, "Q"), "created": (112, "Q"), "total_blocks": (120, "Q"),
          "mirror_block": (128, "Q"), "journal_block": (136, "Q"), "journal_blocks": (144, "Q")}
MAGIC = b"layerblk pool"


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82f63b78 if crc & 1 else 0)
    return crc


def checksums(block):
    """The CRC with csum and self as zero, as stored by either convention."""
    crc = crc32c(block[:4] + bytes(12) + block[16:])
    return (crc, crc ^ 0xffffffff)


def valid(block):
    return block[48:48 + len(MAGIC)] == MAGIC and struct.unpack_from("<I", block, 4)[0] in checksums(block)


def generation(block):
    return struct.unpack_from("<Q", block, 16)[0]


def copies(f):
    """(address, block) of every valid copy, newest first."""
    found, addresses = [], [0, 1]
    for base in (0, 16384, 4096):
        for slot in (0, 1):
            if base + slot not in addresses:
                addresses.append(base + slot)
    for address in addresses:
        f.seek(address * BLOCK)
        block = f.read(BLOCK)
        if len(block) == BLOCK and valid(block) and struct.unpack_from("<Q", block, 8)[0] == address:
            found.append((address, bytearray(block)))
    return sorted(found, key=lambda c: -generation(c[1]))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with open(sys.argv[1], "r+b" if len(sys.argv) > 2 else "rb") as f:
        found = copies(f)
        if not found:
            sys.exit("superblock: none in " + sys.argv[1])
        if len(sys.argv) == 2:
            print("generation", generation(found[0][1]))
            print("copies", len(found))
            for name, (offset, form) in FIELDS.items():
                print(name, struct.unpack_from("<" + form, found[0][1], offset)[0])
            return
        if sys.argv[2] == "--damage":
            for address, block in found[:int(sys.argv[3])]:
                block[2000] ^= 0x10
                f.seek(address * BLOCK)
                f.write(block)
            return
        for address, block in found:
            inverted = struct.unpack_from("<I", block, 4)[0] == checksums(block)[1]
            for change in sys.argv[2:]:
                name, value = change.split("=")
                offset, form = FIELDS[name]
                struct.pack_into("<" + form, block, offset, int(value, 0))
            struct.pack_into("<I", block, 4, checksums(block)[1 if inverted else 0])
            f.seek(address * BLOCK)
            f.write(block)


if __name__ == "__main__":
    main()
