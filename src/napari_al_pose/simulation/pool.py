"""A data set in place of a project: what the loop's ranking needs from videos, a model and an annotator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition import Extra
from napari_al_pose.acquisition.duplicate_frames import drop_duplicate_frames
from napari_al_pose.acquisition.pool import drop_near_duplicates
from napari_al_pose.domain import Annotation, FrameKey, FrameSource, KeypointState, Skeleton
from napari_al_pose.engine.messages import Progress
from napari_al_pose.engine.pool import Pool, PoolOutput
from napari_al_pose.engine.ranking_input import RankingInput
from napari_al_pose.simulation.dataset import Dataset
from napari_al_pose.simulation.learner import Learned
from napari_al_pose.simulation.preparing import Prepared

_NO_NEIGHBOURS = "the frames of a data set have no neighbours"
_NO_HEADS = "no auxiliary networks are trained in a simulation"
_NO_HISTORY = "a simulation keeps one model at a time"
_NO_WEIGHTS = "no weights are downloaded for a simulation"
UNAVAILABLE = {
    Extra.NEIGHBOUR_XY: _NO_NEIGHBOURS,
    Extra.SCOREMAP_CHANGE: _NO_NEIGHBOURS,
    Extra.MOTION_ENERGY: _NO_NEIGHBOURS,
    Extra.PREDICTED_LOSS: _NO_HEADS,
    Extra.PREDICTED_LOSS_PP: _NO_HEADS,
    Extra.LOG_VARIANCE: _NO_HEADS,
    Extra.LINK_LENGTHS: _NO_HEADS,
    Extra.FULL_GRADIENT_LENGTHS: "a backward pass for every pair of frames takes too long for a simulation",
    Extra.ENSEMBLE_XY: _NO_HISTORY,
    Extra.BODYPART_QUALITY: _NO_HISTORY,
    Extra.ALEXNET: _NO_WEIGHTS,
    Extra.DINOV2: _NO_WEIGHTS,
    Extra.DINOV2_LABELLED: _NO_WEIGHTS,
}
"""What strategies can't have here: their fallbacks replace those that need it, and the rounds say so."""


@dataclass(frozen=True, slots=True, eq=False)
class Situation:
    """What an arm chooses from.

    Parameters
    ----------
    prepared : Prepared
        The data set.
    model : Learned
        Trained on ``labelled``.
    pool, labelled : sequence of int
        Rows of the data set; labelled ones are never chosen.
    reliability : float
        As in `ScoreContext`.
    seed : int
        For all random draws.
    errors : mapping of int to float
        Of labelled rows; see `Extra.ERRORS_LABELLED`.
    """

    prepared: Prepared
    model: Learned
    pool: Sequence[int]
    labelled: Sequence[int]
    reliability: float
    seed: int
    errors: Mapping[int, float] = field(default_factory=dict)


def frame_rates(dataset: Dataset) -> dict[str, float]:
    """Return the frame rate of each video, for rules on time; if unknown, `Dataset.times` keeps frames apart."""
    return dict.fromkeys(dataset.videos, dataset.fps) if dataset.fps > 0 else {}


def dataset_pool(situation: Situation, *, deduplicate: bool) -> Pool:
    """Return the unlabelled frames in place of the loop's pool; frames are named by `times`."""
    dataset, features = situation.prepared.dataset, situation.prepared.features
    done = set(situation.labelled)
    rows = [row for row in situation.pool if row not in done]
    keys, vectors, fps = [dataset.times[row] for row in rows], features[rows], frame_rates(dataset)
    kept = _different(situation, rows) if deduplicate else np.arange(len(rows))
    return Pool(
        candidates=tuple(keys),
        keys=tuple(keys[i] for i in kept),
        features=vectors[kept],
        labelled=tuple(dataset.times[row] for row in situation.labelled),
        labelled_features=features[list(situation.labelled)],
        fps=fps,
        n_frames=Counter(key.video for key in keys),
    )


def _different(situation: Situation, rows: Sequence[int]) -> NDArray[np.int64]:
    """Return which of ``rows`` show something of their own, as places in them; the loop drops the others too."""
    dataset, pictures = situation.prepared.dataset, situation.prepared.pictures
    keys, labelled = [dataset.times[row] for row in rows], list(situation.labelled)
    of_labelled = [dataset.times[row] for row in labelled]
    own = drop_duplicate_frames(keys, pictures[list(rows)], of_labelled, pictures[labelled])
    vectors = situation.prepared.features[[rows[i] for i in own]]
    return own[drop_near_duplicates([keys[i] for i in own], vectors, frame_rates(dataset))]


def ranking_input(situation: Situation, pool: Pool, *, trust: float | None = None) -> RankingInput:
    """Return the input of the loop's ranking; ``trust`` replaces the measured reliability."""
    dataset = situation.prepared.dataset
    row_of = {key: row for row, key in enumerate(dataset.times)}

    def predict(
        _model: Any, keys: Sequence[FrameKey], _sources: Any, _job: int, *, with_scoremaps: bool
    ) -> Generator[Progress, None, PoolOutput]:
        yield from ()
        output = situation.model.predict([row_of[key] for key in keys], with_scoremaps=with_scoremaps)
        grids = [output.grid_of(i) for i in range(len(keys))]
        return PoolOutput(output.xy, output.likelihood, output.scoremaps, grids, output.animals)

    return RankingInput(
        pool=pool,
        sources=_sources(dataset),
        labels=KnownLabels(
            dataset,
            tuple(situation.labelled),
            situation.reliability if trust is None else trust,
            {dataset.times[row]: error for row, error in situation.errors.items()},
        ),
        model=situation.model.pose_model(),
        version=1,
        predict=predict,
        unavailable=UNAVAILABLE,
    )


@dataclass(frozen=True, slots=True, eq=False)
class KnownLabels:
    """The labels made in a simulation so far; a `RankingLabels`.

    Parameters
    ----------
    dataset : Dataset
    labelled : tuple of int
        Its rows, in labelling order.
    measured : float
        The reliability.
    errors : mapping of FrameKey to float
        Of labelled frames.
    """

    dataset: Dataset
    labelled: tuple[int, ...]
    measured: float
    errors: Mapping[FrameKey, float]

    @property
    def skeleton(self) -> Skeleton:
        """See `RankingLabels`."""
        return self.dataset.skeleton

    def annotations(self) -> list[Annotation]:
        """Return the labels of each animal that was looked at.

        A bodypart without a label counts as looked for and not seen.
        """
        data, names = self.dataset, self.dataset.skeleton.individuals
        known, xy = data.by_animal(data.states), data.by_animal(data.xy)
        states = np.where(known == KeypointState.PLACED, KeypointState.PLACED, KeypointState.NOT_VISIBLE)
        return [
            Annotation(data.times[row], xy[row, a], states[row, a].astype(np.int8), name)
            for row in self.labelled
            for a, name in enumerate(names)
            if len(names) == 1 or (known[row, a] != KeypointState.UNSEEN).any()
        ]

    def reliability(self) -> float:
        """See `RankingLabels`."""
        return self.measured

    def errors_before(self, keys: Sequence[FrameKey]) -> NDArray[np.float64]:
        """See `RankingLabels`."""
        return np.array([self.errors.get(key, np.nan) for key in keys], np.float64)

    def bodypart_quality(self) -> NDArray[np.float64]:
        """Return zeros: nobody asks, see `UNAVAILABLE`."""
        return np.zeros(self.dataset.skeleton.n_bodyparts)

    def earlier_poses(self, keys: Sequence[FrameKey]) -> list[NDArray[np.floating]]:
        """Return nothing: nobody asks, see `UNAVAILABLE`."""
        return []


class DatasetVideo:
    """The frames of one video of a data set as a source, numbered by `Dataset.times`.

    Parameters
    ----------
    dataset : Dataset
    name : str
    rows : sequence of int
        Its rows, ascending.
    """

    def __init__(self, dataset: Dataset, name: str, rows: Sequence[int]) -> None:
        self._images, self._rows, self._name = dataset.images, list(rows), name
        self._numbers = [dataset.times[row].frame for row in rows]
        self._positions = {number: position for position, number in enumerate(self._numbers)}
        self._fps = dataset.fps

    @property
    def name(self) -> str:
        """See `FrameSource`."""
        return self._name

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """See `FrameSource`."""
        return (len(self._rows), *self._images.shape[1:])

    @property
    def dtype(self) -> np.dtype[np.uint8]:
        """See `FrameSource`."""
        return np.dtype(np.uint8)

    @property
    def fps(self) -> float:
        """See `FrameSource`."""
        return self._fps or 30.0

    @property
    def keyframes(self) -> NDArray[np.int64]:
        """See `FrameSource`; all of them."""
        return np.arange(len(self._rows))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        return np.asarray(self._images[np.asarray(self._rows)[key]])

    def number(self, position: int) -> int:
        """See `FrameSource`."""
        return self._numbers[position]

    def position(self, number: int) -> int:
        """See `FrameSource`."""
        return self._positions[number]

    def seconds(self, position: int) -> float:
        """See `FrameSource`."""
        return self._numbers[position] / self._fps if self._fps > 0 else float("nan")

    def close(self) -> None:
        """See `FrameSource`; the images are the data set's."""


def _sources(dataset: Dataset) -> Mapping[str, FrameSource]:
    rows: dict[str, list[int]] = {}
    for row, key in enumerate(dataset.times):
        rows.setdefault(key.video, []).append(row)
    return {name: DatasetVideo(dataset, name, own) for name, own in rows.items()}
