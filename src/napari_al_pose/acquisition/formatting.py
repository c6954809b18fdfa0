"""Formats numbers and lists for the sentences that explain a score."""

from __future__ import annotations

from collections.abc import Sequence

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def peaks_sentence(bodypart: str, heights: Sequence[float]) -> str:
    """Describe a bodypart's scoremap: ``left ear: two peaks, 0.41 and 0.38``."""
    n = len(heights)
    if n == 0:
        return f"{bodypart}: nothing found"
    number = _NUMBERS[n] if n < len(_NUMBERS) else str(n)
    return f"{bodypart}: {number} {'peak' if n == 1 else 'peaks'}, {join([f'{h:.2f}' for h in heights])}"


def join(words: Sequence[str]) -> str:
    """Join words as in a sentence: ``a``, ``a and b``, ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def percent_of_pool(share: float) -> str:
    """Format a share in [0, 1] of the other frames of the pool: ``92 % of the pool``.

    Never rounds to 0 or 100 % unless the share is exactly that.
    """
    percent = round(100 * share)
    if 0 < share < 1:
        percent = min(max(percent, 1), 99)
    return f"{percent} % of the pool"
