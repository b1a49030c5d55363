# SPDX-License-Identifier: GPL-2.0
"""The groups of benchmarks, one a file."""
import importlib
import os


def load():
    """All of them, in the order in which they are printed."""
    for name in ("io", "fsync", "metadata", "scaling", "container", "memory", "image", "podman"):
        if os.path.exists(f"{os.path.dirname(__file__)}/{name}.py"):
            importlib.import_module(f"groups.{name}")
