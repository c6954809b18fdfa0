"""Changes of tracks: each from a row on, applied to whatever rows are read, taken back in order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_al_pose.domain.track_edits import TrackAct, TrackEdit, TrackEdits, new_track_name


def poses(n=8, gone=()):
    """Two animals: one at 1 in every row, one at 2; not found at the (row, animal) in ``gone``."""
    made = np.ones((n, 2, 3, 3), np.float32)
    made[:, 1] = 2
    for row, animal in gone:
        made[row, animal] = (np.nan, np.nan, 0)
    return made


def who(tracks):
    """Return which animal each track has in each row, 0 for none."""
    return np.nan_to_num(tracks[:, :, 0, 0]).astype(int).T.tolist()


def edits(*made):
    return TrackEdits(tuple(made))


def test_a_swap_holds_from_its_row_on():
    swapped = edits(TrackEdit(TrackAct.SWAP, 5, 0, 1)).apply(poses())
    assert who(swapped) == [[1] * 5 + [2] * 3, [2] * 5 + [1] * 3]


def test_a_split_track_goes_on_as_a_new_one_and_can_be_joined_elsewhere():
    split = edits(TrackEdit(TrackAct.SPLIT, 5, 0, name="track 3"))
    gone = poses(gone=[(row, 1) for row in (5, 6)])
    assert who(split.apply(gone)) == [[1] * 5 + [0] * 3, [2] * 5 + [0, 0, 2], [0] * 5 + [1] * 3]
    assert split.names(("a", "b")) == ("a", "b", "track 3")
    joined = split.with_edit(TrackEdit(TrackAct.JOIN, 5, 1, 2))
    # Where both are seen, the second keeps what it has: nobody is two animals.
    assert who(joined.apply(gone)) == [[1] * 5 + [0] * 3, [2] * 5 + [1, 1, 2], [0] * 7 + [1]]


def test_names_are_of_the_tracks_that_are_there():
    named = edits(TrackEdit(TrackAct.SPLIT, 5, 0, name="track 3"), TrackEdit(TrackAct.NAME, 0, 2, name="stranger"))
    assert named.names(("a", "b")) == ("a", "b", "stranger")
    assert new_track_name(("a", "b", "track 4")) == "track 5"
    assert named.fits(2)
    assert not named.fits(0)
    assert not edits(TrackEdit(TrackAct.SWAP, 5, 0, 2)).fits(2)
    assert not edits(TrackEdit(TrackAct.SWAP, -1, 0, 1)).fits(2)


def test_what_is_taken_back_comes_back_until_something_else_is_done():
    one, other = TrackEdit(TrackAct.SWAP, 5, 0, 1), TrackEdit(TrackAct.SWAP, 2, 0, 1)
    both = TrackEdits().with_edit(one).with_edit(other)
    assert both.without_last().done == (one,)
    assert both.without_last().with_last_undone() == both
    assert both.without_last().with_edit(other).undone == ()
    assert TrackEdits().without_last() == TrackEdits() == TrackEdits().with_last_undone()


@given(
    st.lists(st.tuples(st.sampled_from(["swap", "split", "join"]), st.integers(0, 9)), max_size=6), st.integers(1, 8)
)
def test_rows_are_the_same_however_many_are_read_at_once(acts, chunk):
    made = tuple(
        TrackEdit(TrackAct(act), row, 0, 1) if act != "split" else TrackEdit(TrackAct.SPLIT, row, 1, name=f"t{i}")
        for i, (act, row) in enumerate(acts)
    )
    stored = poses(10, gone=[(3, 0), (4, 1), (8, 0), (8, 1)])
    whole = TrackEdits(made).apply(stored)
    pieces = [TrackEdits(made).apply(stored[first : first + chunk], first) for first in range(0, 10, chunk)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    # Nobody is lost, and nobody is there twice.
    assert (np.isfinite(whole[..., 0, 0]).sum(axis=1) == np.isfinite(stored[..., 0, 0]).sum(axis=1)).all()
