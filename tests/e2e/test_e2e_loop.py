"""The whole loop in the real window with a real mouse, keyboard and engine."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from napari_al_pose.demo.annotator import MouseAnnotator, TruePose, wait_until
from napari_al_pose.demo.play import Story, play_rounds
from napari_al_pose.demo.window import truth_of_sample
from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.gui.dock import PoseLabeller
from napari_al_pose.gui.viewers import session_for
from napari_al_pose.project import open_project

pytestmark = [pytest.mark.gui, pytest.mark.slow]

QUICK = LoopSettings(
    # Trained when asked only: how many frames are labelled before a training begins by itself depends on the machine.
    pool_size=60,
    batch_size=6,
    train_after=0,
    train=TrainSettings(steps=12, long_side=160, batch_size=4),
)


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1400, 900)
    viewer.window.add_dock_widget(PoseLabeller(viewer), name="Active-learning pose labeller", area="right")
    session = session_for(viewer)
    yield viewer, session
    session.close()


def _truth_from_labels(config) -> dict[FrameKey, TruePose]:
    with open_project(config, read_only=True) as project:
        return {a.key: TruePose(a.xy, np.isfinite(a.xy).all(axis=1)) for a in project.labels.annotations()}


def _play(window, config, truth, output):
    with open_project(config) as project:
        project.save_settings(QUICK)
    viewer, session = window
    notices = []
    session.notices.raised.connect(lambda message, hint, is_error: notices.append((message, is_error)))
    session.projects.open_project(config)
    annotator = MouseAnnotator(viewer, session, truth)
    said = []
    play_rounds(viewer, session, annotator, Story(output, said.append), rounds=2, frames=4)
    assert not [message for message, is_error in notices if is_error]
    assert annotator.clicks > 10
    return session, annotator


def test_two_rounds_on_the_sample(window, sample_copy, tmp_path):
    truth = truth_of_sample(sample_copy.parent)
    session, annotator = _play(window, sample_copy, truth, tmp_path)
    assert [r.number for r in session.learning.rounds] == [1, 2]
    assert session.learning.rounds[1].n_train > session.learning.rounds[0].n_train
    assert annotator.drags > 0
    queue, frame = session.navigator.queue, session.frame.key
    session.projects.close_project()

    with open_project(sample_copy, read_only=True) as project:
        for annotation in project.labels.annotations():
            expected = truth[annotation.key]
            placed = np.isfinite(annotation.xy).all(axis=1)
            np.testing.assert_array_equal(placed, expected.visible)
            assert np.abs(annotation.xy[placed] - expected.xy[placed]).max() < 4.0
        labelled = {a.key for a in project.labels.annotations()}
    _check_deeplabcut_files(sample_copy, labelled)

    # Open again: everything is as it was.
    session.projects.open_project(sample_copy)
    wait_until(
        lambda: session.projects.project is not None and session.frame.key is not None, seconds=30, what="the project"
    )
    assert {s.key for s in session.navigator.queue.suggestions} >= {s.key for s in queue.suggestions} - {frame}
    assert [r.number for r in session.learning.rounds] == [1, 2]
    assert set(session.projects.project.labels.labelled_keys()) == labelled


def _check_deeplabcut_files(config, labelled):
    found = set()
    for file in config.parent.glob("labeled-data/*/CollectedData_*.h5"):
        table = pd.read_hdf(file)
        assert list(table.columns.names) == ["scorer", "bodyparts", "coords"]
        for folder, video, image in table.index:
            assert folder == "labeled-data"
            assert (file.parent / image).is_file()
            found.add(FrameKey(video, int(image[3:-4])))
    assert found == labelled


def test_two_rounds_on_openfield(window, data_dir, tmp_path):
    """Openfield's own labels are the annotator's knowledge; the project starts without any."""
    source = data_dir / "openfield-Pranav-2018-10-30"
    original, config = tmp_path / "original", tmp_path / "openfield" / "config.yaml"
    for folder in (original, config.parent):
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.mp4"))
    truth = _truth_from_labels(original / "config.yaml")
    assert len(truth) == 116
    for file in config.parent.glob("labeled-data/*/CollectedData_*"):
        file.unlink()
    session, _ = _play(window, config, truth, tmp_path / "pictures")
    assert [r.number for r in session.learning.rounds] == [1, 2]
