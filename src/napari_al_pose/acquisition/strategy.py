"""The interface of a strategy: what it is given, and what it must return.

A strategy is any object with the attributes of `Strategy`. To add one from another package, write a class whose
constructor needs no argument and name it in that package's ``pyproject.toml``::

    [project.entry-points."napari_al_pose.strategies"]
    my_strategy = "my_package.my_module:MyStrategy"

``examples/al-pose-strategy-example`` is such a package. A strategy may also have the attributes of `Traits`.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.domain import BodypartReason, FrameKey, ScoremapGrid, Skeleton

_T = TypeVar("_T")


class Requires(enum.Flag):
    """What a strategy can't do without; combine flags with ``|``."""

    NONE = 0
    PREDICTIONS = enum.auto()
    """``xy`` and ``likelihood`` of a model."""
    SCOREMAPS = enum.auto()
    """``scoremaps`` of a model, and ``grid`` or ``grids`` with them."""
    FEATURES = enum.auto()
    """``features``, and ``labelled_features`` if there are labels."""
    LABELS = enum.auto()
    """``labelled_xy``: poses placed by a person."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ScoreContext:
    """Everything known of the pool when it is scored; rows of all arrays match ``keys``.

    Parameters
    ----------
    keys : sequence of FrameKey, N
        The pool: unique frames nobody has labelled, in any order.
    skeleton : Skeleton
        K bodyparts.
    features : float array, (N, d), optional
        Image features, not normalised.
    xy : float array, (N, K, 2), optional
        Predicted keypoints, source pixels.
    likelihood : float array, (N, K), optional
        In [0, 1].
    scoremaps : float array, (N, K, h, w), optional
        In [0, 1]; may be a memory map.
    grid : ScoremapGrid, optional
        Where scoremap cells lie in the image, for frames that ``grids`` doesn't name.
    grids : mapping of FrameKey, or str, to ScoremapGrid
        The same for single frames, since a model may look at a window that follows the animal, or for videos, which
        differ in size.
    labelled_features : float array, (M, d), optional
        Features of labelled frames.
    labelled_keys : sequence of FrameKey, M
        The frames of ``labelled_features``; may be empty if no strategy asks.
    labelled_xy : float array, (M', K, 2), optional
        Labelled poses, source pixels; NaN where a bodypart was not placed.
    extra : mapping of Extra to array
        The arrays that the strategy requested.
    reliability : float
        How far the model can be trusted, in [0, 1]: how well it predicted the frames labelled last.
    batch_size : int
        How many best-scored frames will be used.
    n_frames : mapping of str to int
        Length of each video; for missing ones the pool decides.
    seed : int
        For strategies that draw at random.

    Raises
    ------
    ValueError
        If an array does not have as many rows as ``keys``, or bodyparts as the skeleton.
    """

    keys: Sequence[FrameKey]
    skeleton: Skeleton
    features: NDArray[np.floating] | None = None
    xy: NDArray[np.floating] | None = None
    likelihood: NDArray[np.floating] | None = None
    scoremaps: NDArray[np.floating] | None = None
    grid: ScoremapGrid | None = None
    grids: Mapping[FrameKey | str, ScoremapGrid] = field(default_factory=dict)
    labelled_features: NDArray[np.floating] | None = None
    labelled_keys: Sequence[FrameKey] = ()
    labelled_xy: NDArray[np.floating] | None = None
    extra: Mapping[Extra, NDArray[Any]] = field(default_factory=dict)
    reliability: float = 0.0
    batch_size: int = 20
    n_frames: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        n, k = len(self.keys), self.skeleton.n_bodyparts
        for name, array in (("features", self.features), ("xy", self.xy), ("likelihood", self.likelihood)):
            if array is not None and (array.ndim < 2 or len(array) != n):
                raise ValueError(f"Expected {n} rows of {name}, one a frame, got shape {array.shape}.")
        for name, array in (("xy", self.xy), ("likelihood", self.likelihood), ("labelled_xy", self.labelled_xy)):
            if array is not None and array.shape[1] != k:
                raise ValueError(f"Expected {k} bodyparts in {name}, got shape {array.shape}.")
        if self.scoremaps is not None and (self.scoremaps.ndim != 4 or self.scoremaps.shape[:2] != (n, k)):
            raise ValueError(f"Expected scoremaps ({n}, {k}, h, w), got shape {self.scoremaps.shape}.")

    def extra_of(self, name: Extra) -> NDArray[Any]:
        """Return the extra array ``name``.

        Raises
        ------
        ValueError
            If it is missing: the caller should have checked `traits`.
        """
        return given(self.extra.get(name), name.value)

    @property
    def n_labelled(self) -> int:
        """Labelled poses."""
        return 0 if self.labelled_xy is None else len(self.labelled_xy)

    def grid_of(self, index: int) -> ScoremapGrid | None:
        """Return where the scoremaps of frame ``index`` lie; None if unknown."""
        key = self.keys[index]
        return self.grids.get(key, self.grids.get(key.video, self.grid))

    @property
    def available(self) -> Requires:
        """The content of this context as flags; ``strategy.requires & ~context.available`` is what it lacks."""
        flags = Requires.NONE
        if self.xy is not None and self.likelihood is not None:
            flags |= Requires.PREDICTIONS
        if self.scoremaps is not None:
            flags |= Requires.SCOREMAPS
        if self.features is not None:
            flags |= Requires.FEATURES
        if self.labelled_xy is not None and len(self.labelled_xy):
            flags |= Requires.LABELS
        return flags


def given(array: _T | None, name: str) -> _T:
    """Return an array that a strategy needs from its context.

    Raises
    ------
    ValueError
        If the context lacks it: the caller should have checked `Strategy.requires`.
    """
    if array is None:
        raise ValueError(f"Expected a context with {name}, got none.")
    return array


@dataclass(frozen=True, slots=True)
class Explanation:
    """The reason for a frame's score.

    Parameters
    ----------
    reasons : tuple of BodypartReason
        One for each bodypart, in the skeleton's order; empty if the strategy doesn't look at bodyparts.
    sentence : str
        The reason in one sentence, without a full stop.
    """

    reasons: tuple[BodypartReason, ...] = ()
    sentence: str = ""


@runtime_checkable
class Strategy(Protocol):
    """A way to decide which frames to label."""

    @property
    def name(self) -> str:
        """Short and stable; stored with every label that it led to."""

    @property
    def title(self) -> str:
        """The name that the user sees."""

    @property
    def summary(self) -> str:
        """One sentence on what it looks for."""

    @property
    def requires(self) -> Requires:
        """What `score` needs from its context; the caller checks."""

    def score(self, context: ScoreContext) -> NDArray[np.float64]:
        """Return ``(N,)`` scores: the higher, the sooner to label; NaN if unknown."""

    def explain(self, context: ScoreContext, index: int) -> Explanation:
        """Explain the score of frame ``index`` of the context."""


class Batching(enum.Enum):
    """How the scores of a strategy become a batch (`napari_al_pose.acquisition.batches`).

    ``CLUSTERED``: the best frames are clustered by appearance, and clusters take turns. ``BEST``: the best frames,
    apart in time, for scores that already take differences into account. ``STRATIFIED``: a frame is drawn from each
    unlabelled stretch of time, and the scores only order them. ``RANKED``: the best frames as they come, for
    comparisons.
    """

    CLUSTERED = "clustered"
    BEST = "best"
    STRATIFIED = "stratified"
    RANKED = "ranked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """Further properties of a strategy; each is an optional attribute.

    Parameters
    ----------
    needs : frozenset of Extra
        Arrays it can't do without.
    wants : frozenset of Extra
        Arrays it uses if they are available.
    uses : Requires
        What it uses, if available, beside `Strategy.requires`.
    fewest_labels : int
        Number of labelled frames below which its scores mean nothing.
    fallback : str
        Name of the strategy that replaces it where it can't be used.
    cost : str
        What a ranking by it costs, in words.
    explores : float
        Share of its batches that is drawn evenly from the videos instead of being chosen by score, in [0, 1].
    batching : Batching
        How its scores become a batch.
    family : Family
        What it goes by.
    short_list : int
        Its place in the short list that the window offers first, from 1; 0 if it is not in it.
    """

    needs: frozenset[Extra] = frozenset()
    wants: frozenset[Extra] = frozenset()
    uses: Requires = Requires.NONE
    fewest_labels: int = 0
    fallback: str = "hybrid"
    cost: str = ""
    explores: float = 0.0
    batching: Batching = Batching.CLUSTERED
    family: Family = Family.OTHER
    short_list: int = 0

    def n_drawn(self, n: int) -> int:
        """Return how many of a batch of ``n`` are drawn instead of chosen."""
        return min(n, math.ceil(self.explores * n))


def traits(strategy: Strategy) -> Traits:
    """Return the traits of ``strategy``, with defaults for those it lacks."""
    return Traits(**{f.name: getattr(strategy, f.name) for f in fields(Traits) if hasattr(strategy, f.name)})


def can_score(strategy: Strategy, context: ScoreContext) -> bool:
    """Return whether the context has everything that the strategy needs."""
    own = traits(strategy)
    return (
        not strategy.requires & ~context.available
        and own.needs <= context.extra.keys()
        and context.n_labelled >= own.fewest_labels
    )


def bodypart_reasons(context: ScoreContext, values: NDArray[np.floating]) -> tuple[BodypartReason, ...]:
    """Return ``(K,)`` values as reasons, one for each bodypart."""
    return tuple(
        BodypartReason(name, float(value)) for name, value in zip(context.skeleton.bodyparts, values, strict=True)
    )


def worst_bodypart(context: ScoreContext, values: NDArray[np.floating]) -> tuple[str, float] | None:
    """Return the bodypart with the largest of ``(K,)`` values, and that value; None if all are NaN."""
    if not np.isfinite(values).any():
        return None
    most = int(np.nanargmax(values))
    return context.skeleton.bodyparts[most], float(values[most])


def explain_by_worst(
    context: ScoreContext, values: NDArray[np.floating], words: Callable[[str, float], str], *, otherwise: str
) -> Explanation:
    """Give ``(K,)`` values, one for each bodypart, and word the largest.

    Parameters
    ----------
    context : ScoreContext
        Names the bodyparts.
    values : float array, (K,)
        NaN where nothing is known.
    words : callable
        ``words(bodypart, value)`` is the sentence.
    otherwise : str
        The sentence if all values are NaN.
    """
    worst = worst_bodypart(context, values)
    if worst is None:
        return Explanation(sentence=otherwise)
    return Explanation(bodypart_reasons(context, values), words(*worst))
