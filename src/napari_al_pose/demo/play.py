"""Plays the whole loop in the real window: label, train, rank, repeat, with a screenshot of every stage."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_al_pose.demo.annotator import MouseAnnotator, wait_until
from napari_al_pose.domain import FrameKey
from napari_al_pose.gui.state.session import Session

START_SECONDS = 180.0
TRAIN_SECONDS = 900.0


@dataclass(slots=True)
class Story:
    """The events, in sentences and pictures."""

    output: Path
    tell: Callable[[str], None]
    pictures: list[Path] = field(default_factory=list)

    def picture(self, viewer: Any, name: str) -> None:
        """Save the whole window as ``<nn>-<name>.png``."""
        self.output.mkdir(parents=True, exist_ok=True)
        path = self.output / f"{len(self.pictures) + 1:02d}-{name}.png"
        viewer.screenshot(str(path), canvas_only=False, flash=False)
        self.pictures.append(path)


def play_rounds(
    viewer: Any, session: Session, annotator: MouseAnnotator, story: Story, *, rounds: int, frames: int | None = None
) -> None:
    """Label ``frames`` frames a round (by default as many as start a training), train, and continue with the queue.

    Raises
    ------
    WaitedTooLongError
        If the window stops reacting.
    """
    wait_until(lambda: len(session.navigator.queue) > 0, seconds=START_SECONDS, what="the first queue")
    story.tell(f"The queue offers {len(session.navigator.queue)} frames; no model yet.")
    story.picture(viewer, "first-queue")
    for number in range(1, rounds + 1):
        rounds_before = len(session.learning.rounds)
        _label_batch(viewer, session, annotator, story, number, frames or session.projects.settings.train_after)
        _learn(viewer, session, story, number, rounds_before)
        annotator.go_on()
        wait_until(lambda: session.frame.guesses.looked is not None, seconds=30, what="the scoremap")
        session.frame.set_scoremap("*")
        wait_until(lambda: session.frame.guess is not None, seconds=30, what="the model's guess")
        story.picture(viewer, f"round-{number}-guess-and-scoremaps")
        if session.navigator.suggestion is not None:
            story.tell(f"Why {_name(session.navigator.suggestion.key)}: {session.navigator.suggestion.sentence}")
        session.frame.set_scoremap("")
    story.tell(f"{annotator.clicks} clicks, {annotator.drags} drags and {annotator.keys} key presses.")


def _label_batch(
    viewer: Any, session: Session, annotator: MouseAnnotator, story: Story, number: int, frames: int
) -> None:
    """Label until ``frames`` new training frames are complete, not counting hold-out frames."""
    labelled = 0
    if session.navigator.queue.position < 0:
        annotator.go_on()
    # The first suggestion shows itself; it may not be on the canvas yet.
    wait_until(lambda: session.frame.picture_is_current, seconds=START_SECONDS, what="the first suggestion")
    rounds_before = len(session.learning.rounds)
    while session.learning.n_new < frames and len(session.learning.rounds) == rounds_before:
        if labelled == 1:
            annotator.label_frame(until=max(1, len(session.frame.bodyparts) // 2))
            story.picture(viewer, f"round-{number}-labelling")
        annotator.label_frame()
        labelled += 1
        if session.learning.training.running or labelled >= len(session.navigator.queue):
            break
        annotator.go_on()
    story.tell(f"Round {number}: labelled {labelled} frames.")


def _learn(viewer: Any, session: Session, story: Story, number: int, rounds_before: int) -> None:
    """Train (or wait for a training that started by itself, and may have ended) until the queue is ranked again."""
    in_front = session.frame.key
    if not session.learning.training.running and len(session.learning.rounds) == rounds_before:
        session.learning.train()
    wait_until(
        lambda: (
            len(session.learning.rounds) > rounds_before
            or session.learning.training.step >= max(1, session.learning.training.steps // 2)
        ),
        seconds=TRAIN_SECONDS,
        what="half the training",
    )
    story.picture(viewer, f"round-{number}-learning")
    wait_until(lambda: len(session.learning.rounds) > rounds_before, seconds=TRAIN_SECONDS, what="the new model")
    wait_until(lambda: not session.learning.training.running, seconds=TRAIN_SECONDS, what="the new queue")
    done = session.learning.rounds[-1]
    error = (
        "no test frame labelled"
        if done.holdout is None or math.isnan(done.holdout.mean)
        else (f"error {done.holdout.mean:.1f} px on {done.holdout.n_frames} test frames")
    )
    story.tell(
        f"Round {number}: model {done.number} from {done.n_train} frames, {done.steps} steps in "
        f"{done.train_seconds:.0f} s, {error}."
    )
    if session.frame.key != in_front:
        raise AssertionError("the current frame moved")
    story.picture(viewer, f"round-{number}-ranked")


def _name(key: FrameKey) -> str:
    return f"{key.video} {key.frame}"
