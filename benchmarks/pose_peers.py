"""Training and prediction beside other programs: the same labels, held-out frames and cores, in one run.

Part of `benchmarks.pose` with ``--peers``. A peer trains from random weights: sleap-nn because that is its default,
DeepLabCut because ImageNet's weights are not to be had everywhere, so that its default training is computed as well:
its seconds for an epoch times the epochs it prescribes. Clocks stand still while errors are measured, but for ours.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers import Peer, PeerError
from benchmarks.report import ABSENT, Figure

logger = logging.getLogger(__name__)

SLEAP_NN, DEEPLABCUT = "pose_sleap_nn", "pose_deeplabcut"
MINUTES = {SLEAP_NN: 30.0, DEEPLABCUT: 10.0}
"""How long each trains at most, where nothing else is said."""
GOOD_ENOUGH = 6.0
"""The mean error in pixels that is waited for."""
GOAL, INFERENCE_GOAL = 0.1, 10.0
EPOCHS_MEASURED, FRAMES_MEASURED = 2, 24
PATIENCE_SECONDS = 1800.0
"""For what is not training: setting up, measuring errors, predicting."""

Curve = Sequence[tuple[float, int, float]]
"""Seconds of training, steps, mean error in pixels on the frames held out."""


@dataclass(frozen=True, slots=True)
class Ours:
    """What the peers are compared with, measured in the same run.

    Parameters
    ----------
    seconds_to : float
        Until the error was `GOOD_ENOUGH`; infinite if it never was.
    seconds : float
        Of a whole training.
    frames_per_second : float
        Of a whole video's prediction.
    """

    seconds_to: float
    seconds: float
    frames_per_second: float


@dataclass(frozen=True, slots=True)
class Task:
    """What everybody learns from: a DeepLabCut table of labels, the images to learn from, a video, the cores."""

    labels: Path
    names: Sequence[str]
    video: Path
    threads: int

    @property
    def training(self) -> dict[str, Any]:
        """The part that every question needs."""
        return {"labels": str(self.labels), "names": list(self.names), "threads": self.threads}


def side_by_side(task: Task, ours: Ours, bounds: Mapping[str, float | None]) -> Iterator[Figure]:
    """Ask the peers that ``bounds`` names, or all; each trains at most that many minutes."""
    minutes = {name: bounds.get(name) or MINUTES[name] for name in bounds or MINUTES if name in MINUTES}
    if SLEAP_NN in minutes:
        yield _trained(
            SLEAP_NN, task, ours, minutes[SLEAP_NN], "sleap-nn's single-instance U-Net, its defaults and split"
        )
    if DEEPLABCUT in minutes:
        yield _default_training(task, ours)
        yield _trained(DEEPLABCUT, task, ours, minutes[DEEPLABCUT], "DeepLabCut resnet_50 from random weights")
        yield _inference(task, ours)


def reached(curve: Curve, px: float) -> float | None:
    """Return the seconds at which a curve first was at ``px`` or below, None if it never was."""
    return next((seconds for seconds, _, error in curve if error <= px), None)


def against_curve(seconds: float, curve: Curve, px: float) -> tuple[float, str]:
    """Return our seconds as a share of the peer's, and the goal; no goal if the peer was stopped too soon to tell.

    A peer that never got there took longer than its curve is long: the share is an upper bound then, which can meet
    the goal and not miss it.
    """
    there = reached(curve, px)
    share = seconds / (curve[-1][0] if there is None else there)
    return share, f"<= {GOAL}" if there is not None or share <= GOAL or seconds == float("inf") else ""


def prescribed_seconds(answer: Mapping[str, float]) -> float:
    """Return how long DeepLabCut's default training takes, from the epochs that it was measured for."""
    return answer["seconds_per_epoch"] * answer["epochs"]


def _trained(group: str, task: Task, ours: Ours, minutes: float, who: str) -> Figure:
    name = f"{group.replace('pose_', 'pose.', 1)}_seconds_to_{GOOD_ENOUGH:g}px"
    logger.info("%s trains, at most %s minutes and the time to measure its errors", who, minutes)
    answer = _ask(group, "train", task, seconds=120 * minutes + PATIENCE_SECONDS, px=GOOD_ENOUGH, limit=60 * minutes)
    setting = _setting(task) | {"peer": who, "peer_bounded_at_s": 60 * minutes, "our_s": ours.seconds_to}
    if isinstance(answer, str):
        return _absent(name, ours.seconds_to, "s of training", answer, setting)
    if not answer["curve"]:
        return _absent(name, ours.seconds_to, "s of training", "it ended before its first step", setting)
    share, goal = against_curve(ours.seconds_to, answer["curve"], GOOD_ENOUGH)
    there = reached(answer["curve"], GOOD_ENOUGH)
    bounded = answer["curve"][-1][0] >= 60 * minutes
    never = (
        "not within its bound: the value is the most it can be" if bounded else "never: it stopped of its own accord"
    )
    setting |= {
        "peer_s": never if there is None else round(there, 1),
        "peer_curve_s_steps_px": [(round(s, 1), steps, round(px, 2)) for s, steps, px in answer["curve"]],
        "peer_batch": answer["batch"],
    }
    return Figure(name, share, "our time as a share of the peer's", goal=goal, setting=setting)


def _default_training(task: Task, ours: Ours) -> Figure:
    name = "pose.deeplabcut_default_training"
    logger.info("DeepLabCut trains for %s epochs, to be timed", 1 + EPOCHS_MEASURED)
    answer = _ask(DEEPLABCUT, "epoch_seconds", task, epochs=EPOCHS_MEASURED)
    setting = _setting(task) | {"our_s": ours.seconds}
    if isinstance(answer, str):
        return _absent(name, ours.seconds, "s of training", answer, setting)
    setting |= {
        "peer": "DeepLabCut resnet_50, its default training: computed, not run",
        "peer_s": prescribed_seconds(answer),
        "peer_seconds_per_step": answer["seconds_per_epoch"] / answer["steps_per_epoch"],
        "peer_steps": answer["steps_per_epoch"] * answer["epochs"],
        "peer_batch": answer["batch"],
        "peer_left_out": "its evaluations and snapshots",
    }
    share = ours.seconds / prescribed_seconds(answer)
    return Figure(name, share, "our time as a share of the peer's", goal=f"<= {GOAL}", setting=setting)


def _inference(task: Task, ours: Ours) -> Figure:
    name = "pose.deeplabcut_inference"
    answer = _ask(DEEPLABCUT, "frames_per_second", task, video=str(task.video), frames=FRAMES_MEASURED)
    setting = {"video": task.video.name, "cores": task.threads, "our_frames_per_second": ours.frames_per_second}
    if isinstance(answer, str):
        return _absent(name, ours.frames_per_second, "frames/s", answer, setting)
    setting |= {
        "peer": "DeepLabCut resnet_50",
        "peer_frames_per_second": answer["frames_per_second"],
        "peer_batch": answer["batch"],
        "peer_frames": answer["frames"],
    }
    ratio = ours.frames_per_second / answer["frames_per_second"]
    return Figure(name, ratio, "times the peer's frames/s", goal=f">= {INFERENCE_GOAL}", setting=setting)


def _setting(task: Task) -> dict[str, Any]:
    return {"labels": len(task.names), "cores": task.threads}


def _absent(name: str, ours: float, unit: str, reason: str, setting: Mapping[str, Any]) -> Figure:
    """Ours alone, without a goal: there is nothing to compare it with."""
    return Figure(name, ours, unit, peers={"peer": ABSENT}, setting={**setting, "absent": reason})


def _ask(group: str, question: str, task: Task, *, seconds: float = PATIENCE_SECONDS, **details: Any) -> Any:
    """Return a peer's answer, or why there is none."""
    try:
        with Peer(group) as peer:
            return peer.ask(question, seconds=seconds, **task.training, **details)
    except PeerError as error:
        logger.warning("%s", error)
        return str(error)
