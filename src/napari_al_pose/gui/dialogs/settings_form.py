"""The settings as a form, made from the settings' own fields: names, limits, defaults and explanations."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import create_widget
from magicgui.widgets.bases import ValueWidget
from pydantic.fields import FieldInfo
from qtpy.QtWidgets import QFormLayout, QWidget

from napari_al_pose.domain.backbones import BACKBONE_WORDS
from napari_al_pose.domain.settings import LoopSettings, TrainSettings

_LOOP_TITLES = {
    "batch_size": "Frames in the queue",
    "train_after": "Train after … new frames",
    "holdout_share": "Share of test frames",
    "pool_size": "Candidate frames",
}
_TRAIN_TITLES = {
    "backbone": "Network",
    "device": "Device",
    "long_side": "Network input, px",
    "follow_animal": "Follow the animal",
    "steps": "Steps in a round",
    "rotation_degrees": "Largest rotation, °",
    "swap_pairs": "Left/right pairs",
}


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
            **{name: _field(name, title, TrainSettings, settings.train) for name, title in _TRAIN_TITLES.items()},
        }
        self.widget = QWidget()
        rows = QFormLayout(self.widget)
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for field in self.fields.values():
            rows.addRow(field.label, field.native)

    @property
    def settings(self) -> LoopSettings:
        """What the form says now."""
        loop = {name: self.fields[name].value for name in _LOOP_TITLES}
        train = {name: self.fields[name].value for name in _TRAIN_TITLES}
        trained = TrainSettings.model_validate({**self._settings.train.model_dump(), **train})
        return LoopSettings.model_validate({**self._settings.model_dump(), **loop, "train": trained})

    def show(self, settings: LoopSettings) -> None:
        """Fill the form with ``settings``."""
        self._settings = settings
        for name in _LOOP_TITLES:
            self.fields[name].value = getattr(settings, name)
        for name in _TRAIN_TITLES:
            self.fields[name].value = getattr(settings.train, name)


def _field(name: str, title: str, model: type[LoopSettings] | type[TrainSettings], values: Any) -> ValueWidget[Any]:
    field: FieldInfo = model.model_fields[name]
    options: dict[str, Any] = {"tooltip": field.description or title, **_limits(field)}
    if name == "backbone":
        options["choices"] = [(words.partition(":")[0], backbone) for backbone, words in BACKBONE_WORDS.items()]
        options["tooltip"] = "\n".join(BACKBONE_WORDS.values())
    if field.annotation is float:
        options["step"] = 0.05 if options.get("max", 1) <= 1 else 5.0
    widget = create_widget(
        value=getattr(values, name), annotation=field.annotation, name=name, label=title, options=options
    )
    assert isinstance(widget, ValueWidget)
    return widget


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
