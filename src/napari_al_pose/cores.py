"""How many cores this process may use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Return the cores that this process may use: on a cluster, a job is given some of many."""
    if hasattr(os, "sched_getaffinity"):  # Linux; `os.process_cpu_count` of Python 3.13 is for all
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
