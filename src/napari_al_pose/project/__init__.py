"""A project folder: open, create, resolve paths; labels, models, predictions, rounds, queue."""

from napari_al_pose.project.conflicts import Conflict
from napari_al_pose.project.create import create_project
from napari_al_pose.project.label_store import LabelStore
from napari_al_pose.project.models import ModelStore, PoolPredictions, QueueStore, RoundStore, SavedQueue
from napari_al_pose.project.open import open_project
from napari_al_pose.project.project import Project
from napari_al_pose.project.videos import ProjectVideo

__all__ = [
    "Conflict",
    "LabelStore",
    "ModelStore",
    "PoolPredictions",
    "Project",
    "ProjectVideo",
    "QueueStore",
    "RoundStore",
    "SavedQueue",
    "create_project",
    "open_project",
]
