"""The large sample: any of 20,000 frames, drawn alone as among others."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.domain import AlPoseError
from napari_al_pose.samples.anatomy import BODYPARTS
from napari_al_pose.samples.large import FRAMES_A_VIDEO, draw_large, large_scenes, large_skeleton


def test_a_frame_is_the_same_whichever_others_are_drawn():
    alone, truth_alone = draw_large(3, [1999], seed=5)
    among, truth_among = draw_large(3, [0, 40, 1999], seed=5)
    picture, pictures = next(alone), list(among)
    assert picture.shape == (480, 640, 3)
    assert np.array_equal(picture, pictures[-1])
    assert not np.array_equal(pictures[0], pictures[1])
    np.testing.assert_array_equal(truth_alone[0], truth_among[-1])
    assert truth_among.shape == (3, len(BODYPARTS), 2)


def test_the_ten_mice_look_different():
    names = [scene.name for scene in large_scenes()]
    assert len(set(names)) == 10
    assert len({scene.coat.back for scene in large_scenes()}) == 10
    assert len(names) * FRAMES_A_VIDEO == 20_000
    assert large_skeleton().bodyparts == BODYPARTS


def test_another_seed_moves_otherwise_and_what_is_not_there_is_told():
    assert not np.allclose(draw_large(0, [100], seed=0)[1], draw_large(0, [100], seed=1)[1], equal_nan=True)
    with pytest.raises(AlPoseError, match="scene below 10"):
        draw_large(10, [0])
    with pytest.raises(AlPoseError, match="frames below 2000"):
        draw_large(0, [2000])
