"""Which frames are complete, kept up to date as labels change."""

from __future__ import annotations

from collections.abc import Iterable

from napari_al_pose.domain import UNIQUE_INDIVIDUAL, FrameKey, Skeleton
from napari_al_pose.project.label_log import EditLog


class Completeness:
    """Knows which labelled frames still lack a bodypart, without reading them all on every edit.

    With several individuals, a frame is complete if at least one is labelled and none is labelled partly.

    Parameters
    ----------
    log : EditLog
    skeleton : Skeleton
    """

    def __init__(self, log: EditLog, skeleton: Skeleton) -> None:
        self._log = log
        self._skeleton = skeleton
        self._complete: dict[FrameKey, bool] = {}

    def update(self, touched: Iterable[FrameKey] | None) -> None:
        """Check the touched frames again; all frames for None."""
        if touched is None:
            self._complete = self._count()
            return
        for key in touched:
            self._complete.pop(key, None)
            self._complete.update(self._count(key))

    @property
    def n_labelled(self) -> int:
        """The number of `labelled_keys`."""
        return len(self._complete)

    def complete_keys(self) -> list[FrameKey]:
        """Return the complete frames, sorted."""
        return sorted(key for key, complete in self._complete.items() if complete)

    def complete_frames(self, video: str) -> set[int]:
        """Return the numbers of the complete frames of ``video``."""
        return {key.frame for key, complete in self._complete.items() if complete and key.video == video}

    def labelled_keys(self) -> list[FrameKey]:
        """Return the frames in which at least one bodypart was looked at, sorted."""
        return sorted(self._complete)

    def _count(self, key: FrameKey | None = None) -> dict[FrameKey, bool]:
        owners, names = self._skeleton.owners, {name: None for _, name in self._skeleton.keypoints}
        where = f"bodypart IN ({', '.join('?' * len(names))}) AND individual IN ({', '.join('?' * len(owners))})"
        parameters: list[str | int] = [*names, *owners]
        if self._skeleton.unique_bodyparts:
            unique = self._skeleton.unique_bodyparts
            where += f" AND (individual = ?) = (bodypart IN ({', '.join('?' * len(unique))}))"
            parameters += [UNIQUE_INDIVIDUAL, *unique]
        if key is not None:
            where += " AND video = ? AND frame = ?"
            parameters += [key.video, key.frame]
        query = f"SELECT video, frame, individual, count(*) FROM labels WHERE {where} GROUP BY video, frame, individual"
        wanted = {owner: len(self._skeleton.bodyparts_of(owner)) for owner in owners}
        complete: dict[FrameKey, bool] = {}
        for video, frame, individual, count in self._log.rows(query, parameters):
            found = FrameKey(video, frame)
            complete[found] = complete.get(found, True) and count == wanted[individual]
        return complete
