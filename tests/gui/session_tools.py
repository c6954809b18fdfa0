"""What the tests of session and layers share."""

from __future__ import annotations

import inspect
import itertools

from qtpy.QtCore import QCoreApplication, QEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QLabel,
    QRadioButton,
    QSplitter,
    QStyle,
    QStyleOptionComboBox,
    QWidget,
)
from superqt import QElidingLabel

from napari_al_pose.engine.messages import Ready

TIMEOUT = 20_000


def dialog_of(window, kind):
    """Return the one dialog of a kind that is open over ``window``."""
    found = [child for child in window.findChildren(kind) if child.isVisible()]
    assert len(found) == 1
    return found[0]


def text_in(widget):
    """Return what the labels of a widget say that are not put away, a line each."""
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget))


def label_with(widget, text):
    """Return the one label that is not put away and says ``text``, and perhaps more."""
    found = [label for label in widget.findChildren(QLabel) if label.isVisibleTo(widget) and text in label.text()]
    assert len(found) == 1, f"{len(found)} labels say {text!r}"
    return found[0]


def button_with(widget, text):
    """Return the one button in sight that says ``text``."""
    found = [b for b in widget.findChildren(QAbstractButton) if b.text() == text and b.isVisible()]
    assert len(found) == 1, f"{len(found)} buttons in sight say {text!r}"
    return found[0]


def press(widget, text):
    """Click the button that says ``text``, as a person can: only if it is enabled and in sight."""
    button = button_with(widget, text)
    assert button.isEnabled(), f"{text!r} is not enabled"
    button.click()


def can_press(widget, text):
    """Return whether a button that says ``text`` is enabled and in sight."""
    return any(b.text() == text and b.isVisible() and b.isEnabled() for b in widget.findChildren(QAbstractButton))


def choice_with(widget, data):
    """Return the one box of choices that offers ``data``."""
    (found,) = (box for box in widget.findChildren(QComboBox) if box.findData(data) >= 0)
    return found


def note_errors(session):
    """Have ``session.notices.errors`` list the errors that the user is told of; return the session."""
    errors = session.notices.errors = []
    session.notices.raised.connect(lambda message, hint, is_error: errors.append(message) if is_error else None)
    return session


def of_session(kind, session, **others):
    """Make a panel (or what else takes parts of a session) of those parts that it names."""
    parts = {name: getattr(session, name) for name in type(session).__dataclass_fields__}
    return kind(**{name: parts[name] for name in inspect.signature(kind).parameters if name in parts}, **others)


def cut_off(widget):
    """Return the texts in sight within ``widget`` that don't fit and are nowhere in full."""
    found = []
    for each in (*widget.findChildren(QLabel), *widget.findChildren(QAbstractButton), *widget.findChildren(QComboBox)):
        text = each.currentText() if isinstance(each, QComboBox) else each.text()
        if not each.isVisibleTo(widget) or not text:
            continue
        if isinstance(each, QLabel) and each.wordWrap():
            fits = each.heightForWidth(each.width()) <= each.height()
        elif isinstance(each, QComboBox):
            option = QStyleOptionComboBox()
            each.initStyleOption(option)
            room = each.style().subControlRect(
                QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, each
            )
            fits = each.fontMetrics().horizontalAdvance(option.currentText) <= room.width()
        elif isinstance(each, (QCheckBox, QRadioButton)):
            fits = each.sizeHint().width() <= each.width()
        elif isinstance(each, (QElidingLabel, QAbstractButton)):
            fits = each.fontMetrics().horizontalAdvance(text) <= each.width()
        else:
            fits = each.minimumSizeHint().width() <= each.width()
        if not fits and text not in each.toolTip():
            found.append(text)
    return found


def overlapping(widget):
    """Return pairs of widgets in sight within ``widget`` that lie over each other, by class and text."""
    found = []
    for parent in (widget, *widget.findChildren(QWidget)):
        if isinstance(parent, (QAbstractScrollArea, QAbstractSpinBox, QSplitter)) or parent.layout() is None:
            continue
        shown = [each for each in parent.children() if isinstance(each, QWidget) and each.isVisibleTo(widget)]
        shown = [each for each in shown if not each.isWindow()]
        for one, other in itertools.combinations(shown, 2):
            common = one.geometry() & other.geometry()
            if common.width() > 1 and common.height() > 1:
                found.append(tuple(f"{type(each).__name__} {getattr(each, 'text', str)()!r}" for each in (one, other)))
    return found


class ScriptedEngine:
    """Stands in for the engine process where a test is not about it: notes requests, says what it is told to.

    One stands for every engine that a session starts, one after the other: `connect` takes the place of
    `EngineClient`. What the real process answers is tested in ``test_session_engine.py``.
    """

    def __init__(self):
        self.clients = []

    def connect(self, root, on_reply, *, background=True):
        """Return the client of another engine."""
        self.clients.append(ScriptedClient(root, on_reply))
        return self.clients[-1]

    @property
    def client(self):
        """Of the engine that was started last."""
        return self.clients[-1]

    @property
    def sent(self):
        """What that engine was asked, in order."""
        return self.client.sent

    def asked(self, kind):
        """Return the requests of a kind that it got."""
        return [request for request in self.sent if isinstance(request, kind)]

    def says(self, *replies):
        """Have it say something, and the session hear it."""
        for reply in replies:
            self.client.on_reply(reply)
        QCoreApplication.sendPostedEvents(None, QEvent.Type.MetaCall)


class ScriptedClient:
    """What a session holds of a `ScriptedEngine`."""

    def __init__(self, root, on_reply):
        self.root = root
        self.on_reply = on_reply
        self.sent = []
        self.alive = True
        self._jobs = itertools.count(1)

    def start(self):
        self.on_reply(Ready("cpu", 0))

    def send(self, request):
        self.sent.append(request)

    def next_job(self):
        return next(self._jobs)

    def close(self):
        self.alive = False
