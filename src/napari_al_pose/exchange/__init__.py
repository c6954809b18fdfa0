"""Exchanges labels with other programs. One neutral value lies between the formats, so each format is two functions."""

from napari_al_pose.exchange.catalogue import FORMATS, LabelFormat, detect_format, format_named
from napari_al_pose.exchange.exporting import Exported, check_output, export_labels
from napari_al_pose.exchange.importing import Imported, import_labels
from napari_al_pose.exchange.stepwise import CancelledError, Committed

__all__ = [
    "FORMATS",
    "CancelledError",
    "Committed",
    "Exported",
    "Imported",
    "LabelFormat",
    "check_output",
    "detect_format",
    "export_labels",
    "format_named",
    "import_labels",
]
