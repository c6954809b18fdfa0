"""The further arrays that some strategies ask for, by the engine's own passes, on frames of a data set.

What needs neighbouring frames, hundreds of labels or downloaded weights is not there: a strategy that cannot do without
falls back, and the rounds say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition import Extra, Strategy, traits
from napari_al_pose.engine import extra_passes as passes
from napari_al_pose.pose.auxiliary import InsideView
from napari_al_pose.simulation.dataset import Dataset
from napari_al_pose.simulation.learner import Learned

_OF_LABELLED = {
    Extra.EMBEDDING_LABELLED: Extra.EMBEDDING,
    Extra.KEYPOINT_FEATURES_LABELLED: Extra.KEYPOINT_FEATURES,
}
_INSIDE = frozenset({Extra.EMBEDDING, Extra.KEYPOINT_FEATURES, Extra.DROPOUT_XY, Extra.GRADIENT_LENGTHS})
_AT_ONCE = 4


def extras_for(
    strategy: Strategy, dataset: Dataset, model: Learned, rows: Sequence[int], labelled: Sequence[int]
) -> dict[Extra, NDArray[Any]]:
    """Return the arrays that ``strategy`` asks for, as far as they can be had.

    Parameters
    ----------
    strategy : Strategy
        Whose traits name them.
    dataset : Dataset
        Where the frames are.
    model : Learned
        The model that is asked.
    rows, labelled : sequence of int
        Frames of the pool, and labelled ones.
    """
    own = traits(strategy)
    asked = own.needs | own.wants
    found: dict[Extra, NDArray[Any]] = {}
    if Extra.THUMBNAILS in asked:
        run = passes.thumbnail_pass(with_motion=False)
        found[Extra.THUMBNAILS] = _look(run, dataset, rows)[Extra.THUMBNAILS]
    bases = frozenset(_OF_LABELLED.get(name, name) for name in asked)
    if not bases & (_INSIDE | {Extra.TURNED_XY}):
        return found
    view = InsideView(model.pose_model())
    if Extra.TURNED_XY in bases:
        found |= _look(passes.turned_pass(view), dataset, rows)
    if bases & _INSIDE:
        maps = _labelled_maps(view, dataset, labelled) if Extra.GRADIENT_LENGTHS in bases else None
        links = len(dataset.skeleton.links)
        found |= _look(passes.inside_pass(view, bases & _INSIDE, {}, links, maps), dataset, rows)
        if asked & _OF_LABELLED.keys():
            run = passes.inside_pass(view, bases & _INSIDE - {Extra.GRADIENT_LENGTHS}, {}, links, None)
            said = _look(run, dataset, labelled)
            found |= {name: said[base] for name, base in _OF_LABELLED.items() if name in asked}
    return {name: values for name, values in found.items() if name in asked}


def _look(run: passes.FramePass, dataset: Dataset, rows: Sequence[int]) -> dict[Extra, NDArray[Any]]:
    parts = [run(batch) for batch in _batches(dataset, rows)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}


def _batches(dataset: Dataset, rows: Sequence[int]) -> Iterable[passes.Batch]:
    for start in range(0, len(rows), _AT_ONCE):
        part = list(rows[start : start + _AT_ONCE])
        keys = tuple(dataset.keys[row] for row in part)
        # No pass that is used here asks for neighbouring frames, and so for the video.
        yield passes.Batch(keys, np.asarray(dataset.images[part]), None)  # type: ignore[arg-type]


def _labelled_maps(view: InsideView, dataset: Dataset, labelled: Sequence[int]) -> passes.LabelledMaps:
    maps, embeddings = [], []
    for batch in _batches(dataset, labelled):
        seen = view.look(batch.frames)
        maps += [scoremaps.half() for scoremaps in seen.scoremaps]
        embeddings.append(seen.embedding())
    return passes.LabelledMaps(maps, np.concatenate(embeddings))
