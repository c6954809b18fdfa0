"""The strip above the canvas that says what the next click does: on the canvas it would lie over what is labelled."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QColor, QFont, QPainter
from qtpy.QtWidgets import QDockWidget, QMainWindow, QSizePolicy, QWidget

from napari_al_pose.domain import FrameRole
from napari_al_pose.domain.views.label_checks import check_prompt
from napari_al_pose.domain.views.prompt import Prompt, copied_sentence, playing_prompt, prompt
from napari_al_pose.gui.layers.context import ContextPlayer
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.label_checks import LabelChecks
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.state.view_options import ViewOptions
from napari_al_pose.gui.theme import Colours

NAME = "Pose prompt"
_MARGIN, _PADDING, _GAP = 10, 3, 14
_LARGER = 1.15


class PromptStrip(QWidget):
    """Two lines of a fixed height, what is to be done and which keys help; what doesn't fit stands in the tooltip.

    Parameters
    ----------
    projects : ProjectSession
    frame : CurrentFrame
    navigator : Navigator
    checks : LabelChecks
    options : ViewOptions
    keys : KeyChoices
    notices : Notices
    context : ContextPlayer
        Tells whether the frames around the current one are played.
    colours : Colours
    """

    def __init__(
        self,
        projects: ProjectSession,
        frame: CurrentFrame,
        *,
        navigator: Navigator,
        checks: LabelChecks,
        options: ViewOptions,
        keys: KeyChoices,
        notices: Notices,
        context: ContextPlayer,
        colours: Colours,
    ) -> None:
        super().__init__()
        self._options, self._keys, self._frame = options, keys, frame
        self._projects, self._navigator, self._notices = projects, navigator, notices
        self._context, self._checks = context, checks
        self._colours = colours
        self._shown = Prompt()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for signal in (
            frame.keyChanged,
            frame.annotationChanged,
            frame.bodypartChanged,
            frame.individualChanged,
            navigator.queueChanged,
            checks.changed,
            checks.currentChanged,
            notices.busyChanged,
            projects.projectChanged,
            keys.changed,
            options.changed,
            context.playing,
        ):
            signal.connect(self.refresh)
        self.refresh()

    @property
    def shown(self) -> Prompt:
        """What is said now, with the keys in place."""
        return self._shown

    def sizeHint(self) -> QSize:
        return QSize(200, self._lines()[1].bottom() + _PADDING)

    def set_colours(self, colours: Colours) -> None:
        """Paint with another theme."""
        self._colours = colours
        self.update()

    def refresh(self) -> None:
        """Say what the next click does now."""
        said = self._prompt()
        shown = Prompt(said.text, self._keys.named(said.keys), said.warning)
        if shown != self._shown:
            self._shown = shown
            self.setToolTip("\n".join(filter(None, (shown.warning, shown.text, shown.keys))))
            self.update()

    def _prompt(self) -> Prompt:
        frame, busy = self._frame, self._notices.busy
        if busy and (frame.source is None or frame.key is None):
            return Prompt(busy)
        if self._context.is_playing:
            first, last = self._context.span
            return playing_prompt(last - first + 1)
        if self._checks.in_front is not None:
            return check_prompt(self._checks.in_front)
        guessed = frame.guesses.guessed(self._options.unbelieved)
        said = prompt(
            frame.annotation,
            guessed,
            frame.bodypart,
            role=self._navigator.role if frame.key is not None else FrameRole.TRAIN,
            tool=self._options.tool,
            mode=self._options.label_mode,
            individuals=frame.individuals,
            others_guessed=frame.guesses.others_guessed,
            read_only=self._projects.read_only,
            doubtful_first=self._options.doubtful_first,
        )
        if guessed is not None and guessed.copied_from is not None:
            copied = copied_sentence(guessed.copied_from, current=frame.key)
            return Prompt(said.text, said.keys, said.warning or copied)
        return said

    def paintEvent(self, event: Any) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._colours.background)
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * _LARGER)
        font.setBold(True)
        above, below = self._lines()
        painter.setFont(font)
        colour = self._colours.holdout if self._shown.is_of_test_frame else self._colours.dim
        warned = _draw(painter, above, self._shown.warning, colour)
        _draw(painter, above.adjusted(warned, 0, 0, 0), self._shown.text, self._colours.text)
        painter.setFont(self.font())
        _draw(painter, below, self._shown.keys, self._colours.dim)
        painter.end()

    def _lines(self) -> tuple[QRect, QRect]:
        """Return where the two lines are."""
        height, width = self.fontMetrics().height(), self.width() - 2 * _MARGIN
        larger = round(height * _LARGER)
        return QRect(_MARGIN, _PADDING, width, larger), QRect(_MARGIN, _PADDING + larger, width, height)


def _draw(painter: QPainter, area: QRect, text: str, colour: QColor) -> int:
    """Draw a part into ``area`` and return how much of its width is used."""
    if not text or area.width() <= 0:
        return 0
    painter.setPen(colour)
    fitting = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, fitting)
    return painter.fontMetrics().horizontalAdvance(fitting) + _GAP


def dock_above_canvas(strip: PromptStrip, window: QMainWindow) -> QDockWidget:
    """Put the strip between the docks on the left and on the right, above the canvas."""
    window.setCorner(Qt.Corner.TopLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
    window.setCorner(Qt.Corner.TopRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
    # Qt's own dock: napari's always has a title bar, and can be closed by mistake.
    dock = QDockWidget(NAME, window)
    dock.setObjectName(NAME)
    dock.setFeatures(QDockWidget.DockWidgetFeature.NoDockWidgetFeatures)
    dock.setTitleBarWidget(QWidget(dock))
    dock.setWidget(strip)
    window.addDockWidget(Qt.DockWidgetArea.TopDockWidgetArea, dock)
    return dock
