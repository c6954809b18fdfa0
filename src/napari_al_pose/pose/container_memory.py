"""How much memory a container or a cluster job leaves: the control group sets the limit, not the machine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

CONTROLLERS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class _Names:
    """The file names of one version of control groups."""

    limit: str
    used: str
    cache: str
    """Line of ``memory.stat`` that counts cached file pages, which the system frees when it needs memory."""


_V1 = _Names("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2 = _Names("memory.max", "memory.current", "inactive_file")


def free_in_container(controllers: Path = CONTROLLERS, membership: Path = MEMBERSHIP) -> float:
    """Return how many bytes this process's control groups leave; infinite without a limit, or outside Linux.

    A group's limit covers everything inside it, so every parent group counts as well.

    Parameters
    ----------
    controllers : Path
        Where control groups are mounted.
    membership : Path
        File that lists the groups of this process, ``hierarchy:controllers:path``.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return math.inf
    free = math.inf
    for line in lines:
        hierarchy, kinds, path = [*line.split(":", 2), "", ""][:3]
        if hierarchy == "0" and not kinds:
            free = min(free, _free_within(controllers, path, _V2))
        elif "memory" in kinds.split(","):
            free = min(free, _free_within(controllers / "memory", path, _V1))
    return free


def _free_within(root: Path, path: str, names: _Names) -> float:
    # In a container the path may be the host's and not exist here; the limits are then at the root.
    group = root.joinpath(*(part for part in PurePosixPath(path).parts if part not in ("/", "..")))
    groups = [group, *(above for above in group.parents if above.is_relative_to(root))]
    return min(_free(one, names) for one in groups)


def _free(group: Path, names: _Names) -> float:
    try:
        limit = (group / names.limit).read_text().strip()
        if limit == "max":
            return math.inf
        used = int((group / names.used).read_text())
        return max(0, int(limit) - used + _cache(group, names))
    except (OSError, ValueError):
        return math.inf


def _cache(group: Path, names: _Names) -> int:
    try:
        stat = (group / "memory.stat").read_text()
    except OSError:
        return 0
    lines = (line.split() for line in stat.splitlines())
    return next((int(words[1]) for words in lines if words[:1] == [names.cache] and len(words) > 1), 0)
