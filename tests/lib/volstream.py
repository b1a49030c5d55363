#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Reads backup streams, or makes one of another version.

usage: volstream.py show FILE...            one line a volume: name, identity, base, blocks with data, cleared blocks
       volstream.py apply OUT FILE...       the bytes of the last state, into a sparse file
       volstream.py version N FILE OUT      the same stream, said to be of version N, with right checksums

An independent reader of the format: it knows what docs/backup.md says and shares no code with layerctl. Checks the SHA-256 of what it
reads, the numbers and order of records, and each head's sum."""
import hashlib
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
import superblock  # noqa: E402  pylint: disable=wrong-import-position

BLOCK = 4096
STREAM, VOLUME, BLOCKS, VOLUME_END, STREAM_END = range(1, 6)


def crc32c(data):
    """The usual form of it, which inverts the result."""
    return superblock.crc32c(data) ^ 0xffffffff


def head(type_, encoding, length, count, number, payload_crc):
    data = struct.pack("<4sHHIIQI", b"LBK1", type_, encoding, length, count, number, payload_crc)
    return data + struct.pack("<I", crc32c(data))


def records(name):
    """Gives (type, encoding, count, payload) of all streams in a file."""
    with open(name, "rb") as file:
        number, digest = 0, None
        while True:
            raw = file.read(32)
            if not raw:
                assert digest is None, "the stream has no end"
                return
            magic, type_, encoding, length, count, at, payload_crc = struct.unpack("<4sHHIIQI", raw[:28])
            assert magic == b"LBK1" and struct.unpack("<I", raw[28:])[0] == crc32c(raw[:28]), "head"
            payload = file.read(length)
            assert len(payload) == length, "length"
            if type_ == STREAM:
                assert digest is None and struct.unpack("<II", payload[:8]) == (1, 0), "version"
                number, digest = 0, hashlib.sha256()
            assert at == number, "number"
            number += 1
            if type_ in (VOLUME_END, STREAM_END):
                assert payload[-32:] == digest.digest(), "SHA-256"
            digest.update(raw + payload)
            if type_ == STREAM_END:
                digest = None
            yield type_, encoding, count, payload


def description(payload):
    size, quota, id_, time, pool, identity, base, fs, flags, name_len, attrs = struct.unpack("<QQQQ16s16s16s16sIHH", payload[:104])
    return size, payload[104:104 + name_len].decode(), identity.hex(), base.hex()


def ranges(encoding, count, payload):
    """Gives (first block, blocks, data or None)."""
    data, at = payload[16 * count:], 0
    if encoding == 1:
        data = subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, check=True).stdout
    for i in range(count):
        start, blocks, flags = struct.unpack("<QII", payload[16 * i:16 * i + 16])
        assert flags in (0, 1), "flags"
        if flags:
            yield start, blocks, data[at:at + blocks * BLOCK]
            at += blocks * BLOCK
        else:
            yield start, blocks, None
    assert at == len(data), "data"


def show(names):
    for name in names:
        for type_, encoding, count, payload in records(name):
            if type_ == VOLUME:
                said = description(payload)
                sums = [0, 0]
            elif type_ == BLOCKS:
                for _, blocks, data in ranges(encoding, count, payload):
                    sums[data is None] += blocks
            elif type_ == VOLUME_END:
                assert list(struct.unpack("<QQ", payload[:16])) == sums, "totals"
                print(*said[1:], *sums)


def clear(file, at, size):
    """Zeros, where there are none."""
    while size:
        part = min(size, 1 << 20)
        file.seek(at)
        if any(file.read(part)):
            file.seek(at)
            file.write(bytes(part))
        at += part
        size -= part


def apply(out, names):
    state = "0" * 32
    with open(out, "w+b") as file:
        for name in names:
            for type_, encoding, count, payload in records(name):
                if type_ == VOLUME:
                    size, _, identity, base = description(payload)
                    assert base == state, "%s does not follow on %s" % (base, state)
                    state = identity
                    file.truncate(size)
                elif type_ == BLOCKS:
                    for start, blocks, data in ranges(encoding, count, payload):
                        if data is None:
                            clear(file, start * BLOCK, blocks * BLOCK)
                        else:
                            file.seek(start * BLOCK)
                            file.write(data)


def version(number, name, out):
    with open(name, "rb") as file:
        data = file.read()
    payload = struct.pack("<I", int(number)) + data[36:96]
    with open(out, "wb") as file:
        file.write(head(STREAM, 0, 64, 0, 0, crc32c(payload)) + payload + data[96:])


{"show": lambda: show(sys.argv[2:]), "apply": lambda: apply(sys.argv[2], sys.argv[3:]),
 "version": lambda: version(*sys.argv[2:])}[sys.argv[1]]()
