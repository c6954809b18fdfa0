"""Clicks and drags on the canvas."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.gui.layers.picking import REACH, SLACK, Click, click_meaning, hit, inside, points_on_canvas
from napari_al_pose.gui.layers.shapes import to_source

if TYPE_CHECKING:
    from napari_al_pose.gui.session import Session

LEFT, RIGHT = 1, 2


class CanvasMouse:
    """Turns presses on the canvas into calls of the session.

    Left click: place the chosen bodypart (see `picking.click_meaning`). Left drag from a point: move it; a dragged
    guess becomes a label. Left drag from anywhere else pans, as napari does. Right click: not visible.
    Nothing happens while the pixels on the canvas are another frame's, while a modifier is held, or while
    the user works with a tool of another layer.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    session : Session
    picture_is_current : callable
        Tells whether the canvas shows the current frame's pixels.
    preview : callable
        ``preview(index, (x, y))`` draws a bodypart while it is dragged.
    """

    def __init__(
        self,
        viewer: Any,
        session: Session,
        *,
        picture_is_current: Callable[[], bool],
        preview: Callable[[int, tuple[float, float]], None],
    ) -> None:
        self._viewer = viewer
        self._session = session
        self._picture_is_current = picture_is_current
        self._preview = preview
        self._napari_double_click = list(viewer.mouse_double_click_callbacks)
        viewer.mouse_drag_callbacks.append(self._on_press)
        # The second of two quick clicks must place the next bodypart, not zoom.
        viewer.mouse_double_click_callbacks[:] = [self._on_double_click]

    def detach(self) -> None:
        """Give the mouse back to napari."""
        self._viewer.mouse_drag_callbacks.remove(self._on_press)
        self._viewer.mouse_double_click_callbacks[:] = self._napari_double_click

    def _on_press(self, viewer: Any, event: Any) -> Generator[None, None, None]:
        if event.button not in (LEFT, RIGHT) or not self._ours(event):
            return
        button, xy, start = event.button, to_source(event.position), np.asarray(event.pos, float)
        index = self._hit(xy, event)
        camera = viewer.scene.camera
        pans, drags = camera.mouse_pan, button == LEFT and index is not None
        # Marking the moves as handled would not do: napari throttles its own handling of them, the camera does not.
        camera.mouse_pan = pans and not drags
        moved = False
        try:
            yield
            while event.type == "mouse_move":
                moved = moved or _far(start, event.pos)
                if drags and moved and index is not None:
                    self._preview(index, self._clamp(to_source(event.position)))
                yield
        finally:
            camera.mouse_pan = pans
        if moved or _far(start, event.pos):
            if drags and index is not None:
                self._session.place(self._session.bodyparts[index], *self._clamp(to_source(event.position)))
        elif button == RIGHT:
            self._session.mark_not_visible(None if index is None else self._session.bodyparts[index])
        else:
            self._click(xy, index)

    def _on_double_click(self, viewer: Any, event: Any) -> None:
        if not self._ours(event):
            for callback in self._napari_double_click:
                callback(viewer, event)
        elif event.button == LEFT:
            xy = to_source(event.position)
            self._click(xy, self._hit(xy, event))

    def _click(self, xy: tuple[float, float], index: int | None) -> None:
        session = self._session
        if session.source is None or session.annotation is None or not inside(xy, *session.source.shape[1:3]):
            return
        current = session.bodyparts.index(session.bodypart)
        if index is not None and click_meaning(index, current, session.annotation.states) is Click.CHOOSE:
            session.choose_bodypart(session.bodyparts[index])
        else:
            session.place(session.bodypart, *xy)

    def _ours(self, event: Any) -> bool:
        """Whether the press is for labelling."""
        active = self._viewer.layers.selection.active
        session = self._session
        return (
            session.annotation is not None
            and not session.read_only
            and self._viewer.dims.ndisplay == 2
            and not event.modifiers
            and (active is None or active.mode == "pan_zoom")
            and self._picture_is_current()
        )

    def _hit(self, xy: tuple[float, float], event: Any) -> int | None:
        session = self._session
        assert session.annotation is not None
        points = points_on_canvas(session.annotation, session.guess)
        return hit(points, xy, REACH / event.camera_zoom, session.bodyparts.index(session.bodypart))

    def _clamp(self, xy: tuple[float, float]) -> tuple[float, float]:
        assert self._session.source is not None
        height, width = self._session.source.shape[1:3]
        return min(max(xy[0], 0.0), width - 1.0), min(max(xy[1], 0.0), height - 1.0)


def _far(start: NDArray[np.float64], pos: Sequence[float]) -> bool:
    """Whether the mouse has moved further than a trembling hand does."""
    return bool(np.hypot(*(np.asarray(pos, float) - start)) > SLACK)
