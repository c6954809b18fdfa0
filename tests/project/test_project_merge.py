"""The three-way comparison with CollectedData."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.domain import KeypointState, Skeleton
from napari_al_pose.domain.image_placement import Place
from napari_al_pose.formats.deeplabcut import AnnotationTable
from napari_al_pose.project.label_log import Keypoint, KeypointKey
from napari_al_pose.project.merge import keypoints_of, plan_merge

KEY = KeypointKey("mouse", 3, "", "nose")
A, B, C = (Keypoint(KeypointState.PLACED, x, 0.0) for x in (1.0, 2.0, 3.0))
HIDDEN = Keypoint(KeypointState.NOT_VISIBLE)
NOTHING = Keypoint()


@pytest.mark.parametrize(
    ("ours", "base", "theirs", "edited", "expected"),
    [
        (None, None, A, False, "new"),
        (A, A, A, True, ""),
        (A, A, B, True, "changed"),
        (A, A, None, True, ""),  # absence is never deletion
        (B, A, A, True, ""),  # ours is newer
        (B, A, B, True, ""),  # both did the same
        (B, A, C, True, "conflict"),
        (B, None, C, True, "conflict"),
        (None, A, A, True, ""),  # cleared here
        (None, A, B, True, "conflict"),  # cleared here, moved there
        (None, None, A, True, "changed"),  # placed and undone here before
        (A, A, HIDDEN, True, "changed"),
        (HIDDEN, HIDDEN, A, True, "changed"),
        (HIDDEN, A, HIDDEN, True, ""),
        (A, Keypoint(KeypointState.PLACED, 1 + 1e-9, 0.0), Keypoint(KeypointState.PLACED, 1 - 1e-9, 0.0), True, ""),
    ],
)
def test_every_case(ours, base, theirs, edited, expected):
    def state(value):
        return {} if value is None else {KEY: value}

    plan = plan_merge(state(theirs), base=state(base), ours=state(ours), edited={KEY} if edited else set())
    found = {"new": plan.new, "changed": plan.changed, "conflict": plan.conflicts}
    assert {name for name, changes in found.items() if changes} == ({expected} if expected else set())
    assert plan.is_empty == (not expected)


def test_missing_point_is_not_visible_only_in_a_labelled_row():
    table = AnnotationTable(
        rows=(("mouse", "img1.png"), ("mouse", "img2.png"), ("other", "img1.png"), ("mouse", "cover.png")),
        columns=(("", "ear"), ("", "nose"), ("", "gone")),
        xy=np.array([[[np.nan] * 2, [4, 5], [1, 1]], [[np.nan] * 2] * 2 + [[1, 1]], [[9, 9]] * 3, [[8, 8]] * 3]),
    )
    found = keypoints_of(table, "mouse", Skeleton(("nose", "ear", "tail")), lambda _image: Place(10.0, 20.0))
    assert found == {
        KeypointKey("mouse", 1, "", "nose"): Keypoint(KeypointState.PLACED, 14.0, 25.0),
        KeypointKey("mouse", 1, "", "ear"): HIDDEN,
    }
