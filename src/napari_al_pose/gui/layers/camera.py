"""The view goes where the animal is, if asked, and comes close to one bodypart."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QObject, QTimer, Signal

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.tools import LabelMode
from napari_al_pose.gui.layers.napari_widgets import canvas_widget
from napari_al_pose.gui.layers.picking import inside, points_on_canvas
from napari_al_pose.gui.layers.shapes import to_source
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.view_options import ViewOptions

CLOSE_UP = 5.0
"""How much nearer a close-up is than the view before it."""
FIT_MARGIN = 0.005
"""Share of the canvas that is left empty around the frame: the larger it is, the better bodyparts are hit."""
NEAR = 1.1
"""A view shows a part of the frame if its zoom is more than this many times the one that fits the whole frame."""
SETTLED_MS = 60
"""For how long a canvas must keep its size until the frame is fitted to it."""
STEPS, STEP_MS = 4, 30
"""A move of the view is drawn in a few steps, so that the eye can follow."""


class Camera(QObject):
    """Moves napari's camera.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Only weakly referred to.
    parent : QObject
    """

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer_ref = weakref.ref(viewer)
        self._before: tuple[NDArray[np.float64], float] | None = None
        self._fitted_zoom = 0.0
        self._fitted_centre: NDArray[np.float64] | None = None
        self._path: list[NDArray[np.float64]] = []
        self._timer = QTimer(self, interval=STEP_MS)
        self._timer.timeout.connect(self._step)

    @property
    def is_close(self) -> bool:
        """Whether the view is a close-up."""
        return self._before is not None

    @property
    def is_fitted(self) -> bool:
        """Whether the view is still as it was fitted to the frame: neither zoomed nor moved since."""
        camera, fitted = self._camera(), self._fitted_centre
        if camera is None or fitted is None or not self._fitted_zoom:
            return False
        return bool(np.isclose(float(camera.zoom), self._fitted_zoom) and np.allclose(_centre(camera), fitted))

    def jump(self, xy: tuple[float, float]) -> None:
        """Put source pixel ``xy`` in the middle of a view that does not show the whole frame."""
        camera = self._camera()
        if camera is not None and (self.is_close or float(camera.zoom) > NEAR * self._fitted_zoom > 0):
            self._go(np.array(xy[::-1], float), at_once=True)

    def close_up(self, xy: tuple[float, float]) -> None:
        """Zoom in on source pixel ``xy``."""
        camera = self._camera()
        if camera is None:
            return
        if self._before is None:
            self._before = (_centre(camera), float(camera.zoom))
            camera.zoom = float(camera.zoom) * CLOSE_UP
        self._go(np.array(xy[::-1], float), at_once=True)

    def back(self) -> None:
        """Leave the close-up for the view before it."""
        camera, before, self._before = self._camera(), self._before, None
        if camera is not None and before is not None:
            camera.zoom = before[1]
            self._go(before[0], at_once=True)

    def forget(self) -> None:
        """The view was fitted to the frame: there is no close-up to come back from."""
        camera = self._camera()
        self._before, self._fitted_zoom = None, 0.0 if camera is None else float(camera.zoom)
        self._fitted_centre = None if camera is None else _centre(camera)
        self._stop()

    def follow(self, xy: NDArray[np.floating]) -> None:
        """Put the middle of the points ``xy``, (n, 2), in the middle of the view; NaN rows don't count."""
        there = xy[np.isfinite(xy).all(axis=1)]
        if len(there):
            low, high = there.min(axis=0), there.max(axis=0)
            self._go(((low + high) / 2)[::-1].astype(float))

    def _go(self, centre: NDArray[np.float64], *, at_once: bool = False) -> None:
        camera = self._camera()
        if camera is None:
            return
        start = _centre(camera)
        shares = (1.0,) if at_once else np.linspace(0, 1, STEPS + 1)[1:]
        self._path = [start + share * (centre - start) for share in shares]
        self._step()
        if self._path:
            self._timer.start()

    def _step(self) -> None:
        camera = self._camera()
        if camera is not None and self._path:
            depth = tuple(camera.center)[:-2]
            camera.center = (*depth, *(float(value) for value in self._path.pop(0)))
        if not self._path:
            self._stop()

    def _stop(self) -> None:
        self._path = []
        self._timer.stop()

    def _camera(self) -> Any:
        viewer = self._viewer_ref()
        return None if viewer is None else viewer.scene.camera


class FitOnResize(QObject):
    """Asks for the frame to be fitted again when the canvas has changed its size, unless the user chose another view.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    camera : Camera
    parent : QObject
    """

    due = Signal()

    def __init__(self, viewer: Any, camera: Camera, parent: QObject) -> None:
        super().__init__(parent)
        self._camera = camera
        self._timer = QTimer(self, interval=SETTLED_MS, singleShot=True)
        self._timer.timeout.connect(self._refit)
        canvas = canvas_widget(viewer)
        if canvas is not None:
            canvas.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._timer.start()
        return False

    def _refit(self) -> None:
        if self._camera.is_fitted:
            self.due.emit()


class CameraAim:
    """Sends the camera to the chosen bodypart, or along with the animal.

    Parameters
    ----------
    camera : Camera
    frame : CurrentFrame
    options : ViewOptions
    """

    def __init__(self, camera: Camera, frame: CurrentFrame, options: ViewOptions) -> None:
        self._camera, self._frame, self._options = camera, frame, options
        self._jumped_at: tuple[FrameKey | None, str] | None = None

    def toggle_close_up(self, cursor: Sequence[float]) -> None:
        """Zoom in on the bodypart, or on ``cursor`` (napari's world coordinates); from a close-up, zoom out again."""
        if self._camera.is_close:
            self._camera.back()
            return
        height, width = self._frame.size
        xy = to_source(cursor)
        middle = xy if inside(xy, height, width) and any(xy) else (width / 2, height / 2)
        self._camera.close_up(self._place_of_bodypart() or middle)

    def to_bodypart(self) -> None:
        """Move a close-up to the bodypart that is chosen now."""
        if self._camera.is_close and (place := self._place_of_bodypart()) is not None:
            self._camera.close_up(place)
        self.jump()

    def jump(self) -> None:
        """Go to where the bodypart is, in loop mode and if that is known; once, so that the user can look elsewhere."""
        at = (self._frame.key, self._frame.bodypart)
        if self._options.label_mode is LabelMode.LOOP and at != self._jumped_at:
            place = self._place_of_bodypart()
            if place is not None:
                self._jumped_at = at
                self._camera.jump(place)

    def follow(self) -> None:
        """Put the animal in the middle of the view."""
        frame = self._frame
        if frame.annotations:
            points = points_on_canvas(frame.annotations, frame.guess, frame.individual_index)
            self._camera.follow(points.xy[frame.rows])

    def _place_of_bodypart(self) -> tuple[float, float] | None:
        """Return where the chosen bodypart's label or guess is."""
        frame = self._frame
        if not frame.annotations or frame.bodypart not in frame.bodyparts:
            return None
        points = points_on_canvas(frame.annotations, frame.guess, frame.individual_index)
        x, y = points.xy[frame.rows.start + frame.bodypart_index]
        return (float(x), float(y)) if np.isfinite([x, y]).all() else None


def _centre(camera: Any) -> NDArray[np.float64]:
    return np.array(camera.center[-2:], float)
