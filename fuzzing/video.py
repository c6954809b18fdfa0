"""Videos of numbered frames: coded, muxed, copied between containers, cut, joined, and with bytes changed at random."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from unittest import mock

import av

from napari_al_pose.domain import AlPoseError
from napari_al_pose.video import index_cache, verify
from napari_al_pose.video.index_cache import load_or_build

sys.path.append(str(Path(__file__).parents[1] / "tests" / "video"))
from muxings import CODECS, CONTAINERS, Muxing, check_file, read_every_way

TELLING_CODECS = ("h264", "h264_b", "h264_open", "hevc_b", "mpeg4", "mpeg4_b", "mpeg2_b", "mjpeg")
SILENT = set(CODECS) - set(TELLING_CODECS)
TELLING_CONTAINERS = ("mp4", "mov", "mkv")
"""Where FFmpeg tells of damage to a packet. What VP8, VP9 and FFV1 make of it passes for a sound picture, and so does
what is left of a packet in containers that split packets up. Files of other kinds are compared undamaged only."""


def run(rng: random.Random, folder: Path) -> str:
    """Make a video and read it, forward, backward and at random."""
    av.logging.set_level(None)
    muxing = _muxing(rng)
    path = muxing.make(folder)
    if path is None or (muxing.codec == "hevc_b" and path.suffix == ".flv"):  # FFmpeg itself decodes it two ways
        return "not made by FFmpeg"
    with mock.patch.object(index_cache, "cache_folder", return_value=folder / "index"):
        if rng.random() < 0.5:
            return check_file(path)
        _change_bytes(path, rng)
        return _read(path)


def _muxing(rng: random.Random) -> Muxing:
    containers = sorted(CONTAINERS)
    copies = tuple(rng.choices(containers, k=rng.choice((0, 0, 1, 1, 2))))
    codec = rng.choice(sorted(CODECS))
    container = rng.choice(containers)
    tells = codec in TELLING_CODECS and (container, *copies)[-1] in TELLING_CONTAINERS
    is_cut, is_damaged = rng.random() < 0.2, tells and rng.random() < 0.4
    return Muxing(
        codec,
        container,
        copies,
        first_packet=rng.randrange(1, 25) if copies and codec not in SILENT and rng.random() < 0.3 else 0,
        share=rng.uniform(0.2, 1) if is_cut else 1.0,
        joined=rng.random() < 0.2,
        damaged=tuple(rng.randrange(1, 48) for _ in range(rng.randint(1, 3))) if is_damaged else (),
    )


def _change_bytes(path: Path, rng: random.Random) -> None:
    """Overwrite, drop, repeat or insert some bytes."""
    content = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(content) + 1)
        n = min(int(rng.expovariate(1 / 40)) + 1, len(content))
        what = rng.choice(("overwrite", "drop", "repeat", "insert", "zero"))
        if what == "drop":
            del content[at : at + n]
        elif what == "repeat":
            content[at:at] = content[at : at + n]
        elif what == "insert":
            content[at:at] = rng.randbytes(n)
        else:
            end = min(at + n, len(content))
            content[at:end] = rng.randbytes(end - at) if what == "overwrite" else bytes(end - at)
    path.write_bytes(content)


def _read(path: Path) -> str:
    """Check a file, and read all of it in every order; there is no telling what its frames should show."""
    try:
        verify(path, load_or_build(path))
        read_every_way(path)
        return "read"
    except AlPoseError as error:
        if path.name not in error.message:
            raise AssertionError("the message does not name the file") from error
        return "named message"
