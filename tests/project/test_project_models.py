"""What the loop leaves in ``al-pose/``."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_al_pose.domain import BodypartReason, ErrorSummary, FrameKey, FrameRole, Round, Suggestion
from napari_al_pose.project import ModelStore, PoolPredictions, QueueStore, RoundStore, SavedQueue


def test_models_are_numbered_and_whole(tmp_path):
    store = ModelStore(tmp_path / "models")
    assert store.versions() == []
    assert store.latest() == 0
    for _ in range(2):
        with store.new_folder() as folder:
            (folder / "model.pt").write_bytes(b"weights")
            assert store.latest() < 2
    assert store.versions() == [1, 2]
    assert store.checkpoint(2).read_bytes() == b"weights"

    def fail() -> None:
        with store.new_folder() as folder:
            (folder / "model.pt").write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert store.versions() == [1, 2]
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["0001", "0002"]


def test_predictions_come_back(tmp_path):
    store = PoolPredictions(tmp_path / "predictions")
    keys = [FrameKey("mouse", 5), FrameKey("rät", 12)]
    xy = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    likelihood = np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3)
    store.save(3, keys, xy, likelihood)
    found = store.load(3)
    assert list(found) == keys
    assert found[keys[1]].model_version == 3
    np.testing.assert_array_equal(found[keys[1]].xy, xy[1])
    np.testing.assert_array_equal(found[keys[1]].likelihood, likelihood[1])
    assert store.load(4) == {}


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 cut off"])
def test_damaged_predictions_are_none(tmp_path, content):
    store = PoolPredictions(tmp_path)
    (tmp_path / "0001.npz").write_bytes(content)
    assert store.load(1) == {}


def test_predictions_with_objects_or_that_do_not_fit_are_none(tmp_path):
    store = PoolPredictions(tmp_path)
    arrays = {"frame": np.arange(2), "xy": np.zeros((2, 3, 2)), "likelihood": np.zeros((2, 3))}
    np.savez(tmp_path / "0001.npz", video=np.array(["a", None], object), **arrays)
    np.savez(tmp_path / "0002.npz", video=np.array(["a"]), **arrays)
    np.savez(tmp_path / "0003.npz", video=np.array(["a", "b"]))
    assert [store.load(version) for version in (1, 2, 3)] == [{}, {}, {}]


def test_queue_comes_back(tmp_path):
    store = QueueStore(tmp_path / "queue.json")
    assert store.load() == SavedQueue()
    reason = BodypartReason("ear", 0.5, ((1.0, 2.0, 0.4), (3.0, 4.0, 0.3)))
    suggestions = (
        Suggestion(FrameKey("mouse", 3), 0.7, "mpe", model_version=2, reasons=(reason,), sentence="ear: two peaks"),
        Suggestion(FrameKey("mouse", 9), math.nan, "random", role=FrameRole.HOLDOUT),
    )
    store.save("mpe", 2, suggestions)
    found = store.load()
    assert (found.strategy, found.model_version) == ("mpe", 2)
    assert found.suggestions[0] == suggestions[0]
    assert math.isnan(found.suggestions[1].score)
    assert found.suggestions[1].role is FrameRole.HOLDOUT
    (tmp_path / "queue.json").write_text('{"queue": {"suggestions": 3}}')
    assert store.load() == SavedQueue()


def test_rounds_come_back(tmp_path):
    store = RoundStore(tmp_path / "rounds.json")
    assert store.all() == ()
    one = Round(1, 40, 10, 0, "mpe", None, "2024-05-01T10:00:00+00:00", 30.0, 100)
    two = Round(2, 80, 20, 3, "mpe", ErrorSummary(4.0, 3.0, 2.0, 9.0, 3), "2024-05-01T11:00:00+00:00", 31.0, 120)
    store.append(one)
    store.append(two)
    assert RoundStore(tmp_path / "rounds.json").all() == (one, two)


def test_damaged_rounds_are_kept_aside(tmp_path):
    store = RoundStore(tmp_path / "rounds.json")
    (tmp_path / "rounds.json").write_text("{")
    assert store.all() == ()
    one = Round(1, 40, 10, 0, "mpe", None, "2024-05-01T10:00:00+00:00", 30.0, 100)
    store.append(one)
    assert store.all() == (one,)
    assert (tmp_path / "rounds.json.damaged").read_text() == "{"
