"""The map of the pool: every candidate frame as a dot, and pictures of the frames a strategy puts first and last."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QIcon, QPixmap
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_al_pose.domain import FrameKey, FrameRole
from napari_al_pose.domain.views.pool_map import (
    GroupRow,
    MapDot,
    SheetCell,
    group_rows,
    map_caption,
    map_dots,
    sheet_cells,
)
from napari_al_pose.engine.messages import PoolMapped
from napari_al_pose.gui.panels.map_groups import GroupList
from napari_al_pose.gui.panels.map_plot import MapPlot, map_legend
from napari_al_pose.gui.panels.strategy_box import StrategyBox
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.pool_maps import PoolMaps
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.state.review import Review
from napari_al_pose.gui.theme import Colours
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
    maps : PoolMaps
        What was ranked last is shown at once; the rest is asked of the engine.
    review : Review
        Puts frames in the queue.
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
        maps: PoolMaps,
        review: Review,
        thumbnails: Thumbnails,
        colours: Colours,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._projects, self._navigator, self._review = projects, navigator, review
        self._learning, self._maps, self._thumbnails, self._colours = learning, maps, thumbnails, colours
        self._mapped: PoolMapped | None = None
        self._waiting = False
        self._dots: tuple[MapDot, ...] = ()
        self.setWindowTitle("Map of the candidate frames")
        self.resize(1120, 680)
        self._strategy = StrategyBox()
        self._strategy.offer(learning.strategies, projects.settings.strategy)
        if self._strategy.currentIndex() < 0:
            self._strategy.setCurrentIndex(0)  # a strategy that is not installed any more
        self._layout_box = _layout_box()
        self._update = button(
            "Show", "Score the frames by this strategy; the queue stays as it is", self.ask, part="main"
        )
        self._caption = label("", "dim", wrap=True)
        self.plot = MapPlot(colours, thumbnails)
        self.groups = GroupList()
        self.best, self.worst = _sheet(navigator), _sheet(navigator)
        self._lay_out()
        self._connect()
        self._refresh()
        self.ask()

    def _connect(self) -> None:
        self.plot.picturesWanted.connect(self._request)
        self.groups.chosen.connect(self.plot.set_group)
        for part in (self.plot, self.groups):
            part.frameWanted.connect(self._navigator.go_to)
        self.groups.picked.connect(self._pick)
        self._thumbnails.ready.connect(self._on_thumbnail)
        self._maps.mapped.connect(self._on_mapped)
        self._learning.trainingChanged.connect(self._refresh)
        self._learning.engineChanged.connect(self._refresh)
        self._projects.projectChanged.connect(self.close)
        self.finished.connect(lambda _result: self._thumbnails.close())

    def ask(self) -> None:
        """Show the map of the chosen strategy and layout; ask the engine for it if it is not there."""
        wanted = self._strategy.strategy, self._layout_box.currentData()
        known = self._maps.known(*wanted)
        if known is not None:
            self.show_map(known)
            return
        self._maps.ask(*wanted)
        self._waiting = self._learning.training.busy
        self._refresh()

    def _on_mapped(self, mapped: PoolMapped) -> None:
        """Take a map of what is chosen: one is made after every ranking too."""
        if (mapped.asked, mapped.layout) == (self._strategy.strategy, self._layout_box.currentData()):
            self.show_map(mapped)

    def show_map(self, mapped: PoolMapped) -> None:
        """Show a map, with the frames that have been labelled since."""
        self._mapped, self._waiting = mapped, False
        tally, queue, project = self._projects.tally, self._navigator.queue, self._projects.project
        self._dots = map_dots(
            mapped.keys,
            mapped.points,
            mapped.scores,
            mapped.labelled,
            mapped.labelled_points,
            mapped.chosen,
            group_of=mapped.group_of.tolist(),
            labelled_group_of=mapped.labelled_group_of.tolist(),
            labelled_since=tally.labelled,
            test_frames={*tally.holdout, *(one.key for one in queue.suggestions if one.role is FrameRole.HOLDOUT)},
        )
        best, worst = sheet_cells(mapped.keys, mapped.scores, SHEET)
        self._fill(self.best, best)
        self._fill(self.worst, worst)
        n_videos = 1 if project is None else len(project.videos)
        self.groups.set_rows(group_rows(mapped.groups, n_videos=n_videos), self._blank())
        for key in self.groups.keys:
            self._show_icon(key)
        self.plot.set_dots(self._dots)
        self._refresh()

    def _pick(self, row: GroupRow) -> None:
        self._review.pick_frames(row.picks, f"You picked this group on the map. {row.text}")

    def _request(self) -> None:
        """Ask for the pictures in sight: those of the groups first."""
        sheets = [sheet.item(i).data(_KEY) for sheet in (self.best, self.worst) for i in range(sheet.count())]
        self._thumbnails.request([*dict.fromkeys((*self.groups.keys, *self.plot.wanted, *sheets))])

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
        return self._blank() if image is None else QIcon(QPixmap.fromImage(image))

    def _blank(self) -> QIcon:
        blank = QPixmap(WIDTH, HEIGHT)
        blank.fill(self._colours.raised)
        return QIcon(blank)

    def _show_icon(self, key: FrameKey) -> None:
        icon = self._icon(key)
        self.groups.set_icon(key, icon)
        for sheet in (self.best, self.worst):
            for row in range(sheet.count()):
                item = sheet.item(row)
                if item is not None and item.data(_KEY) == key:
                    item.setIcon(icon)

    def _on_thumbnail(self, key: FrameKey) -> None:
        self._show_icon(key)
        self.plot.add_picture(key)

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
        column.addWidget(map_legend(self._colours))
        sheets = QVBoxLayout(right)
        sheets.setContentsMargins(0, 4, 0, 0)
        for title, sheet in (("Labelled first", self.best), ("Labelled last", self.worst)):
            sheets.addWidget(label(title))
            sheets.addWidget(sheet, 1)
        halves = QSplitter()
        halves.addWidget(left)
        pages = QTabWidget()
        pages.addTab(self.groups, "What the videos show")
        pages.addTab(right, "First and last")
        halves.addWidget(pages)
        halves.setSizes([740, 380])
        rows = QVBoxLayout(self)
        rows.addLayout(choice)
        rows.addWidget(halves, 1)
        rows.addWidget(self._caption)


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
