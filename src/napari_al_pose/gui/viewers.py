"""Which session belongs to which viewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from napari_al_pose.gui.commands import Commands, commands_of
from napari_al_pose.gui.keys import KeyBindings
from napari_al_pose.gui.layers import LayerStack
from napari_al_pose.gui.state.session import Session, new_session


@dataclass(frozen=True, slots=True, eq=False)
class _InViewer:
    """A session with its layers, keys and commands in one viewer; the only reference to them."""

    session: Session
    stack: LayerStack
    commands: Commands
    bindings: KeyBindings


_in_viewers: WeakKeyDictionary[Any, _InViewer] = WeakKeyDictionary()


def session_for(viewer: Any) -> Session:
    """Return the one session of ``viewer``, made on first use with its layers, mouse and keys.

    It lasts until `Session.close`: whoever docks the panels calls that when the dock is destroyed, and leaving
    the application does it too.

    Parameters
    ----------
    viewer : napari.Viewer
        Or the `PublicOnlyProxy` of one, as plug-in widgets get it.
    """
    return _in_viewer(viewer).session


def stack_for(viewer: Any) -> LayerStack:
    """Return the session's layers in ``viewer``."""
    return _in_viewer(viewer).stack


def commands_for(viewer: Any) -> Commands:
    """Return what keys and menus do in ``viewer``."""
    return _in_viewer(viewer).commands


def _in_viewer(viewer: Any) -> _InViewer:
    real = getattr(viewer, "__wrapped__", viewer)
    found = _in_viewers.get(real)
    if found is None or found.session.projects.is_closed:
        session = new_session()
        stack = LayerStack(
            real,
            session.projects,
            session.frame,
            navigator=session.navigator,
            editor=session.editor,
            checks=session.checks,
            options=session.options,
            keys=session.keys,
            notices=session.notices,
        )
        commands = commands_of(session, stack)
        bindings = KeyBindings(real, commands, stack)
        session.projects.closing.connect(bindings.unbind)
        session.projects.closing.connect(stack.close)
        found = _in_viewers[real] = _InViewer(session, stack, commands, bindings)
    return found
