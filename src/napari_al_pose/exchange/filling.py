"""Fills labels that nobody looked at with the model's confident guesses, for programs that take only whole frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from napari_al_pose.domain import Annotation, FrameKey, KeypointState
from napari_al_pose.domain.confidence_threshold import Thresholds
from napari_al_pose.domain.wording import counted
from napari_al_pose.formats.atomic import write_text
from napari_al_pose.formats.label_set import LabelSet
from napari_al_pose.project import Project

FILE_NAME = "filled-by-model.csv"
"""What lists the points that were filled in; beside a single file it goes after that file's name."""


@dataclass(frozen=True, slots=True)
class FilledPoint:
    """One point that is a guess and no label.

    Parameters
    ----------
    key : FrameKey
    bodypart : str
    x, y : float
        Source pixels.
    likelihood : float
    """

    key: FrameKey
    bodypart: str
    x: float
    y: float
    likelihood: float


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """Labels with guesses among them.

    Parameters
    ----------
    labels : LabelSet
    points : tuple of FilledPoint
        The guesses, sorted by frame.
    still_open : int
        Frames that were begun and can't be filled.
    several : bool
        Whether that is because they show several animals; else there is no guess that is believed of some bodypart.
    """

    labels: LabelSet
    points: tuple[FilledPoint, ...]
    still_open: int
    several: bool = False

    @property
    def frames(self) -> int:
        """Frames with a guess among their labels."""
        return len({point.key for point in self.points})

    def sentences(self) -> list[str]:
        """Return what the user should know of it."""
        found = []
        if self.points:
            found.append(
                f"{counted(len(self.points), 'point')} in {counted(self.frames, 'frame')} that nobody looked at "
                f"{'is' if len(self.points) == 1 else 'are'} guessed by the model: listed in the file {FILE_NAME}."
            )
        if self.still_open:
            why = "which animal a guess is of is not known" if self.several else "the model is not sure enough there"
            found.append(f"{counted(self.still_open, 'frame')} stayed unfinished: {why}.")
        return found

    def write(self, path: Path) -> None:
        """List the guesses, if any, in a table, whole or not at all; AlPoseError if it can't be written."""
        if not self.points:
            return
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(("video", "frame", "bodypart", "x", "y", "likelihood"))
        for point in self.points:
            place = (f"{value:.3f}" for value in (point.x, point.y, point.likelihood))
            rows.writerow((point.key.video, point.key.frame, point.bodypart, *place))
        write_text(path, text.getvalue())


def begun(labels: Sequence[Annotation]) -> list[Annotation]:
    """Return the frames in which some bodyparts were looked at and others not."""
    return [a for a in labels if not a.is_complete and not a.is_empty]


def fill(project: Project, labels: LabelSet) -> Filled:
    """Fill the frames that were begun with guesses of the newest model that are believed.

    A frame is filled as a whole or left as it is, so that no guess is written where a person still has to look.
    Projects with several animals are left as they are: which guess is whose is not known then.
    """
    version, skeleton = project.models.latest(), labels.skeleton
    wanted = begun(labels.annotations)
    several = len(skeleton.owners) > 1
    if not wanted or not version or several:
        return Filled(labels, (), len(wanted), several=several)
    guesses = project.predictions.load(version)
    of_rounds = (
        Thresholds.of_round(r, skeleton.bodyparts) for r in reversed(project.rounds.all()) if r.number == version
    )
    threshold = next(of_rounds, Thresholds()).for_bodyparts(skeleton.n_bodyparts)
    made: dict[FrameKey, Annotation] = {}
    points: list[FilledPoint] = []
    for one in wanted:
        guess = guesses.get(one.key)
        unseen = np.flatnonzero(one.states == KeypointState.UNSEEN)
        if guess is None or len(guess.xy) != len(one.states):
            continue
        if not (guess.likelihood[unseen] >= threshold[unseen]).all() or not np.isfinite(guess.xy[unseen]).all():
            continue
        xy, states = one.xy.copy(), one.states.copy()
        xy[unseen], states[unseen] = guess.xy[unseen], KeypointState.PLACED
        made[one.key] = replace(one, xy=xy, states=states)
        points += [
            FilledPoint(one.key, skeleton.bodyparts[k], float(xy[k, 0]), float(xy[k, 1]), float(guess.likelihood[k]))
            for k in unseen.tolist()
        ]
    annotations = tuple(made.get(a.key, a) for a in labels.annotations)
    return Filled(replace(labels, annotations=annotations), tuple(points), len(wanted) - len(made))
