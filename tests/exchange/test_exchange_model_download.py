"""Published weights from a server on this machine: whole and right, or not there at all."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.pretrained import PRETRAINED
from napari_al_pose.exchange.model_download import download_model, downloaded

CONTENT = bytes(range(256)) * 4096
MODEL = replace(PRETRAINED[0], n_bytes=len(CONTENT), megabytes=1, sha256=hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def server():
    """Where /whole gives the content, /short breaks off in the middle, and nothing else is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path not in ("/whole", "/short"):
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT if self.path == "/whole" else CONTENT[: len(CONTENT) // 2])

        def log_message(self, *_):
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()
    thread.join()


def finish(work):
    """Run a download to its end; return its steps and its result."""
    steps = []
    while True:
        try:
            steps.append(next(work))
        except StopIteration as end:
            return steps, end.value


def test_weights_are_stored_when_they_are_whole(server, tmp_path):
    folder = tmp_path / "models"
    assert downloaded(MODEL, folder) is None
    steps, path = finish(download_model(MODEL, folder, url=f"{server}/whole"))
    assert path.read_bytes() == CONTENT
    assert path.name == "superanimal_topviewmouse_hrnet_w32.pt"
    assert downloaded(MODEL, folder) == path
    assert [path] == list(folder.iterdir())
    assert (steps[-1].done, steps[-1].total) == (1, 1)


@pytest.mark.parametrize(
    ("path", "model", "says"),
    [
        ("whole", replace(MODEL, sha256="0" * 64), "SHA-256"),
        ("short", MODEL, "could not be downloaded|SHA-256"),
        ("nothing", MODEL, "404"),
        ("whole", replace(MODEL, sha256=""), "checksum .* not known"),
    ],
)
def test_nothing_is_stored_of_a_download_that_failed(server, tmp_path, path, model, says):
    with pytest.raises(AlPoseError, match=says) as failed:
        finish(download_model(model, tmp_path / "models", url=f"{server}/{path}"))
    assert model.page in failed.value.hint
    assert not list((tmp_path / "models").glob("*"))


def test_nothing_is_stored_of_a_download_that_was_cancelled(server, tmp_path):
    work = download_model(MODEL, tmp_path, url=f"{server}/whole")
    for _ in range(3):
        next(work)
    assert list(tmp_path.iterdir())
    work.close()
    assert not list(tmp_path.iterdir())


def test_without_a_network_the_message_says_what_to_do(tmp_path):
    with pytest.raises(AlPoseError, match="could not be downloaded") as failed:
        finish(download_model(MODEL, tmp_path, url="http://127.0.0.1:9/weights.pt"))
    assert "choose the file" in failed.value.hint
