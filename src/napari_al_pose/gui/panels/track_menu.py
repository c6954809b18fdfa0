"""The menu of a predicted video: what is put in the queue, and what is done to its tracks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QInputDialog, QWidget

from napari_al_pose.domain.views.tracks import error_lines
from napari_al_pose.domain.wording import counted
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.review import Review
from napari_al_pose.gui.state.track_editor import TrackEditor
from napari_al_pose.gui.widgets import KeyedMenu


class TrackMenu(KeyedMenu):
    """Filled when it is opened, for the track whose lane was clicked, or that of the chosen individual.

    Parameters
    ----------
    tracks : TrackEditor
    review : Review
    keys : KeyChoices
    parent : QWidget
    """

    def __init__(self, tracks: TrackEditor, review: Review, keys: KeyChoices, parent: QWidget) -> None:
        super().__init__(keys, parent)
        self._tracks, self._review = tracks, review
        self._track = -1
        self.aboutToShow.connect(self.fill)
        self.aboutToHide.connect(self._forget)

    def open_for(self, track: int, at: QPoint) -> None:
        """Open at a point of the screen for a track; -1 for that of the chosen individual."""
        self._track = track
        self.popup(at)

    def fill_for(self, track: int) -> None:
        """List what can be done to a track; -1 for that of the chosen individual."""
        self._track = track
        self.fill()

    def fill(self) -> None:
        """List what can be done in the current frame."""
        self.clear()
        overview = self._tracks.overview
        if overview is None:
            return
        self.add("Next unsure place", partial(self._review.go_low, 1), "go_low 1", enabled=bool(overview.low))
        self.add("Put this place in the queue", self._review.pick_here, "pick_here", enabled=True)
        every = f"Put the worst frame of {counted(len(overview.low), 'unsure place')} in the queue"
        self.add(every, self._review.pick_all, enabled=bool(overview.low))
        n_picked = len(self._review.picked)
        self.add(
            f"Take {counted(n_picked, 'frame')} out of the queue again", self._review.drop_picked, enabled=n_picked > 0
        )
        self._add_errors()
        if overview.tracks:
            self._add_tracks(overview.tracks)

    def _add_errors(self) -> None:
        """List the error of each bodypart, the worst first, and which frames it was measured on."""
        errors = self._tracks.errors
        menu = self.addMenu("Error by bodypart")
        menu.setEnabled(bool(errors.bodyparts))
        for line in error_lines(errors.bodyparts, errors.n_frames, is_test=errors.is_test):
            menu.addAction(line).setEnabled(False)

    def _add_tracks(self, names: tuple[str, ...]) -> None:
        tracks, track = self._tracks, self._tracks.current if self._track < 0 else self._track
        if not 0 <= track < len(names):
            return
        name, can = names[track], tracks.can_edit
        others = [i for i in range(len(names)) if i != track]
        self.addSection(name if can else f"{name}: tracks can be changed once the video is predicted")
        doubtful = tracks.overview is not None and bool(tracks.overview.doubtful)
        self.add("Next doubtful crossing", partial(self._review.go_doubtful, 1), "go_doubtful 1", enabled=doubtful)
        if len(others) == 1:
            text = f"Swap with {names[others[0]]} from here on"
            self.add(text, partial(tracks.swap, track, others[0]), "swap_tracks", enabled=can)
        else:
            self._add_others("Swap from here on with", names, others, partial(tracks.swap, track), enabled=can)
        self.add("Split here: another animal from here on", partial(tracks.split, track), "split_track", enabled=can)
        self._add_others(
            "Join: fill its gaps from here on with", names, others, partial(tracks.join, track), enabled=can
        )
        self._add_others("In the whole video, this is", names, others, self._namer(track, names), enabled=can)
        self.add("Name…", partial(self._ask_name, track, name), enabled=can)
        self.addSeparator()
        self.add("Undo", tracks.undo, "undo", enabled=tracks.can_undo)
        self.add("Redo", tracks.redo, "redo", enabled=tracks.can_redo)

    def _namer(self, track: int, names: tuple[str, ...]) -> Callable[[int], Any]:
        return lambda other: self._tracks.name(track, names[other])

    def _add_others(
        self, text: str, names: tuple[str, ...], others: list[int], action: Callable[[int], Any], *, enabled: bool
    ) -> None:
        menu = self.addMenu(text)
        menu.setEnabled(enabled and bool(others))
        for other in others:
            menu.addAction(names[other]).triggered.connect(lambda _checked=False, other=other: action(other))

    def _ask_name(self, track: int, name: str) -> None:
        dialog = QInputDialog(self.parentWidget())
        dialog.setWindowTitle("Name the track")
        dialog.setLabelText("New name. The name of another track exchanges the two in the whole video.")
        dialog.setTextValue(name)
        dialog.textValueSelected.connect(lambda text: self._tracks.name(track, text))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _forget(self) -> None:
        self._track = -1
