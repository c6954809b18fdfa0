"""DeepLabCut's project files; the modules beside this one do the work."""

from napari_al_pose.formats.deeplabcut_annotations import (
    AnnotationTable,
    image_files,
    image_name,
    is_annotation_file,
    read_annotation_points,
    read_annotations,
    write_annotations,
)
from napari_al_pose.formats.deeplabcut_config import (
    Crop,
    DeepLabCutConfig,
    VideoSet,
    add_video_set,
    read_config,
    write_new_config,
)
from napari_al_pose.formats.deeplabcut_predictions import (
    PredictionTable,
    prediction_scorer,
    read_predictions,
    write_predictions,
)
from napari_al_pose.formats.deeplabcut_tables import frame_number

__all__ = [
    "AnnotationTable",
    "Crop",
    "DeepLabCutConfig",
    "PredictionTable",
    "VideoSet",
    "add_video_set",
    "frame_number",
    "image_files",
    "image_name",
    "is_annotation_file",
    "prediction_scorer",
    "read_annotation_points",
    "read_annotations",
    "read_config",
    "read_predictions",
    "write_annotations",
    "write_new_config",
    "write_predictions",
]
