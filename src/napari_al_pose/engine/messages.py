"""The messages between the window and the engine process.

They are values: `REQUESTS` and `REPLIES` turn them into bytes by their type hints, so a new message is a dataclass here
and its name in one of the two unions. The client assigns ``job`` numbers, and every message about a job carries its
number.

A new kind of work is a `Job` here, its generator in `napari_al_pose.engine.jobs`, and a caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.channel import MessageCodec
from napari_al_pose.domain import FrameKey, Prediction, Round, Scoremaps, Suggestion
from napari_al_pose.domain.frame_groups import FrameGroup
from napari_al_pose.domain.label_checks import LabelCheck
from napari_al_pose.domain.pose_export import ExportOptions

# ---- from the client ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Look:
    """Send scoremaps and prediction of one frame by the newest model; served between training steps."""

    job: int
    key: FrameKey


@dataclass(frozen=True, slots=True)
class Describe:
    """Say what another program's model knows; served between training steps. Changes nothing."""

    job: int
    path: str


@dataclass(frozen=True, slots=True)
class Job:
    """Work that takes time; its last message is `Finished`, `Cancelled` or `Failed`.

    Jobs are done one after the other. Jobs in the ``background`` wait until no other is left, and pause for others.
    ``kind`` names a job for the window, which shows ``doing`` until the first progress arrives.
    """

    background: ClassVar[bool] = False
    kind: ClassVar[str] = ""
    doing: ClassVar[str] = ""

    job: int


@dataclass(frozen=True, slots=True)
class Train(Job):
    """Train the next version on the labels as they are now, then score the pool and rank the queue."""

    kind: ClassVar[str] = "train"
    doing: ClassVar[str] = "preparing to train"


@dataclass(frozen=True, slots=True)
class Rank(Job):
    """Rank the queue by ``strategy`` with the newest model (or, without one, build a diverse first batch)."""

    kind: ClassVar[str] = "rank"
    doing: ClassVar[str] = "ranking the queue"

    strategy: str


@dataclass(frozen=True, slots=True)
class Adopt(Job):
    """Make another program's model the newest version, then score the pool and rank the queue.

    ``chosen`` gives, by the project's bodypart, the model's, or nothing ("") where its guess is not wanted.
    """

    kind: ClassVar[str] = "adopt"
    doing: ClassVar[str] = "reading the model"

    path: str
    chosen: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MapPool(Job):
    """Lay the pool out on a plane ("pca" or "tsne") with the scores of ``strategy``; the queue stays as it is."""

    kind: ClassVar[str] = "map"
    doing: ClassVar[str] = "mapping the candidate frames"

    strategy: str
    layout: str


@dataclass(frozen=True, slots=True)
class Check(Job):
    """Find suspicious labels."""

    background: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Export(Job):
    """Predict whole videos (by name or by file) and write them; continues where an earlier export stopped."""

    background: ClassVar[bool] = True

    videos: tuple[str, ...]
    options: ExportOptions


@dataclass(frozen=True, slots=True)
class Stop:
    """End ``job`` within one step; if ``keep``, a training keeps what it has learnt."""

    job: int
    keep: bool = False


JobRequest = Train | Rank | MapPool | Adopt | Check | Export
Request = Look | Describe | JobRequest | Stop

# ---- from the engine ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine is up."""

    device: str
    model_version: int


@dataclass(frozen=True, slots=True)
class OfJob:
    """A reply that belongs to a request: ``job`` is the number that the client gave it."""

    job: int


@dataclass(frozen=True, slots=True)
class Looked(OfJob):
    """Answer to `Look`. ``prediction`` is None while there is no model.

    ``scoremaps`` is also None if the model has none.

    ``animals`` are the scoremaps of each animal, in the order of the prediction's, if the model predicts several, and
    ``unique`` those of the unique bodyparts.
    """

    key: FrameKey
    scoremaps: Scoremaps | None
    prediction: Prediction | None
    animals: tuple[Scoremaps, ...] = ()
    unique: Scoremaps | None = None


@dataclass(frozen=True, slots=True)
class Progress(OfJob):
    """How far a job is. ``seconds_left`` is negative while it is unknown."""

    stage: str
    done: int
    total: int
    seconds_left: float


@dataclass(frozen=True, slots=True)
class TrainStep(OfJob):
    """One optimiser step. ``holdout_error`` is the mean error in source pixels, NaN on steps not measured."""

    step: int
    steps: int
    loss: float
    holdout_error: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class TrialStep(OfJob):
    """A step of the trial that tests whether to fine-tune the model or to start over, one half of the steps each.

    Nothing of it is kept. ``seconds_left`` includes the training that follows.
    """

    step: int
    steps: int
    loss: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Trained(OfJob):
    """A new model version is on disk; ranking follows under the same job."""

    round: Round
    stopped_early: bool
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Ranked(OfJob):
    """A new queue, best first, with the model's guesses for its frames (empty before the first model).

    ``why_empty`` says why no frame was chosen. That stands where the frames would, so it is no ``notice``.
    """

    strategy: str
    model_version: int
    suggestions: tuple[Suggestion, ...]
    guesses: tuple[Prediction, ...]
    notice: str = ""
    why_empty: str = ""


@dataclass(frozen=True, slots=True)
class Described(OfJob):
    """Answer to `Describe`: the network's name and the bodyparts it knows.

    ``suggested`` gives, by the project's bodypart, the model's of the same name, or nothing ("").
    """

    path: str
    network: str
    bodyparts: tuple[str, ...]
    suggested: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Adopted(OfJob):
    """Another program's model is the newest version; ranking follows under the same job."""

    model_version: int
    network: str


@dataclass(frozen=True, slots=True, eq=False)
class PoolMapped(OfJob):
    """Answer to `MapPool`, and sent after every ranking.

    ``asked`` is the strategy that was asked for, ``strategy`` the one that scored; ``notice`` explains if they differ.
    ``points`` and ``labelled_points``, ``(N, 2)``, lie in [0, 1]; ``scores`` belong to ``keys``, NaN for none.
    ``group_of`` and ``labelled_group_of`` say in which of ``groups`` a frame is, -1 for none.
    """

    asked: str
    strategy: str
    model_version: int
    layout: str
    keys: tuple[FrameKey, ...]
    points: NDArray[np.float32]
    scores: NDArray[np.float64]
    labelled: tuple[FrameKey, ...]
    labelled_points: NDArray[np.float32]
    chosen: tuple[FrameKey, ...]
    groups: tuple[FrameGroup, ...]
    group_of: NDArray[np.int16]
    labelled_group_of: NDArray[np.int16]
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Checked(OfJob):
    """Suspicious labels, the most suspicious first."""

    checks: tuple[LabelCheck, ...]


@dataclass(frozen=True, slots=True)
class PosesExported(OfJob):
    """Whole videos were predicted and written."""

    videos: tuple[str, ...]
    model_version: int
    paths: tuple[str, ...]
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Finished(OfJob):
    """The last message of a job that ran to its end."""


@dataclass(frozen=True, slots=True)
class Cancelled(OfJob):
    """The last message of a job that was stopped without a trace."""


@dataclass(frozen=True, slots=True)
class Failed(OfJob):
    """The last message of a job that failed. ``details`` is for the log, not for the user."""

    message: str
    hint: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class Died:
    """The engine process ended unexpectedly; the client makes this message."""

    message: str
    hint: str


Reply = (
    Ready
    | Looked
    | Progress
    | TrainStep
    | TrialStep
    | Trained
    | Described
    | Adopted
    | Ranked
    | PoolMapped
    | Checked
    | PosesExported
    | Finished
    | Cancelled
    | Failed
    | Died
)

REQUESTS: MessageCodec[Request] = MessageCodec(Request)
REPLIES: MessageCodec[Reply] = MessageCodec(Reply)
