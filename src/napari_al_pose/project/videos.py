"""Which videos a project has, and where their pixels are."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_al_pose.domain import AlPoseError, FrameSource
from napari_al_pose.domain.file_names import is_video
from napari_al_pose.formats.deeplabcut import Crop, VideoSet, image_names
from napari_al_pose.formats.deeplabcut_annotations import IMAGE_SUFFIXES
from napari_al_pose.formats.names import is_safe_name, last_part, plain, video_stem
from napari_al_pose.project.identity import identity_of, is_same_video
from napari_al_pose.project.known_videos import KnownVideos, videos_in
from napari_al_pose.project.pictures import NO_PICTURES, Pictures


@dataclass(frozen=True, slots=True)
class ProjectVideo:
    """One video of a project.

    Parameters
    ----------
    name : str
        File name without the extension; also the name of its folder in ``labeled-data``.
    path : Path or None
        The video file; None if it is missing.
    images : Path or None
        Its folder in ``labeled-data``, if that has extracted images.
    crop : (x1, x2, y1, y2) or None
        The crop of extracted images in ``config.yaml``, in pixels of the full video.
    pictures : Pictures
        Where the extracted images lie in the video's frames.
    """

    name: str
    path: Path | None
    images: Path | None
    crop: Crop | None = None
    pictures: Pictures = NO_PICTURES

    @property
    def has_video(self) -> bool:
        """Whether the video file exists."""
        return self.path is not None

    def open(self, **options: Any) -> FrameSource:
        """Open the video file if it exists, otherwise its extracted images.

        Parameters
        ----------
        **options
            Passed on to `napari_al_pose.video.open_source` (``cache_bytes``, ``progress``, ``cancelled``).

        Raises
        ------
        AlPoseError
            If there is neither, or it can't be decoded.
        """
        from napari_al_pose.video import open_source

        if self.path is not None and self.images is not None and self.pictures.stills:
            options["stills"] = {number: self.images / name for number, name in self.pictures.stills}
        return open_source(self.file, name=self.name, **options)

    @property
    def file(self) -> Path:
        """The video's file, or the folder of images that stands in for it; raises AlPoseError without either."""
        where = self.path or self.images
        if where is None:
            raise AlPoseError(
                f"The video {self.name!r} is missing and has no extracted images.",
                "Copy the video into the project's 'videos' folder.",
            )
        return where

    @property
    def footage(self) -> str:
        """The digest of `file`'s content; "" if it can't be read."""
        try:
            return identity_of(self.file).digest
        except (OSError, AlPoseError):
            return ""

    @property
    def crop_size(self) -> tuple[int, int] | None:
        """Width and height of `crop`; None without one."""
        return None if self.crop is None else (self.crop[1] - self.crop[0], self.crop[3] - self.crop[2])

    @property
    def narrowed_to(self) -> Crop | None:
        """The crop, if it limits what is looked at: it does not if extracted images are whole frames."""
        return None if not self.has_video or self.pictures.has_whole else self.crop


def find_videos(root: Path, video_sets: Sequence[VideoSet], known: KnownVideos) -> tuple[list[ProjectVideo], list[str]]:
    """Find the videos of the project in ``root``.

    Paths in ``config.yaml`` come from any computer. A video is looked for by its name in ``videos/``, then, if the path
    is absolute, where it says. If it is in neither place, it is looked for by its content, in case it was renamed.
    Videos in ``videos/`` that the file does not name are added, and so are folders of extracted images.

    Parameters
    ----------
    root : Path
        The project folder.
    video_sets : sequence of VideoSet
        From ``config.yaml``; placeholders are ignored.
    known : KnownVideos
        What the videos looked like when they were last seen.

    Returns
    -------
    list of ProjectVideo
        In the order of ``config.yaml``, then by name.
    list of str
        Messages for the user: missing videos and names that clash.
    """
    notices: list[str] = []
    listed = {video_stem(entry.path) for entry in video_sets}
    files = _video_files(root / "videos", notices)
    files = {name: path for name, path in files.items() if name in listed or not _is_made_from(name, files)}
    folders = _image_folders(root / "labeled-data", notices)
    notices += _find_renamed(root, video_sets, known, files, folders)
    crops: dict[str, Crop | None] = {}
    claimed: dict[str, Path] = {}
    missing: list[str] = []
    for entry in video_sets:
        name = video_stem(entry.path)
        if name is None:
            continue
        crops.setdefault(name, entry.crop)
        before = claimed.get(name)
        path = _where_written(entry.path) if before else _resolve(entry.path, name, root, files)
        if path is not None and before is not None:
            if path == before or is_same_video(path, before):
                continue
            # Both would share one folder of labels, so the one that had the name keeps it.
            counts, other = (path, before) if known.find(name, [path]) else (before, path)
            files[name] = claimed[name] = counts
            crops[name] = entry.crop if counts == path else crops[name]
            notices.append(f"{other} has the same name as {counts} and was left out. Rename one of them.")
        elif path is not None:
            files[name] = claimed[name] = path
        elif name in folders and before is None:
            missing.append(last_part(entry.path))
        elif before is None:
            notices.append(
                f"The video {last_part(entry.path)} of config.yaml is missing. Copy it into {root / 'videos'}."
            )
    notices += _missing_but_for_images(missing, root)
    names = [name for name in crops if name in files or name in folders]
    names += sorted(({*files, *folders}) - set(names))
    notices += _alike(names, root)
    videos = [ProjectVideo(name, files.get(name), folders.get(name), crops.get(name)) for name in names]
    return videos, notices


def _alike(names: Sequence[str], root: Path) -> list[str]:
    """Report names that differ in capital letters alone: one video for Windows and macOS, and often for the user."""
    by_letters: dict[str, list[str]] = {}
    for name in names:
        by_letters.setdefault(name.casefold(), []).append(name)
    return [
        f"{' and '.join(alike)} in {root} differ in capital letters alone and count as {len(alike)} videos. If they "
        "are one, rename the video and its folder in labeled-data alike."
        for alike in by_letters.values()
        if len(alike) > 1
    ]


def _missing_but_for_images(names: Sequence[str], root: Path) -> list[str]:
    """Return what is said of videos of which only the extracted images are there: these can be labelled, no others."""
    if not names:
        return []
    where = root / "videos"
    one = f"The video {names[0]} of config.yaml is missing: only its extracted images are shown. Copy it into {where}"
    several = (
        f"{len(names)} videos of config.yaml are missing, {names[0]} for one: only their extracted images are shown."
    )
    said = one if len(names) == 1 else f"{several} Copy them into {where}"
    return [f"{said} to label other frames."]


def _video_files(folder: Path, notices: list[str]) -> dict[str, Path]:
    """Return the videos in ``folder`` by name, without broken links."""
    files: dict[str, Path] = {}
    if not folder.is_dir():
        return files
    for path in sorted(folder.iterdir()):
        name = video_stem(path.name)
        if path.name.startswith(".") or not is_video(path):
            continue
        if name is None:
            notices.append(f"{path} was left out, as its name cannot be a folder name. Rename it.")
        elif not path.is_file():
            notices.append(f"{path} is a link to a video that is not there. Copy the video into {folder}.")
        elif name in files:
            notices.append(f"{path} has the same name as {files[name].name} and was left out. Rename one of them.")
        else:
            files[name] = path
    return files


def _find_renamed(
    root: Path, video_sets: Sequence[VideoSet], known: KnownVideos, files: dict[str, Path], folders: Collection[str]
) -> list[str]:
    """Add renamed videos to ``files`` under their former names; return messages for the user."""
    notices = []
    written = {video_stem(entry.path): entry.path for entry in video_sets}
    for name in known.names:
        if name in files or (name in written and _resolve(written[name], name, root, files)):
            continue
        unclaimed = [path for stem, path in files.items() if stem not in written and stem not in folders]
        beside = Path(written[name]).parent if name in written else root / "videos"
        if beside.is_absolute() and beside != root / "videos":
            unclaimed += [path for path in videos_in(beside) if video_stem(path.name) not in written]
        path = known.find(name, unclaimed)
        if path is None:
            continue
        files.pop(plain(path.stem), None)
        files[name] = path
        if not known.is_called(name, path):
            notices.append(f"The video {name} is {path} now: it has the same content. Its labels stay under {name}.")
    return notices


def _is_made_from(name: str, others: Collection[str]) -> bool:
    """Return whether the name belongs to a video that DeepLabCut made from another one, with the labels drawn in."""
    made = tuple(other + mark for other in others for mark in ("DLC", "_superanimal"))
    return name.startswith(made) or (name.endswith("_labeled") and name.removesuffix("_labeled") in others)


def label_folder(root: Path, name: str) -> Path:
    """Return the folder of a video in ``labeled-data``, whether it exists, however the disk writes accents."""
    folder = root / "labeled-data" / name
    if name.isascii() or folder.is_dir() or not folder.parent.is_dir():
        return folder
    return next((path for path in sorted(folder.parent.iterdir()) if plain(path.name) == name), folder)


def _image_folders(folder: Path, notices: list[str]) -> dict[str, Path]:
    """Return the folders with extracted images by name, without DeepLabCut's folders of plotted labels."""
    if not folder.is_dir():
        return {}
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not path.is_dir():
            continue
        if not is_safe_name(path.name):
            notices.append(f"{str(path)!r} was left out, as a video can't have that name. Rename the folder.")
            continue
        name = plain(path.name)
        counts = label_folder(folder.parent, name)
        if path == counts:
            found[name] = path
        else:
            notices.append(
                f"{folder} has two folders named {name!r}, whose accents are encoded in two ways; one is ignored: "
                f"move what it holds ({len(os.listdir(path))} files) into the other."
            )
    return {
        name: path
        for name, path in found.items()
        if not name.startswith(".") and name.removesuffix("_labeled") not in found.keys() - {name} and image_names(path)
    }


def _resolve(written: str, name: str, root: Path, files: dict[str, Path]) -> Path | None:
    same_name = root / "videos" / last_part(written)
    if same_name.is_file():
        return same_name
    if name in files:
        return files[name]
    return _where_written(written)


def _where_written(written: str) -> Path | None:
    """Return the file at an absolute path of ``config.yaml``, if it exists."""
    path = Path(written)
    outside = path.is_absolute() and is_video(path) and ".." not in path.parts
    return path if outside and path.is_file() else None


def image_size(folder: Path) -> tuple[int, int] | None:
    """Return ``(width, height)`` of the first image in ``folder``; None if it can't be read."""
    from PIL import Image, UnidentifiedImageError

    try:
        # Do not sort paths: there may be tens of thousands.
        names = (name for name in os.listdir(folder) if name.lower().endswith(IMAGE_SUFFIXES) and name[0] != ".")
        first = min(names, default="")
        if not first:
            return None
        with Image.open(folder / first) as image:
            return image.size
    except (OSError, UnidentifiedImageError):
        return None
