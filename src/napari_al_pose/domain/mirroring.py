"""Which bodyparts a mirror image exchanges: the left ear becomes the right one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from napari_al_pose.domain.errors import AlPoseError

FOUND = "auto"
"""Setting that takes the pairs from the bodyparts' names."""

_HINT = "Write pairs as 'left ear=right ear, paw L=paw R', 'auto' to find them by name, or nothing for none."

# "left"/"right" anywhere; a lone L/R only if it is separated from the rest of the name or followed by a capital.
_SIDES = (
    (re.compile(r"left", re.IGNORECASE), "right"),
    (re.compile(r"(?<![A-Za-z])[lL](?![a-z])"), "r"),
    (re.compile(r"(?<=[a-z])L(?![A-Za-z])"), "r"),
)


def find_pairs(bodyparts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the (left, right) pairs found by name: "leftear" and "rightear", "L_paw" and "R_paw", "pawL"..."""
    known = {name.casefold(): name for name in bodyparts}
    pairs = []
    for name in bodyparts:
        for pattern, other in _SIDES:
            right = known.get(pattern.sub(other, name).casefold())
            if pattern.search(name) and right is not None and right != name:
                pairs.append((name, right))
                break
    return tuple(pairs)


def is_found(text: str) -> bool:
    """Return whether a setting leaves the pairs to the names."""
    return text.strip().casefold() == FOUND


def read_pairs(text: str, bodyparts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return the pairs that a setting names.

    Raises
    ------
    AlPoseError
        If it names an unknown bodypart, or one twice.
    """
    if is_found(text):
        return find_pairs(bodyparts)
    pairs: list[tuple[str, str]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        names = tuple(name.strip() for name in part.split("="))
        unknown = [name for name in names if name not in bodyparts]
        if len(names) != 2 or unknown:
            what = f"the unknown bodypart {unknown[0]!r}" if unknown else repr(part)
            raise AlPoseError(f"The left/right pairs name {what}.", _HINT)
        pairs.append((names[0], names[1]))
    named = [name for pair in pairs for name in pair]
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice is not None:
        raise AlPoseError(f"The left/right pairs name {twice!r} twice.", _HINT)
    return tuple(pairs)


def mirror_order(pairs: Sequence[tuple[str, str]], bodyparts: Sequence[str]) -> tuple[int, ...] | None:
    """Return, for each bodypart, the index of the one it becomes in a mirror image; None without a pair.

    Without a pair, nothing says that the animal has two like sides, so its mirror image could be another animal.
    """
    if not pairs:
        return None
    other = dict(pairs) | {b: a for a, b in pairs}
    return tuple(list(bodyparts).index(other.get(name, name)) for name in bodyparts)
