"""The sample of two: reproducible, a multi-animal project, and true where mice lie on each other."""

from __future__ import annotations

import hashlib

import av
import numpy as np
import pytest

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.deeplabcut import read_config
from napari_al_pose.project import open_project
from napari_al_pose.samples import INDIVIDUALS, make_pair, pair_truth
from napari_al_pose.samples.anatomy import BODYPARTS
from napari_al_pose.samples.footage import Footage
from napari_al_pose.samples.pair import PAIR_SCENES


def test_it_is_a_project_of_two_without_labels_and_the_same_every_time(tmp_path):
    config = make_pair(tmp_path / "a", seed=2, n_frames=6)
    again = make_pair(tmp_path / "b", seed=2, n_frames=6)
    for path in sorted(path for path in config.parent.rglob("*") if path.is_file()):
        other = again.parent / path.relative_to(config.parent)
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()
    read = read_config(config)
    assert read.multianimal
    assert tuple(read.individuals) == INDIVIDUALS
    with av.open(str(config.parent / "videos" / "two-white-mice.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 6
    truth = pair_truth(config)
    assert {name: xy.shape for name, xy in truth.items()} == {
        "two-black-mice": (6, 2, 7, 2),
        "two-white-mice": (6, 2, 7, 2),
    }
    with open_project(config) as project:
        assert project.skeleton.individuals == INDIVIDUALS
        assert not project.labels.annotations()
    with pytest.raises(AlPoseError, match="seed"):
        make_pair(tmp_path / "a", seed=3, n_frames=6)


@pytest.mark.parametrize("scene", PAIR_SCENES, ids=lambda scene: scene.name)
def test_the_mice_meet_and_what_is_under_the_other_cannot_be_seen(scene):
    state = np.random.SeedSequence(0).spawn(len(PAIR_SCENES))[PAIR_SCENES.index(scene)]
    footage = Footage(scene, 600, np.random.default_rng(state), n_mice=2)
    xy = footage.truths()
    middles = np.nanmean(xy, axis=2)
    gaps = np.hypot(*(middles[:, 0] - middles[:, 1]).T)
    assert (gaps < 50).sum() >= 10
    assert (gaps > 150).any()
    first, second = (anatomy.keypoints for anatomy, _ in footage._mice)
    centre = second[:, BODYPARTS.index("bodycentre"), None]
    covered = np.hypot(*np.moveaxis(first - centre, -1, 0)) < 8
    assert not np.isfinite(xy[:, 0][covered]).any()
    assert covered.any() or scene is PAIR_SCENES[0]
