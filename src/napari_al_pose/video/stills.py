"""The common part of sources whose frames don't depend on other frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.video.index import UNKNOWN_FPS
from napari_al_pose.video.source import CachedFrames


class StillFrames(CachedFrames):
    """Pictures read one by one; a subclass has a ``path``, which represents it in pickles."""

    path: Path

    @property
    def fps(self) -> float:
        """Unknown, so 30."""
        return UNKNOWN_FPS

    @property
    def keyframes(self) -> NDArray[np.int64]:
        """Every position."""
        return np.arange(len(self), dtype=np.int64)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (type(self), self.path, self._name, self._cache.max_bytes)

    def _load_ahead(self, first: int, last: int, superseded: Callable[[], bool]) -> None:
        for position in range(first, last + 1):
            if position not in self._cache and not superseded():
                self._load(position, superseded)


def _reopen(kind: Callable[..., StillFrames], path: Path, name: str, cache_bytes: int) -> StillFrames:
    return kind(path, name=name, cache_bytes=cache_bytes)
