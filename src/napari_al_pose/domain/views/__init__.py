"""What the window shows, computed without a window.

Pure functions from the shared words to small frozen rows, sentences and marks. The panels only paint them,
so every rule about what a user sees is tested without Qt.
"""

from napari_al_pose.domain.views.bodyparts import BodypartMark, BodypartRow, bodypart_rows, frame_progress
from napari_al_pose.domain.views.colours import bodypart_colours
from napari_al_pose.domain.views.formatting import duration, time_left
from napari_al_pose.domain.views.holdout import RoleQuestion, role_question
from napari_al_pose.domain.views.learning import (
    ErrorCurve,
    ReliabilityView,
    StopView,
    TrainView,
    error_curve,
    labels_to_offer,
    learning_verdict,
    model_line,
    model_sentence,
    reliability_view,
    stop_view,
    train_view,
    training_sentence,
)
from napari_al_pose.domain.views.new_project import parse_bodyparts, parse_links
from napari_al_pose.domain.views.project import SaveView, project_line, save_view
from napari_al_pose.domain.views.queue_rows import (
    AskedBodyparts,
    QueueEnd,
    QueueRow,
    queue_empty_text,
    queue_end,
    queue_progress,
    queue_rows,
)
from napari_al_pose.domain.views.skeleton_change import (
    DraftRow,
    change_sentences,
    draft_edit,
    links_among,
    rename_in_links,
)
from napari_al_pose.domain.views.timeline import (
    FrameAxis,
    Mark,
    MarkKind,
    axis_of,
    describe_frame,
    describe_place,
    entry_frame,
    mark_kind,
    timeline_marks,
)
from napari_al_pose.domain.views.why import WhyBar, WhyView, why_view

__all__ = [
    "AskedBodyparts",
    "BodypartMark",
    "BodypartRow",
    "DraftRow",
    "ErrorCurve",
    "FrameAxis",
    "Mark",
    "MarkKind",
    "QueueEnd",
    "QueueRow",
    "ReliabilityView",
    "RoleQuestion",
    "SaveView",
    "StopView",
    "TrainView",
    "WhyBar",
    "WhyView",
    "axis_of",
    "bodypart_colours",
    "bodypart_rows",
    "change_sentences",
    "describe_frame",
    "describe_place",
    "draft_edit",
    "duration",
    "entry_frame",
    "error_curve",
    "frame_progress",
    "labels_to_offer",
    "learning_verdict",
    "links_among",
    "mark_kind",
    "model_line",
    "model_sentence",
    "parse_bodyparts",
    "parse_links",
    "project_line",
    "queue_empty_text",
    "queue_end",
    "queue_progress",
    "queue_rows",
    "reliability_view",
    "rename_in_links",
    "role_question",
    "save_view",
    "stop_view",
    "time_left",
    "timeline_marks",
    "train_view",
    "training_sentence",
    "why_view",
]
