"""The labels of a frame, as a person gave them."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.frames import FrameKey
from napari_al_pose.domain.skeleton import SINGLE_INDIVIDUAL


class KeypointState(enum.IntEnum):
    """What is known of one bodypart in one frame.

    ``UNSEEN`` is not ``NOT_VISIBLE``. DeepLabCut and SLEAP train both as "absent", so a half-labelled frame teaches
    mistakes. Our loss masks ``UNSEEN``.
    """

    UNSEEN = 0
    PLACED = 1
    NOT_VISIBLE = 2


class FrameRole(enum.StrEnum):
    """What a labelled frame is for."""

    TRAIN = "train"
    HOLDOUT = "holdout"
    """Drawn at random and never trained on; the reported error comes from these frames."""


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """The labels of one individual in one frame.

    Parameters
    ----------
    key : FrameKey
    xy : float64 array, (K, 2)
        Source pixels, x then y, pixel centres at integers; NaN unless the state is ``PLACED``.
    states : int8 array, (K,)
        `KeypointState` values.
    individual : str
    role : FrameRole
    taken : bool array, (K,), optional
        Which were a model's guesses that were taken as they are; None where nobody asked the log.
    """

    key: FrameKey
    xy: NDArray[np.float64]
    states: NDArray[np.int8]
    individual: str = SINGLE_INDIVIDUAL
    role: FrameRole = FrameRole.TRAIN
    taken: NDArray[np.bool_] | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every bodypart was looked at; only such frames are written for DeepLabCut."""
        return bool((self.states != KeypointState.UNSEEN).all())

    @property
    def is_empty(self) -> bool:
        """Whether no bodypart was looked at."""
        return bool((self.states == KeypointState.UNSEEN).all())

    @classmethod
    def empty(cls, key: FrameKey, n_bodyparts: int, individual: str = SINGLE_INDIVIDUAL) -> Annotation:
        """Return an annotation in which nothing was looked at."""
        return cls(key, np.full((n_bodyparts, 2), np.nan), np.zeros(n_bodyparts, np.int8), individual)
