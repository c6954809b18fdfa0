"""Follows animals from frame to frame: arrays in, arrays out, one frame at a time."""

from napari_al_pose.tracking.hypotheses import keypoints
from napari_al_pose.tracking.parts import Bones
from napari_al_pose.tracking.scores import TrackScores, score_tracks
from napari_al_pose.tracking.tracker import Assigned, Tracker, follow

__all__ = ["Assigned", "Bones", "TrackScores", "Tracker", "follow", "keypoints", "score_tracks"]
