"""The installed strategies, ours and those of other packages."""

from __future__ import annotations

import functools
import logging
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from napari_al_pose.acquisition.strategy import Strategy

ENTRY_POINT_GROUP = "napari_al_pose.strategies"

_ATTRIBUTES = ("name", "title", "summary", "requires", "score", "explain")

logger = logging.getLogger(__name__)


@functools.cache
def installed_strategies() -> MappingProxyType[str, Strategy]:
    """Return every installed strategy by name, in alphabetical order.

    Leaves out, with an entry in the log, a plug-in that can't be loaded, lacks a part of `Strategy`, or has a name that
    is already taken; ours come first.
    """
    found: dict[str, Strategy] = {}
    points = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda p: (not _is_ours(p), p.name, p.value))
    for point in points:
        strategy = _load(point)
        if strategy is None:
            continue
        if strategy.name in found:
            logger.error("Left out the strategy plug-in %r: the name %r is taken.", point.value, strategy.name)
            continue
        found[strategy.name] = strategy
    return MappingProxyType(dict(sorted(found.items())))


def _is_ours(point: EntryPoint) -> bool:
    return point.value.startswith("napari_al_pose.")


def _load(point: EntryPoint) -> Strategy | None:
    try:
        strategy = point.load()()
    except Exception:  # other people's code must not take ours down, whatever it raises
        logger.exception("Left out the strategy plug-in %r: it cannot be loaded.", point.value)
        return None
    missing = [name for name in _ATTRIBUTES if not hasattr(strategy, name)]
    if missing:
        logger.error("Left out the strategy plug-in %r: it lacks %s.", point.value, ", ".join(missing))
        return None
    return strategy
