"""Moving through the queue, and what a new ranking does to it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from napari_al_pose.domain import FrameKey, Suggestion
from napari_al_pose.domain.queue import PICKED, Queue


def suggestion(frame: int, *, version: int = 0) -> Suggestion:
    return Suggestion(FrameKey("v", frame), float(frame), "mpe", model_version=version)


def queue(*frames: int, position: int = -1) -> Queue:
    return Queue(tuple(map(suggestion, frames)), position)


def test_next_and_previous_stop_at_the_ends():
    q = queue(5, 3)
    assert q.current is None
    assert q.next().current.key.frame == 5
    assert q.next().next().current.key.frame == 3
    assert q.next().next().next().position == 1
    assert q.next().previous().position == 0


def test_the_place_is_kept_while_looking_at_frames_beside_the_queue():
    q = queue(5, 3, 8, position=1)
    assert q.at(FrameKey("v", 4)).next().current.key.frame == 8
    assert q.at(FrameKey("v", 5)).position == 0


def test_rerank_keeps_the_frame_in_front_and_leads_on_to_the_best_of_the_new():
    q = queue(5, 3, 8, position=1).after_rerank([suggestion(f, version=2) for f in (9, 8)])
    assert [s.key.frame for s in q.suggestions] == [3, 9, 8]
    assert q.current.key.frame == 3
    assert q.next().current.key.frame == 9


def test_rerank_takes_the_new_reasons_of_the_frame_in_front():
    q = queue(5, 3, position=0).after_rerank([suggestion(9, version=2), suggestion(5, version=2)])
    assert [s.key.frame for s in q.suggestions] == [5, 9]
    assert q.current.model_version == 2


def test_rerank_before_the_first_frame_is_the_new_queue():
    assert queue(5, 3).after_rerank([suggestion(1)]) == queue(1)


def test_upcoming_frames_follow_the_position():
    assert [k.frame for k in queue(5, 3, 8, position=0).upcoming(5)] == [3, 8]
    assert queue(5, position=0).upcoming(3) == ()


frames = st.lists(st.integers(0, 30), unique=True, max_size=12)


@given(old=frames, new=frames, place=st.integers(-1, 11))
def test_rerank_never_moves_the_user_nor_repeats_or_loses_a_frame(old, new, place):
    before = queue(*old, position=min(place, len(old) - 1))
    after = before.after_rerank(tuple(map(suggestion, new)))
    keys = [s.key.frame for s in after.suggestions]
    assert len(keys) == len(set(keys))
    if before.current is None:
        assert keys == new
    else:
        assert after.current.key == before.current.key
        assert set(keys) == {*new, before.current.key.frame}
        assert [k for k in keys if k != before.current.key.frame] == [k for k in new if k != before.current.key.frame]


def test_frames_that_were_picked_come_next_and_stay_until_they_are_labelled():
    picked = [Suggestion(FrameKey("m", frame), float("nan"), PICKED) for frame in (7, 2)]
    queue = Queue(tuple(Suggestion(FrameKey("m", frame), 0.5, "mpe") for frame in (1, 2, 3)), position=0)
    more = queue.with_picked(picked)
    assert [one.key.frame for one in more.suggestions] == [1, 7, 2, 3]
    new = [Suggestion(FrameKey("m", frame), 0.5, "mpe") for frame in (9, 7, 1)]
    assert [one.key.frame for one in more.after_rerank(new).suggestions] == [1, 7, 9]
    assert more.after_rerank(new).current.key.frame == 1
    assert [one.key.frame for one in more.after_rerank(new[:1], complete={picked[0].key}).suggestions] == [1, 9]
    at_picked = more.at(picked[0].key)
    assert at_picked.without({picked[0].key}).suggestions == queue.suggestions
    assert at_picked.without({picked[0].key}).position == 0
