"""The dialog *Use a trained model*: a file or a download, and which of its bodyparts are whose."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from qtpy.QtWidgets import QDialogButtonBox
from session_tools import TIMEOUT, dialog_of

from napari_al_pose.domain.pretrained import PRETRAINED
from napari_al_pose.engine.messages import Adopt, Describe, Described, Failed, Finished
from napari_al_pose.gui.dialogs.trained_model import TrainedModelDialog

CONTENT = b"weights" * 100_000
MODEL = replace(PRETRAINED[0], n_bytes=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def dialog(opened, actions, window, engine, qtbot):
    """The dialog, open over a project; the engine has nothing to do."""
    engine.says(Finished(opened.learning.training.job))
    qtbot.waitUntil(lambda: not opened.learning.training.busy, timeout=TIMEOUT)
    window.show()
    actions.adopt_model()
    return dialog_of(window, TrainedModelDialog)


@pytest.fixture
def described(dialog, engine, opened, tmp_path):
    """The dialog, after the engine has said what a file knows: two bodyparts of the project by name."""
    path = tmp_path / "superanimal.pt"
    dialog.choose_file(path)
    (request,) = engine.asked(Describe)
    parts = opened.projects.project.skeleton.bodyparts
    suggested = {name: name.upper() if i < 2 else "" for i, name in enumerate(parts)}
    known = ("nose", *(name.upper() for name in parts[:2]), "tail_end")
    engine.says(Described(request.job, str(path), "superanimal_hrnet_w32", known, suggested))
    return dialog


def test_bodyparts_are_matched_by_name_and_then_by_hand(described, engine, opened, tmp_path):
    parts = opened.projects.project.skeleton.bodyparts
    assert described.mapping == {name: name.upper() if i < 2 else "" for i, name in enumerate(parts)}
    assert "knows 4 bodyparts" in described.sentence.text()
    assert f"2 of your {len(parts)}" in described.sentence.text()
    assert described.use_button.isEnabled()
    box = described.boxes[parts[-1]]
    box.setCurrentIndex(box.findData("tail_end"))
    assert f"3 of your {len(parts)}" in described.sentence.text()
    box.setCurrentIndex(box.findData(parts[0].upper()))  # taken already
    assert parts[0].upper() in described.complaint.text()
    assert not described.use_button.isEnabled()
    box.setCurrentIndex(box.findData("tail_end"))
    described.use_button.click()
    (request,) = engine.asked(Adopt)
    assert request.path == str(tmp_path / "superanimal.pt")
    assert request.chosen == described.mapping
    assert request.chosen[parts[-1]] == "tail_end"


def test_at_least_one_bodypart_is_asked_for(described):
    for box in described.boxes.values():
        box.setCurrentIndex(0)
    assert "at least one" in described.complaint.text()
    assert not described.use_button.isEnabled()


def test_a_file_that_is_no_model_says_so_in_the_dialog_only(dialog, engine, opened, tmp_path):
    raised, withdrawn = [], []
    opened.notices.raised.connect(lambda message, _hint, _is_error: raised.append(message))
    opened.notices.withdrawn.connect(withdrawn.append)
    dialog.choose_file(tmp_path / "notes.pt")
    (request,) = engine.asked(Describe)
    engine.says(Failed(request.job, "notes.pt is damaged, or not a snapshot.", "Choose a snapshot."))
    assert "notes.pt is damaged" in dialog.complaint.text()
    assert "Choose a snapshot." in dialog.complaint.text()
    assert withdrawn == raised != []
    assert not dialog.use_button.isEnabled()
    assert not engine.asked(Adopt)


@pytest.fixture
def server():
    """Gives the content piece by piece, as fast as ``go`` allows."""
    go = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[: len(CONTENT) // 2])
            go.wait(20)
            with contextlib.suppress(OSError):  # cancelled
                self.wfile.write(CONTENT[len(CONTENT) // 2 :])

        def log_message(self, *_):
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made, go
    go.set()
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def downloading(opened, window, engine, server, tmp_path, qtbot):
    """A dialog that downloads from this machine, in the middle of a download."""
    made, _ = server
    window.show()
    dialog = TrainedModelDialog(
        opened.projects,
        opened.learning,
        notices=opened.notices,
        parent=window,
        folder=tmp_path / "models",
        url=lambda _model: f"http://127.0.0.1:{made.server_port}/",
    )
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.models.setItemData(0, MODEL)
    assert "118 MB" in dialog.note.text()
    dialog.download_button.click()
    qtbot.waitUntil(lambda: dialog.bar.maximum() > 0, timeout=TIMEOUT)
    return dialog


def test_a_download_is_shown_and_read_when_it_is_here(downloading, server, engine, tmp_path, qtbot):
    assert not downloading.download_button.isEnabled()
    server[1].set()
    qtbot.waitUntil(lambda: bool(engine.asked(Describe)), timeout=TIMEOUT)
    path = tmp_path / "models" / MODEL.file_name
    assert path.read_bytes() == CONTENT
    assert engine.asked(Describe)[0].path == str(path)
    assert downloading.download_button.text() == "Use it"
    assert downloading.bar.isHidden()


def test_a_download_is_cancelled_before_the_dialog_closes(downloading, server, tmp_path, qtbot):
    cancel = downloading.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Cancel)
    cancel.click()
    server[1].set()
    qtbot.waitUntil(lambda: "Cancelled" in downloading.complaint.text(), timeout=TIMEOUT)
    assert not list((tmp_path / "models").iterdir())
    assert downloading.isVisible()
    cancel.click()
    assert not downloading.isVisible()


def test_other_weights_than_the_published_ones_are_refused(downloading, server, engine, tmp_path, qtbot):
    server[1].set()
    qtbot.waitUntil(lambda: bool(engine.asked(Describe)), timeout=TIMEOUT)
    downloading.models.setCurrentIndex(1)
    downloading.download_button.click()
    qtbot.waitUntil(lambda: "SHA-256" in downloading.complaint.text(), timeout=TIMEOUT)
    assert [path.name for path in (tmp_path / "models").iterdir()] == [MODEL.file_name]
