"""A window and an engine leave nothing behind."""

from __future__ import annotations

from leaks import nothing_is_left  # noqa: F401
