"""Chooses which frames to label next: pool, peaks and batch selection here, the strategies in a folder of their own.

Everything here takes arrays and returns arrays: no network, no video decoding, no window.
"""

from napari_al_pose.acquisition.extras import Extra
from napari_al_pose.acquisition.family import Family
from napari_al_pose.acquisition.peaks import Peaks, find_peaks
from napari_al_pose.acquisition.registry import installed_strategies
from napari_al_pose.acquisition.strategy import Batching, Explanation, Requires, ScoreContext, Strategy, Traits, traits

__all__ = [
    "Batching",
    "Explanation",
    "Extra",
    "Family",
    "Peaks",
    "Requires",
    "ScoreContext",
    "Strategy",
    "Traits",
    "find_peaks",
    "installed_strategies",
    "traits",
]
