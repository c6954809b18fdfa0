"""Whole videos and the pool on a cluster of separate processes, one of which is killed on the way."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.pose_export import ExportOptions
from napari_al_pose.engine import cluster as engine_cluster
from napari_al_pose.engine import pose_export, whole_videos
from napari_al_pose.engine.loop import ActiveLearningLoop

distributed = pytest.importorskip("distributed")

NO_FILES = ExportOptions(formats=())


@pytest.fixture(autouse=True)
def nothing_is_left():
    """Look for nothing: the cluster outlives each test, and starts a worker in place of one that was killed."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two workers, each a process of its own."""
    folder = tmp_path_factory.mktemp("dask")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        local_directory=str(folder),
        silence_logs=50,
    ) as made:
        yield made


@pytest.mark.slow
def test_a_killed_workers_segments_are_done_by_another(cluster, model_project, monkeypatch):
    project, model = model_project
    monkeypatch.setattr(whole_videos, "SEGMENT", 12)
    monkeypatch.setattr(whole_videos, "LONGEST_SEGMENT", 24)
    videos = project.videos[:2]
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        pids = client.run(os.getpid)
    loop = ActiveLearningLoop(project.root, device="cpu")
    loop.refresh(project)
    work = loop.export(project, [v.name for v in videos], NO_FILES, scheduler=cluster.scheduler_address)
    victim = next(iter(pids.values()))
    told, killed = 0, False
    for message in work:
        if message.stage == "Predicting on 2 workers":
            assert message.done >= told
            told = message.done
            if told and not killed:
                os.kill(victim, signal.SIGKILL)
                killed = True
    assert killed
    found = {}
    for video in videos:
        run = project.video_predictions.find(1, video.name)
        assert run.is_complete
        assert len(run.header.segments) > 3
        found[video.name] = run.rows(0, run.header.n_frames)
        run.path.with_suffix(".json").unlink()
    for _ in pose_export.export(project, videos, NO_FILES, model=model, version=1, job=0):
        pass
    for video in videos:
        run = project.video_predictions.find(1, video.name)
        np.testing.assert_allclose(found[video.name], run.rows(0, run.header.n_frames), atol=1e-3)
    loop.close()


@pytest.mark.slow
def test_the_pool_is_ranked_the_same_though_a_worker_is_killed(cluster, model_project, monkeypatch):
    project, _ = model_project
    monkeypatch.setattr(engine_cluster, "_FRAMES_A_TASK", 3)
    project.save_settings(project.settings.model_copy(update={"pool_size": 24}))
    loop = ActiveLearningLoop(project.root, device="cpu")
    loop.refresh(project)
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        victim = next(iter(client.run(os.getpid).values()))
    alone, _ = ranked_by(loop, project, "", None)
    together, killed = ranked_by(loop, project, cluster.scheduler_address, victim)
    assert killed
    assert [s.key for s in together.suggestions] == [s.key for s in alone.suggestions]
    np.testing.assert_allclose([s.score for s in together.suggestions], [s.score for s in alone.suggestions], atol=1e-3)
    loop.close()


def ranked_by(loop, project, scheduler, victim):
    """Rank; kill the victim once a part of the pool has been predicted."""
    work = loop.rank(project, strategy="mpe", size=6, holdout_share=0.0, scheduler=scheduler)
    killed = False
    while True:
        try:
            message = next(work)
        except StopIteration as end:
            return end.value, killed
        if (
            victim is not None
            and not killed
            and message.stage == "Looking at candidate frames"
            and message.done < message.total
        ):
            os.kill(victim, signal.SIGKILL)
            killed = True


@pytest.mark.slow
def test_what_a_worker_lacks_is_said(cluster, model_project):
    project, _ = model_project
    loop = ActiveLearningLoop(project.root, device="cpu")
    loop.refresh(project)
    project.models.checkpoint(1).unlink()
    work = loop.export(project, [project.videos[0].name], NO_FILES, scheduler=cluster.scheduler_address)
    with pytest.raises(AlPoseError, match=r"does not find .*under the same path"):
        list(work)
    loop.close()


def test_a_scheduler_that_does_not_answer_is_said(model_project, monkeypatch):
    from napari_al_pose.engine import cluster

    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    project, _ = model_project
    with pytest.raises(AlPoseError, match=r"No scheduler answers at tcp://127\.0\.0\.1:9"):
        cluster.Cluster("tcp://127.0.0.1:9", project)
    with pytest.raises(AlPoseError, match="No scheduler answers at nonsense"):
        cluster.Cluster("nonsense::", project)
