"""The menu *View*: how the video, the points and the window are shown, without napari's layer controls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QSlider, QWidget, QWidgetAction
from superqt import QRangeSlider

from napari_al_pose.domain.tools import ColourBy
from napari_al_pose.domain.views.colours import Palette
from napari_al_pose.gui.commands import CommandMenu, Commands
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.view_options import AS_FILMED, ViewOptions
from napari_al_pose.gui.widgets import label

_GAMMAS = (0.2, 2.0)
_WIDTH = 190


class ViewMenu(CommandMenu):
    """Contrast, gamma, colours, what is drawn, and how much room the video has.

    Parameters
    ----------
    commands : Commands
    frame : CurrentFrame
    options : ViewOptions
    parent : QWidget
    """

    def __init__(self, commands: Commands, frame: CurrentFrame, options: ViewOptions, parent: QWidget) -> None:
        super().__init__(commands, parent)
        self._frame, self._options = frame, options
        self._pixels = _PixelSliders(options)
        self._sliders = QWidgetAction(self)
        self._sliders.setDefaultWidget(self._pixels)
        self.addAction(self._sliders)
        self.aboutToShow.connect(self.fill)

    def fill(self) -> None:
        """List the options with their present values."""
        options = self._options
        for action in self.actions():
            if action is not self._sliders:  # `clear` would delete the sliders
                self.removeAction(action)
                action.deleteLater()
        self._pixels.refresh()
        self.add("Contrast and gamma as filmed", self._as_filmed)
        self.offer("Fit the view", "layers.fit_view")
        self.offer("Close-up", "layers.toggle_close_up")
        self.addSeparator()
        colours = self.addMenu("Bodypart colours")
        for palette in Palette:
            made = colours.addAction(palette.value)
            made.setCheckable(True)
            made.setChecked(palette is options.palette)
            made.triggered.connect(lambda _checked=False, palette=palette: options.set("palette", palette))
        by_individual = options.colour_by is ColourBy.INDIVIDUAL
        several = len(self._frame.individuals) > 1
        self.offer("Colour by individual", "next_colouring", checked=by_individual, enabled=several)
        for text, option in (
            ("Names beside the points", "names"),
            ("Points and skeleton", "points"),
            ("Ring doubtful guesses in red", "borders"),
            ("View follows the animal", "follow"),
        ):
            self.offer(text, f"options.toggle {option}", checked=getattr(options, option))
        self.add("Overview in the close-up", lambda: options.toggle("overview"), checked=options.overview)
        self.addSeparator()
        self.offer("napari's own panels", "options.toggle wide", checked=not options.wide)

    def _as_filmed(self) -> None:
        contrast, gamma = AS_FILMED
        self._options.set("contrast", contrast)
        self._options.set("gamma", gamma)


class _PixelSliders(QWidget):
    """How pixels of video and scoremap are shown; the canvas follows the slider."""

    def __init__(self, options: ViewOptions) -> None:
        super().__init__()
        self._options = options
        self._contrast = QRangeSlider(Qt.Orientation.Horizontal)
        self._contrast.setRange(0, 255)
        self._contrast.setToolTip("Which grey levels are shown as black and as white")
        self._contrast.valueChanged.connect(self._set_contrast)
        self._gamma = _slider("Drag to the left to brighten what is dark", self._set_gamma)
        self._scoremap = _slider("How much of the video a scoremap hides", self._set_scoremap)
        rows = QGridLayout(self)
        rows.setContentsMargins(12, 6, 12, 6)
        for row, (text, slider) in enumerate(
            (("Contrast", self._contrast), ("Gamma", self._gamma), ("Scoremap", self._scoremap))
        ):
            name: QLabel = label(text)
            name.setBuddy(slider)
            slider.setMinimumWidth(_WIDTH)
            rows.addWidget(name, row, 0)
            rows.addWidget(slider, row, 1)

    def refresh(self) -> None:
        """Show what is chosen."""
        low, high = _GAMMAS
        shown: tuple[tuple[Any, Any], ...] = (
            (self._contrast, self._options.contrast),
            (self._gamma, round(100 * (self._options.gamma - low) / (high - low))),
            (self._scoremap, round(100 * self._options.scoremap_opacity)),
        )
        for slider, value in shown:
            slider.blockSignals(True)
            slider.setValue(value)
            slider.blockSignals(False)

    def _set_contrast(self, values: tuple[float, float]) -> None:
        low, high = (round(value) for value in values)
        if low < high:
            self._options.set("contrast", (low, high))

    def _set_gamma(self, percent: int) -> None:
        low, high = _GAMMAS
        self._options.set("gamma", low + (high - low) * percent / 100)

    def _set_scoremap(self, percent: int) -> None:
        self._options.set("scoremap_opacity", max(0.05, percent / 100))


def _slider(tooltip: str, changed: Callable[[int], None]) -> QSlider:
    made = QSlider(Qt.Orientation.Horizontal)
    made.setRange(0, 100)
    made.setToolTip(tooltip)
    made.valueChanged.connect(changed)
    return made
