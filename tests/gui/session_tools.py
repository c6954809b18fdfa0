"""What the tests of session and layers share."""

from __future__ import annotations

import itertools

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


def bridge_of(session):
    """Return the session's side of the engine: the one place where tests reach for it."""
    return session.learning._engine


def engine_of(session):
    """Return the `ScriptedEngine` that a session talks to now."""
    return bridge_of(session)._client


class ScriptedEngine:
    """Stands in for the engine process where a test is not about it: notes requests, answers what it is told to.

    What the real process answers is tested in ``test_session_engine.py``.
    """

    def __init__(self, root, on_reply, *, background=True):
        self.root = root
        self.on_reply = on_reply
        self.sent = []
        self.closed = False
        self._jobs = itertools.count(1)
        self.model_version = 0

    @property
    def alive(self):
        return not self.closed

    def start(self):
        self.on_reply(Ready("cpu", self.model_version))

    def send(self, request):
        self.sent.append(request)

    def next_job(self):
        return next(self._jobs)

    def close(self):
        self.closed = True

    def asked(self, kind):
        return [request for request in self.sent if isinstance(request, kind)]
