"""DeepLabCut's project files; the modules beside this one do the work."""

from napari_al_pose.domain.file_names import frame_number
from napari_al_pose.formats.annotation_writing import rename_columns, with_lines, write_annotations
from napari_al_pose.formats.deeplabcut_annotations import (
    AnnotationTable,
    image_files,
    image_name,
    image_names,
    is_annotation_file,
    read_annotation_file,
    read_annotation_points,
    read_annotations,
)
from napari_al_pose.formats.deeplabcut_config import (
    Crop,
    DeepLabCutConfig,
    VideoSet,
    read_config,
    write_new_config,
)
from napari_al_pose.formats.deeplabcut_config_edit import add_individual, add_video_set, change_bodyparts
from napari_al_pose.formats.deeplabcut_predictions import (
    AddRows,
    PredictionTable,
    prediction_scorer,
    read_predictions,
    writing_deeplabcut,
)

__all__ = [
    "AddRows",
    "AnnotationTable",
    "Crop",
    "DeepLabCutConfig",
    "PredictionTable",
    "VideoSet",
    "add_individual",
    "add_video_set",
    "change_bodyparts",
    "frame_number",
    "image_files",
    "image_name",
    "image_names",
    "is_annotation_file",
    "prediction_scorer",
    "read_annotation_file",
    "read_annotation_points",
    "read_annotations",
    "read_config",
    "read_predictions",
    "rename_columns",
    "with_lines",
    "write_annotations",
    "write_new_config",
    "writing_deeplabcut",
]
