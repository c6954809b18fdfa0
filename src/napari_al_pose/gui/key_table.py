"""The keys, as a table: bound from it, listed from it, changed in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.tools import Tool


@dataclass(frozen=True, slots=True)
class Key:
    """One action and the keys that do it.

    Parameters
    ----------
    keys : tuple of str
        As napari writes them; all do the same.
    title : str
        For the user.
    action : str
        What is done, see `napari_al_pose.gui.commands.commands_of`.
    arguments : tuple
        Passed to it.
    repeats : bool
        Whether it goes on while the key is held.
    group : str
        Under which heading it is listed.
    """

    keys: tuple[str, ...]
    title: str
    action: str
    arguments: tuple[Any, ...] = ()
    repeats: bool = False
    group: str = ""

    @property
    def name(self) -> str:
        """What the key is stored under when it is changed; stays the same from version to version."""
        return " ".join((self.action, *map(str, self.arguments)))


def _group(title: str, *keys: Key) -> tuple[Key, ...]:
    return tuple(replace(key, group=title) for key in keys)


HELP = "?"
"""Opens the list of keys; napari has no name for it, so the window listens for it itself."""

# napari-deeplabcut's keys wherever it has one; Space, napari's own, is left alone.
KEYS: tuple[Key, ...] = (
    *_group(
        "Label",
        Key(("S",), "Next bodypart", "next_bodypart"),
        Key(("W",), "Previous bodypart", "previous_bodypart"),
        Key(("Enter",), "Accept the guesses; then the next frame", "accept_guess"),
        Key(("Shift-Enter",), "Accept those of every animal", "accept_all_guesses"),
        Key(("X",), "Bodypart not visible", "mark_not_visible"),
        Key(("0",), "Nothing more is visible here", "mark_rest_not_visible"),
        Key(("Backspace", "Delete"), "Clear the bodypart", "clear"),
        Key(("C",), "Start from the frame before", "borrow_pose"),
        Key(("K",), "Carry the labels on until they are lost", "carry_on", (1,)),
        Key(("Shift-K",), "Carry them back", "carry_on", (-1,)),
        Key(("J",), "Carry them to the next queued frame", "carry_to_queued"),
        Key(("Control-C",), "Copy the pose", "copy_pose"),
        Key(("Control-V",), "Paste the pose", "paste_pose"),
        Key(("I",), "Next individual", "next_individual"),
        Key(("Control-Z",), "Undo, in any frame", "undo"),
        Key(("Control-Shift-Z", "Control-Y"), "Redo, in any frame", "redo"),
    ),
    *_group(
        "Frames",
        Key(("N",), "Next suggested frame", "next_suggestion"),
        Key(("Shift-N",), "Previous suggested frame", "previous_suggestion"),
        Key(("D",), "Next frame", "step", (1,), repeats=True),
        Key(("A",), "Previous frame", "step", (-1,), repeats=True),
        Key(("Shift-D",), "Ten frames on", "step", (10,), repeats=True),
        Key(("Shift-A",), "Ten frames back", "step", (-10,), repeats=True),
        Key(("Alt-Right",), "Next labelled frame", "next_labelled"),
        Key(("Alt-Left",), "Previous labelled frame", "previous_labelled"),
        Key(("P",), "Play the frames around it", "layers.toggle_context"),
        Key(("Shift-P",), "Play and pause the video", "layers.toggle_play"),
    ),
    *_group(
        "Labels to check",
        Key(("6",), "Next label to check", "checks.next"),
        Key(("7",), "Keep my label", "checks.keep"),
        Key(("8",), "Take the model's point", "checks.take"),
    ),
    *_group(
        "Predicted video",
        Key(("O",), "Next unsure place", "go_low", (1,)),
        Key(("Shift-O",), "Previous unsure place", "go_low", (-1,)),
        Key(("Q",), "Next doubtful crossing", "go_doubtful", (1,)),
        Key(("Shift-Q",), "Previous doubtful crossing", "go_doubtful", (-1,)),
        Key(("U",), "Swap tracks from here on", "swap_tracks"),
        Key(("Shift-U",), "Split the track here", "split_track"),
        Key(("Y",), "Put this place in the queue", "pick_here"),
    ),
    *_group(
        "Mouse and modes",
        Key(("2",), "Add: a click places the bodypart", "options.set", ("tool", Tool.ADD)),
        Key(("3",), "Select: a click chooses a bodypart", "options.set", ("tool", Tool.SELECT)),
        Key(("4",), "Pan: the mouse moves the view only", "options.set", ("tool", Tool.PAN)),
        Key(("M",), "Sequential, quick, loop labelling", "next_label_mode"),
    ),
    *_group(
        "Arrows; with Select they nudge the bodypart",
        Key(("Right",), "Next frame · 1 px right", "arrow", (1, 0)),
        Key(("Left",), "Previous frame · 1 px left", "arrow", (-1, 0)),
        Key(("Down",), "Next bodypart · 1 px down", "arrow", (0, 1)),
        Key(("Up",), "Previous bodypart · 1 px up", "arrow", (0, -1)),
        Key(("Shift-Right",), "Next unlabelled frame · 10 px", "shift_arrow", (1, 0)),
        Key(("Shift-Left",), "Previous unlabelled frame · 10 px", "shift_arrow", (-1, 0)),
        Key(("Shift-Down",), "With Select: 10 px down", "shift_arrow", (0, 1)),
        Key(("Shift-Up",), "With Select: 10 px up", "shift_arrow", (0, -1)),
    ),
    *_group(
        "View",
        Key(("Z",), "Close-up, and back", "layers.toggle_close_up"),
        Key(("R",), "Fit the view", "layers.fit_view"),
        Key(("G",), "View follows the animal", "options.toggle", ("follow",)),
        Key(("T",), "Names on and off", "options.toggle", ("names",)),
        Key(("V",), "Points on and off", "options.toggle", ("points",)),
        Key(("E",), "Doubtful guesses in red", "options.toggle", ("borders",)),
        Key(("F",), "Colour by bodypart or individual", "next_colouring"),
        Key(("H",), "Scoremap on and off", "toggle_scoremap"),
    ),
    *_group(
        "Window",
        Key(("L",), "Train", "learn"),
        Key(("B",), "napari's own panels away, and back", "options.toggle", ("wide",)),
        Key((HELP, "F1"), "This list", "show_keys"),
    ),
)

MOUSE: tuple[tuple[str, str], ...] = (
    ("click", "place (Add), choose (Select)"),
    ("drag", "move a point; a guess becomes a label"),
    ("Alt + drag", "move the whole pose by one point"),
    ("right click", "not visible"),
    ("drag beside, wheel", "move the view, zoom"),
)
"""What the mouse does, for the same list."""

NAPARI_S = {
    "Space": "holding the pan tool",
    "Escape": "closing what is open",
    "Tab": "going through the window's fields",
    "Control-E": "rolling the axes",
    "Control-T": "transposing the axes",
    "Control-G": "the grid",
    "Control-R": "the home view",
    "Control-N": "a new window",
    "Control-O": "opening files",
    "Control-S": "saving layers",
    "Control-Q": "quitting",
    "Control-W": "closing",
    "Control-A": "selecting all",
}
"""Keys napari itself has in every layer, which are not given to anything else."""


def changed_keys(changes: Mapping[str, Sequence[str]], table: Sequence[Key] = KEYS) -> tuple[Key, ...]:
    """Return ``table`` with the keys a user chose; ``changes`` maps `Key.name` to keys, unknown names are ignored."""
    return tuple(replace(key, keys=tuple(changes[key.name])) if key.name in changes else key for key in table)


def check_key(table: Sequence[Key], wanted: Key, pressed: str) -> None:
    """Refuse a key that already does something else.

    Raises
    ------
    AlPoseError
        Naming what the key does.
    """
    taken = next((key for key in table if pressed in key.keys and key.name != wanted.name), None)
    if taken is not None:
        raise AlPoseError(
            f"{spoken(pressed)} is taken: {taken.title}.", "Change that one first, or choose another key."
        )
    if pressed in NAPARI_S:
        raise AlPoseError(f"{spoken(pressed)} is napari's: {NAPARI_S[pressed]}.", "Choose another key.")


def napari_name(qt_text: str) -> str:
    """Return a key as napari writes it of one as Qt does: "Ctrl+Shift+Z" becomes "Control-Shift-Z"."""
    parts = qt_text.replace("++", "+Plus").split("+")
    names = {"Ctrl": "Control", "Esc": "Escape", "Return": "Enter", "Del": "Delete", "Ins": "Insert"}
    order = ("Control", "Shift", "Alt", "Meta")
    named = [names.get(part, part) for part in parts if part]
    held = [modifier for modifier in order if modifier in named[:-1]]
    return "-".join([*held, *named[-1:]])


def with_shift(digit: str) -> str:
    """Return how napari names a digit on a keyboard that has digits with Shift only: a French or a Czech one."""
    return f"Shift-{digit}"


def with_keys(text: str, table: Sequence[Key] = KEYS) -> str:
    """Return ``text`` with each ``{name}`` of an action (`Key.name`) replaced by the key that does it.

    Examples
    --------
    >>> with_keys("Undo ({undo})")
    'Undo (Ctrl+Z)'
    """
    for key in table:
        text = text.replace(f"{{{key.name}}}", spoken(key.keys[0]))
    return text


def spoken(key: str) -> str:
    """Return a key as people write it: "Ctrl+Shift+Z", "\u2192"."""
    arrows = {"Right": "\u2192", "Left": "\u2190", "Up": "\u2191", "Down": "\u2193"}
    return "+".join(arrows.get(part, part) for part in key.replace("Control", "Ctrl").split("-"))
