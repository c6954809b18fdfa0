"""The demo that plays by itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from napari_al_pose.demo.annotator import MouseAnnotator, TruePose, WaitedTooLongError
from napari_al_pose.demo.hand import Hand
from napari_al_pose.demo.jobs import Play, play_jobs, prepare_deeplabcut_project
from napari_al_pose.demo.play import Story, play_rounds
from napari_al_pose.domain import FrameKey
from napari_al_pose.gui.window import open_window
from napari_al_pose.samples import ground_truth

LABELLED_ELSEWHERE = 40
"""Labelled frames of the project that DeepLabCut is said to have made."""


def truth_of_sample(folder: Path) -> dict[FrameKey, TruePose]:
    """Return the true positions of the bodyparts in every frame of the sample in ``folder``."""
    return {
        FrameKey(video, frame): TruePose(xy[frame], visible[frame])
        for video, (xy, visible) in ground_truth(folder).items()
        for frame in range(len(xy))
    }


def play_in_window(config: Path, *, rounds: int, output: Path) -> int:
    """Play ``rounds`` rounds on the sample project ``config``; return the exit code."""
    story = Story(output, tell=lambda sentence: print(sentence, flush=True))
    viewer, session = open_window(config)
    session.notices.raised.connect(lambda message, hint, is_error: story.tell(f"The window says: {message} {hint}"))
    annotator = MouseAnnotator(viewer, session, truth_of_sample(config.parent))
    try:
        play_rounds(viewer, session, annotator, story, rounds=rounds)
    except WaitedTooLongError as error:
        story.picture(viewer, "stuck")
        print(f"napari-al-pose demo: {error}", file=sys.stderr)
        return 1
    finally:
        viewer.close()
    story.tell(f"Screenshots: {', '.join(path.name for path in story.pictures)} in {output}")
    return 0


def play_jobs_in_window(sample: Path, *, output: Path) -> int:
    """Play the jobs of a newcomer, beginning with the start page, in a window as large as the screen.

    Parameters
    ----------
    sample : Path
        ``config.yaml`` of the sample, as *Try the sample* opens it; without labels.
    output : Path
        Folder for pictures and for the projects that are made.

    Returns
    -------
    int
        Exit code.
    """
    truth = truth_of_sample(sample.parent)
    prepare_deeplabcut_project(sample, output / "deeplabcut", truth, n_frames=LABELLED_ELSEWHERE)
    viewer, session = open_window()
    window = viewer.window._qt_window
    window.setGeometry(window.screen().availableGeometry())
    annotator = MouseAnnotator(viewer, session, truth)
    play = Play(viewer, session, annotator, Hand(), output=output, tell=lambda line: print(line, flush=True))
    session.notices.raised.connect(
        lambda message, hint, is_error: play.tell(json.dumps({"window_says": f"{message} {hint}".strip()}))
    )
    try:
        play_jobs(play)
    except WaitedTooLongError as error:
        play.picture("stuck")
        print(f"napari-al-pose demo: {error}", file=sys.stderr)
        return 1
    finally:
        viewer.close()
    return 0
