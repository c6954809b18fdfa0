"""What keys and menus do, by the names that the table of keys gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from qtpy.QtWidgets import QWidget

from napari_al_pose.gui.key_table import Key
from napari_al_pose.gui.layers import LayerStack
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.session import Session
from napari_al_pose.gui.widgets import KeyedMenu


class Commands:
    """The commands of one window. Keys run them, and menus offer them beside their keys.

    Parameters
    ----------
    keys : KeyChoices
    actions : mapping of str to callable
        What each `Key.action` of the table calls.
    """

    def __init__(self, keys: KeyChoices, actions: Mapping[str, Callable[..., None]]) -> None:
        self.keys = keys
        self._actions = actions

    def bound(self) -> Iterator[tuple[Key, Callable[[], None]]]:
        """Yield each row of the table, with the keys that it has now, and what they do."""
        for key in self.keys.table:
            yield key, partial(self._actions[key.action], *key.arguments)

    def command(self, name: str) -> Callable[[], None]:
        """Return what the row `Key.name` of the table does."""
        return next(command for key, command in self.bound() if key.name == name)


class CommandMenu(KeyedMenu):
    """A menu with entries that do what keys do.

    Parameters
    ----------
    commands : Commands
    parent : QWidget
    """

    def __init__(self, commands: Commands, parent: QWidget) -> None:
        super().__init__(commands.keys, parent)
        self._commands = commands

    def offer(self, text: str, name: str, *, enabled: bool = True, checked: bool | None = None) -> None:
        """Add an entry for a command, which is named as in `Key.name`."""
        self.add(text, self._commands.command(name), name, enabled=enabled, checked=checked)


def commands_of(session: Session, stack: LayerStack) -> Commands:
    """Return the commands of a session and its layers, each a method of one part."""
    frame, navigator, editor = session.frame, session.navigator, session.editor
    actions: dict[str, Callable[..., None]] = {
        "next_bodypart": frame.next_bodypart,
        "previous_bodypart": frame.previous_bodypart,
        "toggle_scoremap": frame.toggle_scoremap,
        "next_suggestion": navigator.next_suggestion,
        "previous_suggestion": navigator.previous_suggestion,
        "step": navigator.step,
        "next_labelled": navigator.next_labelled,
        "previous_labelled": navigator.previous_labelled,
        "accept_guess": editor.accept_guess,
        "accept_all_guesses": editor.accept_all_guesses,
        "mark_not_visible": editor.mark_not_visible,
        "mark_rest_not_visible": editor.mark_rest_not_visible,
        "clear": editor.clear,
        "borrow_pose": editor.borrow_pose,
        "carry_on": session.carrier.carry_on,
        "carry_to_queued": session.carrier.carry_to_queued,
        "copy_pose": editor.copy_pose,
        "paste_pose": editor.paste_pose,
        "next_individual": editor.next_individual,
        "undo": session.tracks.undo,
        "redo": session.tracks.redo,
        "checks.keep": session.checks.keep,
        "checks.take": session.checks.take,
        "checks.next": session.checks.next,
        "swap_tracks": session.tracks.swap,
        "split_track": session.tracks.split,
        "go_doubtful": session.review.go_doubtful,
        "go_low": session.review.go_low,
        "pick_here": session.review.pick_here,
        "arrow": editor.arrow,
        "shift_arrow": editor.shift_arrow,
        "next_colouring": editor.next_colouring,
        "next_label_mode": session.options.next_label_mode,
        "options.set": session.options.set,
        "options.toggle": session.options.toggle,
        "layers.toggle_context": stack.toggle_context,
        "layers.toggle_play": stack.toggle_play,
        "layers.toggle_close_up": stack.toggle_close_up,
        "layers.fit_view": stack.fit_view,
        "learn": session.learning.train,
        "show_keys": session.keys.show_list,
    }
    return Commands(session.keys, actions)
