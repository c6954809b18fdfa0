"""What the map of the pool and the contact sheets show."""

from __future__ import annotations

import numpy as np

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.frame_groups import FrameGroup
from napari_al_pose.domain.views.pool_map import (
    CHOSEN,
    LABELLED,
    SCORED,
    TEST,
    UNSCORED,
    MapDot,
    best_and_worst,
    group_rows,
    map_caption,
    map_dots,
    pictured,
    rank_shares,
    sheet_cells,
)

KEYS = [FrameKey("v", i) for i in range(5)]
SCORES = np.array([0.2, np.nan, 900.0, 0.5, 0.2])


def dots():
    points = np.linspace(0, 1, 10).reshape(5, 2)
    return map_dots(KEYS, points, SCORES, [FrameKey("w", 9)], np.array([[0.3, 0.4]]), [KEYS[3]])


def test_what_matters_is_painted_last():
    assert [dot.kind for dot in dots()] == [UNSCORED, SCORED, SCORED, SCORED, LABELLED, CHOSEN]
    assert dots()[-1].key == KEYS[3]
    assert dots()[-1].tooltip == "v, frame 3\nScore 0.50\nWould be chosen."
    assert dots()[0].tooltip == "v, frame 1\nNot scored."


def test_shades_go_by_rank_so_that_one_large_score_does_not_dim_the_others():
    assert rank_shares(SCORES).tolist() == [0.5, 0, 1.0, 0.75, 0.5]
    assert rank_shares(np.full(3, np.nan)).tolist() == [0, 0, 0]


def test_no_frame_is_both_first_and_last():
    assert best_and_worst(KEYS, SCORES, 12) == ((2, 3), (4, 0))
    assert best_and_worst(KEYS, SCORES, 1) == ((2,), (4,))
    assert best_and_worst(KEYS, np.full(5, np.nan), 3) == ((), ())


def test_sheets_and_caption():
    best, worst = sheet_cells(KEYS, SCORES, 2)
    assert [cell.caption for cell in best] == ["900", "0.50"]
    assert [cell.key for cell in worst] == [KEYS[4], KEYS[0]]
    text = map_caption(dots(), title="MPE", version=3, notice="Careful.")
    assert text == "Careful. MPE, model 3: 5 candidate frames, 1 would be chosen, 1 labelled."
    assert map_caption((), title="MPE", version=0, notice="") == "No candidate frames to show."


def test_what_was_labelled_since_and_what_is_a_test_frame_is_drawn_as_such():
    points = np.linspace(0, 1, 10).reshape(5, 2)
    found = map_dots(
        KEYS,
        points,
        SCORES,
        [KEYS[0], FrameKey("w", 9)],
        np.array([[0.0, 0.1], [0.3, 0.4]]),
        [KEYS[3], KEYS[4]],
        group_of=[0, 0, 1, 1, -1],
        labelled_group_of=[0, 1],
        labelled_since={KEYS[0], KEYS[2], KEYS[3], FrameKey("w", 9)},
        test_frames={KEYS[4], KEYS[1], FrameKey("w", 9)},
    )
    kinds = {dot.key: dot.kind for dot in found}
    assert len(found) == len(kinds) == 6, "a frame is drawn once"
    assert [kinds[key] for key in KEYS] == [LABELLED, UNSCORED, LABELLED, LABELLED, TEST]
    assert kinds[FrameKey("w", 9)] == TEST
    assert {dot.key: dot.group for dot in found}[FrameKey("w", 9)] == 1
    text = map_caption(found, title="MPE", version=3, notice="")
    assert text == "MPE, model 3: 1 candidate frame, 0 would be chosen, 3 labelled, 2 test frames."


def test_pictures_cover_no_other_and_what_matters_has_one_first():
    line = [MapDot(FrameKey("v", i), i / 10, 0.5, SCORED, 0.0, "") for i in range(11)]
    found = pictured(line, view=(0, 1, 0, 1), size=(100, 100), picture=(25, 20), most=9)
    assert [line[i].key.frame for i in found] == [10, 7, 4, 1]
    near = pictured(line, view=(0, 0.5, 0, 1), size=(100, 100), picture=(25, 20), most=9)
    assert [line[i].key.frame for i in near] == [5, 3, 1], "zooming in brings more"
    assert len(pictured(line, view=(0, 1, 0, 1), size=(100, 100), picture=(25, 20), most=2)) == 2
    assert pictured(line, view=(0, 0, 0, 1), size=(100, 100), picture=(25, 20), most=9) == ()


def test_a_group_says_how_much_of_the_videos_it_stands_for():
    groups = [
        FrameGroup(0.031, 0, tuple(FrameKey("v", 100 * i) for i in range(5))),
        FrameGroup(0.002, 1, ()),
        FrameGroup(0.6, 12, (FrameKey("v", 7),)),
    ]
    rare, tiny, common = group_rows(groups, n_videos=1)
    assert rare.text == "3 % of your video looks like this; none of it is labelled."
    assert rare.key == FrameKey("v", 0)
    assert [key.frame for key in rare.picks] == [0, 100, 200]
    assert tiny.text == "Less than 1 % of your video looks like this, with 1 labelled frame."
    assert tiny.key is None
    assert tiny.picks == ()
    assert group_rows(groups, n_videos=2)[2].text == "60 % of your videos look like this, with 12 labelled frames."
    assert common.number == 2
