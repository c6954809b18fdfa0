"""Images, crops and videos that disagree: decided image by image, and learnt from as they lie there."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from project_tools import BODYPARTS, collected, write_config

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.image_placement import Place, place_of
from napari_al_pose.project import open_project
from napari_al_pose.project.region import in_region, region_of
from napari_al_pose.project.writing_process import WritingProcess
from napari_al_pose.video import open_source
from napari_al_pose.video.region import Region

WIDTH, HEIGHT = 96, 64
POINT = (60.0, 44.0)
"""Where the dot is in every frame, in pixels of the frame."""


def frame(number: int, *, width: int = WIDTH, height: int = HEIGHT, at=POINT) -> np.ndarray:
    """Draw a dark frame with a bright dot, and a bar that says the number."""
    image = np.full((height, width, 3), 40, np.uint8)
    image[: height // 8, : 2 + number * 2] = 160
    x, y = (round(v) for v in at)
    image[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4] = 250
    return image


def write_video(path: Path, frames: list[np.ndarray]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 8_000_000
        for image in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def save(root: Path, images: dict[str, np.ndarray], points: dict[str, tuple[float, float]], *, video="cam1") -> Path:
    """Write images and rows whose three bodyparts lie at a point."""
    folder = root / "labeled-data" / video
    folder.mkdir(parents=True, exist_ok=True)
    for name, pixels in images.items():
        Image.fromarray(pixels).save(folder / name)
    table = collected(np.array([[xy] * 3 for xy in points.values()]), list(points), video=video)
    table.to_hdf(folder / "CollectedData_Me.h5", key="df_with_missing", mode="w")
    table.to_csv(folder / "CollectedData_Me.csv")
    return folder


def config(root: Path, crop: str = f"0, {WIDTH}, 0, {HEIGHT}") -> Path:
    return write_config(root, video_sets=f"  /gone/cam1.mp4:\n    crop: {crop}\n")


def shown_at_points(project) -> list[float]:
    """Return how bright what is shown is where the labels are: the dot is 250."""
    with closing(project.video("cam1").open()) as source:
        found = []
        for annotation in project.labels.annotations():
            x, y = annotation.xy[0].round().astype(int)
            found.append(float(source[source.position(annotation.key.frame)][y, x].mean()))
        return found


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "project"


def row(folder: Path, image: str) -> list[float]:
    table = pd.read_hdf(folder / "CollectedData_Me.h5")
    return table.loc[("labeled-data", folder.name, image)].tolist()[:2]


def test_images_of_twice_the_size_lie_right_on_the_video(root):
    """Labels made on 160 x 120 images, and a video of 80 x 60 under that name: they were 30 px off."""
    config(root)
    large = frame(3, width=2 * WIDTH, height=2 * HEIGHT, at=(121, 89))
    folder = save(root, {"img03.png": large}, {"img03.png": (121.0, 89.0)})
    write_video(root / "videos" / "cam1.mp4", [frame(i) for i in range(8)])
    with open_project(root) as project:
        np.testing.assert_allclose(project.labels.annotations()[0].xy[0], (60.25, 44.25))
        assert min(shown_at_points(project)) > 200
        assert any("1 of 1 images have another size" in n and "img03.png" in n for n in project.notices)
        project.labels.place(FrameKey("cam1", 3), "nose", 50.0, 40.0)
        project.labels.place_many(FrameKey("cam1", 5), dict.fromkeys(BODYPARTS, POINT))
        project.export_labels()
    np.testing.assert_allclose(row(folder, "img03.png"), (100.5, 80.5))  # in pixels of its own image
    np.testing.assert_allclose(row(folder, "img05.png"), POINT)
    with Image.open(folder / "img05.png") as image:
        assert image.size == (WIDTH, HEIGHT)


def test_an_image_of_another_size_is_shown_and_learnt_from_in_place_of_the_frame(root):
    config(root)
    # Another picture altogether, which the frame of the video is not.
    save(root, {"img03.png": frame(3, width=50, height=40, at=(10, 12))}, {"img03.png": (10.0, 12.0)})
    write_video(root / "videos" / "cam1.mp4", [frame(i) for i in range(8)])
    with open_project(root) as project:
        assert min(shown_at_points(project)) > 200
        with closing(project.video("cam1").open()) as source:
            assert source.shape[1:3] == (HEIGHT, WIDTH)
            backwards = [source[i].copy() for i in range(7, -1, -1)][::-1]
            source.prefetch([3])
            for i, seen in enumerate(backwards):
                np.testing.assert_array_equal(source[i], seen)
            assert np.abs(source[4].astype(int) - frame(4)).mean() < 3


def test_mixed_crops_are_each_placed_by_their_own_size(root):
    config(root, "20, 84, 16, 64")
    whole = frame(1)
    crop = frame(2)[16:64, 20:84]
    folder = save(
        root, {"img01.png": whole, "img02.png": crop}, {"img01.png": POINT, "img02.png": (POINT[0] - 20, POINT[1] - 16)}
    )
    write_video(root / "videos" / "cam1.mp4", [frame(i) for i in range(8)])
    with open_project(root) as project:
        for annotation in project.labels.annotations():
            np.testing.assert_allclose(annotation.xy[0], POINT)
        assert any("1 whole frames and 1 crops" in notice for notice in project.notices)
        project.labels.place(FrameKey("cam1", 2), "nose", 50.0, 40.0)
        project.labels.place_many(FrameKey("cam1", 5), dict.fromkeys(BODYPARTS, POINT))
        project.export_labels()
    assert row(folder, "img01.png") == list(POINT)
    np.testing.assert_allclose(row(folder, "img02.png"), (30.0, 24.0))
    np.testing.assert_allclose(row(folder, "img05.png"), POINT)


def test_mixed_crops_follow_when_the_video_comes_and_goes(root):
    config(root, "20, 84, 16, 64")
    save(
        root,
        {"img01.png": frame(1), "img02.png": frame(2)[16:64, 20:84]},
        {"img01.png": POINT, "img02.png": (POINT[0] - 20, POINT[1] - 16)},
    )
    with open_project(root) as project:
        assert [a.xy[0].tolist() for a in project.labels.annotations()] == [list(POINT), [40.0, 28.0]]
        assert min(shown_at_points(project)) > 200
    video = write_video(root / "videos" / "cam1.mp4", [frame(i) for i in range(8)])
    with open_project(root) as project:
        assert [a.xy[0].tolist() for a in project.labels.annotations()] == [list(POINT), list(POINT)]
        assert min(shown_at_points(project)) > 200
    video.rename(root / "away.mp4")
    with open_project(root) as project:
        assert [a.xy[0].tolist() for a in project.labels.annotations()] == [list(POINT), [40.0, 28.0]]
        assert not project.labels.conflicts.all()


def test_a_crop_in_the_config_does_not_narrow_whole_images(root):
    """``crop:`` narrower than the images dropped the labels outside of it from training."""
    config(root, "0, 48, 0, 64")
    save(root, {"img01.png": frame(1)}, {"img01.png": POINT})  # outside of that crop
    write_video(root / "videos" / "cam1.mp4", [frame(i) for i in range(8)])
    with open_project(root) as project, closing(project.video("cam1").open()) as source:
        assert region_of(project, project.video("cam1"), source) is None
        assert any("whole frames" in notice and "0, 48, 0, 64" in notice for notice in project.notices)


def test_a_crop_that_the_images_have_still_narrows(root):
    config(root, "20, 84, 16, 64")
    save(root, {"img02.png": frame(2)[16:64, 20:84]}, {"img02.png": (40.0, 28.0)})
    write_video(root / "videos" / "cam1.mp4", [frame(i) for i in range(8)])
    with open_project(root) as project, closing(project.video("cam1").open()) as source:
        rectangle = region_of(project, project.video("cam1"), source)
        assert rectangle == (20, 84, 16, 64)
        assert isinstance(in_region(source, rectangle), Region)
        assert not any("another size" in notice for notice in project.notices)


def test_points_are_judged_by_their_own_image(root):
    config(root)
    images = {"img01.png": frame(1, width=40, height=40, at=(5, 5)), "img02.png": frame(2)}
    save(root, images, {"img01.png": (5.0, 5.0), "img02.png": (90.0, 60.0)})
    with open_project(root) as project:
        assert not any("outside" in notice for notice in project.notices)
    save(root, images, {"img01.png": (90.0, 60.0), "img02.png": (90.0, 60.0)})
    with open_project(root) as project:
        (notice,) = [notice for notice in project.notices if "outside" in notice]
        assert "img01.png and 2 more points lie outside the image of 40 x 40 pixels" in notice


def test_a_turned_photograph_is_shown_upright(tmp_path):
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20, :30] = 220  # the first corner as stored
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be turned clockwise: the corner comes to the right
    Image.fromarray(pixels).save(tmp_path / "img1.jpg", exif=exif, quality=95)
    with closing(open_source(tmp_path)) as source:
        assert source.shape[1:3] == (60, 40)
        assert source[0][10, 30].mean() > 180
        assert source[0][10, 10].mean() < 40


@pytest.mark.parametrize(("bits", "suffix"), [(12, ".png"), (12, ".tif"), (16, ".png"), (10, ".png"), (8, ".png")])
def test_images_of_more_than_8_bits_are_not_black(tmp_path, bits, suffix):
    ramp = np.linspace(0, 2**bits - 1, 64).astype(np.uint16)
    for number, share in ((1, 1.0), (2, 0.25)):  # alike in all images
        Image.fromarray(np.tile((ramp * share).astype(np.uint16), (48, 1))).save(tmp_path / f"img{number}{suffix}")
    with closing(open_source(tmp_path)) as source:
        assert source[0].max() == 255
        assert source[0][0, 0].max() == 0
        assert 60 <= source[1].max() <= 66


SIDES = st.integers(4, 2000)


@given(
    frame=st.tuples(SIDES, SIDES), image=st.tuples(SIDES, SIDES), xy=st.tuples(st.floats(0, 2000), st.floats(0, 2000))
)
def test_what_lies_in_an_image_lies_in_the_frame_and_back(frame, image, xy):
    place, kind = place_of(image, frame=frame, crop=None)
    np.testing.assert_allclose(place.to_image(place.to_frame(np.array(xy))), xy, atol=1e-6)
    if kind == "other":
        corners = place.to_frame(np.array([[-0.5, -0.5], [image[0] - 0.5, image[1] - 0.5]]))
        assert (corners[0] == -0.5).all()
        assert (corners[1] <= np.array(frame) * 1.03).all()  # what is shown of it fits
    else:
        assert place == Place()


def test_an_image_of_another_size_stands_in_for_a_page_of_a_stack_too(root):
    config(root)
    save(root, {"img03.png": frame(3, width=50, height=40, at=(10, 12))}, {"img03.png": (10.0, 12.0)})
    (root / "videos").mkdir(parents=True)
    tifffile.imwrite(root / "videos" / "cam1.tif", np.stack([frame(i) for i in range(6)]), photometric="rgb")
    with open_project(root) as project:
        assert min(shown_at_points(project)) > 200
        with closing(project.video("cam1").open()) as source:
            np.testing.assert_array_equal(source[4], frame(4))


@pytest.mark.parametrize("crop", ["20, 84, 16, 64", f"0, {WIDTH}, 0, {HEIGHT}"])
def test_a_process_beside_the_window_writes_them_alike(root, crop):
    config(root, crop)
    images = {
        "img01.png": frame(1),
        "img02.png": frame(2)[16:64, 20:84],
        "img03.png": frame(3, width=2 * WIDTH, height=2 * HEIGHT, at=(121, 89)),
    }
    folder = save(root, images, dict.fromkeys(images, (30.0, 20.0)))
    write_video(root / "videos" / "cam1.mp4", [frame(i) for i in range(8)])
    writer = WritingProcess()
    try:
        with open_project(root) as project:
            project.let_write(writer)
            for number in (1, 2, 3):
                project.labels.place(FrameKey("cam1", number), "nose", 50.0, 40.0)
            project.export_labels()
            pictures = project.video("cam1").pictures
            assert writer.pid is not None  # it was the process that wrote
    finally:
        writer.close()
    for name in images:
        np.testing.assert_allclose(row(folder, name), pictures.place(name).to_image(np.array([50.0, 40.0])))
