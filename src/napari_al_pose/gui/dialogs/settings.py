"""The dialog of the settings: a form made from the settings' own fields, with names, limits and explanations."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

from magicgui.widgets import create_widget
from magicgui.widgets.bases import ValueWidget
from pydantic.fields import FieldInfo
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_al_pose.domain.backbones import BACKBONE_WORDS
from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.gui.widgets import label

_LOOP_TITLES = {
    "batch_size": "Frames in the queue",
    "train_after": "Train after … new frames",
    "ask": "Ask for",
    "holdout_share": "Share of test frames",
    "pool_size": "Candidate frames",
}
_TRAIN_TITLES = {
    "backbone": "Network",
    "follow_animal": "Follow the animal",
    "swap_pairs": "Left/right pairs",
}
_ADVANCED_TITLES = {
    "device": "Device",
    "long_side": "Network input, px",
    "steps": "Steps in a round",
    "rotation_degrees": "Largest rotation, °",
    "unlabelled": "Learn from unlabelled frames",
}
_SWITCHES: dict[str, tuple[str, Any, Any]] = {
    "train_after": ("never", 0, 10),
    "swap_pairs": ("automatic", "auto", ""),
    "long_side": ("automatic", 0, 320),
    "steps": ("automatic", 0, 300),
    "rotation_degrees": ("automatic", -1.0, 30.0),
}
"""The box beside a field, the value that it stands for, and the value to begin with once it is not ticked."""

_WORDS = {"auto": "automatic", "frames": "whole frames", "bodyparts": "doubtful bodyparts"}


class SettingsDialog(QDialog):
    """The settings form, with OK, Cancel and the way back to the defaults."""

    chosen = Signal(object)
    """The `LoopSettings` there are to be."""

    def __init__(self, settings: LoopSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings of this project")
        self.setMinimumWidth(360)
        self.form = SettingsForm(settings)
        strategy = settings.strategy
        standard = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(standard.Ok | standard.Cancel | standard.RestoreDefaults)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        buttons.button(standard.RestoreDefaults).clicked.connect(
            lambda _checked=False: self.form.show(
                LoopSettings.model_validate({"strategy": strategy, "regions": settings.regions})
            )
        )
        rows = QVBoxLayout(self)
        rows.addWidget(self.form.widget)
        rows.addWidget(buttons)
        self.accepted.connect(lambda: self.chosen.emit(self.form.settings))


class SettingsForm:
    """A magicgui form for the settings a user changes.

    Parameters
    ----------
    settings : LoopSettings
        What the form starts from; fields it doesn't show are kept.
    """

    def __init__(self, settings: LoopSettings) -> None:
        self._settings = settings
        self.fields: dict[str, ValueWidget[Any]] = {
            **{name: _field(name, title, LoopSettings, settings) for name, title in _LOOP_TITLES.items()},
            **{
                name: _field(name, title, TrainSettings, settings.train)
                for name, title in {**_TRAIN_TITLES, **_ADVANCED_TITLES}.items()
            },
        }
        self.switches = {name: _switch(self.fields[name], *how) for name, how in _SWITCHES.items()}
        self.widget = QWidget()
        rows = QVBoxLayout(self.widget)
        rows.setContentsMargins(0, 0, 0, 0)
        for title, names in (("Queue", _LOOP_TITLES), ("Training", _TRAIN_TITLES)):
            rows.addWidget(label(title, "title"))
            rows.addWidget(self._group(names))
        self.advanced = self._group(_ADVANCED_TITLES)
        fold = QToolButton()
        fold.setText("Advanced")
        fold.setCheckable(True)
        fold.setAutoRaise(True)
        fold.setProperty("part", "fold")
        fold.setToolTip("Chosen from your labels unless you set it")
        fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        rows.addWidget(fold)
        rows.addWidget(self.advanced)
        rows.addStretch(1)
        fold.toggled.connect(self.advanced.setVisible)
        fold.toggled.connect(lambda on: fold.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow))
        default = TrainSettings()
        fold.setChecked(any(getattr(settings.train, name) != getattr(default, name) for name in _ADVANCED_TITLES))
        fold.toggled.emit(fold.isChecked())

    def _group(self, names: Iterable[str]) -> QWidget:
        made = QWidget()
        rows = QFormLayout(made)
        rows.setContentsMargins(12, 0, 0, 6)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for name in names:
            row = QHBoxLayout()
            row.addWidget(self.fields[name].native, 1)
            if name in self.switches:
                row.addWidget(self.switches[name])
            rows.addRow(self.fields[name].label, row)
        return made

    @property
    def settings(self) -> LoopSettings:
        """What the form says now."""
        loop = {name: self.fields[name].value for name in _LOOP_TITLES}
        train = {name: self.fields[name].value for name in (*_TRAIN_TITLES, *_ADVANCED_TITLES)}
        trained = TrainSettings.model_validate({**self._settings.train.model_dump(), **train})
        return LoopSettings.model_validate({**self._settings.model_dump(), **loop, "train": trained})

    def show(self, settings: LoopSettings) -> None:
        """Fill the form with ``settings``."""
        self._settings = settings
        for name in _LOOP_TITLES:
            self.fields[name].value = getattr(settings, name)
        for name in (*_TRAIN_TITLES, *_ADVANCED_TITLES):
            self.fields[name].value = getattr(settings.train, name)


def _switch(field: ValueWidget[Any], title: str, off: Any, first: Any) -> QCheckBox:
    """Return the box that gives a field the value ``off``, and with it a meaning instead of a number."""
    made = QCheckBox(title)
    made.setToolTip(field.tooltip or "")

    def follow(value: Any) -> None:
        made.blockSignals(True)
        made.setChecked(value == off)
        made.blockSignals(False)
        field.enabled = value != off

    def switch(on: bool) -> None:
        field.value = off if on else first

    field.changed.connect(follow)
    made.toggled.connect(switch)
    follow(field.value)
    return made


def _field(name: str, title: str, model: type[LoopSettings] | type[TrainSettings], values: Any) -> ValueWidget[Any]:
    field: FieldInfo = model.model_fields[name]
    annotation: Any = field.annotation
    options: dict[str, Any] = {"tooltip": _without_numbers(field.description or title), **_limits(field)}
    if name == "backbone":
        options["choices"] = [(words.partition(":")[0], backbone) for backbone, words in BACKBONE_WORDS.items()]
        options["tooltip"] = "\n".join(BACKBONE_WORDS.values())
    if get_origin(annotation) is Literal:
        options["choices"] = [(_WORDS.get(choice, choice), choice) for choice in get_args(annotation)]
        annotation = str
    if annotation is float:
        options["step"] = 0.05 if options.get("max", 1) <= 1 else 5.0
    numeric = name in _SWITCHES and annotation in (int, float)
    if numeric and annotation is int:  # superqt's box for whole numbers shows no words
        options |= {"widget_type": "FloatSpinBox", "step": 1 if name == "train_after" else 32}
    widget = create_widget(value=getattr(values, name), annotation=annotation, name=name, label=title, options=options)
    assert isinstance(widget, ValueWidget)
    if numeric:
        assert isinstance(widget.native, QDoubleSpinBox)
        widget.native.setDecimals(0)
        widget.native.setSpecialValueText("–")  # the box beside it says what it means
    return widget


def _without_numbers(description: str) -> str:
    """Return a description without the numbers that stand for a word: "Automatic (-1): ..."."""
    return re.sub(r" \((?:-?\d+|'auto')\)", "", description)


def _limits(field: FieldInfo) -> dict[str, Any]:
    """Return the field's bounds as magicgui's ``min`` and ``max``."""
    limits: dict[str, Any] = {}
    for rule in field.metadata:
        if (low := getattr(rule, "ge", None)) is not None:
            limits["min"] = low
        if (high := getattr(rule, "le", None)) is not None:
            limits["max"] = high
    if "min" in limits and "max" not in limits:
        limits["max"] = 1_000_000
    return limits
