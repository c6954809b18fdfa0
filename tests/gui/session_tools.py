"""What the tests of session and layers share."""

from __future__ import annotations

import inspect
import itertools

from qtpy.QtCore import QCoreApplication, QEvent

from napari_al_pose.engine.messages import Ready

TIMEOUT = 20_000


def dialog_of(window, kind):
    """Return the one dialog of a kind that is open over ``window``."""
    found = [child for child in window.findChildren(kind) if child.isVisible()]
    assert len(found) == 1
    return found[0]


def note_errors(session):
    """Have ``session.notices.errors`` list the errors that the user is told of; return the session."""
    errors = session.notices.errors = []
    session.notices.raised.connect(lambda message, hint, is_error: errors.append(message) if is_error else None)
    return session


def of_session(kind, session, **others):
    """Make a panel (or what else takes parts of a session) of those parts that it names."""
    parts = {name: getattr(session, name) for name in type(session).__dataclass_fields__}
    return kind(**{name: parts[name] for name in inspect.signature(kind).parameters if name in parts}, **others)


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
