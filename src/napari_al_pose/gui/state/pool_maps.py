"""Maps of the candidate frames: what was just ranked is kept, so that it is shown at once, also during a training."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject, Signal, Slot

from napari_al_pose.engine.messages import MapPool, PoolMapped
from napari_al_pose.gui.state.engine_bridge import EngineBridge
from napari_al_pose.gui.state.project_session import ProjectSession

_DEPENDS_ON = {"pool_size", "regions", "batch_size"}
"""Settings that a map depends on, beside the strategy."""


class PoolMaps(QObject):
    """Keeps the maps of the newest model, by strategy and layout; the engine sends one after each ranking.

    Parameters
    ----------
    projects : ProjectSession
    engine : EngineBridge
    """

    mapped = Signal(object)
    """A `PoolMapped` that has arrived."""

    def __init__(self, projects: ProjectSession, *, engine: EngineBridge) -> None:
        super().__init__()
        self._projects, self._engine = projects, engine
        self._maps: dict[tuple[str, str], PoolMapped] = {}
        self._settings: dict[str, Any] = {}
        engine.hear(PoolMapped, self._take)
        projects.left.connect(self._forget)
        projects.videosChanged.connect(self._forget)
        projects.settingsChanged.connect(self._on_settings)

    def known(self, strategy: str, layout: str) -> PoolMapped | None:
        """Return the map of ``strategy`` in ``layout`` if it is there."""
        return self._maps.get((strategy, layout))

    def ask(self, strategy: str, layout: str) -> None:
        """Ask the engine for a map; ``mapped`` brings it, and the queue stays as it is."""
        if self._projects.project is not None and self._engine.training.kind != "map":
            self._engine.begin(MapPool, strategy, layout)

    def _take(self, reply: PoolMapped) -> None:
        """Keep a map; those of another model go, and other layouts of a ranking that has been replaced."""
        kept = {
            key: one
            for key, one in self._maps.items()
            if one.model_version == reply.model_version and (one.asked != reply.asked or one.chosen == reply.chosen)
        }
        self._settings = self._relevant_settings()
        self._maps = {**kept, (reply.asked, reply.layout): reply}
        self.mapped.emit(reply)

    @Slot()
    def _forget(self) -> None:
        self._maps = {}

    @Slot()
    def _on_settings(self) -> None:
        if self._relevant_settings() != self._settings:
            self._forget()

    def _relevant_settings(self) -> dict[str, Any]:
        return self._projects.settings.model_dump(include=_DEPENDS_ON)
