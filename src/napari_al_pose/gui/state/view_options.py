"""How the user wants to label and to see it: tool, mode, colours, what is shown."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_al_pose.domain.confidence_threshold import DoubtfulGuesses
from napari_al_pose.domain.tools import ColourBy, LabelMode, Tool, next_mode
from napari_al_pose.gui.remembered import remember, remembered

_REMEMBERED: dict[str, Any] = {
    "label_mode": LabelMode.SEQUENTIAL,
    "colour_by": ColourBy.BODYPART,
    "names": False,
    "borders": False,
    "follow": False,
    "wide": False,
    "unbelieved": DoubtfulGuesses.OPEN,
    "doubtful_first": False,
}


class ViewOptions(QObject):
    """The choices, each remembered but the tool and whether points are shown: those would puzzle on the next day.

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
    names : bool
        Whether all bodyparts have their names beside them; without it, those under the mouse.
    borders : bool
        Whether guesses the model doubts are marked.
    follow : bool
        Whether the view follows the animal.
    wide : bool
        Whether napari's own lists beside the canvas are put away.
    unbelieved : DoubtfulGuesses
        What becomes of guesses that are not believed when the others are accepted.
    doubtful_first : bool
        Whether bodyparts are asked for in the order of the model's doubt, and those it believes not at all.
    points : bool
        Whether labels, guesses and skeleton are shown.
    """

    changed = Signal(str)
    """The name of the choice that changed."""

    tool: Tool
    label_mode: LabelMode
    colour_by: ColourBy
    names: bool
    borders: bool
    follow: bool
    wide: bool
    unbelieved: DoubtfulGuesses
    doubtful_first: bool
    points: bool

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.tool, self.points = Tool.ADD, True
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

    def next_label_mode(self) -> None:
        """Go from one labelling mode to the next."""
        self.set("label_mode", next_mode(self.label_mode))

    def toggle(self, name: str) -> None:
        """Turn a choice of yes or no round."""
        self.set(name, not getattr(self, name))


def _read(name: str, default: Any) -> Any:
    stored = remembered(f"view/{name}", str(default))
    if isinstance(default, StrEnum):
        return type(default)(stored) if stored in list(type(default)) else default
    return stored == "True"
