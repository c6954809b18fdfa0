"""Arrays of predictions: readable while they grow, resumed where they stopped, safe to open."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_al_pose.domain import AlPoseError
from napari_al_pose.project.video_predictions import RunHeader, VideoPredictions, segments

HEADER = RunHeader(
    video="mouse", identity="a", model_version=3, bodyparts=("nose", "ear"), segments=((0, 4), (4, 8), (8, 10))
)


@pytest.fixture
def store(tmp_path):
    return VideoPredictions(tmp_path / "predictions")


def rows(n, start=1.0):
    return np.arange(start, start + 6 * n, dtype=np.float32).reshape(n, 2, 3)


def test_a_frame_is_there_as_soon_as_it_is_written(store):
    run = store.resume(HEADER)
    assert run.prediction(5) is None
    run.write(4, rows(2))
    for reader in (run, store.find(3, "mouse")):
        found = reader.prediction(5)
        assert found.key.video == "mouse"
        assert found.key.frame == 5
        assert found.model_version == 3
        np.testing.assert_array_equal(found.xy, rows(2)[1, :, :2])
        np.testing.assert_array_equal(found.likelihood, rows(2)[1, :, 2])
        assert reader.prediction(6) is None
        assert reader.prediction(10) is None
    assert store.find(3, "mouse").missing == (0, 1, 2)


def test_what_could_not_be_decoded_counts_as_reached(store):
    run = store.resume(HEADER)
    run.write(0, np.array([[[np.nan, np.nan, 0]] * 2], np.float32))
    assert np.isnan(run.prediction(0).xy).all()


def test_finished_segments_are_kept_and_the_others_are_missing(store):
    run = store.resume(HEADER)
    run.write(4, rows(4))
    run.finish(1)
    again = store.resume(HEADER)
    assert again.missing == (0, 2)
    assert again.header.n_done == 4
    np.testing.assert_array_equal(again.rows(4, 8), rows(4))
    for segment in again.missing:
        again.finish(segment)
    assert store.find(3, "mouse").is_complete


@pytest.mark.parametrize(
    "change",
    [{"identity": "b"}, {"bodyparts": ("ear", "nose")}, {"segments": ((0, 10),)}, {"numbers": tuple(range(10))}],
)
def test_another_file_or_model_begins_anew(store, change):
    run = store.resume(HEADER)
    run.write(0, rows(4))
    run.finish(0)
    anew = store.resume(HEADER.model_copy(update=change))
    assert anew.header.done == ()
    assert not anew.rows(0, 10).any()


def test_frames_of_image_folders_have_their_numbers(store):
    header = HEADER.model_copy(update={"numbers": (2, 3, 5, 7, 11, 13, 17, 19, 23, 29)})
    run = store.resume(header)
    run.write(3, rows(1))
    assert run.prediction(7) is not None
    assert run.prediction(3) is None
    assert run.prediction(4) is None
    assert run.numbers(2, 4).tolist() == [5, 7]


def test_damaged_files_are_passed_over(store, tmp_path):
    run = store.resume(HEADER)
    header = run.path.with_suffix(".json")
    good = header.read_text()
    for content in ("", "{", json.dumps({"video": "mouse"}), good.replace("[8,10]", "[8,900]")):
        header.write_text(content)
        assert store.find(3, "mouse") is None
    header.write_text(good)
    array = run.path.read_bytes()
    for content in (b"", array[:100], b"\x80\x04N."):
        run.path.write_bytes(content)
        assert store.find(3, "mouse") is None
    np.save(run.path.with_suffix(""), np.array([{"a": 1}], object), allow_pickle=True)
    assert store.find(3, "mouse") is None
    assert store.find(3, "../mouse") is None
    assert store.resume(HEADER).missing == (0, 1, 2)


def test_a_name_that_is_no_file_name_is_refused(store):
    with pytest.raises(AlPoseError, match="cannot be the name"):
        store.resume(HEADER.model_copy(update={"video": "../mouse"}))


@given(st.sets(st.integers(1, 3000)).map(sorted), st.integers(1, 3000), st.integers(1, 400), st.integers(400, 1200))
def test_segments_cover_the_video_and_begin_at_keyframes_where_there_are_any(keys, n_frames, length, longest):
    keyframes = [0, *(key for key in keys if key < n_frames)]
    made = segments(keyframes, n_frames, length=length, longest=longest)
    assert [first for first, _ in made] == [0, *(stop for _, stop in made[:-1])]
    assert made[-1][1] == n_frames
    assert all(0 < stop - first <= longest + length for first, stop in made)
    for first, stop in made[:-1]:
        assert stop in keyframes or stop - first == longest
        assert stop - first >= min(length, longest)
