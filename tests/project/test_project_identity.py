"""A video is known by what it is: never by its name, and never by the beginning of one."""

from __future__ import annotations

import os
import shutil
import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from project_tools import BODYPARTS, make_video, write_config

from napari_al_pose.domain import FrameKey, Suggestion
from napari_al_pose.project import open_project
from napari_al_pose.project.identity import identity_of, is_same_video
from napari_al_pose.project.imported_predictions import files_beside, named_after, outside_run
from napari_al_pose.project.known_videos import KnownVideos
from napari_al_pose.project.video_predictions import RunHeader

NAMES = st.text(st.characters(categories=["L", "N"], include_characters=" _-.()"), min_size=1, max_size=20).filter(
    lambda name: name == name.strip() and name.strip(".") and len(name.encode()) < 200
)
CONTENTS = st.one_of(
    st.binary(min_size=0, max_size=300),
    st.builds(
        lambda head, n, tail: head + bytes(n) + tail,
        st.binary(max_size=8),
        st.integers(0, 200_000),
        st.binary(max_size=8),
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(first=CONTENTS, second=CONTENTS, names=st.tuples(NAMES, NAMES))
def test_any_two_videos_of_any_names_are_one_if_their_content_is(tmp_path_factory, first, second, names):
    root = tmp_path_factory.mktemp("videos")
    paths = []
    for folder, name, content in zip(("day1", "day2"), names, (first, second), strict=True):
        path = root / folder / f"{name}.mp4"
        path.parent.mkdir()
        path.write_bytes(content)
        os.utime(path, ns=(0, 0))  # a copy by any means, at any time
        paths.append(path)
    # Ends of 64 KiB each are compared, and the size: none of these differs in its middle alone.
    same = first == second
    assert is_same_video(*paths) is same
    assert (identity_of(paths[0]) == identity_of(paths[1])) is same
    known = KnownVideos(root / "videos.json")
    known.remember({names[0]: paths[0]})
    assert (KnownVideos(root / "videos.json").find(names[0], paths[1:]) == paths[1]) is same
    os.utime(paths[1])
    assert (known.replaced({names[0]: paths[1]}) == []) is same
    shutil.rmtree(root)


@given(
    names=st.lists(NAMES, min_size=1, max_size=6, unique_by=lambda n: unicodedata.normalize("NFC", n)), data=st.data()
)
def test_a_file_named_after_a_video_is_never_taken_for_anothers(names, data):
    names = [unicodedata.normalize("NFC", name) for name in names]
    name = data.draw(st.sampled_from(names))
    mark = data.draw(st.sampled_from(["DLC_resnet50_x.h5", ".mp4.predictions.slp", ".predictions.slp", ".csv"]))
    found = named_after(name + mark, names)
    assert found is not None
    assert len(found) >= len(name)  # the longest that ends there
    if found != name:
        assert (name + mark).startswith(found)


@pytest.mark.parametrize(
    ("file", "owner"),
    [
        ("animal_12.predictions.slp", "animal_12"),
        ("animal_1.predictions.slp", "animal_1"),
        ("animal_123.csv", None),
        ("animal_1_2.csv", None),
        ("animal_1-2.predictions.slp", None),
        ("animal_1DLC_resnet50.h5", "animal_1"),
        ("animal_12DLC_resnet50.h5", "animal_12"),
        ("animal_1b.csv", None),
        ("animal_1.mp4.predictions.slp", "animal_1"),
        ("animal_1_filtered.csv", "animal_1"),
    ],
)
def test_the_longest_name_wins_then_a_separator(file, owner):
    assert named_after(file, ["animal_1", "animal_12"]) == owner


def test_predictions_of_animal_12_are_none_of_animal_1(project_root):
    for name in ("animal_1", "animal_12"):
        make_video(project_root / "videos" / f"{name}.mp4", n=4)
    header = "scorer,m,m,m\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n"
    of_12 = project_root / "videos" / "animal_12.csv"
    of_12.write_text(header + "0,1,2,0.9\n")
    with open_project(project_root) as project:
        first, second = project.videos
        assert files_beside(first) == []  # whether or not the other video is known
        assert outside_run(project, first) == (None, "")
        assert files_beside(second) == [of_12]
        assert outside_run(project, second)[0] is not None


def test_what_another_file_of_that_name_was_predicted_is_no_guess(project_root):
    video = make_video(project_root / "videos" / "cam1.mp4", n=4)
    other = make_video(project_root / "elsewhere" / "cam1.mp4", n=4, width=32)
    with open_project(project_root) as project:
        bodyparts = project.skeleton.bodyparts
        values = np.ones((4, len(bodyparts), 3), np.float32)
        for path, expected in ((other, False), (video, True)):
            digest = identity_of(path).digest
            header = RunHeader(
                video="cam1", identity=digest, footage=digest, model_version=1, bodyparts=bodyparts, segments=((0, 4),)
            )
            project.video_predictions.store(header, values)
            assert (project.stored_pose(1, FrameKey("cam1", 2)) is not None) is expected
        shutil.copy(other, video)
        assert project.stored_pose(1, FrameKey("cam1", 2)) is None


def test_a_video_recorded_anew_under_its_name_loses_what_was_said_about_it(project_root):
    video = make_video(project_root / "videos" / "cam1.mp4", n=4)
    make_video(project_root / "videos" / "cam2.mp4", n=4)
    keys = [FrameKey("cam1", 1), FrameKey("cam2", 1)]
    with open_project(project_root) as project:
        project.predictions.save(1, keys, np.ones((2, 3, 2)), np.ones((2, 3)))
        project.queue.save("mpe", 1, [Suggestion(key, 1.0, "mpe") for key in keys])
        project.labels.place_many(keys[0], dict.fromkeys(BODYPARTS, (1.0, 2.0)))
    os.utime(video)  # touched only
    with open_project(project_root) as project:
        assert project.notices == ()
        assert set(project.predictions.load(1)) == set(keys)
    make_video(video, n=6)
    with open_project(project_root) as project:
        assert any("cam1.mp4 is not the file it was" in notice for notice in project.notices)
        assert set(project.predictions.load(1)) == {keys[1]}
        assert [s.key for s in project.queue.load().suggestions] == [keys[1]]
        assert project.labels.labelled_keys() == [keys[0]]  # what a person said stays
    with open_project(project_root) as project:
        assert project.notices == ()


def test_two_entries_of_one_name_in_the_config_are_told_of(tmp_path):
    first = make_video(tmp_path / "day1" / "cam1.mp4", n=4)
    second = make_video(tmp_path / "day2" / "cam1.mp4", n=5)
    root = tmp_path / "project"
    write_config(root, video_sets="".join(f"  {path}:\n    crop: 0, 64, 0, 48\n" for path in (first, second)))
    with open_project(root) as project:
        (video,) = project.videos
        assert video.path == first
        assert any(str(second) in notice and "same name" in notice for notice in project.notices)
    shutil.copy(first, second)  # the same video twice is no reason to worry
    with open_project(root) as project:
        assert project.notices == ()


def test_the_file_that_had_a_name_keeps_it(tmp_path):
    """Of two files of one name the one that the labels were made on counts, wherever it stands in the list."""
    first = make_video(tmp_path / "day1" / "cam1.mp4", n=4)
    root = tmp_path / "project"
    write_config(root, video_sets=f"  {first}:\n    crop: 0, 64, 0, 48\n")
    with open_project(root) as project:
        project.labels.place(FrameKey("cam1", 1), "nose", 1.0, 2.0)
    second = make_video(tmp_path / "day0" / "cam1.mp4", n=5)
    write_config(root, video_sets="".join(f"  {path}:\n    crop: 0, 64, 0, 48\n" for path in (second, first)))
    with open_project(root) as project:
        assert project.video("cam1").path == first


def test_a_missing_file_has_no_identity(tmp_path):
    assert not is_same_video(tmp_path / "a.mp4", tmp_path / "b.mp4")
    with pytest.raises(FileNotFoundError):
        identity_of(tmp_path / "a.mp4")


def test_the_same_video_under_another_name_is_told_of(project_root):
    video = make_video(project_root / "videos" / "cam1.mp4", n=4)
    copy = project_root.parent / "walk.mp4"
    shutil.copy(video, copy)
    with open_project(project_root) as project:
        project.add_videos([copy])
        assert any("walk.mp4 is the same video as cam1" in notice for notice in project.notices)


def test_a_frame_is_called_by_name_in_messages():
    assert f"{FrameKey('cam1', 7)}" == "frame 7 of cam1"
