"""The part of the label store that faces other programs' files."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import KeypointState
from napari_al_pose.domain.file_names import plain
from napari_al_pose.domain.steps import OnProgress, ignore_progress
from napari_al_pose.project.label_log import Changes, Keypoint, KeypointKey
from napari_al_pose.project.merge import SAME_PX
from napari_al_pose.project.store_part import StorePart

_AT_A_TIME = 10_000
"""Number of labels read at a time, so that a click never waits for all of them."""
_TURN_SECONDS = 0.001
"""Pause in between: a thread that takes the lock again at once would leave nothing to those who wait."""
_LAST_FRAME = 2**62

AS_EXPORTED = -1
"""Instead of an action: the files hold what `LabelExchange.exported` says, whoever wrote them."""


@dataclass(frozen=True, slots=True)
class ExchangeState:
    """The state when a video's files were last read or written.

    Parameters
    ----------
    settings : str
        Everything that the meaning of the files depends on: scorer, bodyparts, individuals, crop.
    files : str
        The files, with size and time.
    action : int
        The last action whose labels are in the files; `AS_EXPORTED` if another program wrote them since, 0 if unknown.
    """

    settings: str = ""
    files: str = ""
    action: int = 0


class LabelExchange(StorePart):
    """Merges from and exports to other programs' files; part of a `LabelStore`."""

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other threads from editing while a change is prepared and made."""
        with self._log.mutex:
            yield

    def videos(self) -> list[str]:
        """Return the names of all videos with labels, sorted."""
        with self._log.mutex:
            return [name for (name,) in self._log.rows("SELECT DISTINCT video FROM labels ORDER BY video")]

    def state(self, video: str) -> ExchangeState:
        """Return what was last remembered about the files of ``video``."""
        with self._log.mutex:
            rows = self._log.rows("SELECT settings, files, action FROM exchanges WHERE video = ?", (video,))
            return ExchangeState(*rows[0]) if rows else ExchangeState()

    def origin(self, video: str) -> tuple[float, float, str] | None:
        """Return where (0, 0) of the stored labels lies in the full video, and whose pixels they are in.

        The latter is "video", "images", or "" if an older version did not say. Return None if nothing was recorded.
        """
        with self._log.mutex:
            rows = self._log.rows("SELECT * FROM origins WHERE video = ?", (video,))
            return (float(rows[0][1]), float(rows[0][2]), "".join(rows[0][3:])) if rows else None

    def labels(self, video: str) -> dict[KeypointKey, Keypoint]:
        """Return the labels of ``video``, for every bodypart that ever existed."""
        with self._log.mutex:
            return self._log.table("labels", video)

    def exported(self, video: str) -> dict[KeypointKey, Keypoint]:
        """Return the content of the files of ``video`` when they were last read or written."""
        with self._log.mutex:
            return self._log.table("exported", video)

    def edited_keys(self, video: str) -> set[KeypointKey]:
        """Return every keypoint of ``video`` in the log, including cleared ones."""
        with self._log.mutex:
            query = (
                "SELECT DISTINCT video, frame, individual, bodypart, (SELECT coalesce(min(skeletons.action), 0)"
                " FROM skeletons WHERE skeletons.action > edits.action) AS renamed FROM edits WHERE video = ?"
            )
            found = self._log.rows(query, (video,))
            now = {since: self._log.names_since(since - 1) if since else {} for *_, since in found}
            return {KeypointKey(v, n, who, now[since].get(name, name)) for v, n, who, name, since in found}

    def values_since(self, video: str) -> dict[KeypointKey, list[Keypoint]]:
        """Return keypoints of ``video`` changed here since its files were last known to be written."""
        with self._log.mutex:
            action = self.state(video).action
            if action <= 0:
                return {}
            query = (
                "SELECT edits.action FROM edits JOIN actions ON actions.id = edits.action"
                " WHERE edits.action > ? AND +video = ? AND kind NOT IN ('import', 'merge', 'conflict')"
                " GROUP BY edits.action"
            )
            found: dict[KeypointKey, list[Keypoint]] = {}
            for (later,) in self._log.rows(query, (action, video)):
                for key, _, after in self._log.edits_of(later):
                    found.setdefault(key, []).append(after)
            return found

    def edited_frames(self, video: str, *, since: int) -> set[int]:
        """Return the frames of ``video`` changed after action ``since`` by anything but a first import."""
        # The plus keeps SQLite from going through all edits of the video; few are newer.
        query = (
            "SELECT DISTINCT frame FROM edits JOIN actions ON actions.id = edits.action"
            " WHERE edits.action > ? AND +video = ? AND kind != 'import'"
        )
        return self._frames(query, (since, video))

    def differing_frames(self, video: str) -> set[int]:
        """Return the frames of ``video`` whose labels differ from `exported`."""
        same = "l.frame = e.frame AND l.individual = e.individual AND l.bodypart = e.bodypart AND l.video = e.video"
        query = (
            f"SELECT DISTINCT l.frame FROM labels l LEFT JOIN exported e ON {same}"
            " WHERE l.video = ?1 AND l.frame BETWEEN ?2 AND ?3"
            " AND (e.state IS NOT l.state OR abs(l.x - e.x) > ?4 OR abs(l.y - e.y) > ?4)"
            f" UNION SELECT e.frame FROM exported e LEFT JOIN labels l ON {same}"
            " WHERE e.video = ?1 AND e.frame BETWEEN ?2 AND ?3 AND l.state IS NULL"
        )
        found: set[int] = set()
        for first, last in self._ranges(video):
            found |= self._frames(query, (video, first, last, SAME_PX))
            time.sleep(_TURN_SECONDS)
        return found

    def cleared_frames(self, video: str, among: Collection[int] | None = None) -> set[int]:
        """Return the frames of ``video`` (``among`` some) with labels in the files and none in the store."""
        if among is None or len(among) > _AT_A_TIME:
            query = "SELECT frame FROM exported WHERE video = ? EXCEPT SELECT frame FROM labels WHERE video = ?"
            found = self._frames(query, (video, video))
            return found if among is None else found & set(among)
        query = (
            "SELECT ?2 WHERE EXISTS (SELECT 1 FROM exported WHERE video = ?1 AND frame = ?2)"
            " AND NOT EXISTS (SELECT 1 FROM labels WHERE video = ?1 AND frame = ?2)"
        )
        return set[int]().union(*(self._frames(query, (video, frame)) for frame in among))

    def cleared_points(self, video: str, among: Collection[int] | None = None) -> set[tuple[int, str, str]]:
        """Return ``(frame, individual, bodypart)`` of points that are in the files and were cleared here.

        Look only ``among`` some frames; frames that were cleared completely don't count.
        """
        query = (
            "SELECT e.frame, e.individual, e.bodypart FROM exported e LEFT JOIN labels l ON l.video = e.video"
            " AND l.frame = e.frame AND l.individual = e.individual AND l.bodypart = e.bodypart"
            " WHERE e.video = ? AND e.state = ? AND l.state IS NULL AND e.frame BETWEEN ? AND ?"
        )
        few = among is not None and len(among) <= _AT_A_TIME
        ranges = ((frame, frame) for frame in among or ()) if few else self._ranges(video)
        rows: list[tuple[int, str, str]] = []
        for first, last in ranges:
            with self._log.mutex:
                rows += self._log.rows(query, (video, int(KeypointState.PLACED), first, last))
        frames = {frame for frame, _, _ in rows if among is None or frame in among}
        whole = self.cleared_frames(video, frames) if frames else set()
        return {row for row in rows if row[0] in frames - whole}

    def realign(
        self,
        video: str,
        origin: tuple[float, float],
        *,
        shown: str,
        move: Callable[[int, NDArray[np.float64]], NDArray[np.float64]] | None,
    ) -> bool:
        """Convert all labels of ``video`` from pixels of its images to those of the video, or back.

        Undo can't go back beyond this.

        Parameters
        ----------
        video : str
            Its name.
        origin, shown
            To remember; see `origin`.
        move : callable or None
            ``move(frame, xy)`` returns the new position of a point; None moves nothing.

        Returns
        -------
        bool
            Whether a label was moved.
        """
        with self._log.mutex:
            tables = {name: self._log.table(name, video) for name in ("labels", "exported")} if move else {}
            moved = {name: _moved(table, move) for name, table in tables.items()} if move else {}
            with self._log.transaction():
                self._log.set_origin(video, origin, shown)
                if moved.get("labels"):
                    action = self._log.append_action("realign", source="the video came or went")
                    self._log.append_edits(action, moved["labels"])
                if moved:
                    self._log.put_exported(video, moved["exported"])
            if moved.get("labels"):
                self._note("realign", action)
            return bool(moved.get("labels"))

    def compose_names(self) -> None:
        """Write accents in the names of videos as one letter (NFC), the form in which names are compared."""
        with self._log.mutex:
            tables = ("labels", "frames", "exported", "exchanges")
            query = " UNION ".join(f"SELECT video FROM {table}" for table in tables)
            others = [name for (name,) in self._log.rows(query) if name != plain(name)]
            if others:
                with self._log.transaction():
                    for name in others:
                        self._log.rename_video(name, plain(name))
                    action = self._log.append_action("rename", source="accents composed")
                self._note("rename", action)

    def renumber(self, video: str, numbers: Mapping[int, int]) -> None:
        """Renumber labelled frames, given by their old numbers; frames whose new number is taken keep the old one."""
        with self._log.mutex:
            known = self._frames(
                "SELECT frame FROM labels WHERE video = ?1 UNION SELECT frame FROM exported WHERE video = ?1", (video,)
            )
            wanted = {old: new for old, new in numbers.items() if old in known and new not in known}
            if wanted:
                with self._log.transaction():
                    self._log.renumber(video, wanted)
                    action = self._log.append_action("rename", source="numbers in the names of images")
                self._note("rename", action)

    def merge(
        self,
        video: str,
        found: Iterable[tuple[KeypointKey, Keypoint]],
        steps: Mapping[str, Changes],
        *,
        source: str,
        state: ExchangeState,
        otherwise: tuple[str, Changes] = ("", ()),
    ) -> None:
        """Merge what another program wrote for ``video``, in one transaction.

        Parameters
        ----------
        video : str
            The video's name.
        found : iterable of (KeypointKey, Keypoint)
            The files' whole content, remembered to tell their next changes from ours.
        steps : mapping of str to changes
            By kind of action: ``import`` (never labelled here), ``merge`` (an undo step), ``conflict`` (recorded in the
            log only; our labels stay).
        source : str
            The file, for the log.
        state : ExchangeState
            To remember.
        otherwise : (str, changes)
            Another file, and its conflicting values.
        """
        with self._log.mutex:
            noted = []
            with self._log.transaction():
                for kind, origin, changes in (
                    *((kind, source, changes) for kind, changes in steps.items()),
                    ("conflict", *otherwise),
                ):
                    if not changes:
                        continue
                    action = self._log.append_action(kind, source=origin)
                    self._log.append_edits(action, changes, apply=kind != "conflict")
                    noted.append((kind, action))
                    for key, theirs in changes if kind == "conflict" else ():
                        self._log.put_conflict(action, key, origin, theirs)
                self._log.replace_exported(video, found)
                self._log.set_exchange(video, (state.settings, state.files, state.action))
            for kind, action in noted:
                self._note(kind, action)

    def take_in(
        self,
        changes: Changes,
        conflicts: Changes = (),
        *,
        source: str,
        undoable: bool,
        on_progress: OnProgress = ignore_progress,
    ) -> None:
        """Store labels from a file that is not the project's own, in one transaction.

        Parameters
        ----------
        changes : changes
            Applied, as one undo step if ``undoable``.
        conflicts : changes
            Other values of existing labels; kept beside them until the user decides.
        source : str
            The file, for the log.
        undoable : bool
            False for the first labels of a new project.
        on_progress : callable, optional
            Called with the number of labels stored and of all labels; if it raises, nothing is stored.
        """
        noted = []
        with self._log.mutex:
            with self._log.transaction():
                for kind, taken in (("conflict", conflicts), ("merge" if undoable else "import", changes)):
                    if not taken:
                        continue
                    action = self._log.append_action(kind, source=source)
                    self._log.append_edits(action, taken, apply=kind != "conflict", on_progress=on_progress)
                    for key, theirs in conflicts if kind == "conflict" else ():
                        self._log.put_conflict(action, key, source, theirs)
                    noted.append((kind, action))
            for kind, action in noted:
                self._note(kind, action)

    def put_back(self, found: Mapping[KeypointKey, Keypoint], *, source: str) -> None:
        """Restore earlier labels, as one action that can be undone."""
        with self._log.mutex:
            real = [(key, point) for key, point in found.items() if self._log.keypoint(key) != point]
            if not real:
                return
            with self._log.transaction():
                action = self._log.append_action("merge", source=source)
                self._log.append_edits(action, real)
            self._note("merge", action)

    def _ranges(self, video: str) -> Iterator[tuple[int, int]]:
        """Yield ranges of frame numbers that cover all labels, with about `_AT_A_TIME` labels each."""
        query = f"SELECT frame FROM labels WHERE video = ? AND frame >= ? ORDER BY frame LIMIT 1 OFFSET {_AT_A_TIME}"
        first = 0
        while following := self._frames(query, (video, first)):
            last = following.pop()
            yield first, last
            first = last + 1
        yield first, _LAST_FRAME

    def _frames(self, query: str, parameters: tuple[str | float, ...]) -> set[int]:
        with self._log.mutex:
            return {frame for (frame,) in self._log.rows(query, parameters)}

    def remember(
        self, video: str, frames: Collection[int], found: Iterable[tuple[KeypointKey, Keypoint]], state: ExchangeState
    ) -> None:
        """Remember the files' new content for ``frames`` of ``video``, and the present state."""
        with self._log.mutex, self._log.transaction():
            self._log.drop_exported(video, frames)
            self._log.put_exported(video, found)
            self._log.set_exchange(video, (state.settings, state.files, state.action))


def _moved(
    table: Mapping[KeypointKey, Keypoint], move: Callable[[int, NDArray[np.float64]], NDArray[np.float64]]
) -> list[tuple[KeypointKey, Keypoint]]:
    """Return the points that move."""
    found = []
    for key, point in table.items():
        if point.x is not None and point.y is not None:
            x, y = move(key.frame, np.array([point.x, point.y])).tolist()
            if (x, y) != (point.x, point.y):
                found.append((key, Keypoint(KeypointState.PLACED, x, y)))
    return found
