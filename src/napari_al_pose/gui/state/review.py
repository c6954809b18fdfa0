"""Looking over a predicted video: to what is worth a look, and from there into the queue."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QObject

from napari_al_pose.domain import FrameKey, Suggestion
from napari_al_pose.domain.queue import PICKED, Queue
from napari_al_pose.domain.views.tracks import (
    MOST_PICKED,
    ReviewPlace,
    picked_sentence,
    place_after,
    place_at,
    place_before,
)
from napari_al_pose.domain.wording import counted
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.state.track_editor import TrackEditor


class Review(QObject):
    """Goes through the places that the timeline marks.

    Parameters
    ----------
    projects : ProjectSession
    navigator : Navigator
    tracks : TrackEditor
    notices : Notices
    """

    def __init__(
        self, projects: ProjectSession, navigator: Navigator, *, tracks: TrackEditor, notices: Notices
    ) -> None:
        super().__init__()
        self._projects, self._navigator, self._tracks, self._notices = projects, navigator, tracks, notices

    def go_doubtful(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) place where it is unclear which animal is which."""
        overview = self._tracks.overview
        if overview is not None and not overview.tracks:
            self._notices.tell("This model knows one animal.", "There are no tracks to be mixed up.")
        else:
            self._go(() if overview is None else overview.doubtful, direction, "doubtful crossing")

    def go_low(self, direction: int) -> None:
        """Go to the next (1) or the previous (-1) place where the model is unsure."""
        overview = self._tracks.overview
        self._go(() if overview is None else overview.low, direction, "unsure place")

    @property
    def here(self) -> ReviewPlace | None:
        """The unsure place, or else the doubtful crossing, that the current frame lies in."""
        overview, row = self._tracks.overview, self._tracks.row
        if overview is None or row is None:
            return None
        return place_at(overview.low, row) or place_at(overview.doubtful, row)

    @property
    def picked(self) -> tuple[FrameKey, ...]:
        """Frames of the queue that the user picked and that are not labelled yet."""
        labelled = self._projects.tally.labelled
        suggestions = self._navigator.queue.suggestions
        return tuple(one.key for one in suggestions if one.strategy == PICKED and one.key not in labelled)

    def pick_here(self) -> None:
        """Add the current frame to the queue, and the worst frame of the marked place that it lies in."""
        row, here = self._tracks.row, self.here
        if row is None:
            self._say_not_predicted()
            return
        self._pick([ReviewPlace(row, row, row, float("nan"))] if here is None else [here])

    def pick_all(self) -> None:
        """Add the worst frame of every unsure place to the queue, those of the least likelihood first."""
        overview = self._tracks.overview
        if overview is None:
            self._say_not_predicted()
            return
        self._pick(sorted(overview.low, key=lambda place: place.value)[:MOST_PICKED])

    def pick_frames(self, keys: Sequence[FrameKey], sentence: str) -> None:
        """Add frames to the queue, next in turn; ``sentence`` says why."""
        self._add([Suggestion(key=key, score=float("nan"), strategy=PICKED, sentence=sentence) for key in keys])

    def drop_picked(self) -> None:
        """Remove the picked frames that are not labelled yet from the queue."""
        picked = self.picked
        if self._change(self._navigator.queue.without(set(picked))):
            self._notices.tell(f"Removed from the queue: {counted(len(picked), 'frame')}.")

    def _pick(self, places: Sequence[ReviewPlace]) -> None:
        run = self._tracks.run
        version = 0 if run is None else run.header.model_version
        picked = [
            Suggestion(
                key=self._tracks.key_of(place.worst),
                score=float("nan"),
                strategy=PICKED,
                model_version=version,
                sentence=picked_sentence(place),
            )
            for place in places
        ]
        self._add(picked)

    def _add(self, picked: Sequence[Suggestion]) -> None:
        queue, done = self._navigator.queue, self._projects.done
        wanted = queue.with_picked([one for one in picked if one.key not in done])
        n = len(wanted) - len(queue)
        if not n:
            self._notices.tell("Nothing to add.", "These frames are in the queue already, or labelled.")
        elif self._change(wanted):
            hint = "The Review menu takes them out again."
            self._notices.tell(f"Added to the queue: {counted(n, 'frame')}, next in turn.", hint)

    def _change(self, queue: Queue) -> bool:
        project = self._projects.writable()
        if project is None:
            return False
        self._navigator.change_queue(queue)

        def save() -> None:
            saved = project.queue.load()
            project.queue.save(saved.strategy, saved.model_version, queue.suggestions)

        self._projects.run(save)
        return True

    def _go(self, places: tuple[ReviewPlace, ...], direction: int, noun: str) -> None:
        row = self._tracks.row
        if self._tracks.overview is None or row is None:
            self._say_not_predicted()
            return
        place = place_after(places, row) if direction > 0 else place_before(places, row)
        if place is None:
            where = "after" if direction > 0 else "before"
            self._notices.tell(f"There is no {noun} {where} this frame.")
        else:
            self._navigator.go_to(self._tracks.key_of(place.worst))

    def _say_not_predicted(self) -> None:
        self._notices.tell("This video is not predicted yet.", "Export predicts whole videos; then look it over here.")
