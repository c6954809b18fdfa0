"""What is labelled next: the bodypart, individual and frame that follow an edit or an undo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_al_pose.domain import Annotation, FrameKey
from napari_al_pose.domain.labelling import bodypart_after_edit, bodypart_after_undo, loop_step
from napari_al_pose.domain.tools import LabelMode, bodypart_after_click
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.view_options import ViewOptions


class LabelOrder:
    """Chooses bodypart, individual and, in loop mode, frame, by the rules of `napari_al_pose.domain.labelling`.

    Parameters
    ----------
    frame : CurrentFrame
    navigator : Navigator
    options : ViewOptions
    notices : Notices
    """

    def __init__(self, frame: CurrentFrame, navigator: Navigator, *, options: ViewOptions, notices: Notices) -> None:
        self._frame, self._navigator = frame, navigator
        self._options, self._notices = options, notices

    def after_edit(self, before: Annotation, after: Annotation, bodypart: str, *, clicked: bool) -> None:
        """Choose what follows an edit of ``bodypart``.

        Parameters
        ----------
        before, after : Annotation
            Of the individual that was edited.
        bodypart : str
            Its name.
        clicked : bool
            Whether it was placed by a click, after which the labelling mode decides.
        """
        frame, mode = self._frame, self._options.label_mode
        edited = frame.bodyparts.index(bodypart)
        index = bodypart_after_edit(before.states, after.states, frame.bodypart_index, edited)
        if clicked:
            index = bodypart_after_click(before.states, index, edited, mode)
        frame.choose_bodypart(frame.bodyparts[index])
        if after.is_complete and not before.is_complete and mode is not LabelMode.LOOP:
            self._choose_open_individual()

    def after_undo(self, before: Sequence[Annotation], after: Sequence[Annotation]) -> None:
        """Choose what an undo or redo has changed in the frame that stayed in front."""
        pairs = list(zip(before, after, strict=True))
        changed = [index for index, pair in enumerate(pairs) if _differ(*pair)]
        if changed and self._frame.individual_index not in changed:
            self._frame.choose_individual(self._frame.individuals[changed[0]])
        if pairs:
            earlier, later = pairs[self._frame.individual_index]
            index = bodypart_after_undo(earlier.states, later.states, self._frame.bodypart_index)
            self._frame.choose_bodypart(self._frame.bodyparts[index])

    def go_on_in_loop(self) -> None:
        """Go to the next frame of the loop: the queue's, or the video's where the user is beside the queue."""
        frame, queue = self._frame, self._navigator.queue
        source, current = frame.source, frame.key
        if source is None or current is None:
            return
        row = queue.row(current)
        n, index = (len(queue), row) if row >= 0 else (len(source), frame.position)
        following = loop_step(n, index, frame.bodypart_index, len(frame.bodyparts))
        if following is None:
            self._notices.tell("That was the last bodypart in the last frame of the loop.")
            return
        index, bodypart = following
        in_video = row < 0
        key = FrameKey(current.video, source.number(index)) if in_video else queue.suggestions[index].key
        self._navigator.go_to(key)
        frame.choose_bodypart(frame.bodyparts[bodypart])

    def _choose_open_individual(self) -> None:
        """Go on with the next individual that nobody has finished, now that the chosen one is labelled."""
        names, first = self._frame.individuals, self._frame.individual_index + 1
        order = [*range(first, len(names)), *range(first - 1)]
        following = next((i for i in order if not self._frame.annotations[i].is_complete), None)
        if following is not None:
            self._frame.choose_individual(names[following])


def _differ(before: Annotation, after: Annotation) -> bool:
    same = np.array_equal(before.states, after.states) and np.array_equal(before.xy, after.xy, equal_nan=True)
    return not same
