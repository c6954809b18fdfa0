"""Points layers with a fixed number of rows, of which some are shown."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Points
from numpy.typing import NDArray


class RowsLayer:
    """A Points layer for one frame, made to change fast.

    The rows never become more or fewer, so that colours, names and sizes are set once; what does not exist is not
    shown. Rows change in place: assigning ``data`` makes napari work out the extent of the whole viewer anew, which
    costs more than everything else in a click. Points are ``(t, y, x)`` with the current position as ``t``,
    because napari shows every row of a layer without a sliced axis, also those that are not to be shown.

    Napari's own tools never edit the layer (see `ViewGuard.hold`): every edit goes through the session to the label
    store.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        The layer is added on top.
    n : int
        Number of rows.
    **style
        Passed on to `napari.layers.Points`.
    """

    def __init__(self, viewer: Any, n: int, **style: Any) -> None:
        self.layer = Points(np.zeros((n, 3)), ndim=3, shown=np.zeros(n, bool), **style)
        viewer.add_layer(self.layer)

    @property
    def shown(self) -> NDArray[np.bool_]:
        """Which rows are shown, (n,)."""
        return np.array(self.layer.shown)

    @property
    def yx(self) -> NDArray[np.float64]:
        """Where the rows are, (n, 2)."""
        return np.array(self.layer.data[:, 1:])

    def fill(self, position: int, yx: NDArray[np.floating], shown: NDArray[np.bool_]) -> None:
        """Show the rows ``shown`` at ``yx`` in the frame at ``position``; does nothing where nothing changes."""
        rows = np.column_stack([np.full(len(yx), float(position)), yx])
        moved = not np.array_equal(self.layer.data[shown], rows[shown])
        if moved:
            self.layer.data[shown] = rows[shown]
        if not np.array_equal(self.layer.shown, shown):
            self.layer.shown = shown
        elif moved:
            self.layer.refresh(thumbnail=False, highlight=False, extent=False)
