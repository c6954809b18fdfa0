"""Label sets of every kind, for the tests of formats and of import and export."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from napari_al_pose.domain import SINGLE_INDIVIDUAL, Annotation, FrameKey, FrameRole, KeypointState, Skeleton
from napari_al_pose.formats.label_set import LabelledVideo, LabelSet, Picture

NAMES = st.text(
    st.characters(codec="utf-8", categories=("L", "N"), include_characters=" _-"), min_size=1, max_size=8
).map(lambda text: f"p{text.strip()}")
COORDINATES = st.floats(-2000, 9000, allow_nan=False, allow_subnormal=False)
STATES = st.sampled_from(list(KeypointState))


@st.composite
def label_sets(draw, *, bodyparts=None, individuals=3, states=STATES, folder="labeled-data"):
    """Draw labels of up to two videos; each labelled frame has a picture with a size."""
    names = tuple(bodyparts or draw(st.lists(NAMES, min_size=1, max_size=4, unique_by=str.casefold)))
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    links = tuple(draw(st.lists(st.sampled_from(pairs), max_size=3, unique=True))) if pairs else ()
    who = (SINGLE_INDIVIDUAL,)
    if individuals > 1 and draw(st.booleans()):
        who = tuple(draw(st.lists(NAMES, min_size=2, max_size=individuals, unique_by=str.casefold)))
    videos, annotations = [], []
    for name in draw(st.lists(st.sampled_from(("cam", "other one")), min_size=1, max_size=2, unique=True)):
        frames = draw(st.lists(st.integers(0, 5000), min_size=1, max_size=3, unique=True))
        videos.append(
            LabelledVideo(name, pictures={n: Picture(f"{folder}/{name}/img{n:04d}.png", (64, 48)) for n in frames})
        )
        for frame in frames:
            role = draw(st.sampled_from(list(FrameRole)))
            for individual in draw(st.lists(st.sampled_from(who), min_size=1, unique=True)):
                made = draw(annotations_of(FrameKey(name, frame), len(names), individual, role, states))
                if not made.is_empty:
                    annotations.append(made)
    return LabelSet(Skeleton(names, links, who), tuple(videos), tuple(annotations), scorer="Ada")


@st.composite
def annotations_of(draw, key, n_bodyparts, individual, role, states):
    found = np.array(draw(st.lists(states, min_size=n_bodyparts, max_size=n_bodyparts)), np.int8)
    xy = np.array(draw(st.lists(COORDINATES, min_size=2 * n_bodyparts, max_size=2 * n_bodyparts))).reshape(-1, 2)
    xy[found != KeypointState.PLACED] = np.nan
    return Annotation(key, xy, found, individual, role)


def keypoints(labels):
    """Return ``{(video, frame, individual, bodypart): (state, x, y)}`` of all that was looked at."""
    return {
        (a.key.video, a.key.frame, a.individual, bodypart): (int(state), x, y)
        for a in labels.annotations
        for bodypart, (x, y), state in zip(labels.skeleton.bodyparts, a.xy.tolist(), a.states.tolist(), strict=True)
        if state != KeypointState.UNSEEN
    }


def placed(labels):
    """Return the keypoints with a place, ``{key: (x, y)}``."""
    return {key: (x, y) for key, (state, x, y) in keypoints(labels).items() if state == KeypointState.PLACED}


def assert_same(found, expected, *, tolerance=0.0):
    """Check that two label sets say the same of every keypoint."""
    ours, theirs = keypoints(expected), keypoints(found)
    assert theirs.keys() == ours.keys()
    for key, (state, *xy) in ours.items():
        assert theirs[key][0] == state
        np.testing.assert_allclose(theirs[key][1:], xy, rtol=0, atol=tolerance)
