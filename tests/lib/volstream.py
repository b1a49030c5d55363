#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Reads streams of backups and of images, or makes other ones of them.

usage: volstream.py show FILE...            one line a volume: name, identity, base, blocks with data, cleared blocks;
                                            one line an image: "image", id, file system, number of layers, names
       volstream.py layers FILE...          the identities of the layers of all images, one a line
       volstream.py apply OUT FILE...       the bytes of the last state, into a sparse file; every one follows on the one before
       volstream.py ends FILE               where each record ends, and which type it is of
       volstream.py version N FILE OUT      the same stream, said to be of version N, with right checksums
       volstream.py forge FILE OUT FROM TO  the same stream with other bytes in its images' and volumes' descriptions, with right checksums:
                                            TO instead of FROM, which are as long

An independent reader of the format: it knows what docs/backup.md says and shares no code with layerctl. Checks the SHA-256 of what it
reads, the numbers and order of records, and each head's sum."""
import hashlib
import json
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
import superblock  # noqa: E402  pylint: disable=wrong-import-position

BLOCK = 4096
STREAM, VOLUME, BLOCKS, VOLUME_END, STREAM_END, IMAGE = range(1, 7)


def crc32c(data):
    """The usual form of it, which inverts the result."""
    return superblock.crc32c(data) ^ 0xffffffff


def head(type_, encoding, length, count, number, payload_crc):
    data = struct.pack("<4sHHIIQI", b"LBK1", type_, encoding, length, count, number, payload_crc)
    return data + struct.pack("<I", crc32c(data))


def summed_records(name):
    """Gives (type, encoding, count, payload, its sum) of all streams in a file."""
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
                assert digest is None and struct.unpack("<II", payload[:8]) in ((1, 0), (1, 1)), "version"
                number, digest, images, volumes = 0, hashlib.sha256(), payload[4], 0
            assert length > 4096 or crc32c(payload) == payload_crc, "sum"    # that of more takes too long here
            volumes += type_ == VOLUME
            assert type_ != IMAGE or (images and not volumes), "an image out of place"
            assert at == number, "number"
            number += 1
            if type_ in (VOLUME_END, STREAM_END):
                assert payload[-32:] == digest.digest(), "SHA-256"
            if type_ == IMAGE:
                own = digest.copy()
                own.update(payload[:-32])
                assert payload[-32:] == own.digest(), "SHA-256"
            digest.update(raw + payload)
            if type_ == STREAM_END:
                digest = None
            yield type_, encoding, count, payload, payload_crc


def records(name):
    """Gives (type, encoding, count, payload) of all streams in a file."""
    return (record[:4] for record in summed_records(name))


def description(payload):
    size, quota, id_, time, pool, identity, base, fs, flags, name_len, attrs = struct.unpack("<QQQQ16s16s16s16sIHH", payload[:104])
    return size, payload[104:104 + name_len].decode(), identity.hex(), base.hex()


def image(payload):
    """Gives (id, file system, identities, names, config, manifest), and checks what is to be checked."""
    id_, fs, flags, layers, names, config, manifest, digest, zero = struct.unpack("<32s16sIHHIIHH", payload[:68])
    assert flags == 0 and zero == 0, "flags"
    at = 68
    identities = [payload[at + 16 * i:at + 16 * i + 16].hex() for i in range(layers)]
    at += 16 * layers
    texts = []
    for _ in range(names):
        size = struct.unpack("<H", payload[at:at + 2])[0]
        texts.append(payload[at + 2:at + 2 + size].decode())
        at += 2 + size
    digest = payload[at:at + digest].decode()
    at += len(digest)
    config, manifest = payload[at:at + config], payload[at + config:at + config + manifest]
    assert at + len(config) + len(manifest) + 32 == len(payload), "length"
    assert hashlib.sha256(config).digest() == id_, "config"
    assert not manifest or digest == "sha256:" + hashlib.sha256(manifest).hexdigest(), "manifest"
    assert len(json.loads(config)["rootfs"]["diff_ids"]) == layers, "layers"
    return id_.hex(), fs.rstrip(b"\0").decode(), identities, texts, config, manifest


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
            elif type_ == IMAGE:
                id_, fs, identities, texts, _, _ = image(payload)
                print("image", id_, fs, len(identities), *texts)
            elif type_ == VOLUME_END:
                assert list(struct.unpack("<QQ", payload[:16])) == sums, "totals"
                print(*said[1:], *sums)


def layers(names):
    for name in names:
        for type_, _, _, payload in records(name):
            if type_ == IMAGE:
                print("\n".join(image(payload)[2]))


def ends(name):
    at = 0
    for type_, _, _, payload in records(name):
        at += 32 + len(payload)
        print(at, ["", "stream", "volume", "blocks", "volume-end", "stream-end", "image"][type_])


def forge(name, out, old, new):
    old, new = old.encode(), new.encode()
    assert len(old) == len(new)
    found = False
    with open(out, "wb") as file:
        for type_, encoding, count, payload, payload_crc in summed_records(name):
            if type_ == STREAM:
                number, digest = 0, hashlib.sha256()
            if type_ in (IMAGE, VOLUME):
                found |= old in payload
                payload = payload.replace(old, new)
            if type_ in (VOLUME_END, STREAM_END):
                payload = payload[:-32] + digest.digest()
            if type_ == IMAGE:
                own = digest.copy()
                own.update(payload[:-32])
                payload = payload[:-32] + own.digest()
            if type_ != BLOCKS:
                payload_crc = crc32c(payload)
            record = head(type_, encoding, len(payload), count, number, payload_crc) + payload
            number += 1
            digest.update(record)
            file.write(record)
    assert found, "there is no " + repr(old)


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
 "layers": lambda: layers(sys.argv[2:]), "ends": lambda: ends(sys.argv[2]), "forge": lambda: forge(*sys.argv[2:]),
 "version": lambda: version(*sys.argv[2:])}[sys.argv[1]]()
