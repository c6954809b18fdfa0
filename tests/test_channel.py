"""Every message of every pipe, made from its type hints and sent through a real pipe, and what else may come in.

No list of messages here: what is added to a union is tested by being there.
"""

from __future__ import annotations

import io
import json
import math
import os
import struct
import subprocess
import threading
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from napari_al_pose.channel import ChannelError, MessageCodec
from napari_al_pose.domain import FrameKey, Prediction, ScoremapGrid, Scoremaps, Skeleton
from napari_al_pose.domain.pose_export import FORMATS, SMOOTHINGS, ExportOptions
from napari_al_pose.engine import messages
from napari_al_pose.engine.messages import REPLIES, REQUESTS
from napari_al_pose.project import writing_process

UNIONS = {
    "requests": (REQUESTS, messages.Request),
    "replies": (REPLIES, messages.Reply),
    "writing": (writing_process.REQUESTS, writing_process.Request),
    "written": (writing_process.REPLIES, writing_process.Reply),
}
EVERY = [
    pytest.param(codec, cls, id=f"{name}-{cls.__name__}")
    for name, (codec, union) in UNIONS.items()
    for cls in typing.get_args(union)
]
KEY = FrameKey("m4s1", 17)

# Names of files on Linux may hold bytes that are no text; Python keeps them as lone surrogates.
TEXT = st.text(st.characters(exclude_characters="\0"), max_size=8) | st.just("Maus\udce4 \u00e4\u732b $array")
NAMES = TEXT.filter(bool)
ARRAYS = npst.arrays(
    dtype=npst.floating_dtypes(sizes=(16, 32, 64), endianness="?")
    | npst.integer_dtypes(endianness="?")
    | npst.unsigned_integer_dtypes(endianness="?")
    | npst.boolean_dtypes(),
    shape=npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
) | st.just(np.arange(24, dtype="<f4").reshape(4, 6)[::2, ::-3])


@st.composite
def skeletons(draw):
    bodyparts = tuple(draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)))
    links = draw(st.lists(st.tuples(st.sampled_from(bodyparts), st.sampled_from(bodyparts)), max_size=2))
    return Skeleton(bodyparts, tuple(links), tuple(draw(st.lists(TEXT, min_size=1, max_size=3, unique=True))))


MADE_BY_RULE = {
    Skeleton: skeletons(),
    ExportOptions: st.builds(
        ExportOptions,
        version=st.integers(0, 9),
        formats=st.lists(st.sampled_from(list(FORMATS))).map(tuple),
        smoothing=st.sampled_from(list(SMOOTHINGS)),
        labelled_video=st.booleans(),
        cutoff=st.floats(0, 1),
        trail=st.integers(0, 1000),
        folder=TEXT,
    ),
}
"""Values that refuse some contents; all others are made from their hints alone."""

SIMPLE = {
    int: st.integers(-(2**63), 2**63),
    float: st.floats(),
    str: TEXT,
    bool: st.booleans(),
    Path: TEXT.map(lambda text: Path("/somewhere", text.replace("/", "_"))),
    type(None): st.none(),
}


def values_of(hint):
    """Return a strategy for all that a type hint allows."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in MADE_BY_RULE:
        return MADE_BY_RULE[hint]
    if hint in SIMPLE:
        return SIMPLE[hint]
    if origin is np.ndarray:
        return ARRAYS
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(values_of, inner))
    if origin is typing.Literal:
        return st.sampled_from(inner)
    if origin is tuple and inner[1:] == (...,):
        return st.lists(values_of(inner[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values_of, inner))
    if origin is frozenset:
        return st.frozensets(values_of(inner[0]), max_size=3)
    if origin is Mapping:
        return st.dictionaries(*map(values_of, inner), max_size=3)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    if is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return st.builds(hint, **{field.name: values_of(hints[field.name]) for field in fields(hint) if field.init})
    raise NotImplementedError(f"No values of {hint} are made yet.")


def assert_same(a, b):
    """Equal in type and content; arrays in type, shape and bits, and NaN is NaN."""
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert a.tobytes() == b.tobytes()
    elif is_dataclass(a):
        for field in fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name))
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    else:
        assert a == b or (a != a and b != b)


def through_a_pipe(codec, *sent):
    """Send messages through a pipe of the operating system, whose far end closes after them."""
    near, far = os.pipe()

    def send():
        with open(far, "wb") as stream:
            for message in sent:
                codec.write(stream, message)

    writer = threading.Thread(target=send)
    writer.start()
    with open(near, "rb") as stream:
        received = [codec.read(stream) for _ in (*sent, None)]
    writer.join()
    assert received.pop() is None
    return received


@pytest.mark.parametrize(("codec", "cls"), EVERY)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_every_message_comes_through_a_pipe_as_it_was(codec, cls, data):
    message = data.draw(values_of(cls))
    (received,) = through_a_pipe(codec, message)
    assert_same(received, message)


def test_messages_follow_one_another_whatever_their_size():
    large = Scoremaps(KEY, 2, np.random.default_rng(0).random((25, 256, 320)), ScoremapGrid(8.0, 8.0, 3.5, 3.5))
    sent = [messages.Ready("cpu", 0), messages.Looked(1, KEY, large, None), messages.Finished(1)]
    for a, b in zip(through_a_pipe(REPLIES, *sent), sent, strict=True):
        assert_same(a, b)


def test_what_arrives_can_be_written_to():
    prediction = Prediction(KEY, 2, np.zeros((3, 2), np.float32), np.ones(3, np.float32))
    (looked,) = through_a_pipe(REPLIES, messages.Looked(1, KEY, None, prediction))
    looked.prediction.xy[0] = 5


def test_numbers_of_numpy_arrive_as_numbers():
    step = messages.TrainStep(np.int64(1), np.int32(2), 3, np.float32(0.5), np.float64("nan"), 1)
    (received,) = through_a_pipe(REPLIES, step)
    assert_same(received, messages.TrainStep(1, 2, 3, 0.5, math.nan, 1.0))


@pytest.mark.parametrize(
    "message",
    [
        messages.Rank(1, b"mpe"),
        messages.Export(1, ("m4s1",), lambda: None),
        messages.Adopt(1, np.array([object()])),
        messages.Ready("cpu", 1),
        "rank",
    ],
)
def test_what_cannot_be_sent_is_refused_before_a_byte_is_written(message):
    stream = io.BytesIO()
    with pytest.raises(ChannelError, match="Expected"):
        REQUESTS.write(stream, message)
    assert stream.getvalue() == b""


@dataclass(frozen=True, slots=True)
class Anything:
    value: object


def test_a_hint_that_says_nothing_is_no_way_in():
    with pytest.raises(ChannelError):
        MessageCodec(Anything).write(io.BytesIO(), Anything(subprocess.Popen))


def packet(codec, message):
    stream = io.BytesIO()
    codec.write(stream, message)
    return stream.getvalue()


LOOKED = messages.Looked(1, KEY, None, Prediction(KEY, 1, np.ones((4, 2), np.float32), np.ones(4, np.float32)))


@given(cut=st.integers(min_value=0))
def test_a_stream_cut_anywhere_ends_without_an_error(cut):
    whole = packet(REPLIES, LOOKED)
    assert REPLIES.read(io.BytesIO(whole[: cut % len(whole)])) is None


@settings(deadline=None)
@given(st.data())
def test_damage_anywhere_ends_in_a_clear_error_or_another_message(data):
    damaged = bytearray(packet(REPLIES, LOOKED))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        message = REPLIES.read(io.BytesIO(damaged))
    except ChannelError as error:
        message = str(error)
    assert message is None or isinstance(message, messages.Reply) or message.startswith("Expected ")


@pytest.mark.parametrize(
    ("header", "match"),
    [
        (b"not json", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[]", "name"),
        (b'{"Train": 1}', "name"),
        (["Popen", {}], "Popen"),
        (["Ready", {"device": "cpu", "model_version": 1}], "Ready"),
        (["Train", {}], "Train"),
        (["Train", {"job": "one"}], "Train"),
        (["Train", {"job": 1, "command": "rm"}], "Train"),
        (["Look", {"job": 1, "key": {"video": "a", "frame": 1, "path": "b"}}], "Look"),
        (["Export", {"job": 1, "videos": [], "options": {"formats": ["exe"]}}], "Unknown format"),
        (["Rank", {"job": 1, "strategy": {"$array": "|O", "shape": [1]}}], "array of numbers"),
        (["Rank", {"job": 1, "strategy": {"$array": "<f4", "shape": [-1]}}], "shape"),
        (["Rank", {"job": 1, "strategy": {"$array": "<f4", "shape": "1"}}], "shape"),
        (["Rank", {"job": 1, "strategy": {"$array": "<f4"}}], "shape"),
        (["Rank", {"job": 1, "strategy": {"$array": "<f4", "shape": [2**40, 2**40]}}], "too large"),
        (["Rank", {"job": 1, "strategy": {"$array": "<f3", "shape": [1]}}], "can be made"),
        (["Rank", {"job": 1, "strategy": {"$array": "<f4", "shape": [0]}}], "Rank"),
    ],
)
def test_what_is_not_ours_is_refused(header, match):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    with pytest.raises(ChannelError, match=match):
        REQUESTS.read(io.BytesIO(b"ALP1" + struct.pack("<I", len(raw)) + raw))


@pytest.mark.parametrize("raw", [b"Traceback (most recent call last):", b"ALP1\xff\xff\xff\xff"])
def test_other_bytes_are_refused_before_memory_is_asked_for(raw):
    with pytest.raises(ChannelError, match="begin with"):
        REQUESTS.read(io.BytesIO(raw))
