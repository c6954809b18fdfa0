"""Making projects and adding videos."""

from __future__ import annotations

from datetime import date

import pytest
from project_tools import make_video
from ruamel.yaml import YAML

from napari_al_pose.domain import AlPoseError
from napari_al_pose.project import create_project, open_project

DETAILS = {"task": "reach", "scorer": "Me", "bodyparts": ["nose", "tail"]}


@pytest.mark.parametrize("copy", [False, True])
def test_new_project_is_deeplabcuts_and_opens(tmp_path, copy):
    one = make_video(tmp_path / "films" / "one.mp4")
    two = make_video(tmp_path / "films" / "two words.avi", width=80, height=60)
    config = create_project(tmp_path, **DETAILS, skeleton=[("nose", "tail")], videos=[one, two], copy_videos=copy)
    root = config.parent
    assert root == tmp_path / f"reach-Me-{date.today().isoformat()}"
    document = YAML(typ="safe").load(config.read_text())
    assert document["project_path"] == str(root)
    assert document["video_sets"] == {
        str(root / "videos" / "one.mp4"): {"crop": "0, 64, 0, 48"},
        str(root / "videos" / "two words.avi"): {"crop": "0, 80, 0, 60"},
    }
    assert document["date"] == f"{date.today():%B}"[:3] + str(date.today().day)
    assert (root / "videos" / "one.mp4").is_symlink() != copy
    assert (root / "labeled-data").is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["films", root.name])
    with open_project(config) as project:
        assert project.notices == ()
        assert [video.name for video in project.videos] == ["one", "two words"]
        assert project.skeleton.links == (("nose", "tail"),)
        source = project.video("two words").open()
        assert source.shape == (40, 60, 80, 3)
        source.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "a/b"}, "name of the project"),
        ({"task": ".."}, "name of the project"),
        ({"scorer": ""}, "scorer"),
        ({"bodyparts": []}, "at least one bodypart"),
        ({"bodyparts": ["a", "a "]}, "unique"),
        ({"skeleton": [("nose", "wing")]}, "wing"),
        ({"videos": []}, "at least one video"),
        ({"videos": ["films/absent.mp4"]}, "no file"),
        ({"videos": ["films/notes.txt"]}, "Expected a video"),
        ({"videos": ["films/fake.mp4"]}, r"fake\.mp4"),
        ({"videos": ["films/one.mp4", "more/one.mp4"]}, "already, as 'one'"),
    ],
)
def test_what_will_not_do_leaves_nothing_behind(tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    for folder in ("films", "more"):
        make_video(tmp_path / folder / "one.mp4")
    (tmp_path / "films" / "notes.txt").write_text("hello")
    (tmp_path / "films" / "fake.mp4").write_text("hello")
    details = {**DETAILS, "videos": ["films/one.mp4"], **change}
    details["videos"] = [tmp_path / path for path in details["videos"]]
    parent = tmp_path / "projects"
    parent.mkdir()
    with pytest.raises(AlPoseError, match=message) as caught:
        create_project(parent, **details)
    assert caught.value.hint
    assert list(parent.iterdir()) == []


def test_same_project_twice_and_no_folder(tmp_path):
    video = make_video(tmp_path / "one.mp4")
    config = create_project(tmp_path, **DETAILS, videos=[video])
    before = config.read_bytes()
    with pytest.raises(AlPoseError, match="exists already"):
        create_project(tmp_path, **DETAILS, videos=[video])
    assert config.read_bytes() == before
    with pytest.raises(AlPoseError, match="no folder"):
        create_project(tmp_path / "absent", **DETAILS, videos=[video])


def test_adding_videos(tmp_path):
    config = create_project(tmp_path, **DETAILS, videos=[make_video(tmp_path / "one.mp4")])
    text = config.read_text().replace("numframes2pick: 20", "numframes2pick: 20  # mine")
    config.write_text(text)
    two = make_video(tmp_path / "more" / "two.mp4")
    with open_project(config) as project:
        project.add_videos([two])
        assert [video.name for video in project.videos] == ["one", "two"]
        with pytest.raises(AlPoseError, match="already"):
            project.add_videos([make_video(tmp_path / "other" / "two.avi")])
        with pytest.raises(AlPoseError, match=r"has the video .*two\.mp4 already") as same:
            project.add_videos([two])
    assert same.value.hint == "Choose another video."
    assert "numframes2pick: 20  # mine" in config.read_text()
    with open_project(config) as project:
        assert [video.name for video in project.videos] == ["one", "two"]
        assert project.video("two").path == config.parent / "videos" / "two.mp4"
        assert project.notices == ()


def test_adding_a_video_that_lies_in_the_project_and_one_that_moved(tmp_path):
    config = create_project(tmp_path, **DETAILS, videos=[make_video(tmp_path / "one.mp4")])
    videos = config.parent / "videos"
    (tmp_path / "one.mp4").rename(tmp_path / "moved.mp4")
    (tmp_path / "again").mkdir()
    (tmp_path / "moved.mp4").rename(tmp_path / "again" / "one.mp4")
    with open_project(config) as project:
        assert project.videos == ()
        project.add_videos([tmp_path / "again" / "one.mp4"])
        assert project.video("one").has_video
        inside = make_video(videos / "inside.mp4")
    with open_project(config) as project:
        assert [video.name for video in project.videos] == ["one", "inside"]
        assert not inside.is_symlink()
