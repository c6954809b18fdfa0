"""Clicks and drags on the canvas."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol

import numpy as np
from napari.utils.interactions import mouse_press_callbacks
from numpy.typing import NDArray

from napari_al_pose.domain.labelling import pose_to_move, shift_inside
from napari_al_pose.domain.tools import Click, Tool, click_meaning
from napari_al_pose.gui.layers.guard import Sentence
from napari_al_pose.gui.layers.picking import REACH, SLACK, Points, hit, inside, points_on_canvas
from napari_al_pose.gui.layers.shapes import to_source
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.label_editor import LabelEditor
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.state.view_options import ViewOptions

LEFT, RIGHT = 1, 2
OTHER_FRAME: Sentence = (
    "The frame changed while the mouse button was down, so nothing was labelled.",
    "Go back with {previous_suggestion} or {step -1} and label it again.",
)


class Canvas(Protocol):
    """What a mouse press acts on."""

    def refusal(self, xy: tuple[float, float]) -> Sentence:
        """Return why the canvas does not show the current frame at a source pixel, if so."""

    def preview(self, rows: Sequence[int], xy: NDArray[np.float64]) -> None:
        """Draw points at ``xy``, (n, 2), while they are dragged."""

    def name_point(self, row: int | None) -> None:
        """Say which point is under the mouse, None for none."""


class CanvasMouse:
    """Turns presses on the canvas into calls of the session.

    Left click: what the tool says (see `domain.tools.click_meaning`). Left drag from a point: move it; a dragged
    guess becomes a label. The same with Alt: move the whole pose. Left drag from anywhere else pans, as napari does.
    Right click: not visible. Nothing happens with the tool *pan*, while the pixels on the canvas are another frame's,
    with other modifiers, or while the user works with a tool of another layer. Where the canvas shows something else
    than the frame, or labels can't be changed, a click is answered with a sentence.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    canvas : Canvas
    projects : ProjectSession
    frame : CurrentFrame
    editor : LabelEditor
    options : ViewOptions
    notices : Notices
    """

    def __init__(
        self,
        viewer: Any,
        canvas: Canvas,
        *,
        projects: ProjectSession,
        frame: CurrentFrame,
        editor: LabelEditor,
        options: ViewOptions,
        notices: Notices,
    ) -> None:
        self._viewer, self._canvas = viewer, canvas
        self._notices, self._options = notices, options
        self._frame, self._projects, self._editor = frame, projects, editor
        self._hovered_row: int | None = None
        self._napari_double_click = list(viewer.mouse_double_click_callbacks)
        viewer.mouse_drag_callbacks.append(self._on_press)
        viewer.mouse_move_callbacks.append(self._on_move)
        # The second of two quick clicks must place the next bodypart, or begin a drag, not zoom.
        viewer.mouse_double_click_callbacks[:] = [self._on_double_click]

    def detach(self) -> None:
        """Give the mouse back to napari."""
        self._viewer.mouse_drag_callbacks.remove(self._on_press)
        self._viewer.mouse_move_callbacks.remove(self._on_move)
        self._viewer.mouse_double_click_callbacks[:] = self._napari_double_click

    def _on_press(self, viewer: Any, event: Any) -> Generator[None, None, None]:
        if event.button not in (LEFT, RIGHT) or not self._wanted(event):
            return
        button, xy, start = event.button, to_source(event.position), np.asarray(event.pos, float)
        if self._projects.read_only:
            yield from self._refuse(event, start, self._projects.writable)
            return
        refused = self._canvas.refusal(xy)
        if any(refused):
            yield from self._refuse(event, start, lambda: self._notices.tell(*refused))
            return
        if not self._frame.picture_is_current:
            return
        whole, key = tuple(event.modifiers) == ("Alt",), self._frame.key
        row = self._hit(xy, event)
        rows, points = self._held(row, whole=whole)
        camera = viewer.scene.camera
        pans, drags = camera.mouse_pan, button == LEFT and bool(rows)
        # Marking the moves as handled would not do: napari throttles its own handling of them, the camera does not.
        camera.mouse_pan = pans and not drags
        moved = False
        try:
            yield
            while event.type == "mouse_move":
                moved = moved or _far(start, event.pos)
                if drags and moved and self._frame.key == key:
                    self._canvas.preview(rows, self._moved(points, xy, to_source(event.position)))
                yield
        finally:
            camera.mouse_pan = pans
        moved = moved or _far(start, event.pos)
        if self._frame.key != key:
            if drags or not moved:
                self._notices.tell(*OTHER_FRAME)
        elif moved and drags:
            self._drop(rows, xy, to_source(event.position), whole=whole)
        elif not moved and not whole:
            self._click_with(button, xy, row)

    def _drop(self, rows: list[int], start: tuple[float, float], end: tuple[float, float], *, whole: bool) -> None:
        """Put what was dragged where it was let go, whoever is chosen by then."""
        self._take(rows[0])
        if whole:
            self._editor.move_pose(end[0] - start[0], end[1] - start[1])
        else:
            self._editor.place(self._bodypart(rows[0]), *self._clamp(end))

    def _click_with(self, button: int, xy: tuple[float, float], row: int | None) -> None:
        if button == RIGHT:
            if row is not None:
                self._take(row)
            self._editor.mark_not_visible(None if row is None else self._bodypart(row))
        else:
            self._click(xy, row)

    def _refuse(
        self, event: Any, start: NDArray[np.float64], tell: Callable[[], object]
    ) -> Generator[None, None, None]:
        """Tell the user why a click is refused; a drag moves the view and needs no message."""
        moved = False
        yield
        while event.type == "mouse_move":
            moved = moved or _far(start, event.pos)
            yield
        if not moved and not _far(start, event.pos):
            tell()

    def _on_double_click(self, viewer: Any, event: Any) -> None:
        xy = to_source(event.position)
        takes_none = self._projects.read_only or any(self._canvas.refusal(xy)) or not self._frame.picture_is_current
        if takes_none or not self._wanted(event):
            for callback in self._napari_double_click:
                callback(viewer, event)
        else:  # napari tells of the second of two quick presses by this alone, and then of its moves and its release
            mouse_press_callbacks(viewer, event)

    def _on_move(self, viewer: Any, event: Any) -> None:
        if event.is_dragging:
            return
        looks = self._frame.annotation is not None and self._frame.picture_is_current
        row = self._hit(to_source(event.position), event) if looks else None
        if row != self._hovered_row:
            self._hovered_row = row
            self._canvas.name_point(row)

    def _click(self, xy: tuple[float, float], row: int | None) -> None:
        if self._frame.source is None or self._frame.annotation is None or not inside(xy, *self._frame.size):
            return
        options, current = self._options, self._frame.bodypart_index
        target = None if row is None else row - self._frame.rows.start  # beyond 0..K-1: another individual's
        meaning = click_meaning(
            target, current, self._frame.annotation.states, tool=options.tool, mode=options.label_mode
        )
        if meaning is Click.CHOOSE and row is not None:
            self._take(row)
            self._frame.choose_bodypart(self._bodypart(row))
        elif meaning is Click.PLACE:
            self._editor.click(*xy)

    def _wanted(self, event: Any) -> bool:
        """Whether the press is meant for labelling."""
        active = self._viewer.layers.selection.active
        return (
            self._frame.annotation is not None
            and self._options.tool is not Tool.PAN
            and tuple(event.modifiers) in ((), ("Alt",))
            and (active is None or active.mode == "pan_zoom")
        )

    def _hit(self, xy: tuple[float, float], event: Any) -> int | None:
        current = self._frame.rows.start + self._frame.bodypart_index
        return hit(self._points(), xy, REACH / event.camera_zoom, current)

    def _points(self) -> Points:
        return points_on_canvas(self._frame.annotations, self._frame.guess, self._frame.individual_index)

    def _held(self, row: int | None, *, whole: bool) -> tuple[list[int], NDArray[np.float64]]:
        """Return the rows a drag from the point ``row`` moves, and where they are."""
        if row is None or self._frame.annotation is None:
            return [], np.zeros((0, 2))
        if not whole:
            return [row], self._points().xy[[row]]
        self._take(row)
        xy = pose_to_move(self._frame.annotation, self._frame.guesses.believed)
        there = np.flatnonzero(np.isfinite(xy).all(axis=1))
        return [self._frame.rows.start + int(index) for index in there], xy[there]

    def _moved(
        self, points: NDArray[np.float64], start: tuple[float, float], end: tuple[float, float]
    ) -> NDArray[np.float64]:
        """Return where dragged points are drawn: one where the mouse is, several by as much as it has moved."""
        if len(points) == 1:
            return np.array([self._clamp(end)])
        return shift_inside(points, (end[0] - start[0], end[1] - start[1]), *self._frame.size)

    def _take(self, row: int) -> None:
        """Choose the individual a row belongs to."""
        self._frame.choose_individual(self._frame.keypoints[row][0])

    def _bodypart(self, row: int) -> str:
        return self._frame.keypoints[row][1]

    def _clamp(self, xy: tuple[float, float]) -> tuple[float, float]:
        height, width = self._frame.size
        return min(max(xy[0], 0.0), width - 1.0), min(max(xy[1], 0.0), height - 1.0)


def _far(start: NDArray[np.float64], pos: Sequence[float]) -> bool:
    """Whether the mouse has moved far enough for a drag."""
    return bool(np.hypot(*(np.asarray(pos, float) - start)) > SLACK)
