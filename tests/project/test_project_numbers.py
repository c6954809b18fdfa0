"""Which frame an image stands for: the same number and the same image in every place that asks."""

from __future__ import annotations

import unicodedata
from contextlib import closing

import av
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from project_tools import BODYPARTS, collected, make_video, save_labels, write_config

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.file_names import VIDEO_SUFFIXES, frame_number, numbered_images
from napari_al_pose.exchange.project_labels import labels_of
from napari_al_pose.formats.deeplabcut import image_name
from napari_al_pose.project import create_project, open_project

STAMPS = ("cam1_20240115123045123.png", "cam1_20240115123045456789.png")
"""Of 17 and of 20 digits: the second fits into no 64-bit number."""


def save_rows(root, rows: dict[str, float], *, video: str = "mouse", images: dict[str, int] | None = None):
    """Write images of one brightness each and labels at ``(value, value)`` in these rows."""
    folder = root / "labeled-data" / video
    folder.mkdir(parents=True, exist_ok=True)
    for name, grey in (images if images is not None else dict.fromkeys(rows, 50)).items():
        Image.new("L", (64, 48), grey).save(folder / name)
    xy = np.array([np.full((3, 2), value) for value in rows.values()])
    table = collected(xy, list(rows), video=video)
    table.to_hdf(folder / "CollectedData_Me.h5", key="df_with_missing", mode="w")
    table.to_csv(folder / "CollectedData_Me.csv")
    return folder


def rows_of(folder) -> dict[str, float]:
    table = pd.read_hdf(folder / "CollectedData_Me.h5")
    return {row[-1]: float(values.iloc[0]) for row, values in table.iterrows()}


@pytest.mark.parametrize("stamp", STAMPS)
def test_labels_of_time_stamped_images_lie_on_their_images(project_root, stamp):
    save_rows(project_root, {stamp: 7.0})
    with open_project(project_root) as project, closing(project.video("mouse").open()) as source:
        (annotation,) = project.labels.annotations()
        assert source.number(0) == annotation.key.frame
        assert project.notices == ()


@pytest.mark.parametrize("stamp", STAMPS)
def test_labelling_one_time_stamped_image_leaves_the_rows_of_others(project_root, stamp):
    other = stamp.replace("2024", "2023")
    folder = save_rows(project_root, {stamp: 7.0}, images={stamp: 50, other: 60})
    with open_project(project_root) as project, closing(project.video("mouse").open()) as source:
        numbers = {source.number(i) for i in range(len(source))}
        (labelled,) = project.labels.labelled_keys()
        (number,) = numbers - {labelled.frame}
        project.labels.place_many(FrameKey("mouse", number), dict.fromkeys(BODYPARTS, (3.0, 3.0)))
        project.export_labels()
    assert rows_of(folder) == {stamp: 7.0, other: 3.0}


def test_labels_under_the_numbers_of_an_earlier_version_follow(project_root):
    stamp = STAMPS[0]
    folder = save_rows(project_root, {stamp: 7.0})
    with open_project(project_root) as project:
        (key,) = project.labels.labelled_keys()
        log = project.labels._log
        with log.transaction():  # as that version had it: twelve digits, and other settings
            log.renumber("mouse", {key.frame: key.frame % 10**12})
            log.execute("UPDATE exchanges SET settings = '[]'")
    with open_project(project_root) as project:
        assert project.labels.labelled_keys() == [key]
        project.export_labels()
    assert rows_of(folder) == {stamp: 7.0}


def test_two_cameras_in_a_folder_never_share_labels(project_root):
    # The second camera's row comes first in the table; its image comes second in the folder.
    folder = save_rows(project_root, {"camB_0001.png": 9.0, "camA_0001.png": 4.0})
    with open_project(project_root) as project:
        (annotation,) = project.labels.annotations()
        assert annotation.xy[0, 0] == 4.0  # of the image that is shown
        assert any("camB_0001.png" in notice and "another image" in notice for notice in project.notices)
        project.labels.place_many(FrameKey("mouse", 1), dict.fromkeys(BODYPARTS, (5.0, 5.0)))
        project.export_labels()
    assert rows_of(folder) == {"camA_0001.png": 5.0, "camB_0001.png": 9.0}


def test_a_row_of_the_second_camera_alone_is_none_of_the_first(project_root):
    folder = save_rows(project_root, {"camB_0001.png": 9.0}, images={"camA_0001.png": 1, "camB_0001.png": 2})
    with open_project(project_root) as project:
        assert project.labels.annotations() == []
        project.labels.place_many(FrameKey("mouse", 1), dict.fromkeys(BODYPARTS, (5.0, 5.0)))
        project.export_labels()
        assert [p.path for p in labels_of(project).video("mouse").pictures.values()] == [str(folder / "camA_0001.png")]
    assert rows_of(folder) == {"camA_0001.png": 5.0, "camB_0001.png": 9.0}


@pytest.mark.parametrize("labelled_too", [False, True])
def test_an_image_that_comes_later_and_sorts_first_gets_no_labels_of_another(project_root, labelled_too):
    folder = save_rows(project_root, {"camB_0001.png": 9.0})
    with open_project(project_root) as project:
        project.labels.place(FrameKey("mouse", 1), "nose", 8.0, 8.0)
        project.export_labels()
    if labelled_too:
        save_rows(project_root, {"camA_0001.png": 4.0, **rows_of(folder)})
    else:
        Image.new("L", (64, 48), 90).save(folder / "camA_0001.png")
    with open_project(project_root) as project:
        points = [annotation.xy[0, 0] for annotation in project.labels.annotations()]
        assert points == ([4.0] if labelled_too else [])
        assert any("camB_0001.png" in notice and "another image" in notice for notice in project.notices)
        project.labels.place_many(FrameKey("mouse", 1), dict.fromkeys(BODYPARTS, (5.0, 5.0)))
        project.export_labels()
    assert rows_of(folder) == {"camA_0001.png": 5.0, "camB_0001.png": 8.0}


def test_deeplabcuts_own_image_stands_for_a_number_before_all_others(project_root):
    save_rows(project_root, {"img0001.png": 4.0}, images={"crop-0001.png": 10, "img0001.png": 200})
    with open_project(project_root) as project, closing(project.video("mouse").open()) as source:
        assert source[0].mean() == 200
        assert len(project.labels.annotations()) == 1


def test_a_frame_extracted_twice_with_other_digits_is_one_frame(project_root):
    folder = save_rows(project_root, {"img01.png": 4.0}, images={"img001.png": 10, "img01.png": 10})
    with open_project(project_root) as project:
        assert project.labels.labelled_keys() == [FrameKey("mouse", 1)]
        project.labels.place(FrameKey("mouse", 1), "nose", 6.0, 6.0)
        project.export_labels()
    assert rows_of(folder) == {"img01.png": 6.0}


@given(
    st.lists(
        st.builds(
            "{}{}.png".format,
            st.sampled_from(["img", "camA_", "camB_", "2024-", "é", "e\u0301", ""]),
            st.text("0123456789", max_size=25),
        ),
        unique=True,
    )
)
def test_every_image_has_one_place(images):
    numbers, rest = numbered_images(images)
    assert sorted([*numbers.values(), *rest]) == sorted(images)
    for number, image in numbers.items():
        assert frame_number(image) == number < 2**63
    assert numbered_images(reversed(images))[0] == numbers


def test_an_image_is_called_as_the_one_that_is_shown(tmp_path):
    for name in ("camB_0001.png", "camA_0001.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)
    assert image_name(tmp_path, 1, 10) == "camA_0001.png"


@pytest.mark.parametrize(("in_config", "on_disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_may_be_written_in_two_ways(tmp_path, in_config, on_disk):
    name, root = "Mäuse-é", tmp_path / "project"
    disk = unicodedata.normalize(on_disk, name)
    write_config(root, video_sets=f"  /Users/x/{unicodedata.normalize(in_config, name)}.mp4:\n    crop: 0, 64, 0, 48\n")
    make_video(root / "videos" / f"{disk}.mp4")
    save_labels(root, np.full((1, 3, 2), 4.0), [3], video=disk)
    with open_project(root) as project:
        assert [(v.name, v.has_video) for v in project.videos] == [(unicodedata.normalize("NFC", name), True)]
        (key,) = project.labels.labelled_keys()
        assert project.video(key.video).has_video
        assert project.video(disk).has_video
        project.labels.place_many(FrameKey(key.video, 5), dict.fromkeys(BODYPARTS, (5.0, 5.0)))
        project.export_labels()
        assert project.notices == ()
    (folder,) = (root / "labeled-data").iterdir()
    assert folder.name == disk
    table = pd.read_hdf(folder / "CollectedData_Me.h5")
    assert {row[1] for row in table.index} == {disk}  # DeepLabCut makes a path of it
    assert (folder / "img005.png").is_file()


def test_labels_under_decomposed_names_follow(project_root):
    name = unicodedata.normalize("NFD", "Mäuse")
    make_video(project_root / "videos" / f"{name}.mp4")
    with open_project(project_root) as project:
        project.labels.place(FrameKey(name, 2), "nose", 1.0, 2.0)  # as an earlier version kept it
    with open_project(project_root) as project:
        assert project.labels.labelled_keys() == [FrameKey(unicodedata.normalize("NFC", name), 2)]
        assert project.labels.undo() is not None


def test_two_folders_that_differ_in_their_accents_only_are_told_of(project_root):
    for form in ("NFC", "NFD"):
        save_rows(project_root, {"img01.png": 4.0}, video=unicodedata.normalize(form, "Mäuse"))
    with open_project(project_root) as project:
        assert [video.name for video in project.videos] == ["Mäuse"]
        assert any("two folders named 'Mäuse'" in notice for notice in project.notices)


RAW = {".h264": "libx264", ".264": "libx264", ".h265": "libx265", ".hevc": "libx265", ".mjpeg": "mjpeg"}
OTHERS = [suffix for suffix in VIDEO_SUFFIXES if suffix not in (".tif", ".tiff", ".btf")]


@pytest.mark.parametrize("suffix", OTHERS)
def test_whatever_can_be_read_is_linked_found_and_opened(tmp_path, suffix):
    path = tmp_path / f"walk{suffix}"
    try:
        _encode(path, RAW.get(suffix))
    except (ValueError, OSError, av.error.FFmpegError):
        pytest.skip(f"FFmpeg here writes no {suffix}")
    config = create_project(
        tmp_path, task="t", scorer="s", bodyparts=["nose"], videos=[path], copy_videos=suffix == ".ts"
    )
    with open_project(config) as project, closing(project.video("walk").open()) as source:
        assert len(source) == 6


def _encode(path, codec: str | None) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec or container.default_video_codec, rate=25)
        stream.width, stream.height = 176, 144
        stream.pix_fmt = "yuvj420p" if stream.codec.name == "mjpeg" else "yuv420p"
        stream.codec_context.max_b_frames = 0
        for i in range(6):
            frame = av.VideoFrame.from_ndarray(np.full((144, 176, 3), 40 * i, np.uint8), format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
