"""Images are compared with the frames that their names say, by what they show."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from project_tools import collected, write_config

from napari_al_pose import cli
from napari_al_pose.headless import compare_pictures
from napari_al_pose.project import open_project
from napari_al_pose.video.comparing import difference, is_other_picture

N = 60
SIZE = (96, 128)


def frame(number: int) -> np.ndarray:
    """Draw an arena that stays as it is, with an animal that runs through it."""
    image = np.full((*SIZE, 3), 90, np.uint8)
    image[::16] = 130
    x, y = 8 + number * 2 % 110, 20 + (number * 5) % 60
    image[y : y + 10, x : x + 10] = 240
    return image


def write_video(path: Path, numbers, *, quality: int = 4_000_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = SIZE[1], SIZE[0], "yuv420p", quality
        for number in numbers:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame(number), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def make(root: Path, *, images, shows=lambda number: number, video=range(N), suffix="png", **options) -> Path:
    """Make a project whose image ``n`` shows frame ``shows(n)`` of the recording, and whose video has some frames."""
    write_config(root, video_sets=f"  /gone/cam1.mp4:\n    crop: 0, {SIZE[1]}, 0, {SIZE[0]}\n")
    folder = root / "labeled-data" / "cam1"
    folder.mkdir(parents=True)
    for number in images:
        Image.fromarray(frame(shows(number))).save(folder / f"img{number:02d}.{suffix}")
    names = [f"img{number:02d}.{suffix}" for number in images]
    table = collected(np.full((len(names), 3, 2), 30.0), names, video="cam1")
    table.to_hdf(folder / "CollectedData_Me.h5", key="df_with_missing", mode="w")
    table.to_csv(folder / "CollectedData_Me.csv")
    write_video(root / "videos" / "cam1.mp4", video, **options)
    return root


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("quality", [4_000_000, 150_000])
def test_images_that_show_their_frames_are_said_nothing_of(tmp_path, suffix, quality):
    root = make(tmp_path / "p", images=range(2, 50, 4), suffix=suffix, quality=quality)
    with open_project(root) as project:
        (compared,) = compare_pictures(project)
        assert (compared.compared, compared.differing) == (8, 0)
        assert project.notices == ()
        assert project.video("cam1").pictures.stills == ()
    with open_project(root) as project:
        assert project.videos_to_compare() == []  # once is enough


@pytest.mark.parametrize("shift", [1, 7, 23])
def test_a_trimmed_video_is_told_with_its_shift_and_the_images_are_shown(tmp_path, shift):
    root = make(tmp_path / "p", images=range(24, 50, 3), video=range(shift, N))
    with open_project(root) as project:
        (compared,) = compare_pictures(project)
        n_there = sum(number < N - shift for number in range(24, 50, 3))
        assert compared.differing == compared.compared == n_there
        assert compared.noted.shift == -shift
        earlier = f"{shift} frame{'s' if shift > 1 else ''} earlier"
        assert any(earlier in notice and "img24.png" in notice for notice in project.notices)
        with closing(project.video("cam1").open()) as source:
            np.testing.assert_array_equal(source[24], frame(24))
            assert difference(source[25], frame(25 + shift)) < 12
    with open_project(root, read_only=True) as project:  # as the engine does
        assert any(earlier in notice for notice in project.notices)
        assert project.video("cam1").pictures.stills[0] == (24, "img24.png")


def test_a_video_that_begins_earlier_is_told_too(tmp_path):
    root = make(tmp_path / "p", images=range(5, 40, 3), shows=lambda number: number + 9)
    with open_project(root) as project:
        assert compare_pictures(project)[0].noted.shift == 9
        assert any("9 frames later" in notice for notice in project.notices)


def test_images_of_another_recording_have_no_shift(tmp_path):
    root = make(tmp_path / "p", images=range(5, 20, 3))
    for image in (root / "labeled-data" / "cam1").glob("*.png"):
        noise = np.random.default_rng(1).integers(0, 255, (6, 8, 3)).astype(np.uint8)
        Image.fromarray(noise).resize(SIZE[::-1], Image.Resampling.NEAREST).save(image)
    with open_project(root) as project:
        (compared,) = compare_pictures(project)
        assert compared.noted.shift is None
        assert compared.differing == 5
        assert any("Put back the video" in notice for notice in project.notices)


def test_one_image_among_many_that_differs_stands_in_for_its_frame_alone(tmp_path):
    root = make(tmp_path / "p", images=range(0, 40, 5), shows=lambda number: 33 if number == 10 else number)
    with open_project(root) as project:
        assert compare_pictures(project)[0].differing == 1
        assert project.video("cam1").pictures.stills == ((10, "img10.png"),)


def test_another_video_is_compared_anew(tmp_path):
    root = make(tmp_path / "p", images=range(24, 50, 3), video=range(7, N))
    with open_project(root) as project:
        compare_pictures(project)
    write_video(root / "videos" / "cam1.mp4", range(N))
    with open_project(root) as project:
        assert [compared.differing for compared in compare_pictures(project)] == [0]
        assert project.video("cam1").pictures.stills == ()


def test_check_says_it_on_the_command_line(tmp_path, capsys):
    root = make(tmp_path / "p", images=range(24, 50, 3), video=range(7, N))
    with pytest.raises(SystemExit) as end:
        cli.main(["check", "--json", str(root)])
    assert end.value.code == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["video"], row["shift"]) == ("cam1", -7)
    with pytest.raises(SystemExit):
        cli.main(["check", str(root)])
    assert "7 frames earlier" in capsys.readouterr().out


def test_a_still_scene_has_nothing_to_tell(tmp_path):
    same = frame(3)
    assert not is_other_picture(same, same, [same, same])
    random = np.random.default_rng(0)
    noisy = [np.clip(same + random.integers(-9, 10, same.shape), 0, 255).astype(np.uint8) for _ in range(3)]
    assert not is_other_picture(same, noisy[0], noisy[1:])
