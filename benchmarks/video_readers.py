"""The two sides that ours is measured against: the best possible code for an access, and peers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import av
from av.video.reformatter import VideoReformatter

from benchmarks.peers import Peer, PeerError
from benchmarks.report import ABSENT
from napari_al_pose.video.pixels import THREADS

logger = logging.getLogger(__name__)

PEERS = ("opencv", "napari-video", "napari-pyav", "sleap-io", "torchcodec")


def raw_forward(path: Path, positions: Sequence[int]) -> None:
    """Decode from the first frame on and convert the wanted ones; ``positions`` ascend."""
    with av.open(str(path)) as container:
        to_rgb, wanted = _converter(container), iter(positions)
        next_wanted = next(wanted)
        for position, frame in enumerate(container.decode(video=0)):
            if position == next_wanted:
                to_rgb(frame)
                if (next_wanted := next(wanted, -1)) < 0:
                    return


def raw_seeks(path: Path, positions: Sequence[int], times: Sequence[int]) -> None:
    """Seek to each frame's keyframe and decode up to the frame."""
    with av.open(str(path)) as container:
        to_rgb = _converter(container)
        next(container.decode(video=0))  # openfield's decodes to garbage without its first packet
        for position in positions:
            container.seek(times[position], stream=container.streams.video[0])
            to_rgb(next(frame for frame in container.decode(video=0) if frame.pts >= times[position]))


def _converter(container: Any) -> Any:
    container.streams.video[0].thread_type = "AUTO"
    reformatter = VideoReformatter()
    return lambda frame: reformatter.reformat(frame, format="rgb24", threads=THREADS).to_ndarray()


class PeerReaders:
    """The readers of ``benchmarks/peers/video.py``, each in a process of its own; a context manager.

    Who does not start is absent, who fails or takes too long is asked no more about that figure.
    """

    def __init__(self) -> None:
        self._running: dict[str, Peer] = {}

    def __enter__(self) -> Self:
        for name in PEERS:
            self._start(name)
        return self

    def __exit__(self, *exc_info: object) -> None:
        for peer in self._running.values():
            peer.close()

    def ask(self, name: str, question: str, *, seconds: float = 60.0, **details: Any) -> Any:
        """Return a peer's answer, or as a string why there is none."""
        if name not in self._running:
            return ABSENT
        try:
            return self._running[name].ask(question, seconds=seconds, **details)
        except PeerError as error:
            logger.warning("%s, asked for %s: %s", name, question, error)
            if str(error).startswith("over"):
                self._running.pop(name).close()
                self._start(name)
                return str(error)
            return "failed"

    def ask_all(self, question: str, *, seconds: float = 60.0, **details: Any) -> dict[str, Any]:
        """Return every peer's answer."""
        return {name: self.ask(name, question, seconds=seconds, **details) for name in PEERS}

    def ask_fresh(self, name: str, question: str, *, seconds: float = 60.0, **details: Any) -> Any:
        """Return the answer of a process that has done nothing before."""
        if name in self._running:
            self._running.pop(name).close()
            self._start(name)
        return self.ask(name, question, seconds=seconds, **details)

    def _start(self, name: str) -> None:
        try:
            self._running[name] = Peer("video", name)
        except PeerError as error:
            logger.warning("%s", error)
