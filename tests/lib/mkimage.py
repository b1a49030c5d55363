#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Makes small container images for the tests, good ones and bad ones.

usage: mkimage.py KIND OUT [OPTION=VALUE...]

Good ones (OUT is a directory unless it says a file):
  oci             four layers, gzip; every kind of entry that a layer can hold
  oci-zstd        the same content, zstd
  oci-plain       the same content, not compressed
  oci-tar         as oci, in one tar file
  docker          as oci, in the form of "docker save", a tar file
  shared          the first two layers of oci and another top
  deep            layers=N layers, each with a file of its own
  usual           three layers, gzip, of files=N files (3000) from 200 bytes to 100 KiB in
                  directories of 40, half of them text
  big             one layer of size=N MiB in files that do not compress

Bad ones, each an OCI layout that an importer must refuse:
  bad-digest      a layer's blob does not match its digest
  bad-size        a layer's blob does not match its size
  bad-diffid      a layer does not match the diff_id in the image's config
  truncated       a layer's tar ends in the middle of a file, digests right
  garbage         a layer is no tar at all, digests right
  dotdot          an entry ../../escaped
  dotdot-inside   an entry a/../../escaped
  symlink-escape  a symlink to /, and an entry through it
  symlink-layers  the symlink in one layer, the entry through it in the next
  hardlink-escape a hard link to ../../etc/passwd
  whiteout-escape a whiteout of ../escaped
  no-manifest     index.json names a manifest that is not there
  no-blob         a layer's blob is not there
  bad-json        index.json is cut short

The content is the same at every call: no clock, no random numbers.
"""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

MTIME = 1600000000
BUSYBOX = "/bin/busybox"
APPLETS = ["sh", "ls", "cat", "echo", "true", "false", "sleep", "id", "env", "mount",
           "stat", "touch", "rm", "mkdir", "dd", "sync", "sha256sum", "find", "pwd",
           "seq", "head", "tail", "wc", "chmod", "hostname", "test", "cp", "mv"]


def sha(data):
    return hashlib.sha256(data).hexdigest()


def noise(seed, size):
    """Bytes that do not compress, the same for the same seed."""
    out = bytearray()
    block = hashlib.sha512(seed.encode()).digest()
    while len(out) < size:
        block = hashlib.sha512(block).digest()
        out += block
    return bytes(out[:size])


class Layer:
    """One layer's tar, made entry by entry."""

    def __init__(self):
        self.buf = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buf, mode="w", format=tarfile.PAX_FORMAT)

    def add(self, name, kind=tarfile.REGTYPE, data=b"", mode=None, uid=0, gid=0, link="",
            dev=None, mtime=MTIME, xattrs=None):
        info = tarfile.TarInfo(name)
        info.type = kind
        info.mode = mode if mode is not None else (0o755 if kind == tarfile.DIRTYPE else 0o644)
        info.uid, info.gid, info.mtime, info.linkname = uid, gid, mtime, link
        if dev:
            info.devmajor, info.devminor = dev
        for key, value in (xattrs or {}).items():
            info.pax_headers["SCHILY.xattr." + key] = value
        if kind == tarfile.REGTYPE:
            info.size = len(data)
            self.tar.addfile(info, io.BytesIO(data))
        else:
            self.tar.addfile(info)
        return self

    def dir(self, name, **kw):
        return self.add(name, tarfile.DIRTYPE, **kw)

    def file(self, name, data=b"", **kw):
        return self.add(name, data=data if isinstance(data, bytes) else data.encode(), **kw)

    def symlink(self, name, link, **kw):
        return self.add(name, tarfile.SYMTYPE, link=link, mode=0o777, **kw)

    def hardlink(self, name, link, **kw):
        return self.add(name, tarfile.LNKTYPE, link=link, **kw)

    def whiteout(self, name):
        head, tail = os.path.split(name)
        return self.file(os.path.join(head, ".wh." + tail))

    def opaque(self, name):
        return self.file(os.path.join(name, ".wh..wh..opq"))

    def bytes(self):
        self.tar.close()
        return self.buf.getvalue()


def root_layer():
    layer = Layer()
    for name in ("bin", "etc", "proc", "sys", "dev", "root", "data", "usr", "usr/share"):
        layer.dir(name)
    layer.dir("tmp", mode=0o1777)
    with open(BUSYBOX, "rb") as f:
        layer.file("bin/busybox", f.read(), mode=0o755)
    for name in APPLETS:
        layer.symlink("bin/" + name, "busybox")
    layer.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n")
    layer.file("etc/group", "root:x:0:\napp:x:1000:\n")
    layer.file("etc/layers", "root\n")
    return layer.bytes()


def content_layer():
    """Every kind of entry, and what the next layer removes."""
    layer = Layer()
    layer.dir("all", mode=0o750, uid=1000, gid=1001)
    layer.file("all/empty")
    layer.file("all/text", "text of the second layer\n", mode=0o640, uid=1000, gid=1001)
    layer.file("all/setuid", "x", mode=0o4755)
    layer.file("all/noise", noise("second", 300000))
    layer.file("all/zeros", bytes(1 << 20))
    layer.hardlink("all/text-again", "all/text")
    layer.symlink("all/link", "text")
    layer.symlink("all/dangling", "/no/such/file")
    layer.add("all/fifo", tarfile.FIFOTYPE)
    layer.add("all/null", tarfile.CHRTYPE, dev=(1, 3), mode=0o666)
    layer.add("all/disk", tarfile.BLKTYPE, dev=(7, 0), mode=0o660)
    layer.file("all/attr", "has attributes\n",
               xattrs={"user.origin": "second layer", "trusted.mark": "yes"})
    layer.file("all/old", "from 1999\n", mtime=930000000)
    layer.file("all/" + "n" * 200, "a long name\n")
    layer.file("all/ünïcödé", "a name that is not ASCII\n")
    layer.dir("gone").file("gone/a", "a").dir("gone/b").file("gone/b/c", "c")
    layer.dir("opaque").file("opaque/below", "hidden by the next layer\n")
    layer.dir("opaque/sub").file("opaque/sub/below", "hidden too\n")
    layer.file("removed", "removed by the next layer\n")
    layer.file("becomes-dir", "a file at first\n")
    layer.dir("becomes-file").file("becomes-file/x", "x")
    layer.file("etc/layers", "root\ncontent\n")
    return layer.bytes()


def change_layer():
    layer = Layer()
    layer.whiteout("removed").whiteout("gone")
    layer.dir("opaque").opaque("opaque").file("opaque/above", "of the third layer\n")
    layer.dir("becomes-dir").file("becomes-dir/inside", "a directory now\n")
    layer.file("becomes-file", "a file now\n")
    layer.file("all/text", "text of the third layer\n")
    layer.file("etc/layers", "root\ncontent\nchange\n")
    return layer.bytes()


def app_layer(name="app"):
    layer = Layer()
    layer.dir("app")
    layer.file("app/run", "#!/bin/sh\necho running %s as $(id -u) with args: \"$@\"\n" % name, mode=0o755)
    layer.file("app/name", name + "\n")
    layer.file("etc/layers", "root\ncontent\nchange\n%s\n" % name)
    return layer.bytes()


def compress(data, how):
    if how == "gzip":
        return gzip.compress(data, compresslevel=1, mtime=0)
    if how == "zstd":
        return subprocess.run(["zstd", "-q", "-c", "-1"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


MEDIA = {"gzip": "+gzip", "zstd": "+zstd", "plain": ""}


def config(layers, created_by=None):
    return {
        "architecture": "amd64", "os": "linux", "created": "2020-09-13T12:26:40Z",
        "config": {
            "Env": ["PATH=/bin:/app", "GREETING=hello from the image"],
            "Cmd": ["/app/run"], "WorkingDir": "/app",
            "Labels": {"org.layerblk.test": "tiny"},
        },
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha(l) for l in layers]},
        "history": [{"created": "2020-09-13T12:26:40Z", "created_by": "layer %d" % i}
                    for i in range(len(layers))],
    }


class Oci:
    """An OCI image layout under construction; fields may be spoilt before write()."""

    def __init__(self, layers, how="gzip", tag="tiny:latest"):
        self.files = {}
        self.tag = tag
        self.config = config(layers)
        self.layers = []
        for data in layers:
            blob = compress(data, how)
            self.blob(blob)
            self.layers.append({"mediaType": "application/vnd.oci.image.layer.v1.tar" + MEDIA[how],
                                "digest": "sha256:" + sha(blob), "size": len(blob)})

    def blob(self, data):
        self.files["blobs/sha256/" + sha(data)] = data

    def path(self, i):
        return "blobs/sha256/" + self.layers[i]["digest"].split(":")[1]

    def finish(self):
        conf = json.dumps(self.config).encode()
        self.blob(conf)
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                       "digest": "sha256:" + sha(conf), "size": len(conf)},
            "layers": self.layers}).encode()
        self.blob(manifest)
        self.manifest = sha(manifest)
        self.files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
        self.files["index.json"] = json.dumps({
            "schemaVersion": 2,
            "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json",
                           "digest": "sha256:" + self.manifest, "size": len(manifest),
                           "annotations": {"org.opencontainers.image.ref.name": self.tag}}]}).encode()
        return self

    def write(self, out):
        for name, data in self.files.items():
            path = os.path.join(out, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(data)

    def write_tar(self, out):
        with tarfile.open(out, "w") as tar:
            for name in sorted(self.files):
                info = tarfile.TarInfo(name)
                info.size, info.mtime = len(self.files[name]), MTIME
                tar.addfile(info, io.BytesIO(self.files[name]))


def docker_archive(layers, out):
    conf = json.dumps(config(layers)).encode()
    with tarfile.open(out, "w") as tar:
        def add(name, data):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), MTIME
            tar.addfile(info, io.BytesIO(data))
        names = []
        for data in layers:
            names.append(sha(data) + "/layer.tar")
            add(names[-1], data)
        add(sha(conf) + ".json", conf)
        add("manifest.json", json.dumps([{"Config": sha(conf) + ".json", "RepoTags": ["tiny:latest"],
                                          "Layers": names}]).encode())


def tiny():
    return [root_layer(), content_layer(), change_layer(), app_layer()]


def usual(files):
    """A root and three layers with the sizes of files that a distribution's have: most are small, most bytes are in large ones."""
    layers = [root_layer()]
    words = ("of the to a in is that for it as was with be by on not he his but at are this have from or had an they which one " * 40).encode()
    for n in range(3):
        layer = Layer()
        layer.dir("usr/layer%d" % n)
        for i in range(files // 3):
            if i % 40 == 0:
                layer.dir("usr/layer%d/%d" % (n, i // 40))
            size = 200 << (i * 7 % 10)
            text = i % 2 and (words * (size // len(words) + 1))[:size]
            layer.file("usr/layer%d/%d/%d" % (n, i // 40, i), text or noise("usual %d %d" % (n, i), size))
        layers.append(layer.bytes())
    return layers


def evil(kind):
    layer = Layer()
    if kind == "dotdot":
        layer.file("../../escaped", "out")
    elif kind == "dotdot-inside":
        layer.dir("a").file("a/../../escaped", "out")
    elif kind == "symlink-escape":
        layer.symlink("way", "/").file("way/escaped", "out")
    elif kind == "hardlink-escape":
        layer.hardlink("passwd", "../../etc/passwd")
    elif kind == "whiteout-escape":
        layer.file("../.wh.escaped")
    elif kind == "symlink-layers":
        layer.symlink("way", "../../../..")
        return [root_layer(), layer.bytes(), Layer().file("way/escaped", "out").bytes()]
    return [root_layer(), layer.bytes()]


def good(kind, out, opts):
    if kind in ("oci", "oci-gzip"):
        Oci(tiny()).finish().write(out)
    elif kind == "oci-zstd":
        Oci(tiny(), "zstd").finish().write(out)
    elif kind == "oci-plain":
        Oci(tiny(), "plain").finish().write(out)
    elif kind == "oci-tar":
        Oci(tiny()).finish().write_tar(out)
    elif kind == "docker":
        docker_archive(tiny(), out)
    elif kind == "shared":
        Oci(tiny()[:2] + [app_layer("other")], tag="shared:latest").finish().write(out)
    elif kind == "deep":
        n = int(opts.get("layers", 128))
        layers = [root_layer()] + [Layer().file("etc/layer-%d" % i, "%d\n" % i).bytes() for i in range(1, n)]
        Oci(layers, tag="deep:latest").finish().write(out)
    elif kind == "usual":
        Oci(usual(int(opts.get("files", 3000))), tag="usual:latest").finish().write(out)
    elif kind == "big":
        n = int(opts.get("size", 64))
        layer = Layer().dir("big")
        for i in range(n):
            layer.file("big/%d" % i, noise("big %d" % i, 1 << 20))
        Oci([root_layer(), layer.bytes()], "plain", tag="big:latest").finish().write(out)
    else:
        return False
    return True


def bad(kind, out):
    if kind in ("dotdot", "dotdot-inside", "symlink-escape", "hardlink-escape", "whiteout-escape", "symlink-layers"):
        Oci(evil(kind)).finish().write(out)
        return True
    layers = tiny()
    if kind == "truncated":
        layers[1] = layers[1][:200000]
    elif kind == "garbage":
        layers[1] = noise("garbage", 50000)
    image = Oci(layers)
    if kind == "bad-diffid":
        image.config["rootfs"]["diff_ids"][1] = "sha256:" + "0" * 64
    if kind == "bad-size":
        image.layers[1]["size"] += 1
    image.finish()
    if kind == "bad-digest":
        data = bytearray(image.files[image.path(1)])
        data[len(data) // 2] ^= 1
        image.files[image.path(1)] = bytes(data)
    elif kind == "no-blob":
        del image.files[image.path(1)]
    elif kind == "no-manifest":
        del image.files["blobs/sha256/" + image.manifest]
    elif kind == "bad-json":
        image.files["index.json"] = image.files["index.json"][:40]
    elif kind not in ("truncated", "garbage", "bad-diffid", "bad-size"):
        return False
    image.write(out)
    return True


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    opts = dict(a.split("=", 1) for a in sys.argv[3:])
    if not good(sys.argv[1], sys.argv[2], opts) and not bad(sys.argv[1], sys.argv[2]):
        sys.exit("mkimage: no kind " + sys.argv[1])


if __name__ == "__main__":
    main()
