"""The shared vocabulary: frozen values, without input or output."""

from napari_al_pose.domain.annotation import Annotation, FrameRole, KeypointState
from napari_al_pose.domain.errors import AlPoseError
from napari_al_pose.domain.frames import FrameKey, FrameSource
from napari_al_pose.domain.prediction import Prediction, ScoremapGrid, Scoremaps
from napari_al_pose.domain.skeleton import SINGLE_INDIVIDUAL, UNIQUE_INDIVIDUAL, Skeleton
from napari_al_pose.domain.suggestion import BodypartReason, ErrorSummary, Reliability, Round, Suggestion

__all__ = [
    "SINGLE_INDIVIDUAL",
    "UNIQUE_INDIVIDUAL",
    "AlPoseError",
    "Annotation",
    "BodypartReason",
    "ErrorSummary",
    "FrameKey",
    "FrameRole",
    "FrameSource",
    "KeypointState",
    "Prediction",
    "Reliability",
    "Round",
    "ScoremapGrid",
    "Scoremaps",
    "Skeleton",
    "Suggestion",
]
