"""Network, targets, augmentation, training, inference, checkpoints and error metrics. torch lives here."""

from napari_al_pose import openmp  # noqa: F401  # before anything that imports torch
from napari_al_pose.pose.device import resolve_device
from napari_al_pose.pose.evaluation import Evaluation, evaluate
from napari_al_pose.pose.features import FeatureExtractor
from napari_al_pose.pose.frames import LabelledFrame
from napari_al_pose.pose.metrics import ErrorReport, error_report, summarise
from napari_al_pose.pose.model import PoseBatch, PoseModel
from napari_al_pose.pose.training import train
from napari_al_pose.pose.training_task import TrainTick

__all__ = [
    "ErrorReport",
    "Evaluation",
    "FeatureExtractor",
    "LabelledFrame",
    "PoseBatch",
    "PoseModel",
    "TrainTick",
    "error_report",
    "evaluate",
    "resolve_device",
    "summarise",
    "train",
]
