"""DeepLabCut's config.yaml."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.deeplabcut import VideoSet, add_video_set, read_config, write_new_config
from napari_al_pose.formats.names import is_safe_name, video_stem

KEYS_DEEPLABCUT_READS = """\
Task scorer date multianimalproject identity project_path engine video_sets bodyparts start stop numframes2pick \
skeleton skeleton_color pcutoff dotsize alphavalue colormap TrainingFraction iteration default_net_type \
default_augmenter snapshotindex detector_snapshotindex batch_size detector_batch_size cropping x1 x2 y1 y2 \
corner2move2 move2corner SuperAnimalConversionTables"""

HAND_WRITTEN = """\
# my project, do not touch
Task:   reach
scorer: 'Me'
date: Aug30   # the day it began
multianimalproject:
video_sets:
  C:\\Users\\me\\videos\\one.avi:
    crop: 0, 640, 0, 480
  "/home/me/two.mp4":
    crop: 10, 110, 20, 80
  WILL BE AUTOMATICALLY UPDATED BY DEMO CODE:
    crop:
bodyparts: [Hand, 2]
skeleton: [['Hand', '2'], 'nonsense']
x1: 0
"""


def test_reads_what_people_have(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(HAND_WRITTEN)
    config = read_config(path)
    assert (config.task, config.scorer, config.date) == ("reach", "Me", "Aug30")
    assert config.bodyparts == ("Hand", "2")
    assert config.skeleton == (("Hand", "2"),)
    assert not config.multianimal
    assert config.individuals == ()
    assert [entry.crop for entry in config.video_sets] == [(0, 640, 0, 480), (10, 110, 20, 80), None]
    assert [video_stem(entry.path) for entry in config.video_sets] == ["one", "two", None]
    assert config.pcutoff == 0.6, "DeepLabCut's own, where the file has none"


@pytest.mark.parametrize(("written", "read"), [("0.35", 0.35), ("1", 1.0), ("60", 0.6), ("often", 0.6), ("true", 0.6)])
def test_cutoff_of_likelihoods(tmp_path, written, read):
    path = tmp_path / "config.yaml"
    path.write_text(f"{HAND_WRITTEN}pcutoff: {written}\n")
    assert read_config(path).pcutoff == read


def test_several_animals(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "scorer: Me\nmultianimalproject: true\nindividuals: [a, b]\nbodyparts: MULTI!\n"
        "multianimalbodyparts: [nose, tail]\nuniquebodyparts: [corner]\n"
    )
    config = read_config(path)
    assert config.multianimal
    assert config.individuals == ("a", "b")
    assert config.bodyparts == ("nose", "tail")
    assert config.unique_bodyparts == ("corner",)


def test_adding_a_video_changes_nothing_else(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(HAND_WRITTEN)
    add_video_set(path, "/data/three.mp4", (0, 5, 0, 6))
    added = "  /data/three.mp4:\n    crop: 0, 5, 0, 6\n"
    text = path.read_text()
    assert added in text
    kept = [line for line in HAND_WRITTEN.splitlines() if line.strip()]
    left = [line for line in text.replace(added, "").splitlines() if line.strip()]
    assert [" ".join(line.split()) for line in left] == [" ".join(line.split()) for line in kept]
    add_video_set(path, "/data/three.mp4", (9, 9, 9, 9))
    assert path.read_text() == text


def test_adding_a_video_where_there_was_none(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("scorer: Me\nvideo_sets:\nbodyparts: [a]\n")
    add_video_set(path, "/data/one.mp4", (0, 5, 0, 6))
    assert read_config(path).video_sets == (VideoSet("/data/one.mp4", (0, 5, 0, 6)),)


def test_new_config_has_every_key(tmp_path):
    path = tmp_path / "config.yaml"
    write_new_config(
        path,
        task="reach: it's",
        scorer="Me",
        date="Aug5",
        bodyparts=["nose", "no", "1"],
        skeleton=[("nose", "no")],
        video_sets=[VideoSet("C:\\a b\\x.mp4", (0, 4, 0, 3))],
    )
    assert set(YAML(typ="safe").load(path.read_text())) == set(KEYS_DEEPLABCUT_READS.split())
    config = read_config(path)
    assert config.task == "reach: it's"
    assert config.bodyparts == ("nose", "no", "1")
    assert config.skeleton == (("nose", "no"),)
    assert config.video_sets == (VideoSet("C:\\a b\\x.mp4", (0, 4, 0, 3)),)
    assert YAML(typ="safe").load(path.read_text())["project_path"] == str(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("scorer: Me\nbodyparts: [a\n", "not valid YAML"),
        ("scorer: Me\n\tbodyparts: [a]\n", "not valid YAML at line"),
        ("scorer: Me\n", "lists no bodyparts"),
        ("scorer: Me\nbodyparts:\n", "lists no bodyparts"),
        ("scorer: Me\nbodyparts: nose\n", "lists no bodyparts"),
        ("scorer: Me\nbodyparts: [a, b, a]\n", "'a' twice"),
        ("scorer: Me\nbodyparts:\n- a\n- b\n- a\n- a\n", r"'a' 3 times under 'bodyparts:' \(line 3, 5, 6\)"),
        ("scorer: Me\nbodyparts:\n- 1\n- '1'\n", r"'1' twice under 'bodyparts:' \(line 3, 4\)"),
        ("scorer: Me\nbodyparts: [a, '']\n", "empty name"),
        ("bodyparts: [a]\n", "no usable scorer"),
        ("scorer: ../../evil\nbodyparts: [a]\n", "no usable scorer"),
        ("- a\n- b\n", "with neither"),
        ("", "with neither"),
        ("hello", "with neither"),
        ("scorer: Me\nscorer: You\nbodyparts: [a]\n", "not valid YAML"),
        ("scorer: !!python/object/apply:os.system [true]\nbodyparts: [a]\n", "no usable scorer"),
        (
            "scorer: Me\nmultianimalproject: true\nbodyparts: MULTI!\nmultianimalbodyparts: [a]\n",
            "lists no individuals",
        ),
    ],
)
def test_bad_files_are_named(tmp_path, content, message):
    path = tmp_path / "config.yaml"
    path.write_text(content)
    with pytest.raises(AlPoseError, match=message) as caught:
        read_config(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


THREE_D = (
    "Task: x\nscorer: Me\nnum_cameras: 2\ncamera_names:\n- camera-1\nconfig_file_camera-1: /lab/left/config.yaml\n"
)


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (THREE_D, "3-D project", "/lab/left/config.yaml"),
        ("scorer: Me\nbodyparts: MULTI!\nmultianimalbodyparts: [a]\n", "MULTI!", "multianimalproject: true"),
        ("scorer: Me\nmultianimalproject:\nbodyparts: MULTI!\n", "MULTI!", "multianimalproject: true"),
        ("all_joints_names: [a]\nnet_type: resnet_50\nscorer: Me\n", "describes a network", "at the top"),
        ("net_type: hrnet\nmethod: bu\n", "describes a network", "at the top"),
        ("data:\n  video_dir: videos\n", "with neither", "Choose"),
        ("scorer: Me\nbodyparts: [a, b, a]\n", "twice", "Remove all but one"),
    ],
)
def test_what_a_hint_says_does_no_harm(tmp_path, content, message, hint):
    """Bodyparts written into a file that has its own place for them would make it another project."""
    path = tmp_path / "config.yaml"
    path.write_text(content)
    with pytest.raises(AlPoseError, match=message) as caught:
        read_config(path)
    assert hint in caught.value.hint
    assert "List them under" not in caught.value.hint


@pytest.mark.parametrize("value", ["true", "True", "'true'", "TRUE"])
def test_true_is_true_however_it_is_written(tmp_path, value):
    path = tmp_path / "config.yaml"
    path.write_text(
        f"scorer: Me\nmultianimalproject: {value}\nindividuals: [a]\nbodyparts: MULTI!\nmultianimalbodyparts: [b]\n"
    )
    assert read_config(path).multianimal


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig", "utf-16"])
def test_files_of_other_systems_are_read_and_stay_in_their_encoding(tmp_path, encoding):
    path = tmp_path / "config.yaml"
    path.write_bytes("scorer: Müller  # größer\nbodyparts: [Füße]\nvideo_sets:\n".encode(encoding))
    config = read_config(path)
    assert (config.scorer, config.bodyparts) == ("Müller", ("Füße",))
    add_video_set(path, "C:\\Käfig\\one.mp4", None)
    text = path.read_bytes().decode(encoding)
    assert "Müller  # größer" in text
    assert read_config(path).video_sets == (VideoSet("C:\\Käfig\\one.mp4"),)
    add_video_set(path, "/δοκιμή/two.mp4", None)  # what Windows-1252 has no letters for
    assert [entry.path for entry in read_config(path).video_sets] == ["C:\\Käfig\\one.mp4", "/δοκιμή/two.mp4"]


def test_not_text_and_not_there(tmp_path):
    with pytest.raises(AlPoseError, match="no file"):
        read_config(tmp_path / "config.yaml")
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(AlPoseError, match=r"config\.yaml"):
        read_config(tmp_path / "config.yaml")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\x00", "a\nb", " a", "x" * 300])
def test_unsafe_names(name):
    assert not is_safe_name(name)


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("/data/m4 s1.avi", "m4 s1"),
        ("C:\\data\\a.b.MP4", "a.b"),
        ("../../etc/passwd", None),
        ("/data/...mp4", None),
        ("/data/.mp4", None),
        ("x.txt", None),
        ("C:\\mixed/slashes\\v.mkv", "v"),
    ],
)
def test_video_stem(path, stem):
    assert video_stem(path) == stem
