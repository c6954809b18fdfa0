"""What the history of a frame and the conflicts with other programs look like in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain.annotation import KeypointState
from napari_al_pose.domain.wording import counted, first_few


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One line of the history of a frame.

    Parameters
    ----------
    title : str
        What was done.
    detail : str
        When, by whom and from where.
    """

    title: str
    detail: str


def history_row(
    kind: str, changed: Sequence[str], *, time: datetime, now: datetime, who: str, source: str, n_bodyparts: int
) -> HistoryRow:
    """Return the line of one action.

    Parameters
    ----------
    kind : str
        ``edit``, ``undo``, ``redo``, ``merge``, ``import`` or ``realign``.
    changed : sequence of str
        The bodyparts it changed.
    time, now : datetime
        With time zones; shown in that of ``now``.
    who, source : str
        As in the log; ``source`` begins with "user" for what was done in the window.
    n_bodyparts : int
        How many there are.
    """
    parts = _parts(changed, n_bodyparts)
    titles = {
        "edit": f"Labelled {parts}",
        "undo": f"Undid {parts}",
        "redo": f"Redid {parts}",
        "merge": f"Took over {parts} from another program",
        "import": f"Read {parts} from DeepLabCut's file",
        "realign": "Moved with the crop: the video was added or removed",
    }
    local = time.astimezone(now.tzinfo)
    day = "today" if local.date() == now.date() else f"{local:%d %b %Y}"
    origin = "" if source.partition(":")[0] == "user" else f" · {source.replace(chr(92), '/').rsplit('/', 1)[-1]}"
    return HistoryRow(titles.get(kind, kind), f"{day} {local:%H:%M:%S} · {who}{origin}")


def pose_words(states: NDArray[np.int8], names: Sequence[str]) -> str:
    """Return what of a pose is labelled: "3 placed, 1 not visible; open: tail"."""
    placed, hidden = int((states == KeypointState.PLACED).sum()), int((states == KeypointState.NOT_VISIBLE).sum())
    unseen = [name for name, state in zip(names, states, strict=True) if state == KeypointState.UNSEEN]
    words = f"{placed} placed" + (f", {hidden} not visible" if hidden else "")
    return words + (f"; open: {_parts(unseen, len(names))}" if unseen else "")


def point_words(state: int, x: float | None, y: float | None) -> str:
    """Return one keypoint in words: "at 12.0, 30.5", "not visible", "no label"."""
    if state == KeypointState.PLACED and x is not None and y is not None:
        return f"at {x:.1f}, {y:.1f}"
    return "not visible" if state == KeypointState.NOT_VISIBLE else "no label"


def conflict_words(n_points: int, n_frames: int) -> str:
    """Return how much there is to decide."""
    return f"{counted(n_points, 'label')} in {counted(n_frames, 'frame')}"


def _parts(names: Sequence[str], n_bodyparts: int) -> str:
    if len(names) == n_bodyparts > 1:
        return "the whole pose"
    return first_few(names)
