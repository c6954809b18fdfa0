"""Labels come to their own videos and images only, however the file names them."""

from __future__ import annotations

import numpy as np
import pytest
import sleap_io as sio
from exchange_tools import finish, make_video

from napari_al_pose.domain import FrameKey
from napari_al_pose.exchange import import_labels
from napari_al_pose.project import open_project

SKELETON = sio.Skeleton(["a", "b"])


def slp(path, labels, *, shape=None):
    """Write labels given as (path of a video, frame, points)."""
    videos, frames = {}, []
    for name, number, xy in labels:
        about = {"type": "MediaVideo", "filename": name} | ({"shape": shape} if shape else {})
        video = videos.setdefault(name, sio.Video(filename=name, backend_metadata=about, open_backend=False))
        instance = sio.Instance.from_numpy(np.array(xy, float), skeleton=SKELETON)
        frames.append(sio.LabeledFrame(video=video, frame_idx=number, instances=[instance]))
    made = sio.Labels(labeled_frames=frames, videos=list(videos.values()), skeletons=[SKELETON])
    sio.save_slp(made, str(path), embed=False, verbose=False)
    return path


POINTS = [[10, 20], [30, 40]]


@pytest.mark.parametrize(
    "paths",
    [
        ("/mnt/x/mouse1/video.mp4", "/mnt/x/mouse2/video.mp4"),
        ("D:\\m1\\video.mp4", "D:\\m2\\VIDEO.MP4"),
        ("/x/day1/cam/video.mp4", "/x/day2/cam/video.mp4"),
        ("mouse1/video.mp4", "/y/mouse2/video.mp4"),
    ],
)
@pytest.mark.parametrize("beside", ["video.mp4", "cam/video.mp4", "videos/video.mp4"])
def test_an_ambiguous_name_is_nobodys(tmp_path, paths, beside):
    make_video(tmp_path / beside)
    done = finish(import_labels(slp(tmp_path / "l.slp", [(p, 3, POINTS) for p in paths]), tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        assert len(project.labels.labelled_keys()) == 2
        assert len({key.video for key in project.labels.labelled_keys()}) == 2
        assert not any(video.has_video for video in project.videos)
    assert sum("could not be found" in notice for notice in done.notices) == 1
    if beside == "video.mp4":
        assert any("ambiguous" in notice and "video.mp4" in notice for notice in done.notices)


def test_as_much_of_the_path_as_tells_them_apart_will_do(tmp_path):
    """What the message asks for works: each video in a folder of its own beside the labels."""
    for mouse, n in (("mouse1", 10), ("mouse2", 12)):
        make_video(tmp_path / mouse / "video.mp4", n=n)
    path = slp(tmp_path / "l.slp", [(f"/mnt/x/{mouse}/video.mp4", 3, POINTS) for mouse in ("mouse1", "mouse2")])
    done = finish(import_labels(path, tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        found = {video.name: len(video.open()) for video in project.videos}
        assert found == {"mouse1-video": 10, "mouse2-video": 12}
    assert sum("Check that it is the same video" in notice for notice in done.notices) == 2


@pytest.mark.parametrize(
    ("frame", "shape", "reason"),
    [(40, None, "30 frames, and frame 40"), (3, [30, 480, 640, 1], "labels are of 640 x 480")],
)
def test_a_video_of_the_name_that_cannot_be_it_is_not_taken(tmp_path, frame, shape, reason):
    make_video(tmp_path / "video.mp4")
    path = slp(tmp_path / "l.slp", [("/mnt/x/video.mp4", frame, POINTS)], shape=shape)
    done = finish(import_labels(path, tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        assert not any(video.has_video for video in project.videos)
        assert len(project.labels.labelled_keys()) == 1
    assert any(reason in notice for notice in done.notices)


def test_a_video_is_not_given_away_that_another_one_names_outright(tmp_path):
    there = make_video(tmp_path / "a" / "video.mp4")
    path = slp(tmp_path / "l.slp", [("/far/a/video.mp4", 3, POINTS), (str(there), 4, POINTS)])
    finish(import_labels(path, tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        (video,) = [video for video in project.videos if video.has_video]
        assert [key.frame for key in project.labels.labelled_keys() if key.video == video.name] == [4]


def test_one_video_on_two_computers_is_one(tmp_path):
    make_video(tmp_path / "a.mp4")
    path = slp(tmp_path / "l.slp", [("C:/lab/data/a.mp4", 3, POINTS), ("/mnt/lab/data/a.mp4", 7, POINTS)])
    done = finish(import_labels(path, tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        assert [video.name for video in project.videos] == ["a"]
        assert project.labels.complete_keys() == [FrameKey("a", 3), FrameKey("a", 7)]
    assert any("read as one video" in notice for notice in done.notices)


def test_a_frame_that_a_file_has_twice_waits_as_a_conflict(tmp_path):
    make_video(tmp_path / "a.mp4")
    others = ([[11, 20], [30, 40]], [[12, 20], [30, 44]])
    path = slp(tmp_path / "l.slp", [("a.mp4", 3, xy) for xy in (POINTS, *others)])
    done = finish(import_labels(path, tmp_path / "made"))
    assert any("more than once and differently" in notice for notice in done.notices)
    with open_project(tmp_path / "made") as project:
        assert project.labels.annotation(FrameKey("a", 3)).xy.tolist() == POINTS
        kept = {(c.key.bodypart, c.theirs.x, c.theirs.y) for c in project.labels.conflicts.all()}
        assert kept == {("a", 11, 20), ("a", 12, 20), ("b", 30, 44)}
