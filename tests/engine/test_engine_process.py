"""The real engine process on a real project: training, looking meanwhile, stopping, dying."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager

import numpy as np
import pytest

from napari_al_pose.domain import FrameKey, FrameRole
from napari_al_pose.domain.pose_export import ExportOptions
from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.engine.client import EngineClient
from napari_al_pose.engine.messages import (
    Cancelled,
    Died,
    Export,
    Failed,
    Finished,
    Look,
    Looked,
    PosesExported,
    Progress,
    Rank,
    Ranked,
    Ready,
    Stop,
    Train,
    Trained,
    TrainStep,
)
from napari_al_pose.project import open_project
from napari_al_pose.samples import ground_truth

pytestmark = pytest.mark.slow

QUICK = LoopSettings(pool_size=40, batch_size=6, train=TrainSettings(steps=6, long_side=128, batch_size=2))


class Inbox:
    """Collects replies; hands them out in order."""

    def __init__(self):
        self._queue = queue.Queue()
        self.seen = []

    def put(self, reply):
        self._queue.put(reply)

    def until(self, *kinds, seconds=90):
        """Return the next reply of one of ``kinds``."""
        end = time.monotonic() + seconds
        while True:
            reply = self._queue.get(timeout=max(0.01, end - time.monotonic()))
            self.seen.append(reply)
            if isinstance(reply, kinds):
                return reply
            assert not isinstance(reply, (Failed, Died)), reply


def label(config):
    """Label eight frames of a sample project, the last two to be held out."""
    truth = ground_truth(config.parent)
    with open_project(config) as project:
        project.save_settings(QUICK)
        names = project.skeleton.bodyparts
        for i in range(8):
            video = project.videos[i % 2].name
            xy, visible = truth[video]
            key = FrameKey(video, 5 + 9 * i)
            for part, name in enumerate(names):
                if visible[key.frame][part]:
                    project.labels.place(key, name, *xy[key.frame][part])
                else:
                    project.labels.mark_not_visible(key, name)
            if i >= 6:
                project.labels.roles.set(key, FrameRole.HOLDOUT)
    return config


@contextmanager
def running(config):
    """An engine on a project; its client, where its replies go, and the project."""
    inbox = Inbox()
    client = EngineClient(config.parent, inbox.put)
    client.start()
    try:
        inbox.until(Ready)
        yield client, inbox, config
    finally:
        client.close()
    assert not client.alive


@pytest.fixture
def labelled(sample_copy):
    return label(sample_copy)


@pytest.fixture
def engine(labelled):
    with running(labelled) as made:
        yield made


@pytest.fixture(scope="module")
def copies(sample_project, tmp_path_factory):
    """Return a function that copies the sample project, with labels, for several tests."""

    def copy():
        folder = tmp_path_factory.mktemp("engine") / sample_project.parent.name
        shutil.copytree(sample_project.parent, folder)
        return label(folder / sample_project.name)

    return copy


@pytest.fixture(scope="module")
def untrained(copies):
    """An engine without a model: starting one takes most of such a test. Who uses it trains nothing to its end."""
    with running(copies()) as made:
        yield made


@pytest.fixture(scope="module")
def trained(copies):
    """An engine that has trained once, and what it said then; whoever uses it asks which model is the newest."""
    with running(copies()) as (client, inbox, config):
        job = client.next_job()
        client.send(Train(job))
        inbox.until(TrainStep)
        said = inbox.until(Trained), inbox.until(Ranked)
        assert inbox.until(Finished).job == job
        yield client, inbox, config, said


def test_without_a_model_it_builds_a_first_batch_and_looks_at_nothing(untrained):
    client, inbox, _ = untrained
    client.send(Look(client.next_job(), FrameKey("nothing", 0)))
    looked = inbox.until(Looked)
    assert looked.scoremaps is None
    assert looked.prediction is None
    client.send(Rank(client.next_job(), "mpe"))
    ranked = inbox.until(Ranked)
    assert ranked.model_version == 0
    assert len({s.key for s in ranked.suggestions}) == len(ranked.suggestions) == 6
    assert ranked.guesses == ()
    inbox.until(Finished)


def test_train_publishes_a_model_and_ranks_and_serves_looks_between_steps(trained):
    client, inbox, config, (first, ranked) = trained
    assert first.job == ranked.job
    assert first.round.n_train == 6
    assert first.round.n_holdout == 2
    assert np.isfinite(first.round.holdout.mean)
    assert ranked.model_version == 1
    assert len(ranked.guesses) == len(ranked.suggestions)

    # The second training serves a look by the first model before it ends.
    second = client.next_job()
    client.send(Train(second))
    inbox.until(TrainStep)
    key = ranked.suggestions[0].key
    client.send(Look(client.next_job(), key))
    looked = inbox.until(Looked, Trained)
    assert isinstance(looked, Looked)
    assert looked.scoremaps.model_version == looked.prediction.model_version == 1
    assert looked.scoremaps.maps.shape[0] == looked.prediction.xy.shape[0]
    assert 0 <= looked.scoremaps.maps.min() <= looked.scoremaps.maps.max() <= 1
    inbox.until(Finished)
    client.send(Look(client.next_job(), FrameKey("nothing", 0)))
    assert "nothing" in inbox.until(Failed).message
    with open_project(config, read_only=True) as project:
        assert project.models.versions() == [1, 2]
        assert [r.number for r in project.rounds.all()] == [1, 2]
        assert project.queue.load().model_version == 2


def test_cancel_leaves_nothing_and_stop_keeps_a_model(engine):
    client, inbox, config = engine
    with open_project(config) as project:
        project.save_settings(
            QUICK.model_copy(update={"train": TrainSettings(steps=5000, long_side=128, batch_size=2)})
        )
    first = client.next_job()
    client.send(Train(first))
    inbox.until(TrainStep)
    client.send(Stop(first))
    assert inbox.until(Cancelled).job == first
    with open_project(config, read_only=True) as project:
        assert project.models.versions() == []
        assert list((project.root / "al-pose" / "models").glob("*")) == []
    second = client.next_job()
    client.send(Train(second))
    for _ in range(3):
        inbox.until(TrainStep)
    client.send(Stop(second, keep=True))
    trained = inbox.until(Trained)
    assert trained.stopped_early
    assert trained.round.steps < 5000
    inbox.until(Finished)


def test_a_waiting_job_is_cancelled_before_it_begins(untrained):
    client, inbox, _ = untrained
    running, waiting = client.next_job(), client.next_job()
    client.send(Train(running))
    client.send(Rank(waiting, "mpe"))
    client.send(Stop(waiting))
    assert inbox.until(Cancelled).job == waiting
    client.send(Stop(running))
    assert inbox.until(Cancelled).job == running


def test_predicting_without_a_model_says_so(untrained):
    client, inbox, config = untrained
    with open_project(config, read_only=True) as project:
        names = (project.videos[0].name,)
    client.send(Export(client.next_job(), names, ExportOptions()))
    assert "no model" in inbox.until(Failed).message.lower()
    assert client.alive


def test_whole_videos_are_predicted_beside_looking_and_learning(trained):
    client, inbox, config, _ = trained
    with open_project(config, read_only=True) as project:
        version = project.models.latest()
        names = tuple(video.name for video in project.videos[:2])
        export, ranking = client.next_job(), client.next_job()
        client.send(Export(export, names, ExportOptions()))
        progress = inbox.until(Progress)
        assert progress.job == export
        client.send(Rank(ranking, "mpe"))
        client.send(Look(client.next_job(), FrameKey(names[0], 3)))
        looked = inbox.until(Looked)
        assert inbox.until(Finished).job == ranking  # the export stood aside
        exported = inbox.until(PosesExported)
        assert exported.job == export
        assert exported.videos == names
        assert exported.model_version == version
        assert len(exported.paths) == 4  # an .h5 and a .csv each
        assert all(os.path.isfile(path) for path in exported.paths)
        import pandas as pd

        for name, path in zip(names, exported.paths[::2], strict=True):
            run = project.video_predictions.find(version, name)
            assert run.is_complete
            table = pd.read_hdf(path)
            assert table.columns.names == ["scorer", "bodyparts", "coords"]
            np.testing.assert_array_equal(table.to_numpy().reshape(len(table), -1, 3), run.rows(0, len(table)))
        # Frames are scaled while they are decoded, and looked at whole: the poses are the same all the same.
        there = project.video_predictions.find(version, names[0]).prediction(3)
        assert np.abs(there.xy - looked.prediction.xy)[looked.prediction.likelihood > 0.5].max(initial=0) < 1
    inbox.until(Finished)


def test_a_killed_engine_is_reported_and_can_be_started_again(engine):
    client, inbox, config = engine
    client.send(Train(client.next_job()))
    inbox.until(TrainStep)
    os.kill(client.pid, signal.SIGKILL)
    died = inbox.until(Died)
    assert "signal 9" in died.message
    assert "estart" in died.hint
    client.start()
    inbox.until(Ready)
    with open_project(config, read_only=True) as project:
        assert len(project.labels.complete_keys()) == 8
        assert project.models.versions() == []
    client.send(Train(client.next_job()))
    assert inbox.until(Trained).round.number == 1


def test_an_engine_that_something_else_ended_is_not_called_out_of_memory(engine):
    client, inbox, _config = engine
    os.kill(client.pid, signal.SIGTERM)
    died = inbox.until(Died)
    assert "signal 15" in died.message
    assert "memory" not in died.message


def test_an_engine_that_still_starts_is_not_waited_for(labelled):
    inbox = Inbox()
    client = EngineClient(labelled.parent, inbox.put)
    client.start()
    process = client._process
    client.close()
    assert process.returncode == -signal.SIGKILL
    assert not inbox.seen
    client.start()
    inbox.until(Ready)
    process = client._process
    client.close()
    assert process.returncode == 0


def test_the_engine_ends_when_its_parent_is_killed(labelled, tmp_path):
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(
                """
                import sys, time
                from pathlib import Path
                from napari_al_pose.engine.client import EngineClient
                from napari_al_pose.engine.messages import Ready, Train
                def tell(reply):
                    if isinstance(reply, Ready):
                        print("ready", flush=True)
                client = EngineClient(Path(sys.argv[1]), tell)
                client.start()
                print(client.pid, flush=True)
                time.sleep(300)
                """
            ),
            str(labelled.parent),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = int(parent.stdout.readline())
    assert parent.stdout.readline() == "ready\n"
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 15
    while time.monotonic() < end and _runs(pid):
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_bodyparts_renamed_since_the_last_model_are_told_and_nothing_is_lost(labelled):
    from napari_al_pose.engine.loop import ActiveLearningLoop

    with open_project(labelled) as project:
        loop = ActiveLearningLoop(project.root)
        for _ in loop.train(project):
            pass
        loop.close()
    labelled.write_text(labelled.read_text().replace("- snout", "- nose"))
    inbox = Inbox()
    client = EngineClient(labelled.parent, inbox.put)
    client.start()
    try:
        assert inbox.until(Ready).model_version == 0
        client.send(Rank(client.next_job(), "mpe"))
        assert "other bodyparts" in inbox.until(Ranked).notice
    finally:
        client.close()
    with open_project(labelled) as project:
        assert "snout" in " ".join(project.notices)
        assert project.models.versions() == [1]
    labelled.write_text(labelled.read_text().replace("- nose", "- snout"))
    with open_project(labelled) as project:
        assert len(project.labels.complete_keys()) == 8
