"""What each frame is for, and what chose it."""

from __future__ import annotations

from collections.abc import Mapping

from napari_al_pose.domain import FrameKey, FrameRole
from napari_al_pose.project.label_log import check_frame
from napari_al_pose.project.store_part import StorePart


class FrameRoles(StorePart):
    """The roles of frames; part of a `LabelStore`. Changing one is no undo step."""

    def of(self, key: FrameKey) -> FrameRole:
        """Return the role of a frame; ``TRAIN`` by default."""
        with self._log.mutex:
            return self._log.role(key)[0]

    def provenance(self, key: FrameKey) -> str:
        """Return what chose a frame (a strategy's name), "" by default."""
        with self._log.mutex:
            return self._log.role(key)[1]

    def holdout_keys(self) -> list[FrameKey]:
        """Return the hold-out frames, labelled or not, sorted."""
        with self._log.mutex:
            query = "SELECT video, frame FROM frames WHERE role = ? ORDER BY video, frame"
            return [FrameKey(*row) for row in self._log.rows(query, (FrameRole.HOLDOUT.value,))]

    def set(self, key: FrameKey, role: FrameRole, *, provenance: str = "", release_holdout: bool = False) -> None:
        """Set the role of a frame and, in ``provenance``, what chose it.

        A hold-out frame stays one, whatever suggests it later, unless ``release_holdout``: once the model was trained
        on it, it can never measure again. An empty ``provenance`` keeps the present one.
        """
        self.set_many({key: role}, provenance=provenance, release_holdout=release_holdout)

    def set_many(
        self, roles: Mapping[FrameKey, FrameRole], *, provenance: str = "", release_holdout: bool = False
    ) -> None:
        """Do `set` for several frames in one transaction."""
        with self._log.mutex:
            self._log.refuse_if_read_only()
            changes = []
            for key, role in roles.items():
                check_frame(key)
                old_role, old_provenance = self._log.role(key)
                kept = old_role is FrameRole.HOLDOUT and not release_holdout
                new = (old_role if kept else role, provenance or old_provenance)
                if new != (old_role, old_provenance):
                    changes.append((key, *new))
            if not changes:
                return
            with self._log.transaction():
                action = self._log.append_action("role", source="user")
                for key, role, chosen_by in changes:
                    self._log.append_role(action, key, role, chosen_by)
            self._note("role", action, touched=())
