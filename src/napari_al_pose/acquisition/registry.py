"""The strategies that are installed, ours and other packages'."""

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

    A plug-in that cannot be loaded, lacks a part of `Strategy` or takes a name that is taken (ours come
    first) is left out, and the log says why.
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
    except Exception:  # other people's code: whatever it raises must not take ours down
        logger.exception("Left out the strategy plug-in %r: it cannot be loaded.", point.value)
        return None
    missing = [name for name in _ATTRIBUTES if not hasattr(strategy, name)]
    if missing:
        logger.error("Left out the strategy plug-in %r: it lacks %s.", point.value, ", ".join(missing))
        return None
    return strategy
