from __future__ import annotations

import io
import json
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_al_pose.domain import (
    BodypartReason,
    ErrorSummary,
    FrameKey,
    FrameRole,
    Prediction,
    Reliability,
    Round,
    ScoremapGrid,
    Scoremaps,
    Suggestion,
)
from napari_al_pose.domain.exporting import ExportOptions
from napari_al_pose.engine import messages
from napari_al_pose.engine.wire import WireError, read_message, write_message

KEY = FrameKey("m4s1", 17)


def round_trip(message):
    stream = io.BytesIO()
    write_message(stream, message)
    stream.seek(0)
    return read_message(stream)


@pytest.mark.parametrize(
    "message",
    [
        messages.Look(1, KEY),
        messages.Train(2),
        messages.Rank(3, "mpe"),
        messages.Export(4, ("m4s1",), ExportOptions(formats=(), trail=3)),
        messages.Stop(5, keep=True),
        messages.Ready("cpu", 0),
        messages.Looked(1, KEY, None, None),
        messages.Progress(2, "Reading", 3, 4, -1.0),
        messages.Exported(4, ("m4s1",), 1, ("/a/b.h5",)),
        messages.Failed(4, "message", "hint", "details"),
        messages.Died("why", "what to do"),
        messages.Trained(
            2, Round(1, 9, 10, 2, "mpe", ErrorSummary(4.0, 3.0, 2.0, 6.0, 2), "2026-01-01", 3.5, 60), False
        ),
        messages.Trained(
            2,
            Round(2, 9, 20, 2, "mpe", None, "2026-01-01", 3.5, 60, Reliability(((0.4, 0.5, 8),), 0.1), 1, (288, 384)),
            True,
        ),
        messages.Ranked(
            3,
            "mpe",
            1,
            (
                Suggestion(
                    KEY,
                    0.5,
                    "mpe",
                    role=FrameRole.HOLDOUT,
                    reasons=(BodypartReason("left ear", 0.6, ((1.0, 2.0, 0.4), (3.0, 4.0, 0.38))),),
                    sentence="left ear: two peaks, 0.4 and 0.38",
                ),
            ),
            (),
        ),
    ],
)
def test_every_message_without_arrays_comes_back_equal(message):
    assert round_trip(message) == message


def test_arrays_come_back_with_type_shape_and_bits():
    rng = np.random.default_rng(0)
    maps = rng.random((3, 5, 7)).astype(np.float16)
    xy = rng.random((3, 2)).astype(np.float32)
    xy[1] = np.nan
    looked = messages.Looked(
        1,
        KEY,
        Scoremaps(KEY, 2, maps, ScoremapGrid(8.0, 8.0, 3.5, 3.5)),
        Prediction(KEY, 2, xy, np.ones(3, np.float32)),
    )
    back = round_trip(looked)
    np.testing.assert_array_equal(back.scoremaps.maps, maps)
    assert back.scoremaps.maps.dtype == np.float16
    np.testing.assert_array_equal(back.prediction.xy, xy)
    assert back.scoremaps.grid == looked.scoremaps.grid
    back.prediction.xy[0] = 0  # what arrives can be written to


def test_a_role_comes_back_as_a_role():
    suggestion = round_trip(messages.Ranked(1, "mpe", 0, (Suggestion(KEY, math.inf, "mpe", FrameRole.HOLDOUT),), ()))
    assert suggestion.suggestions[0].role is FrameRole.HOLDOUT


def test_messages_follow_one_another_on_one_stream():
    stream = io.BytesIO()
    sent = [messages.Train(1), messages.Stop(1), messages.Look(2, KEY)]
    for message in sent:
        write_message(stream, message)
    stream.seek(0)
    assert [read_message(stream) for _ in sent] == sent
    assert read_message(stream) is None


@given(cut=st.integers(min_value=0))
def test_a_stream_cut_anywhere_ends_without_an_error(cut):
    stream = io.BytesIO()
    write_message(
        stream, messages.Looked(1, KEY, None, Prediction(KEY, 1, np.ones((4, 2), np.float32), np.ones(4, np.float32)))
    )
    whole = stream.getvalue()
    assert read_message(io.BytesIO(whole[: cut % len(whole)])) is None


@pytest.mark.parametrize(
    "header",
    [
        b"not json",
        json.dumps({"$": "Popen", "f": {}}).encode(),
        json.dumps({"$a": "|O", "shape": [1]}).encode(),
    ],
)
def test_what_is_not_ours_is_refused(header):
    with pytest.raises(WireError):
        read_message(io.BytesIO(struct.pack("<I", len(header)) + header))


def test_an_absurd_length_is_refused_before_memory_is_asked_for():
    with pytest.raises(WireError, match="header"):
        read_message(io.BytesIO(struct.pack("<I", 2**32 - 1)))
