# SPDX-License-Identifier: GPL-2.0
"""The guest's time, busy and idle.

In the machine that counts instructions, one nanosecond is one instruction, as long as the processor is not idle: what is waited for
something outside the guest (the host's files) passes by the host's clock. So the cost of anything is the time it took less the time idle.
"""
import collections
import re
import time

from . import disk


def parse_idle(text):
    """Nanoseconds that all processors have idled, from /proc/timer_list."""
    return sum(int(n) for n in re.findall(r"\.(?:idle|iowait)_sleeptime\s*:\s*(\d+)", text))


def idle_ns():
    with open("/proc/timer_list") as f:
        return parse_idle(f.read())


class Meter:
    """with Meter() as m: ...; then m.busy and m.idle are nanoseconds, and m.io is what the devices counted."""

    def __init__(self, devices=()):
        self.devices = devices

    def __enter__(self):
        self._count = disk.counters(self.devices)
        self._idle = idle_ns()
        self._start = time.monotonic_ns()
        return self

    def __exit__(self, *exc):
        took = time.monotonic_ns() - self._start
        self.idle = min(took, idle_ns() - self._idle)
        self.busy = took - self.idle
        self.io = disk.change(self._count, disk.counters(self.devices))


class Sum:
    """Several meters' measurements added up."""

    def __init__(self):
        self.busy = self.idle = 0
        self.io = collections.Counter()

    def add(self, meter):
        self.busy += meter.busy
        self.idle += meter.idle
        self.io.update(meter.io)
