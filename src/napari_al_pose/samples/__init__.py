"""Sample projects: two drawn by code (of one mouse and of two), one fetched from DeepLabCut's repository."""

from napari_al_pose.samples.openfield import fetch_openfield
from napari_al_pose.samples.pair import INDIVIDUALS, PAIR_NAME, make_pair, pair_home, pair_truth
from napari_al_pose.samples.synthetic import (
    PROJECT_NAME,
    TRUTH_FILE,
    find_sample,
    ground_truth,
    has_ground_truth,
    make_sample,
    sample_home,
)

__all__ = [
    "INDIVIDUALS",
    "PAIR_NAME",
    "PROJECT_NAME",
    "TRUTH_FILE",
    "fetch_openfield",
    "find_sample",
    "ground_truth",
    "has_ground_truth",
    "make_pair",
    "make_sample",
    "pair_home",
    "pair_truth",
    "sample_home",
]
