"""Shared by all readers of labels: nothing that a file says twice is lost silently, in whatever order it comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from napari_al_pose.domain import Annotation, FrameKey
from napari_al_pose.domain.wording import counted, first_few

_SAME_PX = 1e-6


class AnnotationCollector:
    """Collects the annotations of one file, at most one for each frame and individual.

    A second one with the same content changes nothing. One that differs is kept separately, so that an import can show
    both.

    Parameters
    ----------
    path : Path
        The file, for the notice.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first: dict[tuple[FrameKey, str], Annotation] = {}
        self._others: list[Annotation] = []

    def add(self, annotation: Annotation) -> None:
        """Add one annotation."""
        first = self._first.setdefault((annotation.key, annotation.individual), annotation)
        known = [first, *(a for a in self._others if (a.key, a.individual) == (annotation.key, annotation.individual))]
        if not any(same_labels(annotation, other) for other in known):
            self._others.append(annotation)

    @property
    def annotations(self) -> tuple[Annotation, ...]:
        """The first annotation of each frame and individual."""
        return tuple(self._first.values())

    @property
    def duplicates(self) -> tuple[Annotation, ...]:
        """Annotations that differ from the first of their frame and individual."""
        return tuple(self._others)

    def notices(self) -> list[str]:
        """Return a sentence about duplicates, if there are any."""
        return duplicate_notices(self._path, self._others)


def same_labels(a: Annotation, b: Annotation) -> bool:
    """Return whether two annotations agree on every bodypart."""
    return bool(np.array_equal(a.states, b.states) and np.allclose(a.xy, b.xy, rtol=0, atol=_SAME_PX, equal_nan=True))


def duplicate_notices(path: Path, duplicates: Sequence[Annotation]) -> list[str]:
    """Return a sentence about annotations that a file has twice with different content, if there are any."""
    keys = sorted({annotation.key for annotation in duplicates})
    if not keys:
        return []
    shown = first_few([f"{key.video} {key.frame}" for key in keys])
    frames = counted(len(keys), "frame")
    notice = f"{path} labels {frames} more than once and differently ({shown}). The first label counts; "
    return [notice + "an import keeps the others as conflicts to decide on."]


def merge_bodyparts(orders: Mapping[tuple[str, ...], int]) -> tuple[tuple[str, ...], set[tuple[str, ...]]]:
    """Combine the bodyparts of several skeletons.

    Parameters
    ----------
    orders : mapping of tuple of str to int
        How many labels each list of bodyparts has; not empty.

    Returns
    -------
    tuple of str
        The bodyparts of the most used list, followed by those added by lists that share a bodypart with it.
    set of tuple of str
        The lists that these cover. The others have nothing in common with the most used one.
    """
    main = max(orders, key=lambda names: (orders[names], -list(orders).index(names)))
    related = [names for names in orders if set(names) & set(main)]
    return tuple(dict.fromkeys([*main, *(name for names in related for name in names)])), set(related)


def merge_links(links: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return links without repetition; a line from a to b is the line from b to a."""
    found: dict[frozenset[str], tuple[str, str]] = {}
    for link in links:
        found.setdefault(frozenset(link), link)
    return tuple(found.values())
