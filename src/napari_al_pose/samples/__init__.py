"""Sample projects: one drawn by code, one fetched from DeepLabCut's repository."""

from napari_al_pose.samples.openfield import fetch_openfield
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
    "PROJECT_NAME",
    "TRUTH_FILE",
    "fetch_openfield",
    "find_sample",
    "ground_truth",
    "has_ground_truth",
    "make_sample",
    "sample_home",
]
