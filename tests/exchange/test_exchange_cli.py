"""``import`` and ``export`` as a user or a machine calls them: real processes, exit codes, one JSON document."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from exchange_tools import project_with_labels

from napari_al_pose.cli import main
from napari_al_pose.domain import AlPoseError


def call(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "napari_al_pose", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "DISPLAY": "", "WAYLAND_DISPLAY": ""},
        check=False,
    )


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return project_with_labels(tmp_path_factory.mktemp("cli") / "ours", frames=(1, 2), individuals=("ann", "bob"))


def test_there_and_back(config, tmp_path):
    done = call("export", config, "--format", "lightning-pose", "--output", tmp_path / "lp", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["frames"], told["points"], told["format"]) == (2, 4, "lightning-pose")
    assert any("4 points of 'bob' left out" in notice for notice in told["notices"])
    done = call("import", tmp_path / "lp", "--to", tmp_path / "made", "--scorer", "Eve")
    assert done.returncode == 0, done.stderr
    assert "2 labelled frames (4 points)" in done.stdout
    assert (tmp_path / "made" / "labeled-data" / "cam" / "CollectedData_Eve.h5").is_file()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("import", "{tmp}/nowhere.slp", "--to", "{tmp}/made"), "nowhere.slp"),
        (("import", "{tmp}/broken.slp", "--to", "{tmp}/made"), "broken.slp"),
        (("import", "{config}", "--to", "{tmp}/made", "--scorer", "a/b"), "a/b"),
        (("import", "{tmp}/notes.txt", "--to", "{tmp}/made"), "no known format"),
        (("export", "{config}", "--format", "coco", "--output", "{tmp}"), "not empty"),
        (("export", "{config}", "--format", "sleap", "--output", "{tmp}/x.txt"), ".slp"),
        (("export", "{config}", "--format", "mpii", "--output", "{tmp}/x"), "MPII can hold nothing"),
    ],
)
def test_what_cannot_be_is_named(config, tmp_path, arguments, named, capsys, monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # main has its own
    for name in ("broken.slp", "notes.txt"):
        (tmp_path / name).write_text("nothing")
    with pytest.raises(SystemExit) as ended:
        main([word.format(tmp=tmp_path, config=config) for word in arguments])
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert said.out == ""
    assert named in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.slp", "notes.txt"]


def test_a_script_that_opens_sleap_labels_is_told_how_they_become_a_project(tmp_path):
    pytest.importorskip("napari")
    from napari_al_pose.gui.window import open_window

    with pytest.raises(AlPoseError) as refused:
        open_window(tmp_path / "labels.slp")
    assert "napari-al-pose import" in refused.value.hint
