"""A folder of images as a video with some frame numbers only."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
from numbered_videos import HEIGHT, WIDTH, draw_number, read_number
from PIL import Image

from napari_al_pose.domain import AlPoseError
from napari_al_pose.video import ImageFolder, lazy_array, open_source
from napari_al_pose.video.pixels import placeholder

NUMBERS = [7, 42, 100, 1003]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "mouse.v1"
    folder.mkdir()
    for number, extension in zip(NUMBERS, ("png", "tif", "bmp", "PNG"), strict=True):
        Image.fromarray(draw_number(number)).save(folder / f"img{number:03d}.{extension}")
    (folder / "CollectedData_me.csv").write_text("not an image")
    return folder


def test_frames_are_sorted_by_number(folder):
    with open_source(folder) as images:
        assert isinstance(images, ImageFolder)
        assert (images.name, images.shape, images.fps) == ("mouse.v1", (4, HEIGHT, WIDTH, 3), 30.0)
        assert [images.number(i) for i in range(4)] == NUMBERS
        assert [images.position(number) for number in NUMBERS] == [0, 1, 2, 3]
        assert [read_number(images[i]) for i in (3, 0, 2, 1)] == [NUMBERS[i] for i in (3, 0, 2, 1)]
        assert images.keyframes.tolist() == [0, 1, 2, 3]
        assert images.notice == ""
        np.testing.assert_array_equal(lazy_array(images)[1:3].compute(), images[1:3])
        with pytest.raises(KeyError):
            images.position(8)
        with pytest.raises(IndexError):
            images[4]


def test_smaller_images_keep_their_coordinates(folder):
    Image.fromarray(draw_number(55, WIDTH + 20, HEIGHT + 30)).save(folder / "img055.png")
    with open_source(folder) as images:
        assert images.shape == (5, HEIGHT + 30, WIDTH + 20, 3)
        assert [read_number(frame) for frame in images[:]] == sorted([*NUMBERS, 55])
        assert not images[0][HEIGHT:].any()
        assert not images[0][:, WIDTH:].any()


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.array([[0, 128, 255]], np.uint8), [0, 128, 255]),
        (np.array([[0, 128, 255]], np.uint16) * 256, [0, 128, 255]),
        (np.array([[[1, 2, 3, 0]]], np.uint8), None),
    ],
    ids=["grey", "16-bit grey", "alpha"],
)
def test_other_kinds_of_pixels(tmp_path, pixels, expected):
    Image.fromarray(pixels).save(tmp_path / "img1.png")
    with open_source(tmp_path) as images:
        if expected is None:
            assert images[0].tolist() == [[[1, 2, 3]]]
        else:
            assert images[0].tolist() == [[[value] * 3 for value in expected]]


def test_a_damaged_image(folder):
    whole = (folder / "img042.tif").read_bytes()
    (folder / "img042.tif").write_bytes(whole[: len(whole) // 2])
    (folder / "img007.png").write_bytes(b"nothing")
    with open_source(folder) as images:
        assert read_number(images[2]) == 100
        for position in (0, 1):
            np.testing.assert_array_equal(images[position], placeholder(HEIGHT, WIDTH))
        assert "2 images can't be read" in images.notice
        assert "img007.png" in images.notice


def test_names_without_a_number_of_their_own(folder):
    Image.fromarray(draw_number(1)).save(folder / "mask.png")
    Image.fromarray(draw_number(7)).save(folder / "img7.png")
    with open_source(folder) as images:
        assert len(images) == 4
        assert "2 images are skipped" in images.notice


def test_folders_that_are_no_video(tmp_path):
    with pytest.raises(AlPoseError, match="without any"):
        open_source(tmp_path)
    (tmp_path / "img1.png").write_bytes(b"nothing")
    with pytest.raises(AlPoseError, match="can't be read"):
        open_source(tmp_path)
    os.rename(tmp_path / "img1.png", tmp_path / "mask.png")
    with pytest.raises(AlPoseError, match=r"mask\.png"):
        open_source(tmp_path)


def test_images_pickle_by_path(folder):
    with pickle.loads(pickle.dumps(open_source(folder, name="v"))) as images:
        assert (images.name, read_number(images[1])) == ("v", 42)


def test_images_are_prefetched(folder):
    with open_source(folder) as images:
        images.prefetch([2])
        while not images.cached(2):
            pass
        assert read_number(images.peek(2)) == 100
