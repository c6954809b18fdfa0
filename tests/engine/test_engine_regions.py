"""Of a video with a rectangle nothing outside is looked at, and everything comes back in the video's own pixels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.acquisition import Extra
from napari_al_pose.domain import FrameKey, KeypointState
from napari_al_pose.domain.steps import finish
from napari_al_pose.engine.extras import ExtraCache
from napari_al_pose.engine.features import FeatureCache
from napari_al_pose.engine.loop import ActiveLearningLoop
from napari_al_pose.engine.pool import build_pool, predict_frames
from napari_al_pose.engine.ranking_input import ProjectLabels, RankingInput
from napari_al_pose.engine.sources import Sources
from napari_al_pose.engine.training import load_labelled
from napari_al_pose.engine.whole_videos import plan, predict_planned
from napari_al_pose.engine.worker import worker_frames, worker_segment
from napari_al_pose.pose.auxiliary import ActivationProbe
from napari_al_pose.project import open_project
from napari_al_pose.project.region import in_region
from napari_al_pose.video.region import Region, narrowed, origin_of
from napari_al_pose.video.scan import scan

RECTANGLE = (100, 420, 60, 300)  # x1, x2, y1, y2 of 640 x 480
ORIGIN = np.array([100.0, 60.0])


@pytest.fixture
def regional(sample_copy, add_model):
    """A project whose first video has a rectangle, and an untrained model that sees it at its own scale."""
    with open_project(sample_copy) as project:
        name = project.videos[0].name
        project.save_settings(project.settings.model_copy(update={"regions": {name: RECTANGLE}, "pool_size": 10}))
        yield project, add_model(project, long_side=320), name


@pytest.fixture
def sources(regional):
    opened = Sources()
    yield opened.refresh(regional[0])
    opened.close()


def test_rectangles_are_cut_to_the_frame():
    assert narrowed((-5, 700, 10, 200), 480, 640) == (0, 640, 10, 200)
    assert narrowed((0, 640, 0, 480), 480, 640) is None
    assert narrowed((0, 0, 0, 0), 480, 640) is None
    assert narrowed((600, 900, 0, 480), 480, 640) == (600, 640, 0, 480)
    assert narrowed((630, 900, 0, 480), 480, 640) is None


def test_a_region_is_the_rectangle_of_every_frame(sources, regional):
    region = sources[regional[2]]
    assert isinstance(region, Region)
    whole = region.source
    assert region.shape == (len(whole), 240, 320, 3)
    np.testing.assert_array_equal(region[7], whole[7][60:300, 100:420])
    np.testing.assert_array_equal(region[2:6:2, 5:9, :, 0], whole[2:6:2, 65:69, 100:420, 0])
    scanned = list(scan(region, [(3, 6)], size=(240, 320)))
    np.testing.assert_array_equal(scanned[1], whole[4][60:300, 100:420])
    assert next(scan(region, [(3, 4)], size=(120, 160))).shape == (120, 160, 3)


def test_what_the_crop_of_config_yaml_narrows_is_taken_until_the_user_says_otherwise(sample_copy):
    text = sample_copy.read_text()
    assert "crop: 0, 640, 0, 480" in text
    sample_copy.write_text(text.replace("crop: 0, 640, 0, 480", "crop: 64, 640, 0, 480", 1))
    with open_project(sample_copy) as project:
        name = project.videos[0].name
        opened = Sources()
        assert origin_of(opened.refresh(project)[name]).tolist() == [64, 0]
        project.save_settings(project.settings.model_copy(update={"regions": {name: (0, 0, 0, 0)}}))
        assert not isinstance(opened.refresh(project)[name], Region)
        opened.close()


def test_labels_are_learnt_in_the_region_and_those_outside_it_are_not(regional, sources):
    project, _, name = regional
    key, bodyparts = FrameKey(name, 12), project.skeleton.bodyparts
    project.labels.place(key, bodyparts[0], 150.0, 200.0)
    project.labels.place(key, bodyparts[1], 20.0, 200.0)
    project.labels.mark_not_visible(key, bodyparts[2])
    (frame,) = finish(load_labelled((project.labels.annotation(key),), sources, 0))
    assert frame.size == (240, 320)
    np.testing.assert_allclose(frame.xy[0], [50, 140])
    assert frame.states[:4].tolist() == [
        KeypointState.PLACED,
        KeypointState.UNSEEN,
        KeypointState.NOT_VISIBLE,
        KeypointState.UNSEEN,
    ]


def test_poses_scoremaps_and_videos_come_in_pixels_of_the_video(regional, sources):
    """All ways lead to what the model says of the cut frame, moved by the rectangle's corner."""
    project, model, name = regional
    key = FrameKey(name, 5)
    region = sources[name]
    said = model.predict(region[5][None])
    expected = said.xy[0] + ORIGIN
    out = finish(predict_frames(model, [key], sources, 0, with_scoremaps=True))
    np.testing.assert_allclose(out.xy[0], expected, atol=1e-3)
    assert out.grids[0].offset_x == pytest.approx(said.grids[0].offset_x + 100)
    loop = ActiveLearningLoop(project.root, device="cpu", threads=1)
    loop.refresh(project)
    looked = loop.look(key)
    loop.close()
    np.testing.assert_allclose(looked.prediction.xy, expected, atol=0.02)
    at_peak = looked.scoremaps.grid.to_cells(looked.prediction.xy).round().astype(int)
    assert looked.scoremaps.maps[0, at_peak[0, 1], at_peak[0, 0]] == looked.scoremaps.maps[0].max()
    planned = finish(plan(project, project.videos[:1], model, 1, 0))
    finish(predict_planned(planned, model))
    np.testing.assert_allclose(planned[0].run.rows(5, 6)[0, :, :2], expected, atol=0.02)
    checkpoint, video = str(project.models.checkpoint(1)), str(project.videos[0].path)
    np.testing.assert_allclose(worker_segment(checkpoint, video, RECTANGLE, 5, 6), planned[0].run.rows(5, 6), atol=1e-3)
    np.testing.assert_allclose(worker_frames(checkpoint, video, RECTANGLE, (5,), False)[0][0], expected, atol=0.02)


def test_another_rectangle_is_another_run(regional):
    project, model, name = regional
    first = finish(plan(project, project.videos[:1], model, 1, 0))[0]
    finish(predict_planned([first], model))
    project.save_settings(project.settings.model_copy(update={"regions": {name: (0, 320, 0, 240)}}))
    again = finish(plan(project, project.videos[:1], model, 1, 0))[0]
    assert not again.run.header.done


def test_features_and_extra_looks_are_of_the_region(regional, sources, tmp_path):
    project, model, name = regional
    features = FeatureCache(tmp_path / "features.npz", device="cpu")
    key = FrameKey(name, 5)
    of_region = finish(features.fetch([key], sources, 0))
    whole = {**sources, name: in_region(sources[name].source, None)}
    of_whole = finish(features.fetch([key], whole, 0))
    assert not np.allclose(of_region, of_whole)
    np.testing.assert_array_equal(finish(features.fetch([key], sources, 0)), of_region)
    pool = finish(build_pool(project, sources, features, 0))
    cache = ExtraCache(device="cpu")
    inputs = RankingInput(pool, sources, ProjectLabels(project), model, 1)
    found = finish(cache.fetch([Extra.TURNED_XY, Extra.NEIGHBOUR_XY], inputs)).arrays
    row = next(i for i, key in enumerate(pool.keys) if key.video == name)
    own = ActivationProbe(model).look(sources[name][pool.keys[row].frame][None]).xy[0] + ORIGIN
    np.testing.assert_allclose(found[Extra.TURNED_XY][row, 0], own, atol=0.02)
    beside = model.predict(sources[name][pool.keys[row].frame + 1][None]).xy[0] + ORIGIN
    np.testing.assert_allclose(found[Extra.NEIGHBOUR_XY][row, 1], beside, atol=0.02)
