"""The second step of a new project: which bodyparts there are, clicked on a frame, typed, or taken from elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtGui import QImage
from qtpy.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_al_pose.domain import AlPoseError, Skeleton
from napari_al_pose.domain.skeleton_draft import SkeletonDraft
from napari_al_pose.domain.skeleton_templates import TEMPLATES
from napari_al_pose.domain.views import parse_bodyparts, parse_links
from napari_al_pose.domain.views.new_project import link_text, skeleton_hint
from napari_al_pose.gui.background import Background
from napari_al_pose.gui.dialogs.skeleton_picture import SkeletonPicture, Step
from napari_al_pose.gui.remembered import recent_projects
from napari_al_pose.gui.widgets import label, menu_button, tool_button

_LISTS_WIDTH = 240


class VideoFrames(QObject):
    """Reads single frames of a video that belongs to no project yet, on a thread of its own.

    Parameters
    ----------
    parent : QObject
    """

    ready = Signal(object, int)
    """A frame's `QImage`, and how many frames there are."""
    failed = Signal(str)
    """Why a video can't be read; empty once one can."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._background = Background("al-pose-new-project", self)
        self._closed = threading.Event()
        self._wanted: tuple[Path, int] | None = None

    def request(self, path: Path, position: int = 0) -> None:
        """Read a frame; an earlier request that has not begun is dropped."""
        self._wanted = wanted = path, position
        self._background.run(
            lambda: self._read(wanted), then=self._take, failed=lambda error: self._fail(wanted, error)
        )

    def close(self) -> None:
        """Let the frame in hand end on its own."""
        self._closed.set()
        self._background.close(wait=False)

    def _read(self, wanted: tuple[Path, int]) -> tuple[tuple[Path, int], QImage | None, int]:
        from napari_al_pose.video import open_source

        path, position = wanted
        if wanted != self._wanted:
            return wanted, None, 0
        with closing(open_source(path, cache_bytes=0, cancelled=self._closed.is_set)) as source:
            return wanted, _image(source[min(position, len(source) - 1)]), len(source)

    def _take(self, found: tuple[tuple[Path, int], QImage | None, int]) -> None:
        wanted, image, n_frames = found
        if wanted == self._wanted and image is not None:
            self.failed.emit("")
            self.ready.emit(image, n_frames)

    def _fail(self, wanted: tuple[Path, int], error: AlPoseError) -> None:
        if wanted == self._wanted:
            self.failed.emit(str(error))


class SkeletonPage(QWidget):
    """A frame to click on, beside the two lists; both show and change one draft.

    Parameters
    ----------
    parent : QWidget, optional
    """

    changed = Signal()
    """Something was clicked or typed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.draft = SkeletonDraft()
        self._video: Path | None = None
        self._shows = False
        self._links_complaint = ""
        self.frames = VideoFrames(self)
        self.picture = SkeletonPicture()
        self.hint = label("", "", wrap=True)
        self.hint.setMinimumHeight(3 * self.fontMetrics().lineSpacing())
        self.frame_slider = QSlider(Qt.Orientation.Horizontal)
        self.frame_slider.setToolTip("Another frame, if this one doesn't show the animal well")
        self.bodyparts = QPlainTextEdit(placeholderText="One on each line, in the order in which you will click them")
        self.links = QPlainTextEdit(placeholderText="Lines between them, if you like:\nsnout - left ear")
        self.individuals = QLineEdit(placeholderText="mouse1, mouse2")
        self.individuals.setToolTip("Their names, only if a frame shows several animals")
        self.unique_bodyparts = QLineEdit(placeholderText="door, feeder")
        self.unique_bodyparts.setToolTip(
            "Points of no animal, such as a corner of the cage; beside named animals only. DeepLabCut: unique bodyparts"
        )
        self._lay_out()
        self.frames.ready.connect(self._show_frame)
        self.frame_slider.valueChanged.connect(self._ask_frame)
        self.bodyparts.textChanged.connect(self._on_bodyparts)
        self.links.textChanged.connect(self._on_links)
        self.individuals.textChanged.connect(self.changed)
        self.unique_bodyparts.textChanged.connect(self.changed)
        self.picture.placed.connect(lambda name, x, y: self._set(self.draft.placed(name, (x, y))))
        self.picture.linked.connect(lambda a, b: self._set(self.draft.linked(a, b)))
        self.picture.removed.connect(lambda name: self._set(self.draft.without(name)))
        self._say()

    @property
    def complaint(self) -> str:
        """What is wrong with the typed lines."""
        return self._links_complaint

    def set_video(self, path: Path | None) -> None:
        """Show a frame of another video."""
        if path != self._video:
            self._video = path
            self.picture.set_image(None)
            self.frame_slider.setRange(0, 0)
            if path is not None:
                self.frames.request(path)

    def use(self, skeleton: Skeleton) -> None:
        """Begin with a skeleton that is known."""
        self._set(SkeletonDraft.of(skeleton))

    def close_video(self) -> None:
        """Read no more."""
        self.frames.close()

    # ---- inside -------------------------------------------------------------------------------

    def _set(self, draft: SkeletonDraft) -> None:
        """Take what was done on the picture, and show it in the lists."""
        self.draft = draft
        self._shows = True
        self.bodyparts.setPlainText("\n".join(draft.bodyparts))
        self.links.setPlainText(link_text(draft.links))
        self._shows = False
        self._links_complaint = ""
        self._refresh()

    def _on_bodyparts(self) -> None:
        if self._shows:
            return
        before = self.draft
        self.draft = before.typed(parse_bodyparts(self.bodyparts.toPlainText()))
        if self.draft.links != before.links and not self._links_complaint:
            self._shows = True
            self.links.setPlainText(link_text(self.draft.links))
            self._shows = False
        self._on_links()

    def _on_links(self) -> None:
        if self._shows:
            return
        try:
            links = parse_links(self.links.toPlainText(), self.draft.bodyparts)
        except AlPoseError as error:
            self._links_complaint = str(error)
        else:
            self._links_complaint = ""
            self.draft = SkeletonDraft(self.draft.bodyparts, links, self.draft.places)
        self._refresh()

    def _refresh(self) -> None:
        self.picture.set_draft(self.draft)
        self._say()
        self.changed.emit()

    def _say(self) -> None:
        self.hint.setText(skeleton_hint(self.draft, draws_lines=self.lines_tool.isChecked()))

    def _set_step(self) -> None:
        self.picture.set_step(Step.LINK if self.lines_tool.isChecked() else Step.PLACE)
        self._say()

    def _show_frame(self, image: QImage, n_frames: int) -> None:
        self.picture.set_image(image)
        self.frame_slider.setMaximum(max(0, n_frames - 1))

    def _ask_frame(self, position: int) -> None:
        if self._video is not None:
            self.frames.request(self._video, position)

    def _fill_menu(self) -> None:
        self.menu.clear()
        for title, skeleton in TEMPLATES.items():
            self.menu.addAction(title).triggered.connect(_calling(partial(self.use, skeleton)))
        self.menu.addSeparator()
        for root in recent_projects():
            action = self.menu.addAction(f"As in {root.name}")
            action.triggered.connect(_calling(partial(self._use_project, root / "config.yaml")))
        self.menu.addAction("As in another project…").triggered.connect(_calling(self._ask_project))

    def _ask_project(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Take the bodyparts of", "", "DeepLabCut project (*.yaml *.yml)")
        if path:
            self._use_project(Path(path))

    def _use_project(self, path: Path) -> None:
        from napari_al_pose.formats.deeplabcut import read_config

        try:
            config = read_config(path)
            self.use(Skeleton(config.bodyparts, config.skeleton))
        except AlPoseError as error:
            self.hint.setText(str(error))
            return
        self.individuals.setText(", ".join(config.individuals))
        self.unique_bodyparts.setText(", ".join(config.unique_bodyparts))

    def _lay_out(self) -> None:
        place = tool_button("Bodyparts", "Click a bodypart on the frame and name it", part="choice", checkable=True)
        self.lines_tool = tool_button("Lines", "Click two bodyparts to draw a line", part="choice", checkable=True)
        group = QButtonGroup(self)
        for made in (place, self.lines_tool):
            group.addButton(made)
        place.setChecked(True)
        self.lines_tool.toggled.connect(self._set_step)
        self.menu = QMenu(self)
        self.menu.aboutToShow.connect(self._fill_menu)
        tools = QHBoxLayout()
        tools.addWidget(place)
        tools.addWidget(self.lines_tool)
        tools.addStretch(1)
        tools.addWidget(menu_button("Begin with…", "A standard skeleton, or that of another project", self.menu))
        left = QVBoxLayout()
        left.addLayout(tools)
        left.addWidget(self.picture, 1)
        left.addWidget(self.frame_slider)
        left.addWidget(self.hint)
        right = QVBoxLayout()
        for title, field, share in (
            ("Bodyparts", self.bodyparts, 3),
            ("Lines", self.links, 2),
            ("Animals, if several", self.individuals, 0),
            ("Points of no animal", self.unique_bodyparts, 0),
        ):
            right.addWidget(label(title, "title"))
            right.addWidget(field, share)
            field.setFixedWidth(_LISTS_WIDTH)
        for text in (self.bodyparts, self.links):
            text.setTabChangesFocus(True)
        columns = QHBoxLayout(self)
        columns.setContentsMargins(0, 0, 0, 0)
        columns.setSpacing(14)
        columns.addLayout(left, 1)
        columns.addLayout(right)


def _calling(action: Callable[[], object]) -> Callable[[bool], None]:
    """Return a slot that calls ``action`` without what a menu passes on."""

    def called(_checked: bool = False) -> None:
        action()

    return called


def _image(frame: NDArray[np.uint8]) -> QImage:
    pixels = np.ascontiguousarray(frame)
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
