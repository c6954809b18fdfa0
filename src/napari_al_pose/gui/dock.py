"""The dock on the right of the napari window, and the timeline and curves it brings along."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_info, show_warning
from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QDockWidget,
    QFrame,
    QMainWindow,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from napari_al_pose.gui.actions import WindowActions
from napari_al_pose.gui.commands import Commands
from napari_al_pose.gui.dropped_files import DroppedFiles
from napari_al_pose.gui.focus_ring import FocusRing
from napari_al_pose.gui.layers.napari_slider import NapariSlider
from napari_al_pose.gui.layers.preparation import prepare_layers
from napari_al_pose.gui.panels.bodyparts import BodypartPanel
from napari_al_pose.gui.panels.column import PanelColumn
from napari_al_pose.gui.panels.curves import CurvesPanel
from napari_al_pose.gui.panels.key_overlay import KeyOverlay
from napari_al_pose.gui.panels.label_checks import LabelCheckPanel
from napari_al_pose.gui.panels.label_menu import LabelMenu
from napari_al_pose.gui.panels.notice_bar import NoticeBar, VideoCheckBar
from napari_al_pose.gui.panels.project import ProjectPanel
from napari_al_pose.gui.panels.prompt_strip import PromptStrip, dock_above_canvas
from napari_al_pose.gui.panels.queue import QueuePanel
from napari_al_pose.gui.panels.start import StartPage
from napari_al_pose.gui.panels.timeline import Timeline
from napari_al_pose.gui.panels.train import TrainPanel
from napari_al_pose.gui.panels.view_menu import ViewMenu
from napari_al_pose.gui.panels.why import WhyPanel
from napari_al_pose.gui.picture_check import PictureCheck
from napari_al_pose.gui.remembered import remember_project
from napari_al_pose.gui.state.session import Session
from napari_al_pose.gui.theme import style_sheet, theme_colours
from napari_al_pose.gui.thumbnails import Thumbnails, source_opener
from napari_al_pose.gui.video_check import VideoCheck
from napari_al_pose.gui.viewers import commands_for, session_for, stack_for
from napari_al_pose.gui.widgets import lay_out
from napari_al_pose.project.to_open import ToOpen

if TYPE_CHECKING:
    from napari_al_pose.gui.panels.pool_map import PoolMap

logger = logging.getLogger(__name__)

WIDTH, MIN_WIDTH = 390, 360
TIMELINE = "Pose timeline"
CURVES = "Pose learning curves"
LOW_SCREEN = 900
"""Pixels of height below which the curves get a tab behind the dock: under it, the queue would show no rows."""


class PoseLabeller(QWidget):
    """The plug-in's widget: everything about the project, the frame and the model, section below section.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        napari passes it because of this name.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__()
        # napari puts empty space below a widget that doesn't ask for height, more of it with each widget that it docks.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._viewer = napari_viewer
        self.session = session_for(napari_viewer)
        self._parts = _Parts()
        self.timeline: Timeline | None = None
        self.curves: CurvesPanel | None = None
        self._map: PoolMap | None = None
        self._keys: KeyOverlay | None = None
        self._strip = PromptStrip(
            self.session.prompter,
            stack_for(napari_viewer).context,
            keys=self.session.keys,
            notices=self.session.notices,
            colours=theme_colours(napari_viewer.theme),
        )
        self._actions = WindowActions(
            self,
            projects=self.session.projects,
            frame=self.session.frame,
            learning=self.session.learning,
            repair=self.session.repair,
            keys=self.session.keys,
            notices=self.session.notices,
        )
        DroppedFiles(napari_viewer, self._actions, self.session.options)
        self._build()
        self._connect()
        self._on_project()
        QTimer.singleShot(0, self, prepare_layers)

    def sizeHint(self) -> QSize:
        return QSize(max(WIDTH, self.minimumWidth()), 800)

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            QTimer.singleShot(0, self, self._fit_width)
        return super().event(event)

    def _fit_width(self, *_range: int) -> None:
        """Be as wide as the content is in the user's font: what is beyond the dock's edge can't be pressed."""
        bar, margins = self._scrolled_panels.verticalScrollBar(), self._rows.contentsMargins()
        beside = margins.left() + margins.right() + (bar.sizeHint().width() if bar.maximum() else 0)
        self.setMinimumWidth(max(MIN_WIDTH, self._panels.minimumSizeHint().width() + beside))

    def take(self, found: ToOpen) -> None:
        """Open a project, or take labels of another program or videos, as if they were dropped on the window."""
        self._actions.take(found)

    def _build(self) -> None:
        session, colours = self.session, theme_colours(self._viewer.theme)
        self.setMinimumWidth(MIN_WIDTH)
        self.setStyleSheet(style_sheet(colours))
        self.start = StartPage(session.notices, self._actions)
        projects, frame, keys = session.projects, session.frame, session.keys
        commands = commands_for(self._viewer)
        self.header = ProjectPanel(
            projects,
            frame,
            learning=session.learning,
            repair=session.repair,
            notices=session.notices,
            actions=self._actions,
            view_menu=ViewMenu(commands, frame, session.options, self),
        )
        self.bodyparts = BodypartPanel(
            projects,
            frame,
            editor=session.editor,
            tracks=session.tracks,
            options=session.options,
            keys=keys,
            colours=colours,
        )
        self.bodyparts.set_menu(self._label_menu(commands))
        self.queue = QueuePanel(
            projects,
            frame,
            navigator=session.navigator,
            learning=session.learning,
            keys=keys,
            colours=colours,
        )
        self.why = WhyPanel(
            projects, frame, navigator=session.navigator, options=session.options, keys=keys, colours=colours
        )
        self.learning = TrainPanel(
            projects, frame, learning=session.learning, checks=session.checks, effort=session.effort, keys=keys
        )
        self.checks = LabelCheckPanel(projects, frame, checks=session.checks, keys=keys, colours=colours)
        self._panels = PanelColumn(self.header, self.bodyparts, self.queue, self.why, checks=self.checks)
        self._pages = QStackedWidget()
        self._pages.addWidget(_scrolled(self.start))
        self._scrolled_panels = _scrolled(self._panels)
        self._scrolled_panels.verticalScrollBar().rangeChanged.connect(self._fit_width)
        self._pages.addWidget(self._scrolled_panels)
        self._rows = rows = QVBoxLayout(self)
        rows.setContentsMargins(6, 4, 2, 4)
        rows.setSpacing(6)
        check = VideoCheck(session.frame, session.navigator, projects=session.projects, notices=session.notices)
        rows.addWidget(VideoCheckBar(check))
        self._pictures = PictureCheck(session.projects, session.navigator)
        rows.addWidget(self._pages, 1)
        rows.addWidget(self.learning)  # not among what scrolls: how far the training is, and how to end it, is in sight
        self.notices = NoticeBar(self, above=self.learning)
        self.focus_ring = FocusRing(self, colours.text)

    def _label_menu(self, commands: Commands) -> LabelMenu:
        session = self.session
        return LabelMenu(
            commands,
            self._actions,
            projects=session.projects,
            frame=session.frame,
            navigator=session.navigator,
            editor=session.editor,
            learning=session.learning,
            options=session.options,
            parent=self,
        )

    def _connect(self) -> None:
        session = self.session
        session.notices.raised.connect(self._show_notice)
        session.notices.busyChanged.connect(self._show_strip)
        session.notices.withdrawn.connect(self.notices.withdraw)
        session.projects.left.connect(self.notices.leave)
        self.queue.mapWanted.connect(self.show_map)
        session.checks.currentChanged.connect(self._show_checks)
        session.projects.projectChanged.connect(self._on_project)
        session.projects.begun.connect(self._on_begun)
        session.keys.listWanted.connect(self._toggle_keys)
        session.options.changed.connect(self._on_option)
        for keys in ("?", "Shift+?"):  # which of them a press is depends on the keyboard
            QShortcut(QKeySequence(keys), self).activated.connect(self._toggle_keys)
        self._actions.progressed.connect(self.start.say)
        self._actions.progressed.connect(self.header.say)
        self._viewer.events.theme.connect(self._on_theme)
        # closeEvent never comes for a docked widget; destroyed does.
        self.destroyed.connect(_Farewell(self._viewer, session, self._actions, self._parts))

    def _on_project(self) -> None:
        project = self.session.projects.project
        self._actions.leaving.watch(self.window())
        if self._parts.thumbnails is not None:
            self._parts.thumbnails.close()
            self._parts.thumbnails = None
        if project is None:
            self.start.refresh()
        else:
            remember_project(project.root)
            self._parts.thumbnails = Thumbnails(source_opener(project))
            self._show_other_docks()
        self.queue.set_project(self._parts.thumbnails)
        self._pages.setCurrentIndex(0 if project is None else 1)
        self.learning.setVisible(project is not None)
        self._show_strip()
        for dock in self._parts.docks:
            dock.setVisible(project is not None)
        self._widen()

    def _on_begun(self, _beginning: object) -> None:
        lay_out(self)

    def _show_checks(self) -> None:
        self._panels.show_checks(self.session.checks.is_open)

    def _show_strip(self) -> None:
        """Show the line above the canvas while there is something to say."""
        window = self.window()
        if self._parts.strip is None and isinstance(window, QMainWindow):
            self._parts.strip = dock_above_canvas(self._strip, window)
        if self._parts.strip is not None:
            self._parts.strip.setVisible(self.session.projects.project is not None or bool(self.session.notices.busy))

    def _show_other_docks(self) -> None:
        """Dock timeline and curves once there is something to show on them."""
        if self._parts.docks:
            return
        colours, viewer_window = theme_colours(self._viewer.theme), self._viewer.window
        self.timeline = Timeline(
            self.session.projects,
            self.session.frame,
            navigator=self.session.navigator,
            learning=self.session.learning,
            tracks=self.session.tracks,
            review=self.session.review,
            keys=self.session.keys,
            colours=colours,
        )
        self.curves = CurvesPanel(
            self.session.projects, self.session.learning, effort=self.session.effort, colours=colours
        )
        self.curves.setStyleSheet(style_sheet(colours))
        self.focus_ring.panels += [self.timeline, self.curves]
        self._parts.docks = [
            viewer_window.add_dock_widget(self.timeline, name=TIMELINE, area="bottom"),
            viewer_window.add_dock_widget(self.curves, name=CURVES, area="right"),
        ]
        self.timeline.transport.playWanted.connect(commands_for(self._viewer).command("layers.toggle_play"))
        own, curves, timeline = dock_of(self), dock_of(self.curves), dock_of(self.timeline)
        if own is None or curves is None or timeline is None:
            return
        _leave_height_to(own)
        self._parts.slider = NapariSlider(self._viewer, timeline, options=self.session.options)
        if self.screen().availableGeometry().height() < LOW_SCREEN:
            share_place(own, curves)
        options = self.session.options
        if not options.own_window and not options.wide:
            hint = "{options.toggle wide} hides them and brings them back; so does View."
            self.session.notices.tell("napari's own panels take room beside the video.", hint)
        if options.own_window:
            for dock, name in ((own, "Label"), (curves, "Curves"), (timeline, TIMELINE)):
                without_title(dock, name)

    def _on_option(self, name: str) -> None:
        if name == "wide":
            self._widen()

    def _widen(self) -> None:
        """Put what is docked on the left of the canvas away while a wide canvas is wanted, and back."""
        window, options = self.window(), self.session.options
        if not isinstance(window, QMainWindow):
            return
        wide = options.wide and (options.own_window or self.session.projects.project is not None)
        if wide:
            left = Qt.DockWidgetArea.LeftDockWidgetArea
            docks = [dock for dock in window.findChildren(QDockWidget) if window.dockWidgetArea(dock) == left]
            self._parts.put_away += [dock for dock in docks if not dock.isHidden()]
        for dock in self._parts.put_away:
            dock.setVisible(not wide)
        if not wide:
            self._parts.put_away = []

    def _toggle_keys(self) -> None:
        """List the keys over the whole window, or put the list away."""
        if self._keys is None:
            self._keys = KeyOverlay(self.session.keys, self.window(), self._viewer.theme)
            self.session.projects.closing.connect(self._keys.deleteLater)
        self._keys.toggle()

    def show_map(self) -> None:
        """Open the map of the pool."""
        from napari_al_pose.gui.panels.pool_map import PoolMap  # pyqtgraph takes its time

        project = self.session.projects.project
        if project is None:
            return
        if self._map is not None:
            self._map.close()
        self._map = PoolMap(
            self.session.projects,
            self.session.navigator,
            learning=self.session.learning,
            maps=self.session.maps,
            review=self.session.review,
            thumbnails=Thumbnails(source_opener(project)),
            colours=theme_colours(self._viewer.theme),
            parent=self,
        )
        self._map.finished.connect(self._forget_map)
        self._map.show()

    def _forget_map(self) -> None:
        if self._map is not None:
            self._map.deleteLater()
            self._map = None

    def _on_theme(self, event: Any = None) -> None:
        colours = theme_colours(self._viewer.theme)
        self.setStyleSheet(style_sheet(colours))
        if self._keys is not None:
            self._keys.deleteLater()
            self._keys = None  # made anew, in other colours, when it is asked for
        for panel in (self.bodyparts, self.queue, self.why, self.checks, self._strip):
            panel.set_colours(colours)
        self.focus_ring.set_colour(colours.text)
        if self.timeline is not None and self.curves is not None:
            self.timeline.set_colours(colours)
            self.curves.set_colours(colours)
            self.curves.setStyleSheet(style_sheet(colours))

    def _show_notice(self, message: str, hint: str, is_error: bool) -> None:
        """Show a message in one place: on the dock, or where that is put away as napari's notification.

        What the user can put right is a warning to napari, whose error window with a traceback is for faults of ours.
        """
        self.notices.show_message(message, hint, is_error=is_error, written=self.session.notices.written)
        if not self.isVisible():
            (show_warning if is_error else show_info)(f"{message} {hint}".strip())


class _Parts:
    """What outlives a call and must be ended with the dock."""

    def __init__(self) -> None:
        self.thumbnails: Thumbnails | None = None
        self.docks: list[Any] = []
        self.put_away: list[QDockWidget] = []
        self.strip: QDockWidget | None = None
        self.slider: NapariSlider | None = None


class _Farewell:
    """Ends what the dock started, after the dock is gone: so it must not touch the dock itself."""

    def __init__(self, viewer: Any, session: Session, actions: WindowActions, parts: _Parts) -> None:
        self._viewer, self._session, self._actions, self._parts = viewer, session, actions, parts

    def __call__(self, _object: Any = None) -> None:
        if self._parts.thumbnails is not None:
            self._parts.thumbnails.close()
        self._actions.close()
        self._session.close()
        with suppress(RuntimeError):  # gone with the window
            if self._parts.slider is not None:
                self._parts.slider.close()
            for dock in self._parts.put_away:
                dock.show()
            if self._parts.strip is not None:
                self._parts.strip.deleteLater()
        for dock in self._parts.docks:
            with suppress(AttributeError, LookupError, RuntimeError):  # the whole window is being taken apart
                self._viewer.window.remove_dock_widget(dock)


def _scrolled(content: QWidget) -> QScrollArea:
    made = QScrollArea()
    made.setWidget(content)
    made.setWidgetResizable(True)
    made.setFrameShape(QFrame.Shape.NoFrame)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return made


def dock_of(widget: QWidget | None) -> QDockWidget | None:
    """Return the dock a widget is in; what napari's methods return may be a proxy that Qt doesn't take."""
    while widget is not None and not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget


def _leave_height_to(dock: QDockWidget) -> None:
    """Let what is docked on the right reach down to the foot of the window, beside the timeline."""
    window = dock.window()
    if isinstance(window, QMainWindow):
        window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)


def share_place(front: QDockWidget, behind: QDockWidget) -> None:
    """Put two docks of a window in one place, as tabs."""
    window = front.window()
    if isinstance(window, QMainWindow):
        window.tabifyDockWidget(front, behind)
        front.raise_()
        # Qt keeps what is behind a tab in the way of the Tab key.
        content = behind.widget()
        content.setEnabled(False)
        behind.visibilityChanged.connect(content.setEnabled)


def without_title(dock: QDockWidget, name: str) -> None:
    """Take a dock's title bar away, and give it a short name for where it is a tab."""
    dock.setTitleBarWidget(QWidget(dock))
    dock.setWindowTitle(name)
