"""Imports say how far they are, and leave nothing when they are ended."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

from exchange_tools import project_with_labels

from napari_al_pose.domain.steps import finish
from napari_al_pose.exchange import import_labels
from napari_al_pose.exchange.stepwise import stepwise
from napari_al_pose.project import open_project
from napari_al_pose.project.staging import staging_folder


def test_taking_images_out_of_a_video_says_how_far_it_is(tmp_path):
    theirs = project_with_labels(tmp_path / "theirs", frames=range(28))
    for image in (theirs.parent / "labeled-data" / "cam").glob("*.png"):
        image.unlink()
    told = []

    work = import_labels(theirs, tmp_path / "made")
    told += iter_messages(work)
    stages = {message.stage: message for message in told}
    assert stages["Extracting images of cam"].total == 28
    assert len(list((tmp_path / "made" / "labeled-data" / "cam").glob("*.png"))) == 28


def coco_file(path, n_frames):
    places = [value for place in range(10) for value in (place + 1.0, place + 2.0, 2)]
    path.write_text(
        json.dumps(
            {
                "images": [
                    {"id": i, "file_name": f"img{i:05d}.png", "width": 64, "height": 48} for i in range(n_frames)
                ],
                "categories": [{"id": 1, "name": "mouse", "keypoints": [f"part{i}" for i in range(10)]}],
                "annotations": [
                    {"id": i, "image_id": i, "category_id": 1, "keypoints": places} for i in range(n_frames)
                ],
            }
        )
    )
    return path


def test_reading_and_storing_count_and_tell_the_time_left(tmp_path):
    work = import_labels(coco_file(tmp_path / "labels.json", 1600), tmp_path / "made")
    told = list(iter_messages(work))
    of_stage = {stage: [m for m in told if m.stage == stage] for stage in ("Reading labels", "Storing labels")}
    assert of_stage["Reading labels"]
    assert of_stage["Storing labels"][-1].total == 16_000
    for messages in of_stage.values():
        assert [m.done for m in messages] == sorted(m.done for m in messages)
    assert any(m.stage == "Writing CollectedData" and m.total == 1600 for m in told)


def test_a_project_that_is_opened_says_of_how_many_videos_labels_are_read(tmp_path):
    theirs = project_with_labels(tmp_path / "theirs", frames=(1,))
    shutil.rmtree(theirs.parent / "al-pose")  # as another program made it
    told = []
    with open_project(theirs, read_only=True, on_progress=lambda *at: told.append(at)):
        assert told == [(0, 1)]


def test_cancelled_while_labels_are_stored_the_project_is_as_it_was(tmp_path):
    ours = project_with_labels(tmp_path / "ours", frames=(1,))
    before = (ours.parent / "labeled-data" / "cam" / "CollectedData_Ada.csv").read_bytes()
    labels = coco_file(tmp_path / "labels.json", 1600)
    content = json.loads(labels.read_text())
    content["categories"][0]["keypoints"][:2] = ["nose", "ear"]
    labels.write_text(json.dumps(content))
    with open_project(ours) as project:
        kept = len(list(project.labels.annotations()))
        work = import_labels(labels, project)
        while next(work).stage != "Storing labels":
            pass
        work.close()
        assert len(list(project.labels.annotations())) == kept
    assert (ours.parent / "labeled-data" / "cam" / "CollectedData_Ada.csv").read_bytes() == before


def test_work_step_by_step_ends_where_it_is_closed():
    begun = threading.Event()
    undone = []

    def work(told):
        try:
            for done in itertools.count():
                told(done, 1000)
                begun.set()
                time.sleep(0.001)
        finally:
            undone.append(True)

    steps = stepwise("Work", work)
    next(steps)
    begun.wait(10)
    found = [next(steps), next(steps)]
    assert found[-1].total == 1000
    assert found[-1].seconds_left >= 0
    steps.close()
    assert undone == [True]


def test_what_a_killed_import_left_goes_when_a_project_there_is_opened(tmp_path):
    ours = project_with_labels(tmp_path / "ours", frames=(1,))
    process = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    beside = ours.parent.parent
    under_way, other = staging_folder(beside, "export"), beside / ".new-project-of-mine"
    other.mkdir()
    place = staging_folder(beside, "new-project")
    left = place.rename(beside / place.name.replace(f"-{os.getpid()}-", f"-{int(process.stdout)}-"))
    with open_project(ours) as project:
        assert any(str(left) in notice for notice in project.notices)
    assert not left.exists()
    assert under_way.exists()
    assert other.exists()
    with open_project(ours) as project:
        assert not any("interrupted" in notice for notice in project.notices)


def iter_messages(work):
    while (message := next(work, None)) is not None:
        yield message


def test_cancelled_while_images_are_taken_out_nothing_is_left(tmp_path, monkeypatch):
    theirs = project_with_labels(tmp_path / "theirs", frames=range(28))
    for image in (theirs.parent / "labeled-data" / "cam").glob("*.png"):
        image.unlink()
    ours = project_with_labels(tmp_path / "ours", frames=(1,))
    before = sorted(ours.parent.rglob("*.png"))
    work = import_labels(theirs, ours)
    # Progress is told after each image, however fast they are taken out.
    monkeypatch.setattr(time, "monotonic", itertools.count().__next__)
    while next(work).done < 3:
        pass
    assert len(sorted(ours.parent.rglob("*.png"))) == len(before) + 3
    monkeypatch.undo()
    work.close()
    assert sorted(ours.parent.rglob("*.png")) == before
    assert finish(import_labels(theirs, ours)).frames == 27


def test_ended_from_outside_it_leaves_no_hidden_folder(tmp_path):
    theirs = project_with_labels(tmp_path / "theirs", frames=range(28))
    slow = (
        "import sys, time\n"
        "from napari_al_pose import cli\n"
        "from napari_al_pose.project.extracted_images import ExtractedImages\n"
        "usual = ExtractedImages.extract\n"
        "ExtractedImages.extract = lambda self, *a: (time.sleep(0.3), usual(self, *a))[1]\n"
        "cli.main(sys.argv[1:])\n"
    )
    for image in (theirs.parent / "labeled-data" / "cam").glob("*.png"):
        image.unlink()
    command = [sys.executable, "-c", slow, "import", str(theirs), "--to", str(tmp_path / "out" / "made")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        end = time.monotonic() + 60
        while not list((tmp_path / "out").glob(".new-project-*/labeled-data/cam/*.png")):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 143
    assert list((tmp_path / "out").iterdir()) == []
