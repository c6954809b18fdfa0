"""The tools in words: in the dock, and where napari speaks of its own."""

from __future__ import annotations

from dataclasses import dataclass

from napari_al_pose.domain.tools import Tool


@dataclass(frozen=True, slots=True)
class ToolWords:
    """What a tool is called and what it does; ``{name}`` in ``key`` stands for the key of an action."""

    tool: Tool
    name: str
    does: str

    @property
    def key(self) -> str:
        """The key that chooses it."""
        return f"{{options.set tool {self.tool}}}"


TOOLS = (
    ToolWords(Tool.ADD, "Add", "A click places the chosen bodypart; a drag moves a point"),
    ToolWords(Tool.SELECT, "Select", "A click chooses a bodypart, the arrow keys nudge it, Shift by 10 px"),
    ToolWords(Tool.PAN, "Pan", "The mouse moves the view and changes nothing"),
)

KEYS_HELP = "   ".join(f"{words.key}: {words.name.lower()}" for words in TOOLS) + "   {show_keys}: all keys"
"""What napari's line of help says while a layer of ours is active."""


def words_of(tool: Tool) -> ToolWords:
    """Return the words for ``tool``."""
    return next(words for words in TOOLS if words.tool is tool)


def napari_button_tip(tool: Tool) -> str:
    """Return the tooltip of napari's own tool buttons while a layer of ours is active."""
    words = words_of(tool)
    now = f"Now: {words.name} ({words.key}). {words.does}."
    return f"Poses are labelled with the tools in the dock, not with these.\n{now}"


def status_line(tool: Tool, bodypart: str, xy: tuple[float, float] | None, *, size: tuple[int, int]) -> str:
    """Return what napari's status line says: the tool, what a click does, and where the mouse is, in source pixels.

    Parameters
    ----------
    tool : Tool
        The active one.
    bodypart : str
        The chosen one; "" for none.
    xy : (float, float) or None
        Where the mouse is; None if it is not over the canvas.
    size : (int, int)
        Height and width of the frame; nothing is said of places outside.
    """
    words = words_of(tool)
    does = {Tool.ADD: f"a click places the {bodypart}", Tool.SELECT: "a click chooses a bodypart"}
    text = f"{words.name} ({words.key}): {does.get(tool, 'the mouse moves the view')}"
    if tool is Tool.ADD and not bodypart:
        text = f"{words.name} ({words.key})"
    if xy is None:
        return text
    x, y = round(xy[0]), round(xy[1])
    return f"{text}   x {x}, y {y}" if 0 <= x < size[1] and 0 <= y < size[0] else text
