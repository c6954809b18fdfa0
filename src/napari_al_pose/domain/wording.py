"""Numbers and lists of names, as sentences have them."""

from __future__ import annotations

from collections.abc import Sequence


def counted(n: int, thing: str, things: str = "") -> str:
    """Return "1 frame", "2,330 frames"; give the plural as ``things`` if it is irregular."""
    return f"{n:,} {thing if n == 1 else things or thing + 's'}"


def first_few(names: Sequence[str], most: int = 3) -> str:
    """Return the first ``most`` of some names, and how many there are more: "a, b, c and 37 more"."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
