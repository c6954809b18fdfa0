"""Which key does what now: the table, with the keys that the user chose."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from qtpy.QtCore import QObject, Signal

from napari_al_pose.gui.key_table import Key, changed_keys, check_key, with_keys
from napari_al_pose.gui.remembered import remember, remembered

_STORED = "keys"


class KeyChoices(QObject):
    """Holds the table of keys, and remembers what the user changes in it.

    Parameters
    ----------
    parent : QObject, optional
    """

    changed = Signal()
    """The user chose other keys."""
    listWanted = Signal()
    """The list of keys is to be shown, or put away."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._table = changed_keys(stored_changes())

    @property
    def table(self) -> tuple[Key, ...]:
        """Every action with the keys it has now."""
        return self._table

    def named(self, text: str) -> str:
        """Return ``text`` with each ``{name}`` of an action replaced by the key that does it now."""
        return with_keys(text, self._table)

    def show_list(self) -> None:
        """Have the window list the keys, or put the list away."""
        self.listWanted.emit()

    def change(self, wanted: Key, pressed: str) -> None:
        """Let ``pressed`` (as napari writes keys) do what ``wanted`` does, from now on and after a restart.

        Raises
        ------
        AlPoseError
            If that key does something else.
        """
        check_key(self._table, wanted, pressed)
        self._use({**stored_changes(), wanted.name: [pressed]})

    def restore(self) -> None:
        """Go back to the keys the table has by default."""
        self._use({})

    def _use(self, changes: Mapping[str, Sequence[str]]) -> None:
        remember(_STORED, json.dumps(changes))
        self._table = changed_keys(changes)
        self.changed.emit()


def stored_changes() -> dict[str, list[str]]:
    """Return the keys the user chose, by `Key.name`; what is not understood counts as nothing."""
    try:
        stored = json.loads(remembered(_STORED, "{}"))
    except ValueError:
        return {}
    if not isinstance(stored, dict):
        return {}
    return {str(name): [str(key) for key in keys] for name, keys in stored.items() if isinstance(keys, list)}
