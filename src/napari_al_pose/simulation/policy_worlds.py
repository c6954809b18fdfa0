"""The worlds that a policy learns in: a data set, one of its folds, and a learner that tries batches."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError
from napari_al_pose.pose import PoseModel
from napari_al_pose.simulation.closed_form import ClosedFormHeads
from napari_al_pose.simulation.folds import Fold, make_folds
from napari_al_pose.simulation.learner import Learned, Learner, Output, make_learner
from napari_al_pose.simulation.measures import measure
from napari_al_pose.simulation.pool import Situation
from napari_al_pose.simulation.preparing import Prepared, open_prepared, prepare
from napari_al_pose.simulation.protocol import Protocol
from napari_al_pose.simulation.sources import open_source_of_labels

Trial = Literal["solved", "short", "whole"]
"""How a batch is tried: heads in closed form, heads after a few steps, or the learner itself."""

SHORT_STEPS = 100
_REPORTED = re.compile(r"(synthetic|longform)(:0)?")
_DEVELOPMENT_FOLD = 0
_FOLDS = 4


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """What all worlds share.

    Parameters
    ----------
    steps : int
        Of the learner.
    long_side : int
        Of the images, px.
    pool_size, test_size : int
        Frames of a data set that take part, and those that batches are judged by.
    views : int
        Of each frame, for the learner.
    bfloat16 : bool
        As in `Protocol`.
    """

    steps: int = 300
    long_side: int = 192
    pool_size: int = 700
    test_size: int = 120
    views: int = 4
    bfloat16: bool = False

    def protocol(self, folds: int) -> Protocol:
        """Return the settings in the simulation's form."""
        return Protocol(
            arms=("uniform",),
            budgets=(10, 20),
            steps=self.steps,
            views=self.views,
            bfloat16=self.bfloat16,
            long_side=self.long_side,
            folds=folds,
            pool_size=self.pool_size,
            test_size=self.test_size,
        )


class PolicyWorld:
    """One fold of a data set, ready to be played.

    Parameters
    ----------
    prepared : Prepared
    fold : Fold
    settings : WorldSettings
    """

    def __init__(self, prepared: Prepared, fold: Fold, settings: WorldSettings) -> None:
        self.prepared, self.fold = prepared, fold
        protocol = settings.protocol(_FOLDS)
        self._whole = make_learner(prepared.dataset, protocol, prepared.maps)
        self._short: Learner = make_learner(prepared.dataset, replace(protocol, steps=SHORT_STEPS), prepared.maps)
        self._solved: ClosedFormHeads | None = None

    @property
    def name(self) -> str:
        """Names data set and fold."""
        return f"{self.prepared.dataset.name}-f{self.fold.number}"

    def learn(self, labelled: Sequence[int], seed: int) -> RememberedPredictions:
        """Train the learner, and keep its predictions for the pool."""
        learned = self._whole.train(sorted(labelled), seed=seed)
        return RememberedPredictions(learned, self.fold.pool)

    def trial(self, rows: Sequence[int], how: Trial, *, seed: int) -> tuple[float, float]:
        """Return the share of lost frames and the mean error on the fold's test frames, learnt from ``rows``."""
        test = self.fold.test
        if how == "solved":
            if self._solved is None:
                self._solved = ClosedFormHeads(self.prepared.dataset, self.prepared.maps)
            xy: NDArray[np.floating] = self._solved.train(sorted(rows)).predict(test.tolist())
        else:
            learner = self._short if how == "short" else self._whole
            xy = learner.train(sorted(rows), seed=seed).predict(test.tolist(), with_scoremaps=False).xy
        errors = measure(self.prepared.dataset, test, xy)
        return errors.lost, errors.error

    def situation(self, model: Learned, labelled: Sequence[int], seed: int) -> Situation:
        """Return what a strategy chooses in; nobody has measured how far the model can be trusted."""
        return Situation(self.prepared, model, self.fold.pool.tolist(), list(labelled), 0.0, seed)


class RememberedPredictions:
    """A model whose predictions of a pool are computed once, since many strategies ask for them.

    Parameters
    ----------
    learned : Learned
    pool : int64 array
        Rows of the data set.
    """

    def __init__(self, learned: Learned, pool: NDArray[np.int64]) -> None:
        self._learned = learned
        self._place = {row: place for place, row in enumerate(pool.tolist())}
        self._said = learned.predict(pool.tolist(), with_scoremaps=True)

    def predict(self, rows: Sequence[int], *, with_scoremaps: bool) -> Output:
        """Predict rows; see `Learned`."""
        if not all(row in self._place for row in rows):
            return self._learned.predict(rows, with_scoremaps=with_scoremaps)
        places = [self._place[row] for row in rows]
        maps = self._said.scoremaps if with_scoremaps else None
        return Output(
            self._said.xy[places],
            self._said.likelihood[places],
            None if maps is None else maps[places],
            self._said.grid,
        )

    def pose_model(self) -> PoseModel:
        """Return the model in the loop's form; see `Learned`."""
        return self._learned.pose_model()


def open_worlds(names: Sequence[str], settings: WorldSettings, cache: Path) -> list[PolicyWorld]:
    """Prepare data sets; of a project only its first quarter in time is tested on, as in development.

    Raises
    ------
    AlPoseError
        If a data set is one that results are reported on, or can't be read.
    """
    worlds = []
    for name in names:
        if _REPORTED.fullmatch(name):
            raise AlPoseError(
                f"{name} is a data set that results are reported on.",
                f"Learn on others: {name.split(':')[0]}:101, for example.",
            )
        protocol = settings.protocol(_FOLDS)
        raw = open_source_of_labels(name, rotation_degrees=180.0)
        prepared = open_prepared(prepare(raw, protocol, cache))
        folds = make_folds(prepared.dataset, _FOLDS, test_size=settings.test_size)
        drawn = name.startswith(("synthetic:", "longform:"))
        own = folds if drawn else [fold for fold in folds if fold.number == _DEVELOPMENT_FOLD]
        worlds += [PolicyWorld(prepared, fold, settings) for fold in own]
    return sorted(worlds, key=lambda world: world.fold.number)  # in turn, should time be short
