"""Imports say how far they are, and leave nothing when they are ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from exchange_tools import finish, project_with_labels

from napari_al_pose.exchange import import_labels


def test_taking_images_out_of_a_video_says_how_far_it_is(tmp_path):
    theirs = project_with_labels(tmp_path / "theirs", frames=range(28))
    for image in (theirs.parent / "labeled-data" / "cam").glob("*.png"):
        image.unlink()
    told = []

    work = import_labels(theirs, tmp_path / "made")
    while (message := next(work, None)) is not None:
        told.append(message)
    stages = {message.stage: message for message in told}
    assert stages["Extracting images of cam"].total == 28
    assert len(list((tmp_path / "made" / "labeled-data" / "cam").glob("*.png"))) == 28


def test_cancelled_while_images_are_taken_out_nothing_is_left(tmp_path):
    theirs = project_with_labels(tmp_path / "theirs", frames=range(28))
    for image in (theirs.parent / "labeled-data" / "cam").glob("*.png"):
        image.unlink()
    ours = project_with_labels(tmp_path / "ours", frames=(1,))
    before = sorted(ours.parent.rglob("*.png"))
    work = import_labels(theirs, ours)
    while next(work).stage != "Extracting images of cam":
        pass
    next(work, None)
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
