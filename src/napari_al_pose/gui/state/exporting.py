"""What the window knows of the engine's export of whole videos, as a value that each reply moves on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from napari_al_pose.domain.views.exporting import exported_sentence
from napari_al_pose.engine.messages import Cancelled, Died, Exported, Failed, Finished, Progress, Reply
from napari_al_pose.project import Project

STOPPED = "Stopped. What is predicted is kept: export again to go on from there."


@dataclass(frozen=True, slots=True)
class ExportView:
    """The export that runs, or what came of the last one.

    Parameters
    ----------
    job : int
        The job's number; 0 while none runs.
    stage : str
        What it is doing, in words.
    done, total : int
        Progress of the stage; ``total`` 0 while unknown.
    seconds_left : float
        Negative while nobody can tell.
    sentence : str
        How the last export ended, for the user.
    folder : str
        Where its files are; empty where they lie in several, or there are none.
    """

    job: int = 0
    stage: str = ""
    done: int = 0
    total: int = 0
    seconds_left: float = -1.0
    sentence: str = ""
    folder: str = ""

    @property
    def busy(self) -> bool:
        """Whether an export runs."""
        return self.job > 0


@dataclass(frozen=True, slots=True)
class PredictedState:
    """What of a project's videos is predicted.

    Parameters
    ----------
    versions : tuple of int
        The models there are.
    shares : mapping
        By model and video: frames that are predicted, and all.
    """

    versions: tuple[int, ...]
    shares: Mapping[tuple[int, str], tuple[int, int]]


def predicted_state(project: Project) -> PredictedState:
    """Look up what is predicted; reads small files of the project."""
    versions = tuple(project.models.versions())
    footage = {video.name: video.footage for video in project.videos}
    runs = (
        (version, name, project.video_predictions.find(version, name, footage=footage.get(name)))
        for version in versions
        for name in project.video_predictions.videos(version)
    )
    shares = {(version, name): (run.header.n_done, run.header.n_frames) for version, name, run in runs if run}
    return PredictedState(versions, shares)


def advanced_export(view: ExportView, reply: Reply) -> ExportView:
    """Return the view after ``reply``; replies of other jobs change nothing."""
    if isinstance(reply, Died):
        return ExportView(sentence=STOPPED) if view.busy else view
    if not view.busy or getattr(reply, "job", 0) != view.job:
        return view
    match reply:
        case Progress():
            return replace(view, stage=reply.stage, done=reply.done, total=reply.total, seconds_left=reply.seconds_left)
        case Exported():
            sentence = exported_sentence(len(reply.videos), reply.paths)
            folders = {str(Path(path).parent) for path in reply.paths}
            folder = folders.pop() if len(folders) == 1 else ""
            return replace(view, sentence=f"{sentence} {reply.notice}".strip(), folder=folder)
        case Finished():
            return ExportView(sentence=view.sentence, folder=view.folder)
        case Cancelled():
            return ExportView(sentence=STOPPED)
        case Failed():
            return ExportView(sentence=f"{reply.message} {reply.hint}".strip())
    return view
