"""The synthetic sample: reproducible, true, and a project like any other."""

from __future__ import annotations

import hashlib
from pathlib import Path

import av
import numpy as np
import pytest

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.deeplabcut import read_config
from napari_al_pose.samples import PROJECT_NAME, TRUTH_FILE, find_sample, ground_truth, has_ground_truth, make_sample
from napari_al_pose.samples.anatomy import BODYPARTS
from napari_al_pose.samples.footage import Footage
from napari_al_pose.samples.synthetic import SCENES

TRUNK = ("snout", "leftear", "rightear", "bodycentre", "tailbase")


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def decode(path: Path) -> tuple[list[np.ndarray], list[int]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [frame.to_ndarray(format="rgb24") for frame in frames], [
        i for i, frame in enumerate(frames) if frame.key_frame
    ]


def test_the_same_seed_gives_the_same_bytes_anywhere_and_another_seed_other_ones(tmp_path):
    first = hashes(make_sample(tmp_path / "a", seed=3, n_frames=8).parent)
    again = hashes(make_sample(tmp_path / "deeper" / "b", seed=3, n_frames=8).parent)
    other = hashes(make_sample(tmp_path / "c", seed=4, n_frames=8).parent)
    assert len(first) == 4
    assert first == again
    assert {name for name in first if first[name] != other[name]} == set(first) - {"config.yaml"}


def test_it_is_a_deeplabcut_project_without_labels(sample_project):
    config = read_config(sample_project)
    assert len(config.bodyparts) >= 6
    assert {part for link in config.skeleton for part in link} == set(config.bodyparts)
    assert [Path(video.path).stem for video in config.video_sets] == list(ground_truth(sample_project))
    assert all((sample_project.parent / video.path).is_file() for video in config.video_sets)
    assert not list(sample_project.parent.rglob("CollectedData*"))


@pytest.mark.parametrize("video", ["black-mouse", "white-mouse"])
def test_videos_have_every_frame_and_the_truth_lies_on_what_moves(sample_project, video):
    frames, keyframes = decode(sample_project.parent / "videos" / f"{video}.mp4")
    xy, visible = ground_truth(sample_project)[video]
    assert len(frames) == 120
    assert keyframes == [0, 60]
    assert frames[0].shape == (480, 640, 3)
    assert xy.shape == (120, 7, 2)
    np.testing.assert_array_equal(np.isnan(xy).any(axis=-1), ~visible)

    # The median over time is the arena without its mouse; what differs from it is the mouse.
    empty = np.median(np.stack(frames[::3]), axis=0)
    centre = read_config(sample_project).bodyparts.index("bodycentre")
    on_mouse, off_mouse = [], []
    for number in range(0, 120, 10):
        change = np.abs(frames[number].astype(float) - empty).mean(axis=-1)
        if visible[number, centre]:
            x, y = np.rint(xy[number, centre]).astype(int)
            on_mouse.append(change[y - 2 : y + 3, x - 2 : x + 3].mean())
            off_mouse.append(np.median(change))
    assert len(on_mouse) >= 6
    assert np.median(on_mouse) > 10 * np.median(off_mouse)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_poses_differ_motion_is_smooth_and_some_bodyparts_are_hidden(scene):
    xy = Footage(scene, 600, np.random.default_rng(1)).truth()
    snout, leftear, rightear, centre, tailbase = (xy[:, BODYPARTS.index(name)] for name in TRUNK)
    length = np.linalg.norm(snout - tailbase, axis=-1)
    assert np.nanmax(length) > 1.4 * np.nanmin(length)
    assert np.nanmax(np.linalg.norm(np.diff(centre, axis=0), axis=-1)) < 12
    assert (np.nanmax(centre, axis=0) - np.nanmin(centre, axis=0) > 150).all()
    hidden = np.isnan(xy[..., 0])
    assert 0.3 < (~hidden.any(axis=1)).mean() < 0.97
    forward, across = snout - centre, rightear - leftear
    right_of_heading = forward[:, 0] * across[:, 1] - forward[:, 1] * across[:, 0]
    assert (right_of_heading[~np.isnan(right_of_heading)] > 0).mean() > 0.95


def test_a_finished_sample_is_used_again(tmp_path):
    config = make_sample(tmp_path, n_frames=3)
    before = hashes(config.parent)
    (config.parent / "labels.txt").write_text("mine")
    assert find_sample(tmp_path) == config
    assert make_sample(tmp_path, n_frames=3) == config
    assert hashes(config.parent) == before | {"labels.txt": hashlib.sha256(b"mine").hexdigest()}
    with pytest.raises(AlPoseError, match="seed 0 with 3 frames"):
        make_sample(tmp_path, n_frames=4)


def test_an_interrupted_run_leaves_nothing(tmp_path):
    def interrupt(done: int, total: int) -> None:
        assert total == 20
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_sample(tmp_path, n_frames=10, progress=interrupt)
    assert list(tmp_path.iterdir()) == []
    assert find_sample(tmp_path) is None


def test_a_second_process_that_was_faster_wins(tmp_path):
    def overtake(done: int, total: int) -> None:
        if done == total:
            (tmp_path / PROJECT_NAME).mkdir()
            (tmp_path / PROJECT_NAME / "config.yaml").write_text("theirs")

    assert make_sample(tmp_path, n_frames=2, progress=overtake).read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == [PROJECT_NAME]


def test_where_it_cannot_write_it_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AlPoseError, match="file"):
        make_sample(tmp_path / "file", n_frames=2)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut off"])
def test_a_missing_or_damaged_truth_is_an_error_that_names_it(tmp_path, content):
    if content is not None:
        (tmp_path / TRUTH_FILE).write_bytes(content)
    assert has_ground_truth(tmp_path) == (content is not None)
    with pytest.raises(AlPoseError, match=TRUTH_FILE):
        ground_truth(tmp_path)
