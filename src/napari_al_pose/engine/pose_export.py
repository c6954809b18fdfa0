"""Exports whole videos for other programs: predicts, smooths if requested, writes their formats, draws."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError
from napari_al_pose.domain.pose_export import FORMATS, ExportOptions
from napari_al_pose.engine.messages import PosesExported, Progress
from napari_al_pose.engine.progress import ProgressReporter
from napari_al_pose.engine.sources import CACHE_BYTES
from napari_al_pose.engine.tracks import predict_and_follow
from napari_al_pose.engine.whole_videos import PlannedVideo, PredictedPart, plan, predict_planned
from napari_al_pose.formats.atomic import refuse_read_only
from napari_al_pose.formats.deeplabcut import AddRows, prediction_scorer, writing_deeplabcut
from napari_al_pose.formats.lightning_pose import writing_lightning_pose
from napari_al_pose.formats.names import is_safe_name, plain
from napari_al_pose.formats.pose_table import writing_pose_table
from napari_al_pose.formats.sleap_file import import_sleap_io
from napari_al_pose.formats.sleap_predictions import writing_sleap
from napari_al_pose.pose.predictor import Predictor
from napari_al_pose.pose.smoothing import smoothed
from napari_al_pose.project import Project, ProjectVideo
from napari_al_pose.project.identity import identity_of
from napari_al_pose.video import notice_of
from napari_al_pose.video.image_folder import ImageFolder
from napari_al_pose.video.pose_overlay import LabelledVideoWriter, LookOfPoses

log = logging.getLogger(__name__)

_WITH_UNIQUE = ("deeplabcut", "table")
"""Formats that hold unique bodyparts beside the animals'."""

Chunks = Iterator[tuple[int, NDArray[np.float32]]]
PredictAll = Callable[[Sequence[PlannedVideo], Predictor], Generator[PredictedPart, None, None]]
"""Predicts the missing parts of planned videos."""


def export(
    project: Project,
    videos: Sequence[ProjectVideo],
    options: ExportOptions,
    *,
    model: Predictor,
    version: int,
    job: int,
    predict: PredictAll = predict_planned,
) -> Generator[Progress, None, PosesExported]:
    """Predict videos from the first frame to the last and write what ``options`` ask for.

    An export that was stopped continues where it stopped when it is requested again.

    Raises
    ------
    AlPoseError
        If a video can't be opened, or something can't be written.
    """
    for folder in {_folder(video, options) for video in videos}:
        if not folder.is_dir():
            raise AlPoseError(f"There is no folder {folder} to write to.", "Choose another one, or make it.")
        refuse_read_only(folder)
    if "sleap" in options.formats:
        import_sleap_io()  # report a missing package now, not after hours
    stems, notice = output_stems(videos, options)
    planned = yield from plan(project, videos, model, version, job)
    mended = yield from predict_and_follow(project, planned, predict(planned, model), job)
    paths: list[Path] = []
    for item, stem in zip(planned, stems, strict=True):
        paths += yield from _Writing(project, item, options, model, job, stem=stem).all()
    notice = " ".join(
        part for part in (notice, *mended, _without_unique(planned, options), *_video_notices(videos)) if part
    )
    return PosesExported(
        job, tuple(video.name for video in videos), version, tuple(str(path) for path in paths), notice
    )


def _without_unique(planned: Sequence[PlannedVideo], options: ExportOptions) -> str:
    """Return a sentence on the files that cannot hold the unique bodyparts; "" if there are none."""
    names = planned[0].run.header.unique_bodyparts if planned else ()
    lacking = [FORMATS[form] for form in options.formats if form not in _WITH_UNIQUE]
    if not names or not lacking:
        return ""
    return f"The unique bodyparts ({', '.join(names)}) are left out of: {', '.join(lacking)}."


def _video_notices(videos: Sequence[ProjectVideo]) -> Iterator[str]:
    """Yield what is wrong with each video, which is known only now that all of it was read."""
    for video in videos:
        source = video.open(cache_bytes=0)
        if found := notice_of(source):
            yield f"{found}."
        source.close()


@dataclass(frozen=True, slots=True, eq=False)
class _OutputFile:
    """A file to write, its writer, and which keypoints of a row go there."""

    path: Path
    writing: AbstractContextManager[AddRows]
    points: slice


class _Writing:
    """Writes what was requested of one video."""

    def __init__(
        self, project: Project, item: PlannedVideo, options: ExportOptions, model: Predictor, job: int, *, stem: str
    ) -> None:
        self._project = project
        self._video, self._run = item.video, item.run
        self._run.read_edits_anew()  # the user may have changed tracks since the videos were planned
        self._options = options
        self._job = job
        self._stem = stem
        self._scorer = prediction_scorer(project.config, self._run.header.model_version, model.network_name)

    def all(self) -> Generator[Progress, None, list[Path]]:
        paths: list[Path] = []
        others = [form for form in self._options.formats if form != "table"]
        if others:
            paths += yield from self._of_others(others, "")
        if others and self._options.smoothing:
            paths += yield from self._of_others(others, "_filtered")
        if "table" in self._options.formats:
            paths.append((yield from self._table()))
        if self._options.labelled_video:
            paths.append((yield from self._drawn()))
        return paths

    def _of_others(self, formats: Sequence[str], mark: str) -> Generator[Progress, None, list[Path]]:
        """Write the raw or the smoothed poses in other programs' formats."""
        name, header = self._stem, self._run.header
        reporter = ProgressReporter(self._job, f"Writing the poses of {name}", header.n_frames)
        files = [file for form in formats for file in self._files(form, mark)]
        with ExitStack() as stack:
            adders = [(stack.enter_context(file.writing), file.points) for file in files]
            for first, rows in self._chunks(smooth=bool(mark)):
                for add, points in adders:
                    add(self._run.numbers(first, first + len(rows)), rows[:, points])
                yield from reporter.report(first + len(rows))
        written: list[Path] = []
        for file in files:
            written.append(file.path)
            if file.path.suffix == ".h5":
                written.append(file.path.with_suffix(".csv"))  # see `writing_deeplabcut`
        return written

    def _files(self, form: str, mark: str) -> list[_OutputFile]:
        """Return what is written in a format: with several animals one file, or one for each if the format holds
        one."""
        header, folder = self._run.header, _folder(self._video, self._options)
        bodyparts, individuals = header.bodyparts, self._run.tracks
        everything, of_animals = slice(None), slice(self._run.n_points)
        unique = header.unique_bodyparts
        stem = f"{self._stem}.al-pose-{header.model_version}"
        if form == "deeplabcut":
            # DeepLabCut looks for its mark of poses that were followed from frame to frame, "el" for ellipses.
            followed = "_el" if individuals else ""
            path = folder / f"{self._stem}{self._scorer}{followed}{mark}.h5"
            return [
                _OutputFile(
                    path,
                    writing_deeplabcut(
                        path,
                        scorer=self._scorer,
                        bodyparts=bodyparts,
                        individuals=individuals,
                        unique_bodyparts=unique,
                    ),
                    everything,
                )
            ]
        if form == "sleap":
            path = folder / f"{stem}{mark}.predictions.slp"
            writing = writing_sleap(
                path,
                video=self._video.file,
                shape=self._shape(),
                bodyparts=bodyparts,
                links=self._links(),
                images=self._images(),
                individuals=individuals,
            )
            return [_OutputFile(path, writing, of_animals)]
        files = []
        for i, animal in enumerate(individuals or ("",)):
            own = f".{animal if is_safe_name(animal) else i + 1}" if animal else ""
            path = folder / f"{stem}{mark}{own}.lightning-pose.csv"
            points = slice(i * len(bodyparts), (i + 1) * len(bodyparts))
            files.append(_OutputFile(path, writing_lightning_pose(path, bodyparts=bodyparts), points))
        return files

    def _table(self) -> Generator[Progress, None, Path]:
        """Write the plain table: raw poses, and smoothed ones beside them if requested."""
        header, smoothing = self._run.header, self._options.smoothing
        name = self._stem
        path = _folder(self._video, self._options) / f"{name}.al-pose-{header.model_version}.poses.csv"
        reporter = ProgressReporter(self._job, f"Writing the table of {name}", header.n_frames)
        with (
            closing(self._video.open(cache_bytes=CACHE_BYTES)) as source,
            writing_pose_table(
                path,
                bodyparts=header.bodyparts,
                smoothing=smoothing,
                individuals=self._run.tracks,
                unique_bodyparts=header.unique_bodyparts,
            ) as add,
        ):
            for first, rows in self._chunks(smooth=bool(smoothing)):
                stop = first + len(rows)
                seconds = np.array([source.seconds(position) for position in range(first, stop)])
                numbers = self._run.numbers(first, stop)
                if smoothing:
                    add(numbers, seconds, self._run.all_rows(first, stop), rows)
                else:
                    add(numbers, seconds, rows)
                yield from reporter.report(stop)
        return path

    def _drawn(self) -> Generator[Progress, None, Path]:
        """Draw the poses, smoothed if requested, into a copy of the video."""
        name, header, smooth = self._stem, self._run.header, bool(self._options.smoothing)
        mark = "_filtered" if smooth else ""
        # By DeepLabCut's name for it, projects recognise that this is not a video to label.
        path = _folder(self._video, self._options) / f"{name}{self._scorer}{mark}_labeled.mp4"
        reporter = ProgressReporter(self._job, f"Drawing {name}", header.n_frames)
        source = self._video.open(cache_bytes=CACHE_BYTES)
        try:
            index, k, n = header.bodyparts.index, len(header.bodyparts), max(1, len(self._run.tracks))
            links = tuple((a * k + index(one), a * k + index(other)) for a in range(n) for one, other in self._links())
            n_unique = len(header.unique_bodyparts)
            look = LookOfPoses(links, self._options.cutoff, self._options.trail, n_animals=n, n_unique=n_unique)
            with LabelledVideoWriter(path, source, n_bodyparts=self._run.n_points + n_unique, look=look) as writer:
                for first, rows in self._chunks(smooth=smooth):
                    for done in writer.draw(first, rows):
                        yield from reporter.report(done)
        finally:
            source.close()
        return path

    def _chunks(self, *, smooth: bool) -> Chunks:
        if not smooth:
            return self._run.chunks()
        return smoothed(
            self._run.all_rows, self._run.header.n_frames, method=self._options.smoothing, cutoff=self._options.cutoff
        )

    def _links(self) -> list[tuple[str, str]]:
        known = set(self._run.header.bodyparts)
        return [link for link in self._project.skeleton.links if set(link) <= known]

    def _images(self) -> dict[int, Path] | None:
        """Return the images that stand in for a video, by frame number; None if there is a video."""
        if self._video.path is not None:
            return None
        with closing(self._video.open(cache_bytes=CACHE_BYTES)) as source:
            return source.images if isinstance(source, ImageFolder) else None

    def _shape(self) -> tuple[int, int, int, int]:
        with closing(self._video.open(cache_bytes=CACHE_BYTES)) as source:
            return source.shape


def choose_videos(project: Project, names: Sequence[str]) -> list[ProjectVideo]:
    """Return videos by their names in the project or by their files, which need not be in the project.

    Parameters
    ----------
    project : Project
        Names are looked up here.
    names : sequence of str
        None for all videos of the project whose file exists.

    Raises
    ------
    AlPoseError
        If there is no such video.
    """
    if not names:
        return [video for video in project.videos if video.has_video]
    chosen = {video.file.resolve(): video for video in (_chosen(project, name) for name in names)}
    own = set(project.videos)
    taken = Counter(video.name for video in {*own, *chosen.values()})
    # Predictions are stored by name: two files of one name must not be mixed up.
    return [
        replace(video, name=f"{video.name}-{identity_of(video.file).mark}")
        if taken[video.name] > 1 and video not in own
        else video
        for video in chosen.values()
    ]


def output_stems(videos: Sequence[ProjectVideo], options: ExportOptions) -> tuple[list[str], str]:
    """Return the base name for each video's files, all different within a folder, and a sentence if some had to change.

    Files are named after the video. If two would have the same name, the folder, the suffix or the content tells them
    apart.
    """
    places = [(_folder(video, options), _stem(video)) for video in videos]
    as_disks_compare = [(str(folder).casefold(), plain(stem).casefold()) for folder, stem in places]
    counts = Counter(as_disks_compare)
    stems = [stem for _, stem in places]
    for place in (place for place, count in counts.items() if count > 1):
        clashing = [i for i, other in enumerate(as_disks_compare) if other == place]
        marks = (
            [videos[i].file.parent.name for i in clashing],
            [videos[i].file.suffix.lstrip(".") for i in clashing],
            [identity_of(videos[i].file).mark for i in clashing],
            [str(rank) for rank, _ in enumerate(clashing, 1)],
        )
        apart = next(names for names in marks if all(names) and len({*map(str.casefold, names)}) == len(names))
        for i, mark in zip(clashing, apart, strict=True):
            stems[i] = f"{stems[i]}-{mark}"
    renamed = [stem for stem, (_, before) in zip(stems, places, strict=True) if stem != before]
    if not renamed:
        return stems, ""
    return stems, f"Several videos have one name; their files are called after {', '.join(renamed)}."


def _chosen(project: Project, name: str) -> ProjectVideo:
    path = Path(name).expanduser()
    for video in project.videos:
        if video.name == plain(name) or (video.path is not None and path.is_file() and video.path.samefile(path)):
            return video
    if not path.is_file():
        known = ", ".join(video.name for video in project.videos) or "none"
        raise AlPoseError(
            f"There is no video {name!r}.", f"Give the path of a file, or a video of the project: {known}."
        )
    return ProjectVideo(plain(path.stem), path.absolute(), None)


def _stem(video: ProjectVideo) -> str:
    return video.path.stem if video.path else video.name


def _folder(video: ProjectVideo, options: ExportOptions) -> Path:
    if options.folder:
        return Path(options.folder)
    return video.file.parent if video.file.is_file() else video.file
