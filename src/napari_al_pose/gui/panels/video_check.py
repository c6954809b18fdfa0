"""The bar that says that a video's seeks are not exact, with the ways out."""

from __future__ import annotations

from qtpy.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QVBoxLayout

from napari_al_pose.gui.video_check import VideoCheck
from napari_al_pose.gui.widgets import button, label


class VideoCheckBar(QFrame):
    """Hidden while there is nothing to say.

    Parameters
    ----------
    check : VideoCheck
    """

    def __init__(self, check: VideoCheck) -> None:
        super().__init__()
        self._check = check
        self.setProperty("part", "info")
        self.message = label("", "warning", wrap=True)
        self.copy = button("Make an exact copy", "Beside the original, which stays as it is", check.make_copy)
        self.forwards = button(
            "Decode forwards", "Exact without a copy; jumping back takes long", check.decode_forwards
        )
        self.progress = QProgressBar(textVisible=False)
        self.cancel = button("Cancel", "Stop copying; nothing is left behind", check.cancel_copy)
        buttons = QHBoxLayout()
        for widget in (self.copy, self.forwards, self.progress, self.cancel):
            buttons.addWidget(widget)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(8, 4, 8, 4)
        rows.addWidget(self.message)
        rows.addLayout(buttons)
        check.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the check's view."""
        view = self._check.view
        copies = view.percent >= 0
        self.setVisible(bool(view.message))
        self.message.setText(view.message)
        for widget in (self.copy, self.forwards):
            widget.setVisible(view.offers)
        self.progress.setVisible(copies)
        self.cancel.setVisible(copies)
        self.progress.setValue(max(view.percent, 0))
