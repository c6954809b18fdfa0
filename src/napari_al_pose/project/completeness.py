"""Which frames are complete, kept up to date as labels change."""

from __future__ import annotations

from collections.abc import Iterable

from napari_al_pose.domain import FrameKey, Skeleton
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
        bodyparts, individuals = self._skeleton.bodyparts, self._skeleton.individuals
        where = (
            f"bodypart IN ({', '.join('?' * len(bodyparts))}) AND individual IN ({', '.join('?' * len(individuals))})"
        )
        parameters: list[str | int] = [*bodyparts, *individuals]
        if key is not None:
            where += " AND video = ? AND frame = ?"
            parameters += [key.video, key.frame]
        query = f"SELECT video, frame, count(*) FROM labels WHERE {where} GROUP BY video, frame, individual"
        complete: dict[FrameKey, bool] = {}
        for video, frame, count in self._log.rows(query, parameters):
            found = FrameKey(video, frame)
            complete[found] = complete.get(found, True) and count == len(bodyparts)
        return complete
