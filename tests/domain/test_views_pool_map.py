"""What the map of the pool and the contact sheets show."""

from __future__ import annotations

import numpy as np

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.views.pool_map import (
    CHOSEN,
    LABELLED,
    SCORED,
    UNSCORED,
    best_and_worst,
    map_caption,
    map_dots,
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
