"""The tools, the labelling mode and the individual, above the list of bodyparts."""

from __future__ import annotations

from qtpy.QtCore import Qt, Slot
from qtpy.QtWidgets import QButtonGroup, QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from napari_al_pose.domain.tools import LabelMode
from napari_al_pose.domain.views.tools import TOOLS
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.state.view_options import ViewOptions
from napari_al_pose.gui.widgets import KeyTip, NamesBox, label, tool_button

_MODES = (
    (LabelMode.SEQUENTIAL, "Sequential", "The bodyparts one after the other; a click never moves a label"),
    (LabelMode.QUICK, "Quick", "As sequential, but a click moves the label of the chosen bodypart"),
    (LabelMode.LOOP, "Loop", "One bodypart through all frames, then the next"),
)


class ToolRows(QWidget):
    """The choice of tool, mode and, in a project of several animals, individual."""

    def __init__(
        self,
        projects: ProjectSession,
        frame: CurrentFrame,
        *,
        options: ViewOptions,
        keys: KeyChoices,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._options, self._keys, self._frame = options, keys, frame
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(4)
        rows.addLayout(self._tool_row())
        rows.addWidget(self._individual_row())
        options.changed.connect(self._on_option)
        projects.projectChanged.connect(self._on_project)
        frame.individualChanged.connect(self._show_individual)
        keys.changed.connect(self._on_keys)
        self._on_option("tool")
        self._on_option("label_mode")
        self._on_project()

    def _tool_row(self) -> QHBoxLayout:
        options = self._options
        row = QHBoxLayout()
        row.setSpacing(3)
        group = QButtonGroup(self)
        self._tools = {}
        for words in TOOLS:
            made = tool_button(words.name, "", part="choice", checkable=True)
            KeyTip(made, f"{words.does} ({words.key})", self._keys)
            made.clicked.connect(lambda _checked=False, tool=words.tool: options.set("tool", tool))
            group.addButton(made)
            row.addWidget(made)
            self._tools[words.tool] = made
        self._mode = QComboBox()
        self._mode.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        for mode, text, tooltip in _MODES:
            self._mode.addItem(text, mode)
            self._mode.setItemData(self._mode.count() - 1, tooltip, Qt.ItemDataRole.ToolTipRole)
        self._mode.activated.connect(lambda i: options.set("label_mode", LabelMode(self._mode.itemData(i))))
        row.addStretch(1)
        row.addWidget(self._mode)
        return row

    def _individual_row(self) -> QWidget:
        self._individual = NamesBox()
        KeyTip(self._individual, "The animal the next click labels ({next_individual}: the next one)", self._keys)
        self._individual.activated.connect(lambda i: self._frame.choose_individual(self._individual.itemText(i)))
        self._individuals = QWidget()
        row = QHBoxLayout(self._individuals)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(label("Individual", "dim"))
        row.addWidget(self._individual, 1)
        return self._individuals

    def _on_option(self, name: str) -> None:
        options = self._options
        if name == "tool":
            self._tools[options.tool].setChecked(True)
        elif name == "label_mode":
            i = self._mode.findData(options.label_mode)
            self._mode.setCurrentIndex(i)
            what = self._mode.itemData(i, Qt.ItemDataRole.ToolTipRole)
            self._mode.setToolTip(self._keys.named(f"What follows a click ({{next_label_mode}}). {what}."))

    @Slot()
    def _on_keys(self) -> None:
        self._on_option("label_mode")

    def _on_project(self) -> None:
        names = self._frame.individuals
        self._individual.clear()
        self._individual.addItems(list(names))
        self._individuals.setVisible(any(names))
        self._show_individual()

    def _show_individual(self) -> None:
        self._individual.setCurrentText(self._frame.individual)
