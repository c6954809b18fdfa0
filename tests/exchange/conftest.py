"""Imports and exports leave nothing behind."""

from __future__ import annotations

from leaks import nothing_is_left  # noqa: F401
