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
    Bar("io.fill/cost", "raw", 1.15),
    Bar("io.fill/written-bytes", "whole", 1.01),
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
    return None if not base else own / base


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
        if not other or got is None:
            return None
        got = max(got / other, other / got)
        words = f" × {bar.against.split('/')[0]}, either way"
    if got is None:
        return None
    text = ("≥ " if bar.least else "≤ ") + f"{bar.limit:g}{words}"
    slack = 1e-9
    return got, text, got >= bar.limit - slack if bar.least else got <= bar.limit + slack
