"""Follows animals from frame to frame: arrays in, arrays out, one frame at a time."""

from napari_al_pose.tracking.scores import TrackScores, score_tracks
from napari_al_pose.tracking.tracker import Assigned, Tracker

__all__ = ["Assigned", "TrackScores", "Tracker", "score_tracks"]
