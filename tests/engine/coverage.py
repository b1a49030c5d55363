#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""
What the engine's tests reach of kmod/engine/, from gcov's counters.

  coverage.py OBJECTS REPORT [--missing FILE...]

OBJECTS is where the .gcno and .gcda files are; REPORT gets summary.txt, missing.txt (every line and branch that was not
reached) and index.html. Prints the summary: for each file and in all, lines and branches as counted, and again without
those that coverage-unreached explains. Fails below LINES and BRANCHES per cent as counted, and when an explanation is for
a line that is not there; what is explained and reached all the same is only told, for threads reach things by chance. With --missing, prints what is missing of these files instead.
"""
import json
import os
import re
import subprocess
import sys

LINES, BRANCHES = 95.0, 90.0
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
EXPLAINED = os.path.join(HERE, "coverage-unreached")


def measure(objects, report):
    """One run of gcovr: html and json."""
    os.makedirs(report, exist_ok=True)
    out = os.path.join(report, "coverage.json")
    subprocess.run(["gcovr", "-r", TOP, "--object-directory", objects, "-f", "kmod/engine/", "--json", out,
                    "--html-details", os.path.join(report, "index.html"), "--html-title", "kmod/engine",
                    "-j", str(os.cpu_count()), objects],
                   check=True, cwd=TOP, stderr=subprocess.DEVNULL)
    with open(out, encoding="utf-8") as f:
        return {f["file"]: f["lines"] for f in json.load(f)["files"]}


def explanations():
    """
    (file, source line) -> why; and [(pattern, why)] for lines of any file. A paragraph for each file: its name (* for any), then,
    indented, lines of source (patterns) and, indented more, why.
    """
    found, name, line = {}, None, None
    with open(EXPLAINED, encoding="utf-8") as f:
        for raw in f:
            text = raw.rstrip("\n")
            if not text or text.startswith("#"):
                continue
            if text.startswith("\t\t"):
                found[name, line] = (found.get((name, line), "") + " " + text.strip()).strip()
            elif text.startswith("\t"):
                line = text.strip()
            else:
                name = text
    kinds = [(re.compile(text), why) for (name, text), why in found.items() if name == "*"]
    return {key: why for key, why in found.items() if key[0] != "*"}, kinds


def unreached(line):
    """Is the line itself not reached; how many of its branches are not."""
    return line["count"] == 0, sum(1 for b in line["branches"] if b["count"] == 0)


class Sum:
    """Lines and branches: all, reached, explained."""

    def __init__(self):
        self.lines = self.hit = self.branches = self.taken = self.ex_lines = self.ex_branches = 0

    def add(self, line, explained):
        missed, not_taken = unreached(line)
        self.lines += 1
        self.hit += not missed
        self.branches += len(line["branches"])
        self.taken += len(line["branches"]) - not_taken
        if explained:
            self.ex_lines += missed
            self.ex_branches += not_taken

    def join(self, other):
        for key, value in vars(other).items():
            setattr(self, key, getattr(self, key) + value)

    def row(self, name):
        return "%-28s %5d %6.1f %6.1f   %5d %6.1f %6.1f" % (
            name, self.lines, percent(self.hit, self.lines), percent(self.hit + self.ex_lines, self.lines),
            self.branches, percent(self.taken, self.branches), percent(self.taken + self.ex_branches, self.branches))


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def judge(files, explained, kinds):
    """The sums by file, what is missing as text, explanations of what is reached, and of what is not there."""
    sums, missing, used, there = {}, [], set(), set()
    for name in sorted(files):
        with open(os.path.join(TOP, name), encoding="utf-8") as f:
            source = f.read().split("\n")
        total = sums[name] = Sum()
        for line in files[name]:
            if line.get("gcovr/noncode"):
                continue
            text = source[line["line_number"] - 1].strip()
            missed, not_taken = unreached(line)
            there.add((name, text))
            why = explained.get((name, text)) or next((w for p, w in kinds if p.fullmatch(text)), None)
            total.add(line, why)
            if not missed and not not_taken:
                continue
            used.add((name, text))
            missing.append((name, "%s:%d: %s%s\n\t%s" % (
                name, line["line_number"], "not reached" if missed else "%d of %d branches not taken" % (
                    not_taken, len(line["branches"])), " (explained: %s)" % why if why else "", text)))
    return sums, missing, sorted(there & set(explained) - used), sorted(set(explained) - there)


def main():
    objects, report = (os.path.abspath(p) for p in sys.argv[1:3])
    only = sys.argv[4:] if sys.argv[3:4] == ["--missing"] else None
    explained, kinds = explanations()
    sums, missing, idle, gone = judge(measure(objects, report), explained, kinds)
    if only is not None:
        print("\n".join(text for name, text in missing if not only or os.path.basename(name) in only))
        return 0
    total = Sum()
    rows = []
    for name, s in sums.items():
        rows.append(s.row(os.path.basename(name)))
        total.join(s)
    head = "%-28s %5s %6s %6s   %5s %6s %6s" % ("", "lines", "%", "expl.", "brnch", "%", "expl.")
    text = "\n".join([head] + rows + [total.row("all")])
    with open(os.path.join(report, "summary.txt"), "w", encoding="utf-8") as f:
        f.write(text + "\n")
    with open(os.path.join(report, "missing.txt"), "w", encoding="utf-8") as f:
        f.write("\n".join(m for _, m in missing) + "\n")
    print(text)
    print("not reached: %d lines and %d branches; explained (%s): %d lines and %d branches" % (
        total.lines - total.hit, total.branches - total.taken, os.path.relpath(EXPLAINED, TOP), total.ex_lines,
        total.ex_branches))
    for name, line in idle:
        print("%s: explained, but reached: %s" % (name, line))
    for name, line in gone:
        print("%s: explained, but not there: %s" % (name, line))
    bad = percent(total.hit, total.lines) < LINES or percent(total.taken, total.branches) < BRANCHES
    if bad:
        print("below the bar: %.0f %% of lines, %.0f %% of branches" % (LINES, BRANCHES))
    return 1 if bad or gone else 0


if __name__ == "__main__":
    sys.exit(main())
