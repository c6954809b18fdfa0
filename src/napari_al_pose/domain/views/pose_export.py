"""What the export dialog says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_al_pose.domain.suggestion import Round
from napari_al_pose.domain.views.formatting import time_left
from napari_al_pose.domain.wording import counted


@dataclass(frozen=True, slots=True)
class ExportStatus:
    """A line and a bar about the export that runs.

    Parameters
    ----------
    text : str
    share : float
        From 0 to 1; negative while nobody can tell.
    """

    text: str
    share: float


def export_status(*, stage: str, done: int, total: int, seconds_left: float, waits_for: str) -> ExportStatus:
    """Return the status of an export, in words.

    Parameters
    ----------
    stage : str
        What it is doing.
    done, total : int
        Progress of the stage; ``total`` 0 while unknown.
    seconds_left : float
        Negative while nobody can tell.
    waits_for : str
        The job it stands aside for: ``"train"``, ``"rank"``; "" for none.
    """
    share = done / total if total else -1.0
    parts = [stage or "Waiting for the engine"]
    if total:
        parts.append(f"{done:,} of {total:,}")
    if waits_for:
        parts.append(f"paused while the {'model trains' if waits_for == 'train' else 'queue is ranked'}")
    elif left := time_left(seconds_left):
        parts.append(left)
    return ExportStatus(", ".join(parts), share)


def export_button(*, busy: bool, done: int, total: int) -> str:
    """Return what the button to the export dialog says: how far it is while one runs."""
    if not busy:
        return "Export"
    return f"Export {done / total:.0%}" if total else "Export…"


def exported_sentence(n_videos: int, paths: Sequence[str]) -> str:
    """Return what came of an export."""
    what = f"{counted(n_videos, 'video')} predicted"
    if not paths:
        return f"{what}; the predictions are in the project."
    folders = {str(Path(path).parent) for path in paths}
    where = folders.pop() if len(folders) == 1 else "the folders of the videos"
    return f"{what}, {counted(len(paths), 'file')} written to {where}."


def video_state(done: int, total: int) -> str:
    """Return what is known of a video that was begun: how much of it the chosen model has predicted."""
    if not done or not total:
        return ""
    return "predicted" if done >= total else f"{done / total:.0%} predicted, continues from there"


def model_choices(versions: Sequence[int], rounds: Sequence[Round]) -> tuple[tuple[int, str], ...]:
    """Return ``(number, title)`` of the models, newest first."""
    by_number = {done.number: done for done in rounds}
    return tuple((version, _model_title(version, by_number.get(version))) for version in sorted(versions, reverse=True))


def _model_title(version: int, done: Round | None) -> str:
    if done is None:
        return f"Model {version}"
    title = f"Model {version}, {counted(done.n_train, 'frame')}"
    return title if done.holdout is None else f"{title}, error {done.holdout.mean:.1f} px"
