"""Round 0: what DeepLabCut, SLEAP or Lightning Pose predicted ranks a project that has no model."""

from __future__ import annotations

import os

import numpy as np
import pytest

from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.engine.loop import ActiveLearningLoop
from napari_al_pose.formats.deeplabcut import writing_deeplabcut
from napari_al_pose.formats.lightning_pose import writing_lightning_pose
from napari_al_pose.formats.sleap_predictions import writing_sleap
from napari_al_pose.project import open_project
from napari_al_pose.project.imported_predictions import files_beside, outside_run, take_in, video_of

N_FRAMES = 120
DOUBTFUL = slice(40, 80)


@pytest.fixture
def project(sample_copy):
    with open_project(sample_copy) as opened:
        opened.save_settings(opened.settings.model_copy(update={"pool_size": 60}))
        yield opened


@pytest.fixture
def rows(project):
    """Poses that another program is sure of, but for a third."""
    k = project.skeleton.n_bodyparts
    random = np.random.default_rng(0)
    made = np.concatenate([random.uniform(20, 200, (1, k, 2)).repeat(N_FRAMES, 0), np.full((N_FRAMES, k, 1), 0.95)], -1)
    made[..., :2] += random.normal(0, 0.5, made[..., :2].shape)
    made[DOUBTFUL, :, 2] = 0.05
    made[DOUBTFUL, :, :2] += 60
    return made.astype(np.float32)


def write(project, form, rows, *, bodyparts=None, name=""):
    video = project.videos[0]
    folder, bodyparts = video.path.parent, bodyparts or project.skeleton.bodyparts
    if form == "deeplabcut":
        path = folder / (name or f"{video.name}DLC_Resnet50_mouseJan1shuffle1_snapshot_200.h5")
        writing = writing_deeplabcut(path, scorer="DLC_Resnet50", bodyparts=bodyparts)
    elif form == "sleap":
        path = folder / (name or f"{video.path.name}.predictions.slp")
        shape = (N_FRAMES, 100, 100, 3)
        writing = writing_sleap(path, video=video.path, shape=shape, bodyparts=bodyparts, links=())
    else:
        path = folder / (name or f"{video.name}.csv")
        writing = writing_lightning_pose(path, bodyparts=bodyparts)
    with writing as add:
        add(np.arange(len(rows)), rows)
    return path


def rank(project, strategy, size=5):
    loop = ActiveLearningLoop(project.root, device="cpu")
    loop.refresh(project)
    work = loop.rank(project, strategy=strategy, size=size, holdout_share=0.2)
    try:
        while True:
            next(work)
    except StopIteration as end:
        return end.value
    finally:
        loop.close()


@pytest.mark.parametrize("form", ["deeplabcut", "sleap", "lightning-pose"])
def test_files_beside_a_video_are_found_and_read(project, rows, form):
    if form == "sleap":
        pytest.importorskip("sleap_io")
    path = write(project, form, rows)
    assert files_beside(project.videos[0]) == [path]
    run, problem = outside_run(project, project.videos[0])
    assert problem == ""
    assert run.header.source == str(path)
    found = run.prediction(55)
    assert found.model_version == 0
    np.testing.assert_array_equal(found.xy, rows[55, :, :2])
    np.testing.assert_array_equal(found.likelihood, rows[55, :, 2])
    assert outside_run(project, project.videos[1]) == (None, "")


def test_the_most_doubtful_frames_come_first_with_their_guesses(project, rows):
    path = write(project, "deeplabcut", rows)
    ranked = rank(project, "least_confidence")
    first = next(s for s in ranked.suggestions if s.strategy == "least_confidence")
    assert first.key.video == project.videos[0].name
    assert first.key.frame in range(N_FRAMES)[DOUBTFUL]
    assert ranked.model_version == first.model_version == 0
    assert path.name in ranked.notice
    assert "No model of this project yet" in ranked.notice
    guesses = {guess.key: guess for guess in ranked.guesses}
    np.testing.assert_array_equal(guesses[first.key].xy, rows[first.key.frame, :, :2])
    # Nothing is said about the other video: it cannot be compared, but is measured on.
    assert {s.key.video for s in ranked.suggestions if s.strategy == "least_confidence"} == {project.videos[0].name}
    assert not (project.root / "al-pose" / "predictions" / "0000.npz").exists()


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["temporal", "pose_novelty", "pca_error"])
def test_strategies_of_poses_and_of_motion_work_too(project, rows, strategy):
    for i in range(12):
        for k, name in enumerate(project.skeleton.bodyparts):
            project.labels.place(FrameKey(project.videos[0].name, 3 * i), name, *rows[3 * i, k, :2].tolist())
    write(project, "deeplabcut", rows)
    ranked = rank(project, strategy)
    assert strategy in {s.strategy for s in ranked.suggestions}


def test_a_strategy_that_needs_scoremaps_is_replaced_and_says_so(project, rows):
    write(project, "deeplabcut", rows)
    ranked = rank(project, "mpe")
    assert "mpe" not in {s.strategy for s in ranked.suggestions}
    assert "diverse" not in {s.strategy for s in ranked.suggestions}
    assert "takes its place" in ranked.notice


def test_the_raw_file_comes_before_the_filtered_and_the_newest_before_older_ones(project, rows):
    old = write(project, "deeplabcut", rows)
    new = write(project, "deeplabcut", rows[:60], name=f"{project.videos[0].name}DLC_HrnetW32_b.h5")
    write(project, "deeplabcut", rows, name=f"{project.videos[0].name}DLC_HrnetW32_b_filtered.h5")
    os.utime(old, (1, 1))
    assert files_beside(project.videos[0]) == [new, old]
    run, _ = outside_run(project, project.videos[0])
    assert run.header.n_frames == 60


def test_a_file_that_changed_is_read_again_and_one_that_went_is_kept(project, rows):
    path = write(project, "deeplabcut", rows)
    outside_run(project, project.videos[0])
    write(project, "deeplabcut", rows[:30])
    run, _ = outside_run(project, project.videos[0])
    assert run.header.n_frames == 30
    path.unlink()
    run, _ = outside_run(project, project.videos[0])
    assert run.header.n_frames == 30


def test_bodyparts_are_matched_by_name_and_those_unknown_have_no_pose(project, rows):
    parts = project.skeleton.bodyparts
    write(project, "deeplabcut", rows[:, :2], bodyparts=(parts[1], "tongue"))
    run, _ = outside_run(project, project.videos[0])
    found = run.prediction(4)
    np.testing.assert_array_equal(found.xy[1], rows[4, 0, :2])
    assert np.isnan(found.xy[0]).all()
    assert found.likelihood[0] == 0


def test_files_that_cannot_be_used_are_said_in_the_notice(project, rows):
    write(project, "deeplabcut", rows[:, :2], bodyparts=("tongue", "paw"))
    ranked = rank(project, "least_confidence")
    assert "other bodyparts (tongue, paw)" in ranked.notice
    assert {s.strategy for s in ranked.suggestions} <= {"diverse", "random"}
    assert ranked.suggestions


def test_a_file_from_elsewhere_is_taken_in_under_its_videos_name(project, rows, tmp_path):
    video = project.videos[1]
    path = tmp_path / f"{video.name}_by_a_friend.csv"
    with writing_lightning_pose(path, bodyparts=project.skeleton.bodyparts) as add:
        add(np.arange(N_FRAMES), rows)
    assert video_of(project, path) == video
    take_in(project, video, path)
    assert outside_run(project, video)[0].header.source == str(path)
    with pytest.raises(AlPoseError, match="named after no video"):
        video_of(project, tmp_path / "friend.csv")
