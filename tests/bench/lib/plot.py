# SPDX-License-Identifier: GPL-2.0
"""The figures as one SVG of three panels: what an I/O costs, what depth costs, and what more processors do."""
import math
from xml.sax.saxutils import escape

COLORS = {"raw": "#9aa5b1", "dm-thin": "#e0a458", "layerblk": "#2b7a78"}
COSTS = (("io.read-mapped", "read, mapped"), ("io.read-unmapped", "read, unmapped"), ("io.overwrite", "overwrite"),
         ("io.first-write", "first write"), ("io.first-write-wide", "first write, far apart"),
         ("io.first-write-snapshot", "first write, snapshot"), ("io.first-write-snapshot-wide", "same, far apart"))
DEPTHS = (("io.read-mapped", "no snapshot"), ("io.read-depth-1", "depth 1"), ("io.read-depth-64", "depth 64"), ("io.read-depth-64-many", "and 1,000 volumes"))
SCALING = (("scaling.one-volume", "one volume"), ("scaling.four-volumes", "a volume each"))
WIDTH, PANEL = 980, 260


class Canvas:
    def __init__(self, height):
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
                      f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>']

    def text(self, x, y, words, anchor="start", size=12, fill="#333333"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{fill}">{escape(words)}</text>')

    def box(self, x, y, w, h, fill):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{max(h, 0):.1f}" fill="{fill}"/>')

    def line(self, x1, y1, x2, y2, stroke="#cccccc"):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}"/>')

    def save(self, path):
        with open(path, "w") as f:
            f.write("\n".join(self.parts + ["</svg>"]) + "\n")


def nice(x):
    """The least round number that is not less."""
    power = 10 ** math.floor(math.log10(x))
    return next(n * power for n in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if n * power >= x)


def grouped(canvas, top, title, groups):
    """A panel of bars; groups: (label, {target: value})."""
    left, right, bottom, height = 60, WIDTH - 20, top + PANEL - 40, PANEL - 80
    step = nice(max(v for _, values in groups for v in values.values()) * 1.1 / 4)
    highest = 4 * step
    canvas.text(20, top + 20, title, size=14)
    for i in range(5):
        y = bottom - height * i / 4
        canvas.line(left, y, right, y)
        canvas.text(left - 6, y + 4, f"{step * i:.3g}", "end", 10)
    room = (right - left) / len(groups)
    for i, (label, values) in enumerate(groups):
        wide = room * 0.8 / len(COLORS)
        for j, name in enumerate(COLORS):
            if name in values:
                x, h = left + room * (i + 0.1) + wide * j, height * values[name] / highest
                canvas.box(x, bottom - h, wide - 2, h, COLORS[name])
                canvas.text(x + wide / 2 - 1, bottom - h - 3, f"{values[name]:.3g}", "middle", 9)
        canvas.text(left + room * (i + 0.5), bottom + 15, label, "middle", 11)


def costs(figures, which):
    return [(label, figures[f"{name}/cost"]["values"]) for name, label in which if f"{name}/cost" in figures]


def scaling(figures):
    return [(f"{n} jobs, {label}", figures[f"{name}/jobs-{n}"]["values"])
            for name, label in SCALING for n in (2, 4) if f"{name}/jobs-{n}" in figures]


def draw(figures, path):
    panels = [(title, groups) for title, groups in (
        ("Thousands of instructions for a 4 KiB I/O (io_uring, depth 16; less is better)", costs(figures, COSTS)),
        ("Random read and the chain's depth (thousands of instructions)", costs(figures, DEPTHS)),
        ("Random reads by several jobs, as a multiple of what one does (more is better)", scaling(figures))) if groups]
    canvas = Canvas(PANEL * len(panels) + 40)
    for i, name in enumerate(COLORS):
        canvas.box(60 + 120 * i, 14, 12, 12, COLORS[name])
        canvas.text(78 + 120 * i, 24, name)
    for i, (title, groups) in enumerate(panels):
        grouped(canvas, 30 + PANEL * i, title, groups)
    canvas.save(path)
