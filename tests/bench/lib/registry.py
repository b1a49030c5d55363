# SPDX-License-Identifier: GPL-2.0
"""The benchmarks there are, and the beds they lie in.

A benchmark is a function under @benchmark. Its docstring says what it measures and why that is fair to the peer: the first line is its title. It is given its bed
and yields figures. Benchmarks of one bed are run in the order of their definition on the same targets, made once.
"""
import dataclasses
import fnmatch


@dataclasses.dataclass
class Figure:
    """A quantity of each target: {"raw": 9.5, "dm-thin": 25.4, "layerblk": 12.3}. extra: what else is worth keeping, for --json."""
    name: str
    unit: str
    values: dict
    extra: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Benchmark:
    name: str
    bed: type
    machine: str
    function: object

    @property
    def title(self):
        return self.function.__doc__.strip().split("\n")[0]


BENCHMARKS = []


def benchmark(name, bed, machine="icount"):
    """machine: icount (one processor that counts instructions) or smp (several, with the host's clock)."""
    def add(function):
        BENCHMARKS.append(Benchmark(name, bed, machine, function))
        return function
    return add


def selected(patterns, machine=None):
    """Those that match: a name, a group ("io") or a pattern of names; all without patterns."""
    def wanted(name):
        return not patterns or any(fnmatch.fnmatch(name, p) or name.startswith(p + ".") for p in patterns)
    return [b for b in BENCHMARKS if wanted(b.name) and machine in (None, b.machine)]
