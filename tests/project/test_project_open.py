"""Opening projects in whatever state they come, and what is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from project_tools import BODYPARTS, make_video, save_images, save_labels, write_config

from napari_al_pose.domain import AlPoseError, FrameKey, FrameRole, KeypointState
from napari_al_pose.domain.settings import LoopSettings
from napari_al_pose.project import open_project

XY = np.array([[[1, 2], [3, 4], [5, 6]], [[7, 8], [np.nan, np.nan], [9, 10]], [[np.nan] * 2] * 3])
FRAMES = [5, 12, 30]


def names(project) -> dict[str, tuple[bool, bool]]:
    return {video.name: (video.has_video, video.images is not None) for video in project.videos}


def test_images_stand_in_for_a_missing_video(project_root):
    save_labels(project_root, XY, FRAMES)
    save_images(project_root, FRAMES)
    with open_project(project_root) as project:
        assert names(project) == {"mouse": (False, True)}
        source = project.video("mouse").open()
        assert [source.number(i) for i in range(len(source))] == FRAMES
        source.close()
        assert project.notices == ()
        assert project.skeleton.bodyparts == BODYPARTS
        assert project.scorer == "Me"


def test_missing_point_is_not_visible_and_empty_row_says_nothing(project_root):
    save_labels(project_root, XY, FRAMES)
    with open_project(project_root / "config.yaml") as project:
        assert project.labels.complete_keys() == [FrameKey("mouse", 5), FrameKey("mouse", 12)]
        found = project.labels.annotation(FrameKey("mouse", 12))
        assert found.states.tolist() == [KeypointState.PLACED, KeypointState.NOT_VISIBLE, KeypointState.PLACED]
        assert found.xy[2].tolist() == [9, 10]
        assert not project.labels.can_undo, "a first import is nobody's click"


@pytest.mark.parametrize(
    "written",
    ["/somebody/else/videos/mouse.mp4", "C:\\Users\\ana\\videos\\mouse.mp4", "videos/mouse.avi", "D:/a\\mouse.mp4"],
)
def test_foreign_paths_are_found_by_name(tmp_path, written):
    root = tmp_path / "p"
    write_config(root, video_sets=f"  '{written}':\n    crop: 0, 64, 0, 48\n")
    make_video(root / "videos" / "mouse.mp4")
    with open_project(root) as project:
        assert names(project) == {"mouse": (True, False)}
        assert project.video("mouse").path == root / "videos" / "mouse.mp4"
        assert project.notices == ()


def test_absolute_path_outside_is_followed_only_to_a_video(tmp_path):
    outside = make_video(tmp_path / "elsewhere" / "mouse.mp4")
    (tmp_path / "secret.txt").write_text("secret")
    root = tmp_path / "p"
    entries = [outside, tmp_path / "secret.txt", tmp_path / "elsewhere" / ".." / "elsewhere" / "rat.mp4", "/etc/passwd"]
    write_config(root, video_sets="".join(f"  {path}:\n    crop: 0, 64, 0, 48\n" for path in entries))
    make_video(tmp_path / "elsewhere" / "rat.mp4")
    with open_project(root) as project:
        assert names(project) == {"mouse": (True, False)}
        assert project.video("mouse").path == outside
        assert [notice for notice in project.notices if "rat.mp4" in notice]


def test_videos_nobody_listed_join_and_plotted_labels_do_not(project_root):
    make_video(project_root / "videos" / "extra.mp4")
    (project_root / "videos" / "notes.txt").touch()
    save_images(project_root, FRAMES)
    save_images(project_root, FRAMES, video="mouse_labeled")
    (project_root / "labeled-data" / "empty").mkdir()
    with open_project(project_root) as project:
        assert names(project) == {"extra": (True, False), "mouse": (False, True)}
        with pytest.raises(AlPoseError, match="no video 'empty'"):
            project.video("empty")


def test_videos_deeplabcut_made_do_not_join(project_root):
    for name in (
        "rat",
        "ratDLC_Resnet50_reachMay1shuffle1_snapshot_200_p60_labeled",
        "rat_superanimal_labeled",
        "rat2",
    ):
        make_video(project_root / "videos" / f"{name}.mp4", n=2)
    make_video(project_root / "videos" / "2024-05-01T10:00:00.mp4", n=2)
    with open_project(project_root) as project:
        assert list(names(project)) == ["2024-05-01T10:00:00", "rat", "rat2"]
        assert project.notices == ()


def test_video_with_an_unusable_name_is_named(project_root):
    make_video(project_root / "videos" / "mouse .mp4", n=2)
    with open_project(project_root) as project:
        assert project.videos == ()
        assert "mouse .mp4" in project.notices[0]


def test_missing_video_is_named_and_its_labels_stay(tmp_path):
    root = tmp_path / "p"
    write_config(root, video_sets="  /gone/mouse.mp4:\n    crop:\n")
    save_labels(root, XY, FRAMES)
    with open_project(root) as project:
        assert project.videos == ()
        assert "mouse.mp4" in project.notices[0]
        assert len(project.labels.complete_keys()) == 2


def test_same_name_twice_and_broken_links(project_root):
    make_video(project_root / "videos" / "mouse.avi")
    make_video(project_root / "videos" / "mouse.mp4")
    (project_root / "videos" / "rat.mp4").symlink_to("/nowhere/rat.mp4")
    with open_project(project_root) as project:
        assert names(project) == {"mouse": (True, False)}
        assert any("mouse.mp4" in notice for notice in project.notices)
        assert any("rat.mp4" in notice for notice in project.notices)


def test_second_opener_reads_only_and_is_told_who_writes(project_root):
    save_labels(project_root, XY, FRAMES)
    with open_project(project_root) as first:
        first.labels.place(FrameKey("mouse", 5), "nose", 100, 100)
        with open_project(project_root) as second:
            assert second.read_only
            assert str(os.getpid()) in second.lock_holder
            assert any("open for reading only" in notice for notice in second.notices)
            assert second.labels.annotation(FrameKey("mouse", 5)).xy[0, 0] == 100
            for refused in (
                lambda: second.labels.place(FrameKey("mouse", 5), "nose", 1, 1),
                lambda: second.save_settings(LoopSettings.model_validate({})),
                second.export_labels,
                lambda: second.add_videos([Path("a.mp4")]),
            ):
                with pytest.raises(AlPoseError, match=r"reading only|open in another window"):
                    refused()
        with pytest.raises(AlPoseError, match="open for reading only"):
            open_project(project_root, read_only=False)
        assert first.labels.can_undo
    with open_project(project_root) as again:
        assert not again.read_only
        assert again.lock_holder == ""


def test_reading_changes_nothing(project_root):
    save_labels(project_root, XY, FRAMES)
    before = tree(project_root)
    with open_project(project_root, read_only=True) as project:
        assert project.read_only
        assert len(project.labels.complete_keys()) == 2
    assert tree(project_root) == before


READER = """
import os, sys
import h5py, pandas, tables
from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.project import open_project

open_project(sys.argv[1], read_only=True).close()  # imports what it needs, which another user may not be able to
os.setgid(65534); os.setuid(65534)
with open_project(sys.argv[1]) as project:
    print(project.read_only, len(project.labels.complete_keys()))
    print(any("cannot be written" in notice for notice in project.notices))
    print(any("not shown" in notice for notice in project.notices))
    try:
        project.labels.place(FrameKey("mouse", 5), "nose", 1, 1)
    except AlPoseError as error:
        print("refused", bool(error.hint))
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to become another user")
@pytest.mark.parametrize("opened_before", [False, True])
def test_read_only_folder(project_root, opened_before):
    save_labels(project_root, XY, FRAMES)
    if opened_before:
        open_project(project_root).close()
        save_labels(project_root, XY + 1, FRAMES)
    for path in [project_root, *project_root.rglob("*"), *list(project_root.parents)[:3]]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    done = subprocess.run([sys.executable, "-c", READER, str(project_root)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["True 2", "True", str(opened_before), "refused True"]


REFUSED = """
import os, sys
import h5py, pandas, tables
from napari_al_pose.domain import AlPoseError
from napari_al_pose.project import open_project

open_project(sys.argv[1], read_only=True).close()
os.setgid(65534); os.setuid(65534)
try:
    open_project(sys.argv[1])
except AlPoseError as error:
    print(error.message)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to become another user")
@pytest.mark.parametrize("part", ["", "labeled-data", "labeled-data/mouse"])
def test_a_folder_of_somebody_else_is_named(project_root, part):
    save_labels(project_root, XY, FRAMES)
    for path in [project_root, *project_root.rglob("*"), *list(project_root.parents)[:3]]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    (project_root / part).chmod(0o700)
    done = subprocess.run([sys.executable, "-c", REFUSED, str(project_root)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"You have no permission to use {project_root / part}")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: root / "absent", "no file"),
        (lambda root: root.mkdir() or root, "without a config.yaml"),
        (lambda root: make_video(root / "video.mp4"), "Expected a project folder or its config.yaml"),
    ],
)
def test_not_a_project(tmp_path, make, message):
    with pytest.raises(AlPoseError, match=message) as caught:
        open_project(make(tmp_path / "p"))
    assert caught.value.hint


def test_damaged_files_are_named_and_kept(project_root):
    save_labels(project_root, XY, FRAMES)
    with open_project(project_root) as project:
        project.labels.place(FrameKey("mouse", 7), "nose", 1, 1)
    database = project_root / "al-pose" / "labels.sqlite"
    whole = database.read_bytes()
    database.write_bytes(b"garbage" * 1000)
    with pytest.raises(AlPoseError, match=r"labels\.sqlite are damaged"):
        open_project(project_root)
    assert database.read_bytes() == b"garbage" * 1000
    database.write_bytes(whole)
    with open_project(project_root) as project:  # the refusal gave the lock back
        assert not project.read_only
    h5 = project_root / "labeled-data" / "mouse" / "CollectedData_Me.h5"
    h5.with_suffix(".csv").unlink()
    h5.write_bytes(b"garbage")
    with open_project(project_root) as project:
        assert any(notice.startswith(f"{h5} is not an HDF5 file") for notice in project.notices)
    shutil.rmtree(h5.parent)
    with open_project(project_root) as project:
        assert len(project.labels.labelled_keys()) == 3, "absence is never deletion"


def test_file_of_labels_that_cannot_be_read_stops_no_other_video(project_root):
    for name in ("mouse", "rat"):
        make_video(project_root / "videos" / f"{name}.mp4")
    save_labels(project_root, XY, FRAMES, video="rat")
    bad = save_labels(project_root, XY, FRAMES, video="mouse")
    with open_project(project_root) as project:
        project.labels.place(FrameKey("mouse", FRAMES[0]), "nose", 50, 60)
    bad.with_suffix(".csv").unlink()
    bad.write_bytes(b"garbage")
    with open_project(project_root) as project:
        (notice,) = [notice for notice in project.notices if str(bad) in notice]
        assert "left as it is" in notice
        assert "Restore it from a backup" in notice
        rat, mouse = FrameKey("rat", FRAMES[0]), FrameKey("mouse", FRAMES[0])
        assert project.labels.annotation(rat).xy[0].tolist() == XY[0, 0].tolist()
        assert project.labels.annotation(mouse).xy[0].tolist() == [50, 60], "our own labels are there"
        for key in (mouse, rat):
            project.labels.place(key, "nose", 70, 80)
        with pytest.raises(AlPoseError, match=r"mouse.*not an HDF5 file"):
            project.export_labels()
        table = pd.read_hdf(project_root / "labeled-data" / "rat" / "CollectedData_Me.h5")
        assert table.iloc[0, 0] == 70, "the other video is written"
        assert bad.read_bytes() == b"garbage"
        bad.unlink()
        project.export_labels()
    assert pd.read_hdf(bad).iloc[0, 0] == 70


def test_bodyparts_renamed_added_and_removed(project_root):
    save_labels(project_root, XY, FRAMES)
    open_project(project_root).close()
    write_config(project_root, bodyparts=("snout", "tail", "nose"), skeleton="[[nose, ear], [nose, tail]]")
    with open_project(project_root) as project:
        assert project.skeleton.links == (("nose", "tail"),)
        assert any("links bodyparts" in notice for notice in project.notices)
        assert any("'ear' (2 labels)" in notice and "write the old name back" in notice for notice in project.notices)
        assert any("'snout'" in notice and "incomplete" in notice for notice in project.notices)
        found = project.labels.annotation(FrameKey("mouse", 5))
        assert found.states.tolist() == [KeypointState.UNSEEN, KeypointState.PLACED, KeypointState.PLACED]
        project.export_labels()
    with open_project(write_config(project_root)) as project:
        assert project.notices == ()
        assert len(project.labels.complete_keys()) == 2
        assert project.labels.annotation(FrameKey("mouse", 5)).xy.tolist() == XY[0].tolist()


def test_several_animals_open_with_their_individuals(tmp_path):
    root = tmp_path / "p"
    root.mkdir()
    (root / "config.yaml").write_text(
        "Task: t\nscorer: Me\nmultianimalproject: true\nindividuals: [a, b]\nbodyparts: MULTI!\n"
        "multianimalbodyparts: [nose, tail]\nuniquebodyparts: [corner]\nvideo_sets:\n"
    )
    with open_project(root) as project:
        assert project.skeleton.individuals == ("a", "b")
        assert project.skeleton.unique_bodyparts == ("corner",)
        assert project.notices == ()
        key = FrameKey("mouse", 3)
        project.labels.place_many(key, {"nose": (1, 2), "tail": (3, 4)}, individual="b")
        project.export_labels()
        assert any("no video has frame 3" in notice for notice in project.notices)
    (root / "al-pose" / "labels.sqlite").unlink()
    with open_project(root) as project:
        assert project.labels.annotation(key, "b").xy.tolist() == [[1, 2], [3, 4]]
        assert project.labels.annotation(key, "a").is_empty


def test_settings_come_back_and_damaged_ones_are_named(project_root):
    with open_project(project_root) as project:
        assert project.settings.batch_size == 20
        project.save_settings(project.settings.model_copy(update={"batch_size": 7}))
    with open_project(project_root) as project:
        assert project.settings.batch_size == 7
    (project_root / "al-pose" / "settings.json").write_text('{"batch_size": -1}')
    with open_project(project_root) as project:
        assert project.settings.batch_size == 20
        assert "settings.json" in project.notices[0]


@pytest.mark.parametrize(("n", "share", "expected"), [(19, 0.2, 0), (20, 0.2, 4), (200, 0.5, 30), (50, 0.0, 0)])
def test_holdout(project_root, n, share, expected):
    frames = list(range(n))
    half = n // 4
    save_labels(project_root, np.ones((half, 3, 2)), frames[:half], video="a")
    save_labels(project_root, np.ones((n - half, 3, 2)), frames[half:], video="b")
    with open_project(project_root) as project:
        assert project.ensure_holdout(share, 3) == expected
        chosen = project.labels.roles.holdout_keys()
        assert len(chosen) == expected
        assert abs(sum(key.video == "a" for key in chosen) - expected / 4) <= 1
        assert all(project.labels.roles.of(key) is FrameRole.HOLDOUT for key in chosen)
        if expected:
            assert project.ensure_holdout(share, 4) == 0, "once marked, none is added or taken"
            assert project.labels.roles.holdout_keys() == chosen
    shutil.rmtree(project_root / "al-pose")
    with open_project(project_root) as project:
        project.ensure_holdout(share, 3)
        assert project.labels.roles.holdout_keys() == chosen, "the same seed draws the same frames"


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.skipif("NAPARI_AL_POSE_DATA" not in os.environ, reason="NAPARI_AL_POSE_DATA is not set")
def test_real_projects(tmp_path):
    data = Path(os.environ["NAPARI_AL_POSE_DATA"])
    for folder, videos, complete in [
        ("openfield-Pranav-2018-10-30", {"m3v1mp4": (True, False), "m4s1": (False, True)}, 116),
        ("Reaching-Mackenzie-2018-08-30", {"reachingvideo1": (False, True)}, 55),
    ]:
        root = tmp_path / folder
        shutil.copytree(data / folder, root, copy_function=shutil.copyfile)
        for path in (root, *root.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        before = tree(root)
        with open_project(root) as project:
            assert names(project) == videos
            assert project.notices == ()
            assert len(project.labels.complete_keys()) == complete
            project.export_labels()
        after = tree(root)
        assert {name: after[name] for name in before} == before, "nothing of theirs is rewritten without need"


def test_renamed_video_is_found_by_its_content(project_root):
    write_config(project_root, video_sets="  C:\\data\\mouse.mp4:\n    crop: 0, 64, 0, 48\n")
    make_video(project_root / "videos" / "mouse.mp4", n=20)
    make_video(project_root / "videos" / "rat.mp4", n=30)
    key = FrameKey("mouse", 7)
    with open_project(project_root) as project:
        assert names(project) == {"mouse": (True, False), "rat": (True, False)}
        project.labels.place(key, "nose", 1, 2)
    (project_root / "videos" / "mouse.mp4").rename(project_root / "videos" / "monday cage 3.mp4")
    (project_root / "videos" / "rat.mp4").rename(project_root / "videos" / "zebra.mp4")
    with open_project(project_root, read_only=True) as project:
        assert names(project) == {"mouse": (True, False), "rat": (True, False)}
    with open_project(project_root) as project:
        assert names(project) == {"mouse": (True, False), "rat": (True, False)}
        assert len(project.video("mouse").open()) == 20
        assert sum("monday cage 3.mp4" in notice for notice in project.notices) == 1
        assert project.labels.annotation(key).xy[0].tolist() == [1, 2]
        complete_frame = dict.fromkeys(project.skeleton.bodyparts, (1.0, 1.0))
        project.labels.place_many(key, complete_frame)
        project.export_labels()
        assert (project_root / "labeled-data" / "mouse" / "img07.png").is_file()
    with open_project(project_root) as project:
        assert project.notices == (), "said once"


def test_other_video_in_the_place_of_a_missing_one_is_another(project_root):
    write_config(project_root, video_sets="  /gone/mouse.mp4:\n    crop: 0, 64, 0, 48\n")
    make_video(project_root / "videos" / "mouse.mp4", n=20)
    open_project(project_root).close()
    (project_root / "videos" / "mouse.mp4").unlink()
    make_video(project_root / "videos" / "stranger.mp4", n=25)
    (project_root / "al-pose" / "videos.json").with_suffix(".bak").write_text("left alone")
    with open_project(project_root) as project:
        assert names(project) == {"stranger": (True, False)}
        assert "mouse.mp4 of config.yaml is missing" in project.notices[0]
    (project_root / "al-pose" / "videos.json").write_text("{broken")
    with open_project(project_root) as project:
        assert names(project) == {"stranger": (True, False)}


def test_a_video_of_which_only_images_are_there_is_named(project_root):
    """As in a project from another machine: nobody could tell why no other frames can be labelled."""
    there = "  C:\\Users\\Ada\\project\\videos\\{}.avi:\n    crop: 0, 64, 0, 48\n"
    save_images(project_root, [3, 8], video="rat")
    write_config(project_root, video_sets=there.format("rat"))
    with open_project(project_root) as project:
        assert names(project) == {"rat": (False, True)}
        (notice,) = project.notices
    assert notice.startswith("The video rat.avi of config.yaml is missing: only its extracted images are shown.")
    save_images(project_root, [3, 8], video="vole")
    write_config(project_root, video_sets=there.format("rat") + there.format("vole"))
    with open_project(project_root) as project:
        (notice,) = project.notices
    assert notice.startswith("2 videos of config.yaml are missing, rat.avi for one")


def test_renamed_video_outside_the_project_is_found_beside_its_old_name(tmp_path):
    video = make_video(tmp_path / "disk" / "mouse.mp4", n=20)
    root = tmp_path / "project"
    write_config(root, video_sets=f"  {video}:\n    crop: 0, 64, 0, 48\n")
    open_project(root).close()
    video.rename(video.with_name("renamed.mp4"))
    with open_project(root) as project:
        assert project.video("mouse").path == video.with_name("renamed.mp4")
