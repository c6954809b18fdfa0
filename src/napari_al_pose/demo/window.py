"""The demo that plays by itself."""

from __future__ import annotations

import sys
from pathlib import Path

from napari_al_pose.demo.annotator import MouseAnnotator, TruePose, WaitedTooLongError
from napari_al_pose.demo.play import Story, play_rounds
from napari_al_pose.domain import FrameKey
from napari_al_pose.gui.window import open_window
from napari_al_pose.samples import ground_truth


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
