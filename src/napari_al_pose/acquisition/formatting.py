"""Formats numbers and lists for the sentences that explain a score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.acquisition.ordering import share_below

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def peaks_sentence(bodypart: str, n_peaks: int) -> str:
    """Say what a bodypart's scoremap shows: ``the model sees two possible places for the left ear``."""
    number = _NUMBERS[n_peaks] if n_peaks < len(_NUMBERS) else str(n_peaks)
    return f"the model sees {number} possible {'place' if n_peaks < 2 else 'places'} for the {bodypart}"


def join(words: Sequence[str]) -> str:
    """Join words as in a sentence: ``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def percent_of_pool(share: float) -> str:
    """Word a share in [0, 1] of the other candidate frames: ``92 % of the candidate frames``.

    Never rounds to 0 or 100 % unless the share is exactly that.
    """
    percent = round(100 * share)
    if 0 < share < 1:
        percent = min(max(percent, 1), 99)
    return f"{percent} % of the candidate frames"


def rank_sentence(scores: NDArray[np.floating], index: int, *, more: str, most: str, least: str) -> str:
    """Say how a frame's score by image features compares with others: ``more`` with a share, ``most`` or ``least``.

    ``more`` is followed by the share: "more typical than" gives ``more typical than 92 % of the candidate frames``.
    """
    if not np.isfinite(scores[index]):
        return "no usable image features"
    share = share_below(scores, index)
    if share in (0.0, 1.0):
        return most if share else least
    return f"{more} {percent_of_pool(share)}"
