"""The thin strip along the bottom: one video, its labelled and queued frames, and where the user is."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from napari_al_pose.domain import FrameKey, FrameRole
from napari_al_pose.domain.views import (
    FrameAxis,
    axis_of,
    entry_frame,
    mark_kind,
    timeline_marks,
)
from napari_al_pose.gui.panels.timeline_lane import Lane, Legend
from napari_al_pose.gui.panels.timeline_tracks import PredictedBar, TrackLanes
from napari_al_pose.gui.panels.track_menu import TrackMenu
from napari_al_pose.gui.panels.transport import Transport
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.state.review import Review
from napari_al_pose.gui.state.track_editor import TrackEditor
from napari_al_pose.gui.theme import Colours, style_sheet


class Timeline(QWidget):
    """The choice of the video, the transport, and the lanes of marks along the video."""

    def __init__(
        self,
        projects: ProjectSession,
        frame: CurrentFrame,
        *,
        navigator: Navigator,
        learning: Learning,
        tracks: TrackEditor,
        review: Review,
        keys: KeyChoices,
        colours: Colours,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._frame, self._projects, self._navigator = frame, projects, navigator
        self._counted: tuple[int, int] = (-1, -1)
        self._marked: tuple[Any, ...] = ()
        self.lane = Lane(colours)
        self.lane.sought.connect(self._go_to_position)
        self.menu = TrackMenu(tracks, review, keys, self)
        self.tracks = TrackLanes(frame, tracks, menu=self.menu, colours=colours)
        self.tracks.sought.connect(self._go_to_position)
        self.predicted = PredictedBar(tracks, review, keys=keys, menu=self.menu)
        self._video = QComboBox()
        self._video.setToolTip("The video on screen")
        self._video.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._video.setMinimumWidth(140)
        self._video.setMaximumWidth(260)
        self._video.activated.connect(lambda i: self._go_to_video(self._video.itemText(i)))
        self.transport = Transport(frame, navigator, keys=keys)
        self._legend = Legend(colours)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self._video)
        row.addWidget(self.transport)
        row.addStretch(1)
        row.addWidget(self.predicted)
        row.addWidget(self._legend)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(8, 2, 8, 4)
        rows.setSpacing(3)
        rows.addLayout(row)
        rows.addWidget(self.lane)
        rows.addWidget(self.tracks)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setStyleSheet(style_sheet(colours))
        projects.projectChanged.connect(self._on_project)
        projects.videosChanged.connect(self._on_project)
        frame.sourceChanged.connect(self._on_source)
        frame.keyChanged.connect(self._on_frame)
        frame.annotationChanged.connect(self._on_annotation)
        navigator.queueChanged.connect(self.refresh_marks)
        learning.modelChanged.connect(self.refresh_marks)
        self._on_project()

    def set_colours(self, colours: Colours) -> None:
        """Paint with another theme."""
        self.setStyleSheet(style_sheet(colours))
        self.lane.set_colours(colours)
        self.tracks.set_colours(colours)
        self._legend.set_colours(colours)

    def refresh_marks(self) -> None:
        """Show the labels and the queue as they are now."""
        current = self._frame.key
        if current is None:
            self._marked = ()
            self.lane.set_marks(())
            return
        # Every step through the queue says that it changed: only other frames in it change the marks.
        marked = (current.video, self.lane.axis, self._projects.tally, self._navigator.queue.suggestions)
        same = len(self._marked) == len(marked) and all(
            a is b for a, b in zip(self._marked[1:], marked[1:], strict=True)
        )
        if same and self._marked[0] == current.video and self._counts() == self._counted:
            return
        self._marked, self._counted = marked, self._counts()
        self.lane.set_marks(timeline_marks(current.video, self.lane.axis, **self._sets()))

    def _on_annotation(self) -> None:
        """Update the current frame's mark if it became labelled or empty; most clicks change nothing here."""
        counts, current = self._counts(), self._frame.key
        if counts == self._counted:
            return
        one_frame = max(abs(now - before) for now, before in zip(counts, self._counted, strict=True)) == 1
        known = len(self._marked) == 4 and self._marked[2] is self._projects.tally
        if current is None or not (one_frame and known):
            self.refresh_marks()
            return
        self._counted = counts
        position = self.lane.axis.position(current.frame)
        if position is not None:
            self.lane.set_mark(position, mark_kind(current, **self._sets()))

    def _sets(self) -> dict[str, Any]:
        return {
            "labelled": self._projects.tally.labelled,
            "holdout": self._projects.tally.holdout,
            "queued": [suggestion.key for suggestion in self._navigator.queue.suggestions],
            "queued_holdout": [s.key for s in self._navigator.queue.suggestions if s.role is FrameRole.HOLDOUT],
        }

    def _counts(self) -> tuple[int, int]:
        return len(self._projects.tally.labelled), len(self._projects.tally.holdout)

    def _on_project(self) -> None:
        project = self._projects.project
        self._video.clear()
        if project is not None:
            self._video.addItems([video.name for video in project.videos])
        self._on_source()

    def _on_source(self) -> None:
        source = self._frame.source
        axis = FrameAxis(0) if source is None else axis_of(source)
        self.lane.set_axis(axis)
        self.tracks.set_axis(axis)
        self._on_frame()

    def _on_frame(self) -> None:
        current, position = self._frame.key, self._frame.position
        if current is not None:
            self._video.setCurrentText(current.video)
        self.lane.set_position(position)
        self.tracks.set_position(position)
        self.transport.show_place(self.lane.axis, position)
        self.refresh_marks()

    def _go_to_position(self, position: int) -> None:
        current = self._frame.key
        if current is not None:
            self._navigator.go_to(FrameKey(current.video, self.lane.axis.number(position)))

    def _go_to_video(self, video: str) -> None:
        queued = [suggestion.key for suggestion in self._navigator.queue.suggestions]
        self._navigator.go_to(entry_frame(video, labelled=self._projects.tally.labelled, queued=queued))
