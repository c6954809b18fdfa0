"""The dialog of the settings."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from napari_al_pose.domain.settings import LoopSettings
from napari_al_pose.gui.dialogs.settings_form import SettingsForm


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
