"""SLEAP files as people have them: several skeletons, one video twice, one frame twice, lists of images."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import sleap_io as sio
from PIL import Image

from napari_al_pose.domain import FrameKey, KeypointState
from napari_al_pose.formats.capabilities import fit_to_format
from napari_al_pose.formats.sleap import CAPABILITIES, read_sleap, write_sleap
from napari_al_pose.formats.video_paths import distinct_names, is_same_video, same_videos


def movie(name):
    """Return a video that is not there."""
    return sio.Video(filename=name, backend_metadata={"type": "MediaVideo", "filename": name}, open_backend=False)


def save(path, frames, videos, skeletons, tracks=()):
    """Write frames, given as (video, number, [(skeleton, points, track or None)])."""
    made = [
        sio.LabeledFrame(
            video=video,
            frame_idx=number,
            instances=[
                sio.Instance.from_numpy(np.array(xy, float), skeleton=skeleton, track=track)
                for skeleton, xy, track in inside
            ],
        )
        for video, number, inside in frames
    ]
    labels = sio.Labels(labeled_frames=made, videos=videos, skeletons=skeletons, tracks=list(tracks))
    sio.save_slp(labels, str(path), embed=False, verbose=False)
    return path


def points(labels, video, frame, individual=""):
    """Return the points of a frame by bodypart."""
    (found,) = [a for a in labels.annotations if a.key == FrameKey(video, frame) and a.individual == individual]
    return dict(zip(labels.skeleton.bodyparts, found.xy.tolist(), strict=True))


# ---- skeletons ------------------------------------------------------------------------------------


def test_equal_and_permuted_skeletons_are_one(tmp_path):
    a, b, c = sio.Skeleton(["a", "b", "c"], [["a", "b"]]), sio.Skeleton(["a", "b", "c"]), sio.Skeleton(["c", "a", "b"])
    video = movie("v.mp4")
    frames = [(video, 0, [(a, [[1, 1], [2, 2], [3, 3]], None)]), (video, 1, [(b, [[1, 1], [2, 2], [3, 3]], None)])]
    frames.append((video, 2, [(c, [[3, 3], [1, 1], [2, 2]], None)]))
    labels = read_sleap(save(tmp_path / "l.slp", frames, [video], [a, b, c]))
    assert len(labels.annotations) == 3
    for frame in range(3):
        assert points(labels, "v", frame) == {"a": [1, 1], "b": [2, 2], "c": [3, 3]}
    assert labels.skeleton.links == (("a", "b"),)
    assert not labels.notices


def test_an_unused_first_skeleton_hides_nothing(tmp_path):
    old, new, video = sio.Skeleton(["x", "y"]), sio.Skeleton(["a", "b"]), movie("v.mp4")
    labels = read_sleap(save(tmp_path / "l.slp", [(video, 5, [(new, [[1, 1], [2, 2]], None)])], [video], [old, new]))
    assert points(labels, "v", 5) == {"a": [1, 1], "b": [2, 2]}


def test_a_skeleton_that_grew_keeps_the_old_labels(tmp_path):
    """SLEAP's own merging leaves both skeletons where a node was added meanwhile."""
    old, new, video = sio.Skeleton(["a", "b"]), sio.Skeleton(["tip", "a", "b"]), movie("v.mp4")
    frames = [(video, 0, [(old, [[1, 1], [2, 2]], None)])]
    frames += [(video, i, [(new, [[9, 9], [1, 1], [np.nan, np.nan]], None)]) for i in (1, 2)]
    labels = read_sleap(save(tmp_path / "l.slp", frames, [video], [old, new]))
    assert set(labels.skeleton.bodyparts) == {"a", "b", "tip"}
    first, second, _ = sorted(labels.annotations, key=lambda a: a.key)
    assert first.states[labels.skeleton.index("tip")] == KeypointState.UNSEEN
    assert second.states[labels.skeleton.index("b")] == KeypointState.NOT_VISIBLE
    assert any("different nodes (2 instances of tip, a, b; 1 instance of a, b)" in notice for notice in labels.notices)


def test_another_animals_skeleton_is_counted(tmp_path):
    mouse, fly, video = sio.Skeleton(["nose", "tail"]), sio.Skeleton(["wing"]), movie("v.mp4")
    frames = [(video, i, [(mouse, [[1, 1], [2, 2]], None), (fly, [[3, 3]], None)]) for i in range(2)]
    labels = read_sleap(save(tmp_path / "l.slp", frames, [video], [fly, mouse]))
    assert labels.skeleton.bodyparts == ("nose", "tail")
    assert len(labels.annotations) == 2
    assert any("2 instances of another skeleton (wing)" in notice for notice in labels.notices)


# ---- videos ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("C:/lab/data/a.mp4", "/mnt/lab/data/a.mp4", True),
        ("C:\\lab\\data\\a.mp4", "c:/LAB/data/./a.mp4", True),
        ("D:/data/a.mp4", "/Volumes/Disk/data/a.mp4", True),
        ("C:/Users/ann/p/a.mp4", "/home/ann/p/a.mp4", True),
        ("//nas/share/data/a.mp4", "Z:/data/a.mp4", True),
        ("/x/cafe\u0301/a.mp4", "/x/caf\u00e9/a.mp4", True),
        ("/mnt/x/mouse1/video.mp4", "/mnt/x/mouse2/video.mp4", False),
        ("/mnt/day1/cam/video.mp4", "/mnt/day2/cam/video.mp4", False),
        ("//nas/mouse1/data/a.mp4", "//nas/mouse2/data/a.mp4", False),
        ("C:/data/a.mp4", "D:/data/a.mp4", False),
        ("/home/ann/p/a.mp4", "/home/bob/p/a.mp4", False),
        ("C:/a.mp4", "/mnt/a.mp4", False),
        ("a.mp4", "b/a.mp4", False),
        ("mouse/a.mp4", "/data/day2/mouse/a.mp4", False),
    ],
)
def test_which_paths_name_one_video(a, b, same):
    assert is_same_video(a, b) is same
    assert is_same_video(b, a) is same


def test_a_path_that_fits_two_videos_joins_neither(tmp_path):
    paths = ["C:/data/a.mp4", "/mnt/mouse1/data/a.mp4", "/mnt/mouse2/data/a.mp4", "C:/data/a.mp4"]
    assert same_videos(paths, tmp_path) == [0, 1, 2, 0]


def test_two_paths_to_one_file_are_one_video(tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "a.mp4").touch()
    (tmp_path / "b.mp4").symlink_to(tmp_path / "v" / "a.mp4")
    paths = ["v/a.mp4", str(tmp_path / "v" / "a.mp4"), str(tmp_path / "b.mp4"), "/elsewhere/v/a.mp4"]
    assert same_videos(paths, tmp_path) == [0, 0, 0, 3]


def test_names_take_as_many_folders_as_they_need():
    paths = ["/x/day1/cam/v.mp4", "/x/day2/cam/v.mp4", "/x/w.mp4"]
    assert distinct_names(paths, ["v", "v", "w"]) == ["day1-cam-v", "day2-cam-v", "w"]


def test_one_video_twice_is_one_and_two_of_one_name_are_two(tmp_path):
    skeleton = sio.Skeleton(["a"])
    videos = [movie(p) for p in ("C:/lab/d/a.mp4", "/mnt/lab/d/a.mp4", "/mnt/lab/e/a.mp4")]
    frames = [(video, i, [(skeleton, [[i, i]], None)]) for i, video in enumerate(videos)]
    labels = read_sleap(save(tmp_path / "l.slp", frames, videos, [skeleton]))
    assert [video.name for video in labels.videos] == ["d-a", "e-a"]
    assert {a.key for a in labels.annotations} == {FrameKey("d-a", 0), FrameKey("d-a", 1), FrameKey("e-a", 2)}
    assert any("read as one video" in notice for notice in labels.notices)


# ---- one frame twice ------------------------------------------------------------------------------


def test_one_frame_twice_keeps_both(tmp_path):
    skeleton, video = sio.Skeleton(["a", "b"]), movie("v.mp4")
    first, second = [[1, 1], [2, 2]], [[1, 1], [5, 5]]
    frames = [(video, 3, [(skeleton, xy, None)]) for xy in (first, second, first)]
    labels = read_sleap(save(tmp_path / "l.slp", frames, [video], [skeleton]))
    assert [a.xy.tolist() for a in labels.annotations] == [first]
    assert [a.xy.tolist() for a in labels.duplicates] == [second]
    assert any("more than once and differently (v 3)" in notice for notice in labels.notices)


def test_one_frame_twice_with_another_animal_each_is_two_animals(tmp_path):
    skeleton, video = sio.Skeleton(["a"]), movie("v.mp4")
    x, y = sio.Track("x"), sio.Track("y")
    frames = [(video, 0, [(skeleton, [[1, 1]], x)]), (video, 0, [(skeleton, [[2, 2]], y)])]
    labels = read_sleap(save(tmp_path / "tracks.slp", frames, [video], [skeleton], [x, y]))
    assert points(labels, "v", 0, "x") == {"a": [1, 1]}
    assert points(labels, "v", 0, "y") == {"a": [2, 2]}
    # Without tracks, where other frames show that there are two:
    frames = [(video, 1, [(skeleton, [[1, 1]], None), (skeleton, [[2, 2]], None)])]
    frames += [(video, 0, [(skeleton, [[i, i]], None)]) for i in (1, 2)]
    labels = read_sleap(save(tmp_path / "numbers.slp", frames, [video], [skeleton]))
    assert points(labels, "v", 0, "animal1") == {"a": [1, 1]}
    assert points(labels, "v", 0, "animal2") == {"a": [2, 2]}
    assert not labels.duplicates
    assert any("instances have no tracks; they are numbered in each frame" in notice for notice in labels.notices)


# ---- tracks ---------------------------------------------------------------------------------------


def test_instances_without_a_track_get_the_names_that_are_free(tmp_path):
    skeleton, video = sio.Skeleton(["a"]), movie("v.mp4")
    ann, bob = sio.Track("ann"), sio.Track("bob")
    frames = [
        (video, 0, [(skeleton, [[1, 1]], bob), (skeleton, [[2, 2]], ann)]),
        (video, 1, [(skeleton, [[3, 3]], None), (skeleton, [[4, 4]], ann)]),
        (video, 2, [(skeleton, [[5, 5]], ann), (skeleton, [[6, 6]], ann), (skeleton, [[7, 7]], None)]),
    ]
    labels = read_sleap(save(tmp_path / "l.slp", frames, [video], [skeleton], [ann, bob]))
    assert labels.skeleton.individuals == ("ann", "bob", "animal1")
    found = {(a.key.frame, a.individual): a.xy[0, 0] for a in labels.annotations}
    assert found == {
        (0, "bob"): 1,
        (0, "ann"): 2,
        (1, "bob"): 3,
        (1, "ann"): 4,
        (2, "ann"): 5,
        (2, "bob"): 6,
        (2, "animal1"): 7,
    }
    assert any("3 instances without a track of their own" in notice for notice in labels.notices)


def test_pieces_of_tracks_are_no_animals(tmp_path):
    skeleton, video = sio.Skeleton(["a"]), movie("v.mp4")
    tracks = [sio.Track(f"track_{number}") for number in range(12)]
    frames = [(video, n, [(skeleton, [[n, i]], tracks[2 * n + i]) for i in range(2)]) for n in range(6)]
    labels = read_sleap(save(tmp_path / "l.slp", frames, [video], [skeleton], tracks))
    assert labels.skeleton.individuals == ("animal1", "animal2")
    assert len(labels.annotations) == 12
    assert any("12 tracks of at most 2 animals in a frame are pieces" in notice for notice in labels.notices)
    for number, track in enumerate(tracks):
        track.name = f"mouse {chr(97 + number)}"
    labels = read_sleap(save(tmp_path / "names.slp", frames, [video], [skeleton], tracks))
    assert len(labels.skeleton.individuals) == 12, "names that somebody gave are names of animals"
    assert not labels.notices


# ---- lists of images ------------------------------------------------------------------------------


def image_list(folder: Path, names):
    """Make images, each of its own brightness, and return SLEAP's video of them."""
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (32, 24), 10 * i).save(folder / name)
    return sio.Video.from_filename([str(folder / name) for name in names])


LISTS = {
    "numbered": ["cam/img010.png", "cam/img003.png", "cam/img020.png"],
    "unnumbered": ["cam/b.png", "cam/c.png", "cam/a.png"],
    "two folders": ["day2/cam/img001.png", "day1/cam/img001.png", "day2/cam/img000.png", "day1/cam/img007.png"],
    "two cameras": ["cam/left001.png", "cam/right001.png", "cam/left002.png"],
    "long numbers": ["cam/t1700000000123456.png", "cam/t1700000000123457.png"],
}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("packed", [False, True])
def test_labels_stay_on_their_images(tmp_path, kind, packed):
    """SLEAP counts frames by their place in the list; the point tells which image each label belongs to."""
    video, skeleton = image_list(tmp_path, LISTS[kind]), sio.Skeleton(["a"])
    made = [
        sio.LabeledFrame(
            video=video, frame_idx=i, instances=[sio.Instance.from_numpy(np.array([[i, 1.0]]), skeleton=skeleton)]
        )
        for i in range(len(LISTS[kind]))
    ]
    path = tmp_path / ("l.pkg.slp" if packed else "l.slp")
    sio.save_slp(sio.Labels(made), str(path), embed=packed, verbose=False)
    labels = read_sleap(path)
    assert len(labels.annotations) == len(LISTS[kind])
    for a in labels.annotations:
        place = int(a.xy[0, 0])
        video = labels.video(a.key.video)
        assert video.pictures[a.key.frame].path.endswith(LISTS[kind][place])
        if packed:
            assert video.pixels(a.key.frame).max() == 10 * place


@pytest.mark.parametrize("kind", LISTS)
def test_what_is_written_of_images_is_on_them_in_sleap(tmp_path, kind):
    video, skeleton = image_list(tmp_path, LISTS[kind]), sio.Skeleton(["a"])
    frames = [(video, i, [(skeleton, [[i, 1.0]], None)]) for i in range(len(LISTS[kind]))]
    labels = read_sleap(save(tmp_path / "l.slp", frames, [video], [skeleton]))
    write_sleap(labels, tmp_path / "again.slp")
    for frame in sio.load_slp(str(tmp_path / "again.slp"), open_videos=False):
        place = int(frame.instances[0].numpy()[0, 0])
        assert frame.video.filename[frame.frame_idx].endswith(LISTS[kind][place])


# ---- frames without animals -----------------------------------------------------------------------


def negative(path, *, tracks=()):
    """Write two labelled frames, one of them of no animal, and an empty frame that nobody marked."""
    skeleton, video = sio.Skeleton(["a", "b"]), movie("v.mp4")
    xy = np.array([[1.0, 1], [2, 2]])
    inside = [sio.Instance.from_numpy(xy + 10 * i, skeleton=skeleton, track=track) for i, track in enumerate(tracks)]
    inside = inside or [sio.Instance.from_numpy(xy, skeleton=skeleton)]
    frames = [
        sio.LabeledFrame(video=video, frame_idx=0, instances=inside),
        sio.LabeledFrame(video=video, frame_idx=4, is_negative=True),
        sio.LabeledFrame(video=video, frame_idx=9),
    ]
    made = sio.Labels(labeled_frames=frames, videos=[video], skeletons=[skeleton], tracks=list(tracks))
    sio.save_slp(made, str(path), embed=False, verbose=False)
    return path


@pytest.mark.parametrize("names", [(), ("left", "right")])
def test_a_negative_frame_says_that_nothing_is_visible_both_ways(tmp_path, names):
    labels = read_sleap(negative(tmp_path / "theirs.slp", tracks=[sio.Track(name) for name in names]))
    for again in (labels, read_sleap(exported(labels, tmp_path / "ours.slp"))):
        frames = {key.frame: found for key, found in again.frames().items()}
        assert set(frames) == {0, 4}  # nobody said anything of frame 9
        assert [a.individual for a in frames[4]] == list(names or [""])
        assert all((a.states == KeypointState.NOT_VISIBLE).all() for a in frames[4])
        assert any("1 negative frame read as labelled" in notice for notice in again.notices)
    theirs = sio.load_slp(str(tmp_path / "ours.slp"), open_videos=False)
    assert [(frame.frame_idx, len(frame.instances), frame.is_negative) for frame in theirs.labeled_frames] == [
        (0, len(names) or 1, False),
        (4, 0, True),
    ]


def test_a_frame_of_which_one_animal_was_not_looked_at_is_not_negative(tmp_path):
    labels = read_sleap(negative(tmp_path / "theirs.slp", tracks=[sio.Track("left"), sio.Track("right")]))
    kept = tuple(a for a in labels.annotations if (a.key.frame, a.individual) != (4, "right"))
    fitted, lost = fit_to_format(dataclasses.replace(labels, annotations=kept), CAPABILITIES)
    assert {a.key.frame for a in fitted.annotations} == {0}
    assert any("1 frame in which nothing of one is visible left out" in sentence for sentence in lost)


def test_a_negative_frame_with_an_animal_of_a_skeleton_that_is_left_out_is_not_empty(tmp_path):
    mouse, hand, video = sio.Skeleton(["a", "b"]), sio.Skeleton(["thumb", "wrist"]), movie("v.mp4")
    frames = [(video, n, [(mouse, [[1, 1], [2, 2]], None)]) for n in (0, 1)]
    save(tmp_path / "l.slp", [*frames, (video, 2, [(hand, [[5, 5], [6, 6]], None)])], [video], [mouse, hand])
    marked = sio.load_slp(str(tmp_path / "l.slp"), open_videos=False)
    marked.labeled_frames[2].is_negative = True
    sio.save_slp(marked, str(tmp_path / "m.slp"), embed=False, verbose=False)
    assert sio.load_slp(str(tmp_path / "m.slp"), open_videos=False).labeled_frames[2].is_negative
    assert {key.frame for key in read_sleap(tmp_path / "m.slp").frames()} == {0, 1}


def exported(labels, path):
    """Write labels as an export does."""
    write_sleap(fit_to_format(labels, CAPABILITIES)[0], path)
    return path
