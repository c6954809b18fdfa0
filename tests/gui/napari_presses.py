"""A program: presses every button and key of napari's own in states that a project can be in.

It runs in a process of its own, as what goes wrong here may end the process, and says before each press what it is.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import numpy as np
from app_model.backends.qt import QKeyBindingSequence
from napari._qt.widgets.qt_viewer_buttons import QtViewerPushButton
from napari.utils.key_bindings import coerce_keybinding
from qtpy.QtCore import QEventLoop, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from session_tools import ScriptedEngine

from napari_al_pose.demo.annotator import MouseAnnotator, wait_until
from napari_al_pose.gui.state import engine_bridge as bridge
from napari_al_pose.gui.window import open_window

STACK = "stack of the user's"
CONSOLE = "console"
"""Starts a kernel, which has nothing to do with layers."""


FOUR_AXES = "labelled, beside a stack with four axes"
NAPARI_S_FAULTS = {(FOUR_AXES, "Ctrl+Alt+T")}
"""Turning layers fails in napari 0.9 itself where they differ in their number of axes."""


def work(milliseconds: int = 1) -> None:
    """Let the window do what is due."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()
    QApplication.processEvents()


def say(what: str) -> None:
    """Tell what is under way, so that a crash has a name."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def show_labels(session) -> bool:
    """Go to the first frame with labels; return whether there is one."""
    key = next((annotation.key for annotation in session.projects.project.labels.annotations()), None)
    if key is None:
        return False
    session.navigator.go_to(key)
    wait_until(lambda: session.frame.key == key, seconds=10, what="the labelled frame")
    wait_until(lambda: session.frame.picture_is_current, seconds=10, what="its picture")
    return True


def states(viewer, session):
    """Yield the name of each state once the window is in it."""
    if show_labels(session):
        session.frame.set_scoremap("*")
        yield "labelled before"
        return
    yield "nothing labelled"
    for index, name in enumerate(session.frame.bodyparts):
        session.editor.place(name, 40 + 20 * index, 50)
    session.editor.mark_not_visible(session.frame.bodyparts[0])
    session.frame.set_scoremap("*")
    stack = viewer.add_image(np.zeros((2, 100, 16, 16), np.uint8), name=STACK)
    yield FOUR_AXES
    viewer.layers.remove(stack)


def keys_of(viewer):
    """The keys napari itself has for the viewer and for layers as ours, and that are not ours, as Qt writes them."""
    ours = {coerce_keybinding(name) for layer in viewer.layers for name in layer.keymap}
    owners = [viewer, *viewer.layers]
    keymaps = [cls.class_keymap for owner in owners for cls in type(owner).__mro__ if "class_keymap" in vars(cls)]
    found = {key for keymap in keymaps for key in keymap if key is not ...} - ours
    return sorted(QKeyBindingSequence(key).toString() for key in found)


def press_all(viewer, session, hand, state):
    """Press everything; after each the project must be there, in frames."""
    buttons = [b for b in viewer.window._qt_window.findChildren(QtViewerPushButton) if b.objectName() != CONSOLE]
    assert len(buttons) > 6, "napari's buttons have another name now"
    for button in buttons:
        what = button.property("mode") or button.objectName() or button.toolTip().splitlines()[0]
        if what == CONSOLE:
            continue
        check(viewer, session, f"{state}: button {what}", lambda button=button: button.click())
        for layer in [layer for layer in viewer.layers if layer not in session_layers(viewer, session)]:
            if layer.name != STACK:
                viewer.layers.remove(layer)
    for text in keys_of(viewer):
        sequence = QKeyBindingSequence.fromString(text)
        if sequence.count() != 1 or (state, text) in NAPARI_S_FAULTS:
            continue
        combination = sequence[0]
        hand.canvas.setFocus()
        check(
            viewer,
            session,
            f"{state}: key {text}",
            lambda c=combination: QTest.keyClick(hand.canvas, c.key(), c.keyboardModifiers()),
        )


def session_layers(viewer, session):
    """Ours among the viewer's layers."""
    names = {
        "scoremap",
        "skeleton",
        "peaks",
        "guesses",
        "labels",
        "checked label",
        "checked distance",
        *(video.name for video in session.projects.project.videos),
    }
    return [layer for layer in viewer.layers if layer.name in names]


def check(viewer, session, what, press) -> None:
    """Press, draw, and look whether frames can be labelled still."""
    say(what)
    press()
    work()
    for dialog in QApplication.topLevelWidgets():
        if (
            dialog.isVisible()
            and dialog is not viewer.window._qt_window
            and dialog.windowType() == Qt.WindowType.Dialog
        ):
            dialog.close()
    wait_until(lambda: len(session_layers(viewer, session)) == 8, seconds=5, what=f"the layers after {what}")
    if viewer.canvas.grid.enabled:
        viewer.canvas.grid.enabled = False
    for layer in session_layers(viewer, session):
        layer.visible = layer.visible or layer.name not in ("peaks", "scoremap", "checked label", "checked distance")
    session.options.set("points", True)
    assert viewer.dims.ndisplay == 2, what
    assert viewer.dims.displayed == (viewer.dims.ndim - 2, viewer.dims.ndim - 1), what
    work()


def main(config: Path) -> None:
    """Go through all states, and label a last point."""
    bridge.EngineClient = ScriptedEngine().connect
    gc.collect = lambda *_: 0  # napari calls it for every layer that goes: half of the time this program would take
    viewer, session = open_window(config)
    viewer.window.resize(900, 600)  # drawing is what takes time here
    hand = MouseAnnotator(viewer, session, {})
    wait_until(lambda: session.frame.picture_is_current, seconds=30, what="the first frame")
    for state in states(viewer, session):
        press_all(viewer, session, hand, state)
    viewer.reset_view()
    session.navigator.step(1)
    session.options.set("tool", session.options.tool.ADD)
    wait_until(lambda: session.frame.picture_is_current, seconds=10, what="the next frame")
    session.frame.choose_bodypart(session.frame.bodyparts[0])
    session.editor.clear()
    told = []
    session.notices.raised.connect(lambda message, hint, is_error: told.append(message))
    hand.click(100, 90)
    if session.projects.read_only:
        assert told, "a click was not taken, and nothing was said"
    else:
        x, y = session.frame.annotation.xy[0]
        assert abs(x - 100) < 1, (x, y)
        assert abs(y - 90) < 1, (x, y)
    viewer.close()
    say("all pressed")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
