"""Dividing a number of frames among videos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def allocate(total: int, weights: Sequence[float], capacities: Sequence[int]) -> NDArray[np.int64]:
    """Divide ``total`` in proportion to ``weights`` by largest remainders, within ``capacities``.

    What one cannot take goes to the others in the same proportion, so that exactly
    ``min(total, sum(capacities))`` is given out. Equal remainders go to the earlier one.

    Parameters
    ----------
    total : int
        What there is to divide.
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
        whole = np.floor(exact + 1e-9).astype(np.int64)  # a share of 3 that came out as 2.9999999 is 3
        largest = np.argsort(-np.where(open_, exact - whole, -1.0), kind="stable")[: left - int(whole.sum())]
        whole[largest] += 1
        given += whole
        left = 0
    return given


def level(n: int, have: Sequence[int], capacities: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give out ``n`` so that all come to the same height, as water fills a basin.

    Parameters
    ----------
    n : int
        What is to be given out.
    have : sequence of int
        What each has already.
    capacities : sequence of int
        What each can still take.

    Returns
    -------
    sure : int64 array
        What each gets: below the last step, which there is not enough for.
    most : int64 array
        The same with the last step, of which some get one more.
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
    """Return ``quota`` of ``range(n)``, evenly spread over its whole span.

    Parameters
    ----------
    n : int
        At least ``quota``.
    quota : int
        How many to draw.
    offset : float
        Where in each of the equal parts to draw, in [0, 1); 0.5 is their middle.
    """
    within = min(offset, 1 - 1e-9)  # so that no part reaches into the next by rounding
    return np.minimum(((np.arange(quota) + within) * n / max(quota, 1)).astype(np.int64), n - 1)
