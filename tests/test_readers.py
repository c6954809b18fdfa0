"""What File > Open gets: lazy videos, labels in the right place, and nothing for files that are not ours."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_al_pose import readers
from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.project import open_project
from napari_al_pose.samples import contribution, ground_truth


def test_foreign_files_are_refused(tmp_path):
    foreign = tmp_path / "config.yaml"
    foreign.write_text("services:\n  web:\n    image: nginx\nscorer: x\n")
    assert readers.get_project_reader(str(foreign)) is None
    assert readers.get_project_reader(str(tmp_path / "missing.yaml")) is None
    assert readers.get_project_reader([str(foreign), str(foreign)]) is None
    assert readers.get_labels_reader(str(tmp_path / "machinelabels.h5")) is None
    assert readers.get_video_reader(str(tmp_path / "image.png")) is None


def test_a_damaged_config_is_ours_and_gets_a_clear_message(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text("Task: a\nscorer: me\ndate: Jan1\nvideo_sets:\nTrainingFraction:\n- 0.95\n")
    read = readers.get_project_reader(str(config))
    assert read is not None
    with pytest.raises(AlPoseError, match="bodyparts"):
        read(str(config))


def test_a_video_is_one_lazy_rgb_layer(sample_project):
    path = str(sample_project.parent / "videos" / "black-mouse.mp4")
    read = readers.get_video_reader(path)
    assert read is not None
    ((data, options, kind),) = read(path)
    assert (kind, options["rgb"], options["name"]) == ("image", True, "black-mouse")
    assert (data.shape, data.dtype, data.ndim, len(data)) == ((120, 480, 640, 3), np.uint8, 4, 120)
    frame = data[70]
    assert isinstance(frame, np.ndarray)
    assert frame.shape == (480, 640, 3)
    np.testing.assert_array_equal(data[70:71][0], frame)
    assert (data[70, ::8, ::8] != data[0, ::8, ::8]).any()


def test_a_stack_and_a_folder_are_lazy_rgb_layers_too(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (5, 12, 17, 3), np.uint8)
    tifffile.imwrite(tmp_path / "stack.tif", pictures, photometric="rgb")
    read = readers.get_video_reader(str(tmp_path / "stack.tif"))
    assert read is not None
    ((data, options, kind),) = read(str(tmp_path / "stack.tif"))
    assert (kind, options["rgb"], options["name"]) == ("image", True, "stack")
    np.testing.assert_array_equal(data[3], pictures[3])
    folder = tmp_path / "cage1"
    folder.mkdir()
    assert readers.get_folder_reader(str(folder)) is None
    Image.fromarray(pictures[0]).save(folder / "mask.png")
    assert readers.get_folder_reader(str(folder)) is None
    for number in (12, 3):
        Image.fromarray(pictures[number % 5]).save(folder / f"img{number:03d}.png")
    read = readers.get_folder_reader(str(folder))
    assert read is not None
    ((data, options, kind),) = read(str(folder))
    assert (len(data), options["name"]) == (2, "cage1")
    np.testing.assert_array_equal(data[0], pictures[3])


def test_a_project_gives_its_first_video_and_its_labels(sample_copy):
    with open_project(sample_copy) as project:
        project.labels.place_many(FrameKey("black-mouse", 7), {"snout": (10.5, 20.25), "tailtip": (30.0, 40.0)})
        project.labels.mark_not_visible(FrameKey("black-mouse", 7), "leftear")
        project.labels.place(FrameKey("white-mouse", 9), "snout", 1.0, 2.0)
    read = readers.get_project_reader(str(sample_copy))
    assert read is not None
    video, points = read(str(sample_copy))
    assert video[0].shape == (120, 480, 640, 3)
    assert points[2] == "points"
    np.testing.assert_allclose(points[0], [[7, 20.25, 10.5], [7, 40, 30]])
    assert list(points[1]["features"]["bodypart"]) == ["snout", "tailtip"]
    assert len(set(points[1]["face_color"])) == 2


def test_a_project_shows_the_video_that_has_labels(data_dir, tmp_path):
    folder = tmp_path / "openfield"
    shutil.copytree(data_dir / "openfield-Pranav-2018-10-30", folder)
    images, points = readers.read_project(str(folder / "config.yaml"))
    assert images[1]["name"] == "m4s1"
    assert len(points[0]) == 4 * 116
    assert not (folder / "al-pose").exists()


@pytest.mark.parametrize("suffix", ["h5", "csv"])
def test_openfields_labels_lie_on_the_images_beside_them(data_dir, tmp_path, suffix):
    folder = tmp_path / "m4s1"
    shutil.copytree(data_dir / "openfield-Pranav-2018-10-30" / "labeled-data" / "m4s1", folder)
    path = str(folder / f"CollectedData_Pranav.{suffix}")
    read = readers.get_labels_reader(path)
    assert read is not None
    images, points = read(path)
    assert images[0].shape == (116, 480, 640, 3)
    assert points[0][:, 0].min() >= 0
    assert points[0][:, 0].max() == 115
    assert set(points[1]["features"]["bodypart"]) == {"snout", "leftear", "rightear", "tailbase"}
    assert (points[0][:, 1:] < (480, 640)).all()


def test_no_labels_still_make_a_layer(sample_project):
    _, (points, options, _) = readers.read_project(str(sample_project))
    assert points.shape == (0, 3)
    assert options["ndim"] == 3


def test_the_sample_in_naparis_menu(sample_project, monkeypatch):
    monkeypatch.setattr(contribution, "make_sample", lambda folder, progress: sample_project)
    video, truth = contribution.open_sample()
    assert video[0].shape == (120, 480, 640, 3)
    xy, visible = ground_truth(sample_project)["black-mouse"]
    assert len(truth[0]) == visible.sum()
    first = truth[0][0]
    np.testing.assert_allclose(first[[2, 1]], xy[0, 0])
