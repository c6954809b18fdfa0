"""The protocol of a comparison: fixed before the first round and stored with the results."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from napari_al_pose.acquisition import installed_strategies
from napari_al_pose.domain import AlPoseError
from napari_al_pose.simulation.workflows import WORKFLOWS, Costs, Workflow, parse_workflow

BEST, HARDEST, ANTI = "best", "hardest", "anti"
SANITY = (HARDEST, ANTI, "random+dedup")
"""Arms of every run: the true error as the score, the default's scores reversed, and random on the pool that the scored
arms choose from. Where batches are tried, `BEST` takes the place of the first."""

_EARLIER_STRATEGIES = {"oracle": HARDEST}
"""The true error is no oracle: it costs labels on some data. Rounds from before the renaming are still read."""

BLIND = ("uniform", "random")
"""Strategies that don't look at frames; by default they get the whole pool, near-duplicates included."""

Learning = Literal["heads", "all"]
Start = Literal["shared", "own"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of choosing frames.

    Parameters
    ----------
    strategy : str
        Of the registry, or "best", "hardest" or "anti".
    deduplicate : bool
        Whether near-duplicates are removed from the pool before it is scored.
    spread : bool
        Whether the batch is spread by clusters and time gaps; otherwise the best-scored frames are taken as they come.
    explore : float or None
        Share of each batch that is drawn at random; None leaves it to the strategy.
    warm : bool
        Whether training continues from the previous round instead of from the start.
    trust : float or None
        Reliability to tell the strategy instead of the measured one.
    unlabelled : bool
        Whether trainings learn from frames of the pool without labels too; only with ``learning="all"``.
    workflow : str
        How frames are labelled, as `parse_workflow` reads it; "" if labels are simply known, at no cost.
    """

    strategy: str
    deduplicate: bool = True
    spread: bool = True
    explore: float | None = None
    warm: bool = False
    trust: float | None = None
    unlabelled: bool = False
    workflow: str = ""

    @classmethod
    def parse(cls, text: str) -> Arm:
        """Read ``strategy+modifier+...``, ``workflow`` or ``workflow/strategy+modifier+...``.

        Examples are ``hybrid``, ``hybrid+nodedup``, ``mpe+nospread``, ``hybrid+explore25``, ``prefilled``,
        ``prefilled/kmeans``.

        Raises
        ------
        AlPoseError
            If strategy or modifier is unknown.
        """
        first, slash, rest = text.strip().partition("/")
        workflow = parse_workflow(first)
        if workflow is not None:
            return replace(cls.parse(rest or workflow.strategy), workflow=first)
        if slash:
            raise AlPoseError(f"Unknown workflow {first!r}.", f"Choose of: {', '.join(WORKFLOWS)}.")
        name, *modifiers = text.strip().split("+")
        name = _EARLIER_STRATEGIES.get(name, name)
        known = [*installed_strategies(), BEST, HARDEST, ANTI]
        if name not in known:
            raise AlPoseError(f"Unknown strategy {name!r}.", f"Choose of: {', '.join(sorted(known))}.")
        arm = cls(name, deduplicate=name not in BLIND)
        for modifier in modifiers:
            share = re.fullmatch(r"(explore|trust)(\d{1,3})", modifier)
            if share and int(share[2]) <= 100:
                value = int(share[2]) / 100
                arm = replace(arm, explore=value) if share[1] == "explore" else replace(arm, trust=value)
            elif modifier in _MODIFIERS:
                arm = replace(arm, **_MODIFIERS[modifier])
            else:
                raise AlPoseError(
                    f"Unknown modifier {modifier!r} in {text!r}.",
                    f"Choose of: {', '.join(_MODIFIERS)}, explore<percent>, trust<percent>.",
                )
        return arm

    @property
    def name(self) -> str:
        """The text that `parse` reads, in its canonical form."""
        default = Arm.parse(self.strategy)
        parts = [self.strategy]
        if self.deduplicate != default.deduplicate:
            parts.append("dedup" if self.deduplicate else "nodedup")
        if not self.spread:
            parts.append("nospread")
        if self.explore is not None:
            parts.append(f"explore{round(100 * self.explore):02d}")
        if self.trust is not None:
            parts.append(f"trust{round(100 * self.trust):02d}")
        parts += [name for name in ("warm", "unlabelled") if getattr(self, name)]
        strategy = "+".join(parts)
        way = self.way
        if way is None:
            return strategy
        return self.workflow if strategy == Arm.parse(way.strategy).name else f"{self.workflow}/{strategy}"

    @property
    def way(self) -> Workflow | None:
        """The workflow; None if labels are simply known."""
        return parse_workflow(self.workflow) if self.workflow else None


def current_arm(name: str) -> str:
    """Return the present name of an arm; one that can't be read keeps its name, for strategies come and go."""
    way, slash, strategy = name.rpartition("/")
    first, plus, modifiers = strategy.partition("+")
    return f"{way}{slash}{_EARLIER_STRATEGIES.get(first, first)}{plus}{modifiers}"


def earlier_arms(name: str) -> list[str]:
    """Return the names that an arm had before, for the files that bear them."""
    way, slash, strategy = name.rpartition("/")
    first, plus, modifiers = strategy.partition("+")
    return [f"{way}{slash}{old}{plus}{modifiers}" for old, new in _EARLIER_STRATEGIES.items() if new == first]


_MODIFIERS: dict[str, dict[str, Any]] = {
    "dedup": {"deduplicate": True},
    "nodedup": {"deduplicate": False},
    "nospread": {"spread": False},
    "warm": {"warm": True},
    "unlabelled": {"unlabelled": True},
}


_LATER = ("tolerance", "jitter", "costs", "candidates")
_EARLIER_NAMES = {"backbone": "trunk"}
"""Names in the hash of `Protocol.setting`, so that runs from before a field was renamed can be continued."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One comparison, with everything that affects a result.

    Parameters
    ----------
    arms : tuple of str
        As `Arm.parse` reads them.
    budgets : tuple of int
        Labelled frames after each round, ascending. The first frames are a stratified random draw, the same for all
        arms of a fold and seed (``start="shared"``), or come from each arm's own cold start.
    steps : int
        Optimiser steps of every training, whatever its labels.
    batch_size : int
        Views in a step.
    backbone : str
        Pretrained network.
    learning : {"heads", "all"}
        ``heads`` trains only the heads, on a frozen backbone and ``views`` fixed views of each frame, which takes
        minutes instead of hours. ``all`` is the loop's own training.
    bfloat16 : bool
        Run the heads in bfloat16, for ``heads``: three times as fast on processors that multiply it.
    views : int
        Random views of each frame, for ``heads``.
    long_side : int
        Longer side of the images, px; 0 chooses it from the labels.
    rotation_degrees : float
        Largest random rotation.
    start : {"shared", "own"}
    folds : int
        Number of parts of the data; each is tested on once.
    percent : bool
        Whether budgets are percentages of the pool, in addition to the frames labelled from the start.
    pool_size : int
        Most frames of a data set that take part, evenly spread over each video.
    test_size : int
        Most test frames, evenly spread over each video.
    tolerance : float
        Largest error that an annotator leaves as it is, in reference lengths.
    jitter : float
        Standard deviation of an annotator's clicks, in reference lengths, each way.
    candidates : int
        Batches that the arm ``best`` tries in each round, by every other test frame; all arms are then measured on the
        others only. 0 without that arm.
    costs : Costs
        Seconds of each of an annotator's actions. With a workflow, a budget is the time in which an annotator would
        label that many frames from scratch.
    """

    arms: tuple[str, ...]
    budgets: tuple[int, ...]
    steps: int = 500
    batch_size: int = 8
    backbone: str = "efficientnet_lite0"
    learning: Learning = "heads"
    bfloat16: bool = False
    views: int = 8
    long_side: int = 0
    rotation_degrees: float = 180.0
    start: Start = "shared"
    folds: int = 3
    percent: bool = False
    pool_size: int = 600
    test_size: int = 120
    tolerance: float = 0.05
    jitter: float = 0.01
    costs: Costs = field(default_factory=Costs)
    candidates: int = 0

    def __post_init__(self) -> None:
        low, high = (0, 100) if self.percent else (2, self.budgets[-1])
        ascending = list(self.budgets) == sorted(set(self.budgets))
        if len(self.budgets) < 2 or not ascending or self.budgets[0] < low or self.budgets[-1] > high:
            raise AlPoseError(
                f"Expected at least two ascending budgets from {low} up, got {list(self.budgets)}.",
                "Give them like --budgets 10,20,40,80.",
            )
        if BEST in {Arm.parse(text).strategy for text in self.arms} and not self.candidates:
            raise AlPoseError(
                f"The arm {BEST} tries several batches in each round; the number is missing.",
                "Add --candidates 20.",
            )
        if any(arm.unlabelled and (self.learning != "all" or arm.workflow) for arm in self.parsed_arms()):
            raise AlPoseError(
                "Only the loop's own training learns from frames without labels, and no workflow does.",
                "Add --learning all, or leave +unlabelled out.",
            )
        if self.folds < 2:
            raise AlPoseError(f"Expected at least 2 folds, got {self.folds}.", "Something must be left to test on.")

    def frames(self, budget: int, n_pool: int) -> int:
        """Return how many frames of a pool of ``n_pool`` are labelled at ``budget``."""
        return round(budget * n_pool / 100) if self.percent else budget

    def parsed_arms(self) -> tuple[Arm, ...]:
        """Return the arms, each once, in their order."""
        return tuple(dict.fromkeys(Arm.parse(text) for text in self.arms))

    def to_json(self) -> dict[str, Any]:
        """Return the fields."""
        return asdict(self)

    def setting(self) -> str:
        """Return a short hash of everything that comparable rounds must share: all but the list of arms."""
        # Newer fields are left out while they have their defaults, so that earlier runs can be continued.
        later = {
            name: value
            for name, value in Protocol(arms=("uniform",), budgets=(2, 3)).to_json().items()
            if name in _LATER
        }
        fields = {
            _EARLIER_NAMES.get(name, name): value
            for name, value in self.to_json().items()
            if name != "arms" and not (name in later and value == later[name])
        }
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]
