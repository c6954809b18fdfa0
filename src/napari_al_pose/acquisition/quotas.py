"""Dividing a number of frames among videos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def allocate(total: int, weights: Sequence[float], capacities: Sequence[int]) -> NDArray[np.int64]:
    """Divide ``total`` in proportion to ``weights`` by largest remainders, within ``capacities``.

    What one video can't take goes to the others in the same proportion, so exactly ``min(total, sum(capacities))`` is
    given out. Of equal remainders the earlier one wins.

    Parameters
    ----------
    total : int
        What to divide.
    weights : sequence of float
        Positive.
    capacities : sequence of int
        Not negative.

    Returns
    -------
    int64 array
        One number for each weight.
    """
    share = np.asarray(weights, np.float64)
    room = np.asarray(capacities, np.int64)
    given = np.zeros(len(room), np.int64)
    left = int(min(total, room.sum()))
    while left > 0:
        open_ = room > given
        exact = np.where(open_, left * share / share[open_].sum(), 0.0)
        full = open_ & (exact >= room)
        if full.any():
            given[full] = room[full]
            left -= int(room[full].sum())
            continue
        whole = np.floor(exact + 1e-9).astype(np.int64)  # a share of 2.9999999 counts as 3
        largest = np.argsort(-np.where(open_, exact - whole, -1.0), kind="stable")[: left - int(whole.sum())]
        whole[largest] += 1
        given += whole
        left = 0
    return given


def level(n: int, have: Sequence[int], capacities: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distribute ``n`` so that all reach the same level, as water fills a basin.

    Parameters
    ----------
    n : int
        What to distribute.
    have : sequence of int
        What each already has.
    capacities : sequence of int
        What each can still take.

    Returns
    -------
    sure : int64 array
        What each gets below the last step, for which there is not enough.
    most : int64 array
        The same including the last step: some of them get one more.
    """
    start, room = np.asarray(have, np.int64), np.asarray(capacities, np.int64)
    wanted = min(n, int(room.sum()))
    height = int(start.min()) if len(start) else 0
    sure = most = np.zeros(len(start), np.int64)
    while int(most.sum()) < wanted:
        height += 1
        sure, most = most, np.clip(height - start, 0, room)
    return sure, most


def systematic(n: int, quota: int, offset: float) -> NDArray[np.int64]:
    """Draw ``quota`` of ``range(n)``, evenly spread over its whole span.

    Parameters
    ----------
    n : int
        At least ``quota``.
    quota : int
        How many to draw.
    offset : float
        Where to draw in each of the equal parts, in [0, 1); 0.5 is the middle.
    """
    within = min(offset, 1 - 1e-9)  # rounding must not carry a part into the next
    return np.minimum(((np.arange(quota) + within) * n / max(quota, 1)).astype(np.int64), n - 1)
