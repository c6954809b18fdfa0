"""What an engine process and its client do with what they can't read, and that every job has its generator."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import typing

import pytest

from napari_al_pose.engine import client as client_module
from napari_al_pose.engine.client import EngineClient
from napari_al_pose.engine.jobs import JOBS
from napari_al_pose.engine.messages import REPLIES, REQUESTS, Died, Failed, Job, Ready, Request, Train

SECONDS = 90


def test_every_job_that_can_be_asked_for_has_its_generator():
    assert set(JOBS) == {cls for cls in typing.get_args(Request) if issubclass(cls, Job)}


@pytest.fixture
def child(sample_copy):
    """An engine process of the sample project that is ready, without a client."""
    command = [sys.executable, "-P", "-m", "napari_al_pose.engine.child", str(sample_copy.parent), "1", "0"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert isinstance(REPLIES.read(process.stdout), Ready)
    yield process
    process.stdin.close()
    process.stdout.close()
    process.wait(SECONDS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "damaged",
    [b"Hello, engine?", b'ALP1\x0f\0\0\0["Make",{"job":1}]', b"ALP1\x08\0\0\0not JSON"],
    ids=["other bytes", "unknown request", "damaged header"],
)
def test_an_engine_that_cannot_read_a_request_says_so_and_ends(child, damaged):
    child.stdin.write(damaged)
    child.stdin.flush()
    said = REPLIES.read(child.stdout)
    assert isinstance(said, Failed)
    assert said.job == 0
    assert "could not read" in said.message
    assert "Restart" in said.hint
    assert REPLIES.read(child.stdout) is None
    assert child.wait(SECONDS) == 2


@pytest.mark.slow
def test_an_engine_whose_window_is_cut_off_within_a_request_ends_in_peace(child):
    (whole,) = REQUESTS.pack(Train(1))
    child.stdin.write(whole[:-3])
    child.stdin.close()
    assert REPLIES.read(child.stdout) is None
    assert child.wait(SECONDS) == 0


def test_a_reply_that_cannot_be_read_ends_the_engine_with_the_reason(tmp_path, monkeypatch):
    """Here the process at the other end of the pipe is one that prints where it should not."""
    impostor = tmp_path / "impostor"
    impostor.write_text(f"#!{sys.executable}\nprint('Downloading weights...', flush=True)\ninput()\n")
    impostor.chmod(0o755)
    if os.name == "nt":
        pytest.skip("needs a script that can be run")
    monkeypatch.setattr(client_module.sys, "executable", str(impostor))
    replies = queue.Queue()
    client = EngineClient(tmp_path, replies.put)
    client.start()
    try:
        died = replies.get(timeout=SECONDS)
        assert isinstance(died, Died)
        assert "could not be read" in died.message
        assert "Down" in died.message
        assert "Restart" in died.hint
        assert not client.alive
    finally:
        client.close()
