# SPDX-License-Identifier: GPL-2.0
"""liblayerblk, called in this process, so that what is counted is the request and not the start of a program."""
import ctypes
import os
import time
import uuid as uuids

SNAP_FROZEN = 1


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("what", ctypes.c_char * 128), ("subject", ctypes.c_char * 384), ("why", ctypes.c_char * 512),
                ("hint", ctypes.c_char * 512)]


class Status(ctypes.Structure):
    """struct lb_ioc_pool_status"""
    _fields_ = [("size", ctypes.c_uint32), ("flags", ctypes.c_uint32), ("uuid", ctypes.c_uint8 * 16), ("dev_major", ctypes.c_uint32),
                ("dev_minor", ctypes.c_uint32)] + [(name, ctypes.c_uint64) for name in (
                    "state", "generation", "total_blocks", "free_blocks", "data_blocks", "meta_blocks", "reserved_blocks", "pending_blocks",
                    "pinned_blocks", "volumes", "hidden_volumes", "active_volumes", "low_water_blocks", "nospc_timeout_ms", "commit_interval_ms",
                    "cache_bytes", "cache_limit_bytes", "commits", "journal_writes", "journal_blocks", "device_flushes", "meta_reads",
                    "meta_writes", "scrub_state", "scrub_done_blocks", "scrub_errors", "format_version", "created_s")] + [
                        ("reserved", ctypes.c_uint64 * 16)]


class Disk(ctypes.Structure):
    _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("index", ctypes.c_uint32)]


class Pool:
    """An open pool, named by its UUID (text)."""

    def __init__(self, uuid=None):
        self.lib = ctypes.CDLL("liblayerblk.so.1")
        self.lb = ctypes.c_void_p()
        self.uuid = (ctypes.c_uint8 * 16)(*uuids.UUID(uuid).bytes) if uuid else (ctypes.c_uint8 * 16)()
        self.call("open", ctypes.byref(self.lb))

    def call(self, name, *args):
        error = Error()
        if getattr(self.lib, f"layerblk_{name}")(*args, ctypes.byref(error)) != 0:
            raise OSError(error.code, f"{name}: {error.what.decode()} {error.subject.decode()}: {error.why.decode()}")

    def open_device(self, dev):
        self.call("pool_open", self.lb, ctypes.c_uint64(os.stat(dev).st_rdev), ctypes.c_uint32(0), self.uuid)

    def close(self):
        self.call("pool_close", self.lb, self.uuid)

    def release(self):
        self.lib.layerblk_close(self.lb)

    def sync(self):
        self.call("pool_sync", self.lb, self.uuid)

    def status(self):
        out = Status()
        self.call("pool_status", self.lb, self.uuid, ctypes.byref(out))
        return out

    def create(self, name, size):
        number = ctypes.c_uint64()
        self.call("vol_create", self.lb, self.uuid, name.encode(), ctypes.c_uint64(size), ctypes.c_uint64(0), None, ctypes.byref(number))
        return number.value

    def snapshot(self, source, name, frozen=False):
        number = ctypes.c_uint64()
        self.call("vol_snapshot", self.lb, self.uuid, ctypes.c_uint64(source), name.encode(), ctypes.c_uint32(SNAP_FROZEN if frozen else 0),
                  ctypes.c_uint64(0), None, ctypes.byref(number))
        return number.value

    def freeze(self, number):
        self.call("vol_freeze", self.lb, self.uuid, ctypes.c_uint64(number), None, None)

    def rm(self, number):
        self.call("vol_rm", self.lb, self.uuid, ctypes.c_uint64(number), ctypes.c_uint32(0), None)

    def activate(self, number):
        disk = Disk()
        self.call("vol_activate", self.lb, self.uuid, ctypes.c_uint64(number), ctypes.c_uint32(0), ctypes.byref(disk))
        dev = f"/dev/layerblk{disk.index}"
        for _ in range(500):
            if os.path.exists(dev):
                break
            time.sleep(0.01)
        return dev

    def deactivate(self, number):
        """udev may have it open for a moment."""
        for tries in range(100):
            try:
                return self.call("vol_deactivate", self.lb, self.uuid, ctypes.c_uint64(number))
            except OSError:
                if tries == 99:
                    raise
                time.sleep(0.02)
        return None
