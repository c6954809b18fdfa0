"""Which frames to label next: pool, peaks, one module a strategy, batch selection.

Everything here takes arrays and returns arrays: no network, no video decoding, no window.
"""

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.peaks import Peaks, find_peaks
from napari_al_pose.acquisition.registry import strategies
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext, Strategy, Terms, terms

__all__ = [
    "Batching",
    "Explanation",
    "Extra",
    "Peaks",
    "Requires",
    "ScoreContext",
    "Strategy",
    "Terms",
    "find_peaks",
    "strategies",
    "terms",
]
