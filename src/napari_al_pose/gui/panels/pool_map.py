"""The map of the pool: every candidate frame as a dot, and pictures of the frames a strategy puts first and last."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.views.pool_map import (
    CHOSEN,
    LABELLED,
    SCORED,
    MapDot,
    SheetCell,
    map_caption,
    map_dots,
    sheet_cells,
)
from napari_al_pose.engine.messages import PoolMapped
from napari_al_pose.gui.panels.strategy_box import StrategyBox
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.theme import Colours, mix
from napari_al_pose.gui.thumbnails import HEIGHT, WIDTH, Thumbnails
from napari_al_pose.gui.widgets import button, label

SHEET = 12
_KEY = Qt.ItemDataRole.UserRole
_LAYOUTS = (
    ("PCA", "pca", "The two directions in which the frames' features differ most: distances mean what they say"),
    ("t-SNE", "tsne", "Neighbours stay neighbours; distances between groups mean little. Takes some seconds"),
)


class PoolMap(QDialog):
    """Shows how a strategy samples the pool; a click goes to the frame. Stays open beside the window.

    Parameters
    ----------
    projects : ProjectSession
        With a project open.
    navigator : Navigator
    learning : Learning
    thumbnails : Thumbnails
        Of the project's videos; the map's own.
    colours : Colours
    """

    def __init__(
        self,
        projects: ProjectSession,
        navigator: Navigator,
        *,
        learning: Learning,
        thumbnails: Thumbnails,
        colours: Colours,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._learning, self._thumbnails, self._colours = learning, thumbnails, colours
        self._mapped: PoolMapped | None = None
        self._waiting = False
        self._dots: tuple[MapDot, ...] = ()
        self.setWindowTitle("Map of the candidate frames")
        self.resize(980, 620)
        self._strategy = StrategyBox()
        self._strategy.offer(learning.strategies, projects.settings.strategy)
        if self._strategy.currentIndex() < 0:
            self._strategy.setCurrentIndex(0)  # a strategy that is not installed any more
        self._layout_box = _layout_box()
        self._update = button(
            "Show", "Score the frames by this strategy; the queue stays as it is", self.ask, part="main"
        )
        self._caption = label("", "dim", wrap=True)
        self.plot = _Plot(colours, lambda key: navigator.go_to(key))
        self.best, self.worst = _sheet(navigator), _sheet(navigator)
        self._lay_out()
        thumbnails.ready.connect(self._on_thumbnail)
        learning.poolMapped.connect(self.show_map)
        learning.trainingChanged.connect(self._refresh)
        learning.engineChanged.connect(self._refresh)
        projects.projectChanged.connect(self.close)
        self.finished.connect(lambda _result: thumbnails.close())
        self._refresh()
        self.ask()

    def ask(self) -> None:
        """Ask the engine for the map of the chosen strategy and layout."""
        self._learning.map_pool(self._strategy.strategy, self._layout_box.currentData())
        self._waiting = self._learning.training.busy
        self._refresh()

    def show_map(self, mapped: PoolMapped) -> None:
        """Show the engine's answer."""
        self._mapped, self._waiting = mapped, False
        self._dots = map_dots(
            mapped.keys, mapped.points, mapped.scores, mapped.labelled, mapped.labelled_points, mapped.chosen
        )
        self.plot.set_dots(self._dots)
        best, worst = sheet_cells(mapped.keys, mapped.scores, SHEET)
        self._fill(self.best, best)
        self._fill(self.worst, worst)
        self._thumbnails.request([cell.key for cell in (*best, *worst)])
        self._refresh()

    @property
    def caption(self) -> str:
        """What stands below the map."""
        return self._caption.text()

    def _refresh(self) -> None:
        training, engine = self._learning.training, self._learning.engine_state
        self._waiting = self._waiting and training.busy  # what failed or was cancelled is not waited for
        self._update.setEnabled(engine in ("starting", "ready", "working") and not self._waiting)
        if training.kind == "map":
            progress = f" {training.done} of {training.total}" if training.total > 1 else ""
            self._caption.setText(f"{training.stage}…{progress}")
        elif self._waiting:
            self._caption.setText(f"Waiting for the engine to finish: {training.stage}…")
        elif self._mapped is not None:
            found = self._learning.strategies.get(self._mapped.strategy)
            title = self._mapped.strategy if found is None else found.title
            version, notice = self._mapped.model_version, self._mapped.notice
            self._caption.setText(map_caption(self._dots, title=title, version=version, notice=notice))
        elif engine in ("off", "dead"):
            self._caption.setText("The engine is not running. Restart it in the window, then press Show.")
        else:
            self._caption.setText("Waiting for the engine…")

    def _fill(self, sheet: QListWidget, cells: tuple[SheetCell, ...]) -> None:
        sheet.clear()
        for cell in cells:
            item = QListWidgetItem(self._icon(cell.key), cell.caption)
            item.setData(_KEY, cell.key)
            item.setToolTip(cell.tooltip)
            item.setTextAlignment(Qt.AlignmentFlag.AlignHCenter)
            sheet.addItem(item)

    def _icon(self, key: FrameKey) -> QIcon:
        image = self._thumbnails.image(key)
        if image is not None:
            return QIcon(QPixmap.fromImage(image))
        blank = QPixmap(WIDTH, HEIGHT)
        blank.fill(self._colours.raised)
        return QIcon(blank)

    def _on_thumbnail(self, key: FrameKey) -> None:
        for sheet in (self.best, self.worst):
            for row in range(sheet.count()):
                item = sheet.item(row)
                if item is not None and item.data(_KEY) == key:
                    item.setIcon(self._icon(key))

    def _lay_out(self) -> None:
        choice = QHBoxLayout()
        choice.addWidget(label("Strategy", "dim"))
        choice.addWidget(self._strategy, 1)
        choice.addWidget(label("Layout", "dim"))
        choice.addWidget(self._layout_box)
        choice.addWidget(self._update)
        left, right = QWidget(), QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.plot, 1)
        column.addWidget(_legend(self._colours))
        sheets = QVBoxLayout(right)
        sheets.setContentsMargins(0, 0, 0, 0)
        for title, sheet in (("Labelled first", self.best), ("Labelled last", self.worst)):
            sheets.addWidget(label(title))
            sheets.addWidget(sheet, 1)
        halves = QSplitter()
        halves.addWidget(left)
        halves.addWidget(right)
        halves.setSizes([560, 420])
        rows = QVBoxLayout(self)
        rows.addLayout(choice)
        rows.addWidget(halves, 1)
        rows.addWidget(self._caption)


class _Plot(pyqtgraph.PlotWidget):
    """Dots on a plane without axes; the wheel zooms, a drag moves, a click goes to the frame."""

    def __init__(self, colours: Colours, go_to: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=colours.raised)
        self._colours, self._go_to = colours, go_to
        self.setMenuEnabled(False)
        self.hideButtons()
        self.hideAxis("left")
        self.hideAxis("bottom")
        self.setMinimumSize(320, 280)
        self.dots = pyqtgraph.ScatterPlotItem(hoverable=True, tip=_tip, hoverPen=pyqtgraph.mkPen(colours.text, width=2))
        self.dots.sigClicked.connect(self._on_click)
        self.addItem(self.dots)

    def set_dots(self, dots: tuple[MapDot, ...]) -> None:
        """Draw ``dots``, later ones above."""
        self.dots.setData(
            x=np.array([dot.x for dot in dots]),
            y=np.array([dot.y for dot in dots]),
            size=np.array([11 if dot.kind in (CHOSEN, LABELLED) else 7 for dot in dots]),
            brush=[pyqtgraph.mkBrush(self._colour(dot)) for dot in dots],
            pen=[pyqtgraph.mkPen(self._colours.text) if dot.kind == CHOSEN else None for dot in dots],
            data=list(dots),
        )
        self.autoRange()

    def _colour(self, dot: MapDot) -> QColor:
        if dot.kind == CHOSEN:
            return self._colours.holdout
        if dot.kind == LABELLED:
            return self._colours.good
        if dot.kind == SCORED:
            return mix(self._colours.line, self._colours.accent, dot.shade)
        return self._colours.line

    def _on_click(self, _item: Any, points: Any, *_event: Any) -> None:
        if len(points):
            self._go_to(points[0].data().key)


def _legend(colours: Colours) -> QLabel:
    """Return what the colours of the dots mean."""
    low, high = mix(colours.line, colours.accent, 0.1), colours.accent
    entries = (
        (colours.holdout, "would be chosen"),
        (colours.good, "labelled"),
        (low, "low score"),
        (high, "high score, by rank"),
    )
    made = QLabel("&nbsp;&nbsp; ".join(f'<span style="color:{c.name()}">●</span> {text}' for c, text in entries))
    made.setTextFormat(Qt.TextFormat.RichText)
    made.setProperty("part", "dim")
    return made


def _tip(x: float, y: float, data: MapDot) -> str:
    return data.tooltip


def _layout_box() -> QComboBox:
    box = QComboBox()
    box.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    for title, name, tooltip in _LAYOUTS:
        box.addItem(title, name)
        box.setItemData(box.count() - 1, tooltip, Qt.ItemDataRole.ToolTipRole)
    return box


def _sheet(navigator: Navigator) -> QListWidget:
    made = QListWidget()
    made.setViewMode(QListWidget.ViewMode.IconMode)
    made.setResizeMode(QListWidget.ResizeMode.Adjust)
    made.setMovement(QListWidget.Movement.Static)
    made.setIconSize(QSize(WIDTH * 3 // 4, HEIGHT * 3 // 4))
    made.setSpacing(4)
    made.itemClicked.connect(lambda item: navigator.go_to(item.data(_KEY)))
    made.itemActivated.connect(lambda item: navigator.go_to(item.data(_KEY)))
    return made
