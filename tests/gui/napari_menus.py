"""A program: triggers what napari's menus offer for layers, in states that a project's layers can be in.

It runs in a process of its own, as what goes wrong here may end the process, and says before each action what it is.
After each, a click on the canvas is stored where it was made, or refused with a sentence.
"""

from __future__ import annotations

import faulthandler
import gc
import sys
from pathlib import Path

import numpy as np
from app_model.backends.qt import QMenuItemAction
from napari._app_model.constants import MenuId
from napari._app_model.context import get_context
from napari._qt._qapp_model import build_qmodel_menu
from napari.utils.notifications import notification_manager
from napari_presses import STACK, say, show_labels, work
from session_tools import ScriptedEngine

from napari_al_pose.demo.annotator import MouseAnnotator, wait_until
from napari_al_pose.domain import KeypointState
from napari_al_pose.gui.state import engine_bridge as bridge
from napari_al_pose.gui.window import open_window

LEFT_OUT = (
    *("dialog", "restart", "screenshot", "clipboard._", "with_plugin", "command_palette", "fullscreen", "menubar"),
)
"""Parts of the names of actions that open dialogs, write files, end napari or have nothing to do with layers."""
PLAYS = "toggle_play"
"""Goes on to other frames, which the player's own tests look at."""
NAPARI_S_FAULTS = {"napari.layer.convert_to_labels": "axis_labels"}
"""napari itself can't do this to RGB images: it takes their colours for an axis that has no name."""
COPIES = "_to_clipboard"
"""Part of the names of actions that only read layers: once is enough."""
CLICK = (100, 90)
OURS = 8


class Menus:
    """napari's menus, as they are for the layers selected now."""

    def __init__(self, viewer) -> None:
        self._viewer = viewer
        window = viewer.window
        context = build_qmodel_menu(MenuId.LAYERLIST_CONTEXT, parent=window._qt_window)
        self._menus = {"context": context, "layers": window.layers_menu, "view": window.view_menu}
        self._menus["new layer"] = build_qmodel_menu(MenuId.FILE_NEW_LAYER, parent=window._qt_window)

    def actions(self):
        """Return the actions that can be triggered now, by menu and name."""
        found = {}
        for name, menu in self._menus.items():
            menu.update_from_context(get_context(self._viewer.layers))
            for action in _walk(menu):
                if isinstance(action, QMenuItemAction) and action.isEnabled() and not _is_left_out(action):
                    found[f"{name}: {action._command_id}"] = action
        return found


def _walk(menu):
    for action in menu.actions():
        inner = action.menu()
        if inner is None:
            yield action
        elif action.isVisible():
            yield from _walk(inner)


def _is_left_out(action) -> bool:
    name = action._command_id
    return not name.startswith("napari.") or any(part in name for part in (*LEFT_OUT, PLAYS))


class Adversary:
    """Triggers actions and looks what became of the project."""

    def __init__(self, viewer, session) -> None:
        self.viewer, self.session = viewer, session
        self.hand = MouseAnnotator(viewer, session, {})
        self.menus = Menus(viewer)
        self.told = []
        self.triggered = set()
        session.notices.raised.connect(lambda message, hint, is_error: self.told.append(message))

    @property
    def ours(self):
        """Our layers among the viewer's, lowest first."""
        return [layer for layer in self.viewer.layers if any(layer is known for known in self.stack.layers)]

    @property
    def stack(self):
        """What holds our layers."""
        return self.session.frame._picture

    def labels(self):
        """Return all labels that are stored."""
        found = self.session.projects.project.labels.annotations()
        return {(a.key, a.individual): (a.states.tolist(), np.nan_to_num(a.xy).tolist()) for a in found}

    def play(self, state, selection, choose, *, menus) -> None:
        """Trigger each action that is enabled for a selection of layers."""
        self.select(choose)
        offered = [name for name in self.menus.actions() if name.split(":")[0] in menus]
        for name in {name.split(": ")[1]: name for name in offered}.values():  # menus share some actions
            if COPIES in name and name.split(": ")[1] in self.triggered:
                continue
            say(f"{state}, {selection} selected: {name}")
            self.select(choose)
            action = self.menus.actions().get(name)
            if action is None:
                continue  # an action before it turned it off
            faulthandler.dump_traceback_later(60, exit=True)
            before, n_records, key = self.labels(), len(notification_manager.records), self.session.frame.key
            action.trigger()
            work(5)
            self.triggered.add(name.split(": ")[1])
            assert self.labels() == before, "labels changed"
            wait_until(lambda: len(self.ours) == OURS, seconds=5, what="our layers")
            assert self.session.frame.key == key, f"from {key} to {self.session.frame.key}"
            self.click(before)
            for record in notification_manager.records[n_records:]:
                fault = NAPARI_S_FAULTS.get(name.split(": ")[1])
                assert record.severity != "error" or (fault is not None and fault in record.message), record.message
            self.mend()
            assert self.labels() == before, "labels changed"

    def select(self, choose) -> None:
        """Select layers."""
        self.viewer.layers.selection = set(choose(self))

    def click(self, before) -> None:
        """Click as somebody does who saw nothing of what happened; the label is right, or there is none and a word."""
        session, told, individual = self.session, len(self.told), self.session.frame.individual_index
        active = self.viewer.layers.selection.active
        is_tool = active is not None and active.mode != "pan_zoom"
        wait_until(lambda: session.frame.picture_is_current or any(self.refusal()), seconds=5, what="the picture")
        self.hand.click(*CLICK)
        work(5)
        after = self.labels()
        if after == before:
            assert is_tool or len(self.told) > told, "a click was not taken, and nothing was said"
            return
        x, y = session.frame.annotations[individual].xy[session.frame.bodyparts.index(self.next)]
        assert abs(x - CLICK[0]) < 1.5, (x, y)
        assert abs(y - CLICK[1]) < 1.5, (x, y)
        session.editor.undo()
        work()

    def refusal(self):
        """Return why a click would be refused."""
        return self.stack.refusal(CLICK)

    @property
    def next(self):
        """The bodypart that the click places."""
        return self.session.frame.bodyparts[2]

    def mend(self) -> None:
        """Put back what the action did, as far as the project does not do that itself."""
        layers = self.viewer.layers
        known = {id(layer) for layer in self.ours}
        for layer in [layer for layer in layers if id(layer) not in known and layer.name != STACK]:
            layers.remove(layer)
        layers.unlink_layers()
        for layer in self.ours:
            layer.locked = False
            for overlay in layer._overlays.values():
                overlay.visible = False
            if layer.name not in ("peaks", "scoremap", "checked label", "checked distance"):
                layer.visible = True
        self.viewer.canvas.grid.enabled = False
        self.viewer.reset_view()
        self.session.frame.choose_bodypart(self.next)
        work()


def layer_named(*names):
    """Return a chooser of our layers with these names; the lowest is the video."""
    return lambda adversary: [
        layer for i, layer in enumerate(adversary.ours) if layer.name in names or (i == 0 and "video" in names)
    ]


ALL_MENUS = ("context", "layers", "view", "new layer")
LABELLED, BESIDE = "labelled", "labelled, with scoremaps, beside a stack with four axes"
LABELLED_BEFORE, READ_ONLY = "labelled before", "labelled before, read-only"
"""The states of projects that come with labels, whatever else they are."""
SELECTIONS = {
    LABELLED: {
        "video": (layer_named("video"), ALL_MENUS),
        "labels": (layer_named("labels"), ("context",)),
        "skeleton": (layer_named("skeleton"), ("context",)),
        "all": (lambda adversary: adversary.ours, ("context",)),
    },
    BESIDE: {
        "video and labels": (layer_named("video", "labels"), ("context",)),
        "scoremap": (layer_named("scoremap"), ("context",)),
    },
    LABELLED_BEFORE: {
        "video": (layer_named("video"), ("context", "layers")),
        "labels": (layer_named("labels"), ("context",)),
    },
    READ_ONLY: {"labels": (layer_named("labels"), ("context",))},
}
"""Which layers are selected in each state, and the menus that depend on it."""


def main(config: Path) -> None:
    """Go through states and selections."""
    bridge.EngineClient = ScriptedEngine().connect
    gc.collect = lambda *_: 0  # napari calls it for every layer that goes: half of the time this program would take
    with notification_manager:  # as in a napari that was started: what an action raises becomes a notification
        viewer, session = open_window(config)
        viewer.window.resize(900, 600)  # drawing is what takes time here
        wait_until(lambda: session.frame.picture_is_current, seconds=30, what="the first frame")
        adversary = Adversary(viewer, session)
        for state in states(adversary):
            for selection, (choose, menus) in SELECTIONS[state].items():
                adversary.play(state, selection, choose, menus=menus)
        assert len(adversary.triggered) > (40 if state == BESIDE else 15), sorted(adversary.triggered)
        frame = session.frame.annotation
        assert frame.states[:2].tolist() == [KeypointState.PLACED] * 2
        viewer.close()
    say("all triggered")


def states(adversary):
    """Yield the name of each state once the window is in it."""
    session = adversary.session
    if show_labels(session):
        adversary.mend()
        yield READ_ONLY if session.projects.read_only else LABELLED_BEFORE
        return
    for index, name in enumerate(session.frame.bodyparts[:2]):
        session.editor.place(name, 40 + 20 * index, 50)
    adversary.mend()
    yield LABELLED
    session.frame.set_scoremap("*")
    adversary.viewer.add_image(np.zeros((2, 100, 16, 16), np.uint8), name=STACK, visible=False)
    yield BESIDE


if __name__ == "__main__":
    main(Path(sys.argv[1]))
