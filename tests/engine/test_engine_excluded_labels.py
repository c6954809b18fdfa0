"""Labels that are not learnt from are counted, with the reason; images that lie there are learnt from."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from napari_al_pose import cli
from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.domain.excluded_labels import ExcludedLabels, excluded_labels_sentence
from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.domain.steps import finish
from napari_al_pose.engine.sources import Sources
from napari_al_pose.engine.training import load_labelled, split_labels
from napari_al_pose.project import open_project

QUICK = TrainSettings(device="cpu", steps=1, batch_size=2, long_side=96)


@pytest.fixture
def project(sample_copy):
    with open_project(sample_copy) as opened:
        opened.save_settings(LoopSettings(train=QUICK))
        yield opened


def label(project, video, frames):
    for frame in frames:
        points = {name: (20.0 + i, 30.0) for i, name in enumerate(project.skeleton.bodyparts)}
        project.labels.place_many(FrameKey(video, frame), points)


def split(project):
    """Do what the engine does, which opens the project for each job."""
    sources = Sources()
    with open_project(project.root, read_only=True) as anew:
        found = split_labels(anew, sources.refresh(anew))
        frames = finish(load_labelled(found.train, sources.refresh(anew), 0, images=found.images))
    sources.close()
    return found, frames


def test_train_says_nine_of_twelve(sample_copy, capsys):
    """On the command line, in words and in JSON."""
    with open_project(sample_copy) as project:
        project.save_settings(LoopSettings(train=QUICK, holdout_share=0.0))
        video = project.videos[0]
        label(project, video.name, range(0, 108, 9))
        project.export_labels()
        folder, name = project.root / "labeled-data" / video.name, video.name
        video.path.unlink()
    images = sorted(folder.glob("*.png"))
    assert len(images) == 12
    for image in images[:3]:
        image.unlink()
    with pytest.raises(SystemExit) as end:
        cli.main(["train", "--json", str(sample_copy)])
    assert end.value.code == 0
    printed = capsys.readouterr()
    said = json.loads(printed.out)
    assert said["n_train"] == 9
    assert said["left_out"] == [{"reason": f"of {name}, whose images are missing", "frames": 3}]
    assert f"Trained on 9 of 12 labelled frames. Left out: 3 of {name}, whose images are missing." in printed.err


def test_every_reason_is_counted(project):
    first, second = project.videos[:2]
    n_frames = 120
    label(project, first.name, [1, 2, n_frames + 500, n_frames + 501])
    label(project, "gone", [5])
    for name in project.skeleton.bodyparts:
        project.labels.mark_not_visible(FrameKey(first.name, 9), name)
    second.path.chmod(0o644)
    second.path.write_bytes(b"no video any more")
    label(project, second.name, [4])
    found, frames = split(project)
    assert len(frames) == 2
    reasons = {some.reason: some.frames for some in found.left_out}
    assert reasons.pop(f"of {second.name}, whose video can't be opened") == 1
    assert reasons.pop("of gone, whose video and images are missing") == 1
    assert reasons.pop("without a visible point") == 1
    ((cut, count),) = reasons.items()
    assert cut.startswith(f"of {first.name}, which has ")
    assert count == 2


def test_images_beyond_the_end_of_a_video_that_was_cut_are_learnt_from(project):
    video = project.videos[0]
    label(project, video.name, [1, 2, 5000])
    folder = project.root / "labeled-data" / video.name
    folder.mkdir(parents=True, exist_ok=True)
    picture = np.random.default_rng(0).integers(0, 255, (100, 120, 3)).astype(np.uint8)
    Image.fromarray(picture).save(folder / "img5000.png")
    found, frames = split(project)
    assert found.left_out == ()
    assert len(frames) == 3
    np.testing.assert_array_equal(np.asarray(frames[2].image), picture)
    np.testing.assert_array_equal(frames[2].xy, found.train[2].xy)


def test_labels_of_a_video_that_cannot_be_opened_are_learnt_from_its_images(project):
    video = project.videos[0]
    label(project, video.name, [1, 2])
    project.export_labels()
    video.path.chmod(0o644)
    video.path.write_bytes(b"no video any more")
    found, frames = split(project)
    assert len(frames) == 2
    assert found.left_out == ()


def test_too_few_to_learn_from_says_why(project):
    label(project, "gone", [1, 2, 3])
    with pytest.raises(AlPoseError, match=r"got 0\. Trained on 0 of 3 labelled frames\. Left out: 3 of gone"):
        split(project)


def test_nothing_is_said_where_nothing_is_left_out():
    assert excluded_labels_sentence(12, []) == ""
    assert excluded_labels_sentence(9, [ExcludedLabels("of a", 2), ExcludedLabels("of b", 1)]).endswith(
        "Left out: 2 of a; 1 of b."
    )
