"""Left and right are told by name, or said."""

from __future__ import annotations

import pytest

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.mirroring import find_pairs, mirror_order, read_pairs


@pytest.mark.parametrize(
    ("bodyparts", "pairs"),
    [
        (("snout", "leftear", "rightear", "tailbase"), {("leftear", "rightear")}),
        (("L_paw", "R_paw", "tail"), {("L_paw", "R_paw")}),
        (("pawL", "pawR"), {("pawL", "pawR")}),
        (("ear_left", "Ear_Right"), {("ear_left", "Ear_Right")}),
        (("left eye", "right eye", "left paw", "right paw"), {("left eye", "right eye"), ("left paw", "right paw")}),
        (("wall", "rail", "ball", "bar", "lip", "rip"), set()),
        (("leftear", "snout"), set()),
        (("left", "right"), {("left", "right")}),
    ],
)
def test_pairs_are_found_by_name(bodyparts, pairs):
    assert set(find_pairs(bodyparts)) == pairs


def test_pairs_can_be_said():
    parts = ("a", "b c", "d")
    assert read_pairs("a = b c", parts) == (("a", "b c"),)
    assert read_pairs("", parts) == ()
    assert read_pairs("auto", ("L1", "R1")) == (("L1", "R1"),)


@pytest.mark.parametrize("text", ["a=x", "a", "a=b c=d", "a=b c, a=d", "a=a"])
def test_what_cannot_be_pairs_is_told(text):
    with pytest.raises(AlPoseError, match="left/right"):
        read_pairs(text, ("a", "b c", "d"))


def test_the_order_in_a_mirror_is_its_own_inverse():
    bodyparts = ("snout", "leftear", "rightear")
    order = mirror_order(find_pairs(bodyparts), bodyparts)
    assert order == (0, 2, 1)
    assert [order[i] for i in order] == [0, 1, 2]
    assert mirror_order((), bodyparts) is None
