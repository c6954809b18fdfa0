"""Where labelled frames come from, how they are divided, and the published comparisons."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_al_pose.domain import AlPoseError, FrameKey, KeypointState
from napari_al_pose.formats.horse10 import Split
from napari_al_pose.samples import longform
from napari_al_pose.simulation import drawn
from napari_al_pose.simulation.dataset import Reference, reference_lengths
from napari_al_pose.simulation.folds import make_folds
from napari_al_pose.simulation.measures import measure
from napari_al_pose.simulation.preparing import _scaled
from napari_al_pose.simulation.protocol import Protocol
from napari_al_pose.simulation.sources import open_horse10, open_source_of_labels, residency_split

PROTOCOL = Protocol(arms=("uniform",), budgets=(2, 4))
DATA = os.environ.get("NAPARI_AL_POSE_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="NAPARI_AL_POSE_DATA is not set")


def real(name: str) -> str:
    return str(Path(DATA or "") / name)


@needs_data
def test_reaching_comes_with_its_missing_points_and_without_its_damaged_image():
    raw = open_source_of_labels(real("Reaching-Mackenzie-2018-08-30"), rotation_degrees=20)
    assert len(raw.keys) == 55
    tongue = raw.skeleton.index("Tongue")
    assert 0 < (raw.states[:, tongue] == KeypointState.PLACED).sum() < 30
    dataset = _scaled(raw, Protocol(arms=("uniform",), budgets=(2, 4), long_side=128))
    assert len(dataset.keys) == 54
    hand = dataset.xy[:, raw.skeleton.index("Hand")] / dataset.scale[:, None]
    kept = [raw.keys.index(key) for key in dataset.keys]
    assert np.nanmax(np.abs(hand - raw.xy[kept, raw.skeleton.index("Hand")])) < 4


@needs_data
def test_long_recordings_are_chosen_from_on_one_day_and_tested_on_another_by_behaviour(monkeypatch):
    monkeypatch.setattr(longform, "_MINUTES", (1,) * 10)
    monkeypatch.setattr(drawn, "CANDIDATES", 60)
    raw = open_source_of_labels("longform:3", rotation_degrees=180.0)
    assert len(raw.keys) == len(raw.behaviours) == len(raw.xy)
    for _, pool, test in raw.splits:
        assert {name.removesuffix("-day1") for name in pool} == {name.removesuffix("-day2") for name in test}
    shown = {(key.video[-4:], name) for key, name in zip(raw.keys, raw.behaviours, strict=True)}
    assert {("day1", "rest"), ("day2", "rest"), ("day2", "hand")} <= shown
    last = len(raw.keys) - 1
    first, other = raw.read([0, last])
    assert first.shape == other.shape == (480, 640, 3)
    assert not np.array_equal(first, other)


def test_one_video_is_cut_in_blocks_with_a_gap_and_nothing_is_on_both_sides():
    dataset = _scaled(
        open_source_of_labels(real("openfield-Pranav-2018-10-30"), rotation_degrees=180),
        Protocol(arms=("uniform",), budgets=(2, 4), long_side=64),
    )
    assert dataset.fps == 0
    assert min(b.frame - a.frame for a, b in itertools.pairwise(dataset.times)) >= 1000  # their numbers tell no time
    folds = make_folds(dataset, 4, test_size=1000)
    assert sorted(row for fold in folds for row in fold.test.tolist()) == list(range(116))
    for fold in folds:
        apart = np.abs(fold.pool[:, None] - fold.test).min()
        assert apart > 2
        assert np.ptp(fold.test) == len(fold.test) - 1


@needs_data
def test_three_frames_of_horse10_are_measured_from_eye_to_nose():
    raw = open_horse10(Path(real("horse10")))
    assert raw.skeleton.n_bodyparts == 22
    assert raw.splits == ()
    image = next(iter(raw.read([0])))
    assert image.shape == (162, 288, 3)
    lengths = reference_lengths(raw.keys, raw.xy, raw.states, raw.skeleton, raw.reference)
    nose, eye = (raw.xy[:, raw.skeleton.index(name)] for name in ("Nose", "Eye"))
    assert np.unique(lengths) == pytest.approx(np.nanmedian(np.hypot(*(nose - eye).T)))


@needs_data
def test_people_are_cut_out_and_measured_by_their_heads():
    raw = open_source_of_labels(real("mpii/test_mpii.json"), rotation_degrees=180)
    assert raw.rotation_degrees == 25
    assert raw.reference.per_frame
    for row, image in zip(range(len(raw.keys)), raw.read(range(len(raw.keys))), strict=True):
        assert image.shape[:2] == tuple(raw.sizes[row])
        placed = raw.xy[row][raw.states[row] == KeypointState.PLACED]
        assert placed.min() >= 0
        assert placed.max() < image.shape[0]


def test_horse10_is_divided_as_the_residency_did():
    horses = [f"horse{i:02d}" for i in range(30)]
    keys = [FrameKey(horse, frame) for horse in horses for frame in range(356 if horse == "horse07" else 9)]
    train = tuple(key for key in keys if key.video in horses[:10] and key.frame % 2)
    within = tuple(key for key in keys if key.video in horses[:10] and not key.frame % 2)
    split = Split(train, within, tuple(key for key in keys if key.video in horses[10:]))
    base, pool, test = residency_split(keys, split, 1)
    assert base == ("horse07",)
    assert sorted((*base, *pool)) == horses[:10]
    assert list(test) == horses[10:]
    assert residency_split(keys, split, 0)[0] == ("horse00",)


def test_budgets_in_percent_begin_with_the_base_alone():
    protocol = Protocol(arms=("uniform",), budgets=(0, 25, 100), percent=True)
    assert [protocol.frames(budget, 2541) for budget in protocol.budgets] == [0, 635, 2541]
    with pytest.raises(AlPoseError, match="ascending"):
        Protocol(arms=("uniform",), budgets=(0, 25))


def test_coco_files_are_played_from_the_images_beside_them(tmp_path):
    rng = np.random.default_rng(0)
    document = {
        "categories": [{"id": 1, "name": "mouse", "keypoints": ["nose", "tail"], "skeleton": [[1, 2]]}],
        "images": [],
        "annotations": [],
    }
    for i in range(10):
        name = f"cage/img{i:03d}.png"
        (tmp_path / "cage").mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(tmp_path / name)
        document["images"].append({"id": i, "file_name": name, "height": 60, "width": 80})
        points = [10.0 + i, 20.0, 2, 40.0, 30.0 + i, 2]
        document["annotations"].append(
            {"id": i, "image_id": i, "category_id": 1, "keypoints": points, "num_keypoints": 2, "bbox": [0, 0, 80, 60]}
        )
    (tmp_path / "labels.json").write_text(json.dumps(document))
    raw = open_source_of_labels(str(tmp_path / "labels.json"), rotation_degrees=90)
    assert [key.frame for key in raw.keys] == list(range(10))
    assert raw.xy[3].tolist() == [[13, 20], [40, 33]]
    assert next(iter(raw.read([3]))).shape == (60, 80, 3)
    dataset = _scaled(raw, PROTOCOL)
    perfect = measure(dataset, np.arange(10), dataset.xy)
    assert perfect.error == pytest.approx(0)
    moved = measure(dataset, np.arange(10), dataset.xy + np.array([dataset.scale[0], 0]))
    assert moved.error_px == pytest.approx(1)
    assert moved.pck[0.5] == 1


def test_what_is_no_labelled_data_is_told(tmp_path):
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(AlPoseError, match="neither COCO keypoints nor MPII"):
        open_source_of_labels(str(tmp_path / "other.json"), rotation_degrees=0)
    with pytest.raises(AlPoseError, match="DeepLabCut project"):
        open_source_of_labels(str(tmp_path), rotation_degrees=0)


def test_each_video_has_its_own_unit_and_pckh_each_frame():
    keys = [FrameKey("a", 0), FrameKey("a", 1), FrameKey("b", 0)]
    xy = np.array([[[0, 0], [3, 4]], [[0, 0], [0, 7]], [[0, 0], [10, 0]]], np.float64)
    states = np.ones((3, 2), np.int8)
    from napari_al_pose.domain import Skeleton

    skeleton = Skeleton(("nose", "eye"))
    assert reference_lengths(keys, xy, states, skeleton, Reference()).tolist() == [6, 6, 10]
    pair = Reference(("nose", "eye"), per_frame=True)
    assert reference_lengths(keys, xy, states, skeleton, pair).tolist() == [5, 7, 10]
    states[1, 0] = KeypointState.NOT_VISIBLE
    assert reference_lengths(keys, xy, states, skeleton, pair).tolist() == [5, 5, 10]
