"""Why the current frame is worth labelling, and which scoremap lies over it."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QHelpEvent, QPainter
from qtpy.QtWidgets import QComboBox, QLabel, QSizePolicy, QToolTip, QWidget

from napari_al_pose.domain.views import WhyBar, bodypart_colours, why_view
from napari_al_pose.domain.views.why import MAX_BARS
from napari_al_pose.gui.state.current_frame import ALL_BODYPARTS, CurrentFrame
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.state.view_options import ViewOptions
from napari_al_pose.gui.theme import Colours
from napari_al_pose.gui.widgets import NamesBox, Section, label, row_height

_LINES, _LINES_LOW = 3, 2
"""Lines of the sentence, and where there is little height."""
_BARS_LOW = 2
_BAR_HEIGHT = 17
_NAME_WIDTH = 92
_NUMBER_WIDTH = 44


class WhyPanel(Section):
    """A sentence, a bar per bodypart, and the choice of scoremap."""

    def __init__(
        self,
        projects: ProjectSession,
        frame: CurrentFrame,
        *,
        navigator: Navigator,
        options: ViewOptions,
        keys: KeyChoices,
        colours: Colours,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Why this frame?", parent)
        self._keys, self._frame, self._navigator = keys, frame, navigator
        self._options = options
        self._sentence = label("", wrap=True)
        self._sentence.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._caption = label("", "dim")
        self._bars = BarList(colours)
        keeps_room = self._bars.sizePolicy()
        keeps_room.setRetainSizeWhenHidden(True)  # or the queue would lose rows with the first model
        self._bars.setSizePolicy(keeps_room)
        self._is_low = False
        self._scoremap = self._scoremap_box()
        self.side.setText("scoremap")
        self.head.addWidget(self._scoremap)
        self.body.addWidget(self._sentence)
        self.body.addWidget(self._caption)
        self.body.addWidget(self._bars)
        for signal in (
            frame.keyChanged,
            navigator.queueChanged,
            frame.guesses.lookedChanged,
            frame.annotationChanged,
        ):
            signal.connect(self.refresh)
        projects.projectChanged.connect(self._on_project)
        frame.scoremapChoiceChanged.connect(self._show_choice)
        options.changed.connect(self._on_option)
        self._on_project()

    def set_colours(self, colours: Colours) -> None:
        """Paint with another theme."""
        self._bars.colours = colours
        self._bars.update()

    def set_low(self, is_low: bool) -> None:
        """Be compact, or as high as reads well."""
        if is_low != self._is_low:
            self._is_low = is_low
            self._bars.most = _BARS_LOW if is_low else MAX_BARS
            self._bars.updateGeometry()
            self.refresh()

    def refresh(self) -> None:
        """Show the reasons of the current frame."""
        if self._frame.skeleton is None:
            return
        next_key = self._keys.named("{next_suggestion}") if self._navigator.queue.upcoming(1) else ""
        queue = self._navigator.queue.suggestions
        view = why_view(self._frame.key, self._navigator.suggestion, queue, next_key=next_key)
        # Three lines whatever it says, and room for as many bars as there can be: nothing moves from frame to frame.
        lines = _LINES_LOW if self._is_low else _LINES
        has_bars = any(one.reasons for one in queue)  # before there is a model, no frame has any
        self._caption.setVisible(has_bars and not self._is_low)
        self._bars.setVisible(has_bars)
        self._sentence.setFixedHeight(_height_of(lines, self._sentence))
        self._sentence.setText(view.sentence)
        self._sentence.setToolTip("\n".join(filter(None, (view.sentence, view.more))))
        self._caption.setText(view.caption)
        self._bars.set_bars(view.bars)

    def _on_project(self) -> None:
        skeleton = self._frame.skeleton
        names = () if skeleton is None else (*skeleton.bodyparts, *skeleton.unique_bodyparts)
        self._colour()
        self._scoremap.clear()
        self._scoremap.addItem("None", "")
        self._scoremap.addItem("All bodyparts", ALL_BODYPARTS)
        for name in names:
            self._scoremap.addItem(name, name)
        self._show_choice()
        self.refresh()

    def _on_option(self, name: str) -> None:
        if name == "palette":
            self._colour()

    def _colour(self) -> None:
        names = () if self._frame.skeleton is None else self._frame.skeleton.bodyparts
        colours = map(QColor, bodypart_colours(len(names), self._options.palette))
        self._bars.swatches = dict(zip(names, colours, strict=True))
        self._bars.update()

    def _scoremap_box(self) -> QComboBox:
        box = NamesBox()
        box.setToolTip("Show the model's scoremap over the video: where it thinks the bodypart is")
        box.activated.connect(lambda i: self._frame.set_scoremap(box.itemData(i)))
        return box

    def _show_choice(self) -> None:
        self._scoremap.setCurrentIndex(max(0, self._scoremap.findData(self._frame.scoremap_choice)))


def _height_of(lines: int, shown: QLabel) -> int:
    """Return the height of so many lines in a label, with what its style puts around them."""
    shown.setText("\n".join(["Ág"] * lines))
    return shown.sizeHint().height()


class BarList(QWidget):
    """Bars with a name on the left and a number on the right."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.colours = colours
        self.swatches: dict[str, QColor] = {}
        self.most = MAX_BARS
        self._bars: tuple[WhyBar, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def bars(self) -> tuple[WhyBar, ...]:
        """What is shown."""
        return self._bars

    def set_bars(self, bars: tuple[WhyBar, ...]) -> None:
        """Show ``bars``."""
        self._bars = bars
        self.update()

    @property
    def _bar_height(self) -> int:
        return row_height(self.fontMetrics(), _BAR_HEIGHT)

    def sizeHint(self) -> QSize:
        return QSize(200, self._bar_height * min(self.most, max(1, len(self.swatches))))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            row = event.pos().y() // self._bar_height
            QToolTip.showText(event.globalPos(), self._bars[row].tooltip if 0 <= row < len(self._bars) else "", self)
            return True
        return super().event(event)

    def paintEvent(self, event: Any) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = Qt.AlignmentFlag.AlignVCenter
        metrics = self.fontMetrics()
        height, track = self._bar_height, self.width() - _NAME_WIDTH - _NUMBER_WIDTH - 8
        for row, bar in enumerate(self._bars):
            top = row * height
            painter.setPen(self.colours.text)
            name = metrics.elidedText(bar.bodypart, Qt.TextElideMode.ElideRight, _NAME_WIDTH - 10)
            painter.drawText(QRectF(4, top, _NAME_WIDTH, height), middle | Qt.AlignmentFlag.AlignLeft, name)
            number = QRectF(self.width() - _NUMBER_WIDTH - 2, top, _NUMBER_WIDTH, height)
            painter.drawText(number, middle | Qt.AlignmentFlag.AlignRight, bar.text)
            painter.setPen(Qt.PenStyle.NoPen)
            lane = QRectF(_NAME_WIDTH, top + height / 2 - 3.5, track, 7)
            painter.setBrush(self.colours.raised)
            painter.drawRoundedRect(lane, 2, 2)
            if bar.fraction > 0:
                lane.setWidth(max(3.0, track * bar.fraction))
                painter.setBrush(self.swatches.get(bar.bodypart, self.colours.accent))
                painter.drawRoundedRect(lane, 2, 2)
        painter.end()
