"""How the user wants to label and to see it: tool, mode, colours, what is shown."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_al_pose.domain.confidence_threshold import DoubtfulGuesses
from napari_al_pose.domain.tools import ColourBy, LabelMode, Tool, next_mode
from napari_al_pose.domain.views.colours import Palette
from napari_al_pose.gui.remembered import remember, remembered

_REMEMBERED: dict[str, Any] = {
    "label_mode": LabelMode.SEQUENTIAL,
    "colour_by": ColourBy.BODYPART,
    "palette": Palette.DISTINCT,
    "scoremap_opacity": 0.6,
    "names": False,
    "borders": False,
    "follow": False,
    "wide": False,
    "unbelieved": DoubtfulGuesses.OPEN,
    "overview": True,
}


AS_FILMED = ((0, 255), 1.0)
"""Contrast and gamma that change nothing."""


class ViewOptions(QObject):
    """The choices. All are remembered between starts, except tool, hidden points and contrast, which would confuse.

    Parameters
    ----------
    parent : QObject, optional

    Attributes
    ----------
    tool : Tool
        What the mouse is for.
    label_mode : LabelMode
        What follows a click.
    colour_by : ColourBy
        What a point's colour stands for.
    palette : Palette
        The colours of the bodyparts.
    contrast : tuple of int
        Grey levels of the video that are shown black and white.
    gamma : float
        Below 1 the dark is shown brighter.
    scoremap_opacity : float
        In (0, 1].
    names : bool
        Whether all bodyparts have their names beside them; without it, those under the mouse.
    borders : bool
        Whether guesses the model doubts are marked.
    follow : bool
        Whether the view follows the animal.
    wide : bool
        Whether napari's own lists beside the canvas are put away; in a window of our own they are by default.
    unbelieved : DoubtfulGuesses
        What becomes of guesses that are not believed when the others are accepted.
    overview : bool
        Whether the whole frame is shown small while the view shows a part of it.
    points : bool
        Whether labels, guesses and skeleton are shown.
    own_window : bool
        Whether the window was opened for labelling alone: then it is ours to arrange from the start.
    """

    changed = Signal(str)
    """The name of the choice that changed."""

    tool: Tool
    label_mode: LabelMode
    colour_by: ColourBy
    palette: Palette
    contrast: tuple[int, int]
    gamma: float
    scoremap_opacity: float
    names: bool
    borders: bool
    follow: bool
    wide: bool
    unbelieved: DoubtfulGuesses
    overview: bool
    points: bool
    own_window: bool

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.tool, self.points, self.own_window = Tool.ADD, True, False
        self.contrast, self.gamma = AS_FILMED
        for name, default in _REMEMBERED.items():
            setattr(self, name, _read(name, default))

    def set(self, name: str, value: Any) -> None:
        """Choose ``value`` for ``name``."""
        if getattr(self, name) == value:
            return
        setattr(self, name, value)
        if name in _REMEMBERED:
            remember(f"view/{name}", str(value))
        self.changed.emit(name)

    def arrange_own_window(self) -> None:
        """Hide napari's lists to make room for the video, unless the user has chosen otherwise before."""
        self.own_window = True
        self.wide = _read("wide", default=True)
        self.changed.emit("wide")

    def next_label_mode(self) -> None:
        """Go from one labelling mode to the next."""
        self.set("label_mode", next_mode(self.label_mode))

    def toggle(self, name: str) -> None:
        """Flip a yes-or-no option."""
        self.set(name, not getattr(self, name))


def _read(name: str, default: Any) -> Any:
    stored = remembered(f"view/{name}", str(default))
    if isinstance(default, StrEnum):
        return type(default)(stored) if stored in list(type(default)) else default
    if isinstance(default, float):
        return float(stored) if re.fullmatch(r"[01](\.\d+)?", stored) else default
    return stored == "True"
