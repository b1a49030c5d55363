# SPDX-License-Identifier: GPL-2.0
"""The bars: what each figure of layerblk must not exceed, beside the raw disk and the peer of the same run."""
import dataclasses


@dataclasses.dataclass
class Bar:
    """limit: what the judged value may be at most (least, when `least`).

    how: whole  layerblk's figure itself
         above  what it is above raw's
         raw    its ratio to raw's
         peer   its ratio to dm-thin's
    against: the figure of another benchmark whose judged value this one's is compared with, as a ratio."""
    figure: str
    how: str
    limit: float
    least: bool = False
    against: str = ""


FSYNC = ("fsync.new", "fsync.snapshot", "fsync.fua-new", "fsync.fua-snapshot")
SNAPSHOT = ("metadata.snapshot", "metadata.snapshot-active", "metadata.snapshot-10000")

BARS = [
    Bar("io.read-mapped/cost", "above", 3.0),
    Bar("io.read-depth-1/cost", "above", 3.0),
    Bar("io.read-depth-64/cost", "above", 3.0),
    Bar("io.read-depth-64-many/cost", "above", 3.0),
    Bar("io.read-depth-64/cost", "whole", 1.03, against="io.read-depth-1/cost"),
    Bar("io.read-depth-64-many/cost", "whole", 1.03, against="io.read-depth-1/cost"),
    Bar("io.read-unmapped/cost", "whole", 7.5),
    Bar("io.overwrite/cost", "above", 3.5),
    Bar("io.first-write/cost", "above", 8.0),
    Bar("io.first-write-snapshot/cost", "above", 8.0),
    Bar("io.first-write-snapshot/read-bytes", "whole", 0.0),
    Bar("io.first-write-snapshot/written-bytes", "whole", 1.1),
    Bar("io.read-wide/cost", "above", 3.0),
    Bar("io.first-write-wide/cost", "above", 8.0),
    Bar("io.first-write-snapshot-wide/cost", "above", 8.0),
    Bar("io.first-write-snapshot-wide/read-bytes", "whole", 0.0),
    Bar("io.first-write-snapshot-wide/written-bytes", "whole", 1.1),
    Bar("io.fill/cost", "raw", 1.15),
    Bar("io.fill/written-bytes", "whole", 1.01),
    *(Bar(f"{name}/writes", "whole", 2) for name in FSYNC),
    *(Bar(f"{name}/flushes", "whole", 1 if ".fua" in name else 2) for name in FSYNC),
    Bar("fsync.snapshot/reads", "whole", 0),
    Bar("fsync.fua-snapshot/reads", "whole", 0),
    Bar("fsync.new-8/journal-writes", "whole", 0.999),
    Bar("fsync.fua-new-8/journal-writes", "whole", 0.999),
    *(Bar(f"{name}/writes", "whole", 1) for name in SNAPSHOT),
    *(Bar(f"{name}/flushes", "whole", 2) for name in SNAPSHOT),
    Bar("metadata.snapshot-10000/writes", "whole", 1, against="metadata.snapshot/writes"),
    Bar("metadata.snapshot-10000/kib", "whole", 1, against="metadata.snapshot/kib"),
    Bar("metadata.snapshot-8/writes", "whole", 0.999),
    Bar("metadata.delete/writes", "whole", 2),
    Bar("memory.open/reads", "whole", 199),
    Bar("memory.random/metadata", "whole", 10 * 1024),
    Bar("memory.sequential/metadata", "whole", 64),
    *(Bar(f"scaling.{how}/jobs-{n}", "raw", 0.9, least=True) for how in ("one-volume", "four-volumes") for n in (2, 4)),
    *(Bar(f"container.life/{what}", "peer", 0.5) for what in (
        "start-reads", "start-writes", "start-flushes", "file-reads", "file-writes", "file-kib", "end-writes", "end-flushes")),
]


def value(values, how, name="layerblk"):
    """A target's figure as it is judged, or None where it cannot be."""
    own, raw, peer = values.get(name), values.get("raw"), values.get("dm-thin")
    if own is None:
        return None
    if how == "whole":
        return own
    if how == "above":
        return None if raw is None else own - raw
    base = raw if how == "raw" else peer
    if base is None:
        return None
    return own / base if base else 0.0 if own == 0 else float("inf")


def judge(bar, figures):
    """(value, text of the bar, passed), or None when the run has no such figure."""
    figure = figures.get(bar.figure)
    if not figure:
        return None
    got = value(figure["values"], bar.how)
    words = {"whole": "", "above": " above raw", "raw": " × raw", "peer": " × dm-thin"}[bar.how]
    if bar.against:
        other = figures.get(bar.against)
        other = other and value(other["values"], bar.how)
        if not other or not got:
            return None
        got = max(got / other, other / got)
        words = f" × {bar.against.split('/')[0]}, either way"
    if got is None:
        return None
    text = ("≥ " if bar.least else "≤ ") + f"{bar.limit:g}{words}"
    slack = 1e-9
    return got, text, got >= bar.limit - slack if bar.least else got <= bar.limit + slack
