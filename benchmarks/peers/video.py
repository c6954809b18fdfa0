"""Other readers of video, asked for frames by number: ``video.py READER`` answers `benchmarks.video`."""

from __future__ import annotations

import os
import re
import site
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from serving import serve
from video_numbers import number_in

Read = Callable[[int], Any]
Opened = tuple[Read, int, Callable[[], object]]
"""How to read a frame as RGB, how many there are, how to close."""


def opencv(path: str) -> Opened:
    import cv2

    capture = cv2.VideoCapture(path)
    at = 0

    def read(position: int) -> Any:
        nonlocal at
        if position != at:
            capture.set(cv2.CAP_PROP_POS_FRAMES, position)
        at = position + 1
        return cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)

    return read, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), capture.release


def napari_video(path: str) -> Opened:
    from napari_video.napari_video import VideoReaderNP

    video = VideoReaderNP(path)
    return video.__getitem__, len(video), lambda: None


def napari_pyav(path: str) -> Opened:
    from napari_pyav._reader import FastVideoReader

    video = FastVideoReader(path)
    return video.read_frame, video.shape[0], video.close


def sleap_io(path: str) -> Opened:
    import sleap_io

    video = sleap_io.load_video(path)
    return video.__getitem__, len(video), video.close


def torchcodec(path: str) -> Opened:
    from torchcodec.decoders import VideoDecoder

    video = VideoDecoder(path, dimension_order="NHWC", num_ffmpeg_threads=0)
    return lambda position: video[position].numpy(), len(video), lambda: None


READERS = {
    "opencv": opencv,
    "napari-video": napari_video,
    "napari-pyav": napari_pyav,
    "sleap-io": sleap_io,
    "torchcodec": torchcodec,
}


def answers(open_video: Callable[[str], Opened]) -> dict[str, Callable[..., Any]]:
    """Return what can be asked of one reader."""

    def run(path: str, positions: Iterable[int]) -> float:
        """Return the seconds that opening, reading these frames and closing take."""
        start = time.perf_counter()
        read, _, close = open_video(path)
        for position in positions:
            read(position)
        close()
        return time.perf_counter() - start

    def each(path: str, first: list[int], positions: Iterable[int]) -> list[float]:
        """Return the milliseconds of each read, after reading ``first``."""
        read, _, close = open_video(path)
        for position in first:
            read(position)
        took = []
        for position in positions:
            start = time.perf_counter()
            read(position)
            took.append(1e3 * (time.perf_counter() - start))
        close()
        return took

    def wrong(path: str, numbers: list[int]) -> int:
        """Return how many frames do not carry the number they should; those that can't be read are among them."""
        read, n_frames, close = open_video(path)
        n_wrong = max(len(numbers) - n_frames, 0)
        # From the last to the first: every frame has to be found.
        for position in reversed(range(min(n_frames, len(numbers)))):
            try:
                n_wrong += number_in(np.asarray(read(position))) != numbers[position]
            except Exception:  # noqa: BLE001  whatever it raises, the frame is not there
                n_wrong += 1
        close()
        return n_wrong

    return {"run": run, "each": each, "wrong": wrong}


def lend_ffmpeg() -> None:
    """Start again with PyAV's FFmpeg where torchcodec looks for FFmpeg's libraries, which it does not bring."""
    folder = Path(sys.prefix, "ffmpeg")
    if str(folder) in os.environ.get("LD_LIBRARY_PATH", ""):
        return
    folder.mkdir(exist_ok=True)
    searched = [str(folder)]
    for libraries in (Path(packages, "av.libs") for packages in site.getsitepackages()):
        searched.append(str(libraries))
        for library in libraries.glob("lib*.so.*"):
            link = folder / re.sub(r"^(lib\w+)-[0-9a-f]+(\.so\.\d+).*", r"\1\2", library.name)
            if not link.is_symlink():
                link.symlink_to(library)
    environment = {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(searched)}
    os.execve(sys.executable, [sys.executable, *sys.argv], environment)


if __name__ == "__main__":
    if sys.argv[1] == "torchcodec":
        lend_ffmpeg()
    serve(answers(READERS[sys.argv[1]]))
