"""The loop without a window, for the verbs of the command line. Each function returns what ``--json`` prints."""

from __future__ import annotations

import contextlib
import functools
import math
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tqdm import tqdm

from napari_al_pose.domain import AlPoseError, ErrorSummary, Round
from napari_al_pose.domain.pose_export import ExportOptions
from napari_al_pose.domain.steps import relay
from napari_al_pose.engine.messages import PoolMapped, Progress, Ranked, Trained, TrainStep, TrialStep
from napari_al_pose.formats.atomic import refuse_read_only
from napari_al_pose.formats.deeplabcut_snapshots import find_snapshots
from napari_al_pose.progress_bar import ProgressBar
from napari_al_pose.project import Project, open_project
from napari_al_pose.project.picture_check import Compared, compare_video
from napari_al_pose.project.video_check import MOST_SECONDS, check_videos
from napari_al_pose.video import notice_of

if TYPE_CHECKING:
    from napari_al_pose.engine.loop import ActiveLearningLoop
    from napari_al_pose.project.videos import ProjectVideo

T = TypeVar("T")


def rank(
    path: Path, *, strategy: str | None, top: int, scheduler: str = "", contact_sheet: Path | None = None
) -> list[dict[str, Any]]:
    """Rank the pool; return the frames in the order to label them, without near-duplicates.

    Without a model in the project, the frames are a diverse first batch and their score is None. If a dask
    ``scheduler`` is named, its workers run the model. A ``contact_sheet`` (PNG) shows the frames of the pool that the
    strategy ranks first and last.
    """
    if contact_sheet is not None:
        refuse_read_only(contact_sheet.expanduser().absolute().parent)
    with opened(path) as project:
        _check_videos(project.videos)
        loop = _loop(project)
        strategy = strategy or project.settings.strategy
        work = loop.rank(project, strategy=strategy, size=top, holdout_share=0.0, scheduler=scheduler)
        ranked: Ranked = show_progress(work)
        _tell(ranked.notice)
        _tell(ranked.why_empty)
        if ranked.model_version == 0 and any(s.strategy == "diverse" for s in ranked.suggestions):
            _tell("No model yet: this is a diverse first batch. Label some frames and train to rank by score.")
        _tell_of_videos(loop, project)
        if contact_sheet is not None:
            _write_contact_sheet(contact_sheet, project, loop, strategy)
        loop.close()
    return [
        {
            "video": s.key.video,
            "frame": s.key.frame,
            "score": None if math.isnan(s.score) else s.score,
            "strategy": strategy,
            "provenance": "al" if s.strategy == strategy else s.strategy,
            "model_version": s.model_version,
            "reason": s.sentence,
        }
        for s in ranked.suggestions
    ]


def _write_contact_sheet(path: Path, project: Project, loop: ActiveLearningLoop, strategy: str) -> None:
    from napari_al_pose.engine.contact_sheet import write_contact_sheet

    mapped: PoolMapped = show_progress(loop.map_pool(project, strategy=strategy))
    model = f"model {mapped.model_version}" if mapped.model_version else "no model"
    title = f"{mapped.strategy} on {project.root.name}, {model}, {len(mapped.keys)} candidate frames"
    write_contact_sheet(path, title, mapped.keys, mapped.scores, loop.sources(project))
    _tell(f"Contact sheet written to {path}.")


def train(path: Path) -> dict[str, Any]:
    """Train the next model version on the project's labels and describe it."""
    with _writable(path) as project:
        _check_videos(_labelled(project))
        project.ensure_holdout(project.settings.holdout_share, project.settings.train.seed)
        loop = _loop(project)
        show_progress(loop.train(project))
        _tell_of_videos(loop, project)
        done = project.rounds.all()[-1]
        checkpoint = project.models.checkpoint(done.number)
        loop.close()
    return describe_round(done) | {"checkpoint": str(checkpoint)}


def adopt_model(
    path: Path, model: Path | None, *, overrides: dict[str, Any], chosen: Mapping[str, str], partial: bool = False
) -> dict[str, Any]:
    """Make another program's model the project's newest version; by default the newest DeepLabCut snapshot in it."""
    from napari_al_pose.engine.adopting import adopt

    with _writable(path) as project:
        found = [model] if model is not None else find_snapshots(project.root)
        if not found:
            raise AlPoseError(
                f"There is no snapshot of DeepLabCut 3 in {project.root}.", "Name the file of the model to use."
            )
        device = project.settings.train.device
        network = adopt(project, found[0], device=device, overrides=overrides, chosen=chosen, partial=partial)
        version = project.models.latest()
        checkpoint = project.models.checkpoint(version)
    return {"model_version": version, "network": network, "model": str(found[0]), "checkpoint": str(checkpoint)}


def export_model(path: Path, file: Path) -> dict[str, Any]:
    """Write a project's newest model as an ONNX file."""
    from napari_al_pose.engine.adopting import export_onnx

    with opened(path, read_only=True, compare=False) as project:
        version = export_onnx(project, file)
    return {"model_version": version, "path": str(file)}


def predict(path: Path, videos: Sequence[str], options: ExportOptions, *, scheduler: str = "") -> dict[str, Any]:
    """Predict whole videos, given by name or by file, and write what ``options`` ask for.

    If a dask ``scheduler`` is named, its workers do it.
    """
    from napari_al_pose.engine.pose_export import choose_videos

    with opened(path, compare=False) as project:
        _check_videos(choose_videos(project, videos))
        loop = _loop(project)
        try:
            exported = show_progress(loop.export(project, videos, options, scheduler=scheduler))
        finally:
            loop.close()
    _tell(exported.notice)
    return {
        "model_version": exported.model_version,
        "videos": list(exported.videos),
        "paths": list(exported.paths),
    }


def evaluate(path: Path, *, train_frames: int, seed: int, reference: tuple[str, str] | None = None) -> dict[str, Any]:
    """Train on randomly drawn labelled frames and measure on all the others; the project is left as it is."""
    with opened(path, read_only=True) as project:
        from napari_al_pose.engine.evaluation import evaluate_project

        _check_videos(_labelled(project))
        return show_progress(evaluate_project(project, train_frames=train_frames, seed=seed, reference=reference))


def label_versions(path: Path, video: str) -> list[dict[str, Any]]:
    """Return the earlier versions of a video's label files, oldest first.

    Raises
    ------
    AlPoseError
        If there is no such video.
    """
    with opened(path, read_only=True) as project:
        _check_video(project, video)
        return [
            {
                "version": version.number,
                "time": version.time.isoformat(timespec="seconds"),
                "folder": str(version.folder),
            }
            for version in project.label_versions(video)
        ]


def restore_labels(path: Path, video: str, number: int) -> None:
    """Restore the labels of an earlier version of a video's files; the window can undo that.

    Raises
    ------
    AlPoseError
        If there is no such video or version, or the project can't be written.
    """
    with _writable(path) as project:
        _check_video(project, video)
        project.restore_labels(video, number)


def _check_video(project: Project, video: str) -> None:
    names = [known.name for known in project.videos]
    if video not in names:
        raise AlPoseError(f"The project has no video {video!r}.", f"It has: {', '.join(names) or 'none'}.")


def evaluate_tracks(path: Path, truth: Path) -> dict[str, Any]:
    """Predict the videos that have tracks in ``truth``, a SLEAP file, unless that is done, and compare.

    Returns
    -------
    dict
        ``idf1``, ``switches``, ``mota``, ``hota`` and ``n_frames`` over all videos, and the same ``per_video``;
        ``notices`` of what was left out or guessed when the file was read.
    """
    from napari_al_pose.engine.track_evaluation import score_run, videos_of
    from napari_al_pose.formats.sleap import read_sleap

    labels = read_sleap(truth)
    with opened(path) as project:
        videos = videos_of(project, labels, truth)
        _check_videos(video for video in project.videos if video.name in videos.values())
        loop = _loop(project)
        try:
            exported = show_progress(loop.export(project, list(videos.values()), ExportOptions(formats=())))
        finally:
            loop.close()
        per_video = {}
        for name, ours in videos.items():
            run = project.video_predictions.find(exported.model_version, ours)
            if run is None:
                raise AlPoseError(f"The predictions of {ours} are gone.", "Run the command again.")
            per_video[ours] = score_run(run, labels, name)
    weights = [scores["n_frames"] for scores in per_video.values()]
    means = {
        figure: sum(scores[figure] * n for scores, n in zip(per_video.values(), weights, strict=True)) / sum(weights)
        for figure in ("idf1", "mota", "hota")
    }
    switches = sum(scores["switches"] for scores in per_video.values())
    return {
        "model_version": exported.model_version,
        "idf1": means["idf1"],
        "switches": switches,
        "mota": means["mota"],
        "hota": means["hota"],
        "n_frames": sum(weights),
        "per_video": per_video,
        "notices": list(labels.notices),
    }


def _loop(project: Project) -> ActiveLearningLoop:
    """Return the loop of an open project. torch is imported only now, so that a wrong path is reported at once."""
    from napari_al_pose.engine.loop import ActiveLearningLoop

    loop = ActiveLearningLoop(project.root, device=project.settings.train.device)
    _tell(loop.refresh(project))
    _tell(loop.left_out())
    return loop


def describe_round(done: Round) -> dict[str, Any]:
    """Return a round as JSON prints it; the hold-out error is None without hold-out frames."""
    return {
        "model_version": done.number,
        "n_train": done.n_train,
        "n_holdout": done.n_holdout,
        "left_out": [{"reason": some.reason, "frames": some.frames} for some in done.left_out],
        "train_seconds": done.train_seconds,
        "steps": done.steps,
        "holdout": None if done.holdout is None else _describe_error(done.holdout),
    }


def _describe_error(error: ErrorSummary) -> dict[str, float | int | None]:
    return {
        "mean_error_px": _finite(error.mean),
        "median_error_px": _finite(error.median),
        "low_px": _finite(error.low),
        "high_px": _finite(error.high),
        "n_frames": error.n_frames,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def show_progress(work: Generator[Any, None, T]) -> T:
    """Run a job to its end with a progress bar on standard error; return its result."""
    bar = ProgressBar()
    try:
        while True:
            message = next(work)
            note = ""
            if isinstance(message, TrainStep):
                name, done, total, note = "Training", message.step, message.steps, f"loss {message.loss:.4f}"
            elif isinstance(message, TrialStep):
                name, done, total = "Testing whether to start over", message.step, message.steps
            elif isinstance(message, Progress):
                name, done, total = message.stage, message.done, message.total
            else:
                if isinstance(message, Trained) and message.round.holdout is not None:
                    _tell(f"Error on test frames {message.round.holdout.mean:.1f} px")
                if isinstance(message, Trained):
                    _tell(message.notice)
                continue
            bar.show(name, done, total, note, seconds_left=message.seconds_left)
    except StopIteration as end:
        return end.value
    finally:
        bar.close()
        work.close()


def _tell_of_videos(loop: ActiveLearningLoop, project: Project) -> None:
    """Report what is wrong with the videos that were read."""
    for source in loop.sources(project).values():
        _tell(notice_of(source))


def _check_videos(videos: Iterable[ProjectVideo], *, most_seconds: float = MOST_SECONDS) -> None:
    """Check videos that nobody has checked, and report what is wrong with them."""
    with contextlib.closing(ProgressBar()) as bar:
        told = check_videos(
            videos, lambda name: functools.partial(bar.show, f"Checking {name}"), most_seconds=most_seconds
        )
    for sentence in told:
        _tell(sentence)


def _labelled(project: Project) -> list[ProjectVideo]:
    names = {annotation.key.video for annotation in project.labels.annotations()}
    return [video for video in project.videos if video.name in names]


def _tell_of_damage(video: ProjectVideo) -> None:
    try:
        with contextlib.closing(video.open(cache_bytes=0)) as source:
            _tell(notice_of(source))
    except AlPoseError as error:
        _tell(str(error))


def _tell(sentence: str) -> None:
    if sentence:
        tqdm.write(sentence, file=sys.stderr)


def opened(path: Path, *, read_only: bool = False, compare: bool = True) -> Project:
    """Open a project and report what the user should know: an unreadable label file, a missing video.

    Unless ``compare`` is False, compare some extracted images with the frames of their videos, once.
    """
    project = open_project(path, read_only=read_only)
    try:
        if compare:
            compare_pictures(project)
    except BaseException:
        project.close()
        raise
    for notice in project.notices:
        _tell(notice)
    return project


def check(path: Path) -> list[dict[str, Any]]:
    """Check all videos, compare every extracted image with its video, and return what the images show.

    Shifts are looked for through whole videos.
    """
    with opened(path, compare=False) as project:
        _check_videos(project.videos, most_seconds=math.inf)
        for video in project.videos:
            _tell_of_damage(video)
        return [
            {"video": c.video, "compared": c.compared, "differing": c.differing, "shift": c.noted.shift}
            for c in compare_pictures(project, every=True)
        ]


def compare_pictures(project: Project, *, every: bool = False) -> list[Compared]:
    """Compare extracted images with their frames: some of those not compared yet, or ``every`` one."""
    every_one = [video for video in project.videos if video.has_video and video.images is not None]
    found = []
    for video in every_one if every else project.videos_to_compare():
        steps = compare_video(video, project.noted_of(video), every=every, whole_video=every)
        try:
            found.append(show_progress(relay(steps, lambda step: [Progress(0, *step, math.nan)])))
        except AlPoseError as error:
            _tell(str(error))
            continue
        project.take_compared(found[-1])
    return found


def _writable(path: Path) -> Project:
    project = opened(path)
    if project.read_only:
        holder = project.lock_holder
        project.close()
        if holder:
            raise AlPoseError(f"{path} is open elsewhere ({holder}).", "Close it there, or train there.")
        raise AlPoseError(
            f"{path} can't be written.", "Copy the project to a folder you can write to, or change its permissions."
        )
    return project


def as_table(rows: Iterable[dict[str, Any]], columns: tuple[str, ...]) -> str:
    """Return rows as aligned text."""
    cells = [columns, *(tuple(_cell(row[c]) for c in columns) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
