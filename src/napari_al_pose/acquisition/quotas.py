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
