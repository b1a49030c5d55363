# SPDX-License-Identifier: GPL-2.0
"""Running the tools."""
import subprocess


def run(*args, data=None):
    """The command's output; its failure, with what it said, is an exception."""
    done = subprocess.run([str(a) for a in args], input=data, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, args))}: {done.returncode}: {done.stderr.strip()} {done.stdout.strip()}")
    return done.stdout
