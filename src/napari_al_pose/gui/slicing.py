"""Whether napari's slicing is asking for frames.

Slicing in the window's thread draws what it gets and must not wait for a decoder. Scripts that index the same array
must get the very frame. Only who asks tells them apart. This is the one place that knows where napari slices. Should
napari move it, everybody waits and all frames stay right; `tests/gui/test_slicing.py` fails then.
"""

from __future__ import annotations

import sys
import threading

_OURS = __name__.split(".", maxsplit=1)[0] + "."


def asked_by_slicing() -> bool:
    """Return whether the nearest caller that is not this package is napari's slicing, in the main thread."""
    # Asynchronous slicing may wait.
    return threading.current_thread() is threading.main_thread() and is_sliced()


def is_sliced() -> bool:
    """Return whether the nearest caller that is not this package is napari's slicing, in whatever thread."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _module(frame.f_globals).startswith(_OURS):
        frame = frame.f_back
    module = _module(frame.f_globals)
    return module.startswith("napari.layers.") and module.endswith("._slice")


def _module(names: dict[str, object]) -> str:
    return str(names.get("__name__"))
