"""Determines which frame of a video has which number.

Most containers give the order in which frames are shown: each packet has a time, and frames come out of the decoder in
the order of those times. Then reading the packets is enough. Others don't: AVI has no times, a copy from AVI to MP4
inherits that, and joined recordings start again at 0. If in doubt, the file is decoded once from its start, and frames
are numbered as they come out.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from napari_al_pose.domain import AlPoseError
from napari_al_pose.video.container import open_container, video_stream
from napari_al_pose.video.damage import Damage
from napari_al_pose.video.decoder import FrameDecoder, SupersededError
from napari_al_pose.video.index import UNKNOWN_FPS, PacketIndex
from napari_al_pose.video.lost_packets import (
    SKIPPED_BYTES,
    cut_notice,
    lost_packets,
    promised_frames,
    torn_packets,
    what_is_lost,
)
from napari_al_pose.video.packets import (
    OpeningCancelledError,
    Progress,
    StoredPackets,
    is_told_by_header,
    read_packets,
)
from napari_al_pose.video.pixels import RgbConverter, digest
from napari_al_pose.video.reference_decode import reference_frames
from napari_al_pose.video.seeking import OutOfStepError, PacketSource

logger = logging.getLogger(__name__)

_INTRA_ONLY, _REORDER = 1, 8
"""FFmpeg's AV_CODEC_PROP_INTRA_ONLY and AV_CODEC_PROP_REORDER; PyAV's enumeration fails on bits that it lacks."""
_HEADER_FIRST = "mov,mp4,m4a,3gp,3g2,mj2"
"""FFmpeg's name of the containers whose header lists the packets."""
_MAY_SKIP = ("mpeg4", "msmpeg4", "h263", "flv")
"""Decoders (by the start of their names) for which a packet of a few bytes means that there is no new frame."""
_FEW = 4
"""Frames that a cut file may lack."""
_HEAD = 24
"""Frames decoded at the start of a file whose times seem to give the order."""
_REPORT_EVERY = 64
_PROBED_ENTRIES, _PROBED_FRAMES = 6, 6
"""Keyframes to which seeks are tested if times are unreliable, and compared frames after each."""
_NONE = np.empty(0, np.int32)


@dataclass(frozen=True, slots=True)
class _StreamFacts:
    """What the container and the decoder say about the stream as a whole."""

    codec: str
    container: str
    may_reorder: bool
    reorder_depth: int
    time_base: Fraction
    rate: Fraction | None
    promised: float


class _DecodedOrder(NamedTuple):
    """What decoding told about the order."""

    order: NDArray[np.int32]
    """The packets' ranks as frames come out."""
    reorder_depth: int
    """Number of frames that the decoder holds back."""
    seen: dict[int, bytes]
    """Digests, by position, of some frames after some keyframes, to test seeks on."""
    packets: StoredPackets
    """Only those remain keyframes that the decoder calls so."""
    lost: NDArray[np.int32]
    """Packets from which no frame came although one should have."""
    notice: str
    """Which frames got no number, for the user; "" if none is known to be lost."""


def build_index(
    path: Path,
    *,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    by_decoding: bool = False,
) -> PacketIndex:
    """Read all packets of the video stream and determine the order of its frames.

    Parameters
    ----------
    path : Path
        The video.
    progress : callable, optional
        Called with ``(done, total)`` now and then.
    cancelled : callable, optional
        Called now and then.
    by_decoding : bool
        Number frames by decoding the file, even if its times seem to give the order.

    Raises
    ------
    AlPoseError
        If the file is missing or can't be reached, is not a video, or has no frame that decodes.
    OpeningCancelledError
        ``cancelled()`` returned True.
    """
    with open_container(path) as container:
        stream = video_stream(container, path)
        packets = read_packets(container, stream, path, progress=progress, cancelled=cancelled)
        if not len(packets):
            raise AlPoseError(f"Expected video frames in {path}, got none.", "Check that the recording is complete.")
        facts = _facts(container, stream, packets)
        lists_all = container.format.name == _HEADER_FIRST and stream.frames == len(packets)
    doubt = "its times are known to mislead" if by_decoding else _doubt(packets, facts)
    order = None if doubt else _order_by_times(path, packets, cancelled=cancelled)
    found = _DecodedOrder(_NONE if order is None else order, facts.reorder_depth, {}, packets, _NONE, "")
    if counted := order is None:
        logger.info(
            "%s is decoded once to number its frames: %s", path, doubt or "its first frames are not what it says"
        )
        found = _order_by_decoding(path, packets, progress=progress, cancelled=cancelled)
    order, packets = found.order, found.packets
    times, fps = _times(packets, order, facts)
    entries, ranks = _entries(packets, order, by_place=packets.times_restart)
    index = PacketIndex(
        times=times,
        order=order,
        pts=packets.pts,
        sizes=packets.sizes,
        entries=entries,
        entry_ranks=ranks,
        entry_dts=packets.dts[ranks],
        entry_places=packets.places[ranks],
        time_base=facts.time_base if packets.all_timed else 1 / _rate(facts),
        fps=fps,
        torn=np.union1d(torn_packets(packets, order), found.lost),
        notice=cut_notice(packets, n_frames=len(order), promised=facts.promised) or found.notice,
        counted=counted,
        times_restart=packets.times_restart,
        reorder_depth=found.reorder_depth,
        by_header=lists_all and is_told_by_header(path, packets),
    )
    index = index if _seeks_well(path, index, found.seen, cancelled) else index.forward_only()
    if not index.notice or counted:
        return index
    index = _without_torn_end(path, index, cancelled)
    return replace(index, notice=cut_notice(packets, n_frames=len(index), promised=facts.promised) or found.notice)


# ---- whether times describe the order -------------------------------------------------------------


def _doubt(packets: StoredPackets, facts: _StreamFacts) -> str:
    """Return why the packets' times may not give the order of the frames; "" if they do."""
    if not packets.all_timed:
        return "some packets have no time"
    if facts.codec.startswith(_MAY_SKIP) and bool((packets.sizes <= SKIPPED_BYTES).any()):
        return "some packets may hold no frame"
    pts = packets.pts[~packets.is_hidden]
    ascend_as_stored = bool((np.diff(pts) > 0).all())
    if not facts.may_reorder:
        return "" if bool((np.diff(pts) >= 0).all()) else "the codec does not reorder frames, but times do"
    if len(pts) > 1 and ascend_as_stored == bool(facts.reorder_depth):
        return "times ascend as stored, but the codec reorders frames" if ascend_as_stored else "times are out of order"
    if len(np.unique(pts)) < len(pts):
        return "frames share a time"
    if packets.times_restart:
        return "times begin again"
    return ""


def _facts(container: av.container.InputContainer, stream: av.VideoStream, packets: StoredPackets) -> _StreamFacts:
    codec = stream.codec_context
    properties = int(codec.codec.properties)
    return _StreamFacts(
        codec=codec.name,
        container=container.format.name,
        may_reorder=bool(properties & _REORDER) and not properties & _INTRA_ONLY,
        reorder_depth=codec.reorder_depth,
        time_base=Fraction(stream.time_base or 0),
        rate=stream.guessed_rate or stream.average_rate,
        promised=promised_frames(container, stream, packets),
    )


# ---- the order ------------------------------------------------------------------------------------


def _order_by_times(
    path: Path, packets: StoredPackets, *, cancelled: Callable[[], bool] | None
) -> NDArray[np.int32] | None:
    """Return the ranks of the packets in the order of their times, starting with the first that decodes.

    The first frames are decoded to find out which one that is. Return None if they come in another order, or show that
    the container does not know its keyframes.
    """
    shown = np.flatnonzero(~packets.is_hidden)
    order = shown[np.argsort(packets.pts[shown], kind="stable")]
    positions = np.full(len(packets), -1, np.int64)
    positions[order] = np.arange(len(order))
    head: list[int] = []
    all_are_keys = bool(packets.is_key.all())
    for item in reference_frames(path, cancelled=cancelled):
        if item is not None and item.frame is not None:
            if all_are_keys and not item.frame.key_frame:
                return None  # AVI without its index calls every frame a keyframe
            head.append(int(positions[item.rank]))
            if len(head) == _HEAD:
                break
    if not head:
        raise _nothing_decodes(path, packets, cancelled)
    if head[0] < 0 or any(later <= earlier for earlier, later in itertools.pairwise(head)):
        return None
    return order[head[0] :].astype(np.int32)


def _order_by_decoding(
    path: Path,
    packets: StoredPackets,
    *,
    progress: Progress | None,
    cancelled: Callable[[], bool] | None,
) -> _DecodedOrder:
    """Number frames by decoding everything."""
    order: list[int] = []
    failed: list[int] = []
    seen: dict[int, bytes] = {}
    is_key = packets.is_key.copy()
    depth, n_packets = 0, 0
    keys = np.flatnonzero(packets.is_key)[1:]
    spread = np.linspace(0, len(keys) - 1, min(_PROBED_ENTRIES, len(keys))).astype(int)
    joints = np.flatnonzero(packets.begins_again)[:_PROBED_ENTRIES]
    starts = [*keys[spread].tolist(), *joints.tolist(), *(joints - _PROBED_FRAMES).tolist()]
    probed = {start + step for start in starts for step in range(_PROBED_FRAMES)}
    convert = RgbConverter()
    for item in reference_frames(path, cancelled=cancelled):
        if item is None:
            n_packets += 1
            if progress is not None and n_packets % _REPORT_EVERY == 0:
                progress(min(n_packets, len(packets)), len(packets))
        elif item.frame is None:
            failed.append(item.rank)
        elif 0 <= item.rank < len(packets):
            if item.rank in probed:
                seen[len(order)] = digest(convert(item.frame))
            order.append(item.rank)
            is_key[item.rank] &= item.frame.key_frame
            depth = max(depth, item.reorder_depth)
    if not order or (cancelled is not None and cancelled()):
        raise _nothing_decodes(path, packets, cancelled)
    packets = replace(packets, is_key=is_key)
    lost = lost_packets(packets, order, n_failed=len(failed))
    is_cut = failed[-1:] > [max(order)]
    return _DecodedOrder(
        np.array(order, np.int32), depth, seen, packets, lost, what_is_lost(order, lost, is_cut=is_cut)
    )


def _without_torn_end(path: Path, index: PacketIndex, cancelled: Callable[[], bool] | None) -> PacketIndex:
    """Leave out what does not decode at the end of a file that was cut off."""
    first = max(len(index) - _FEW, 0)
    decoder = FrameDecoder(path, index, Damage(index), threads=1, to_rgb=lambda frame: frame)
    try:
        decoded = [position for position, _ in decoder.frames(first, len(index) - 1, superseded=cancelled)]
    except SupersededError:
        raise OpeningCancelledError(f"Opening {path.name} was cancelled.") from None
    finally:
        decoder.close()
    n_frames = max(decoded, default=first - 1) + 1
    if n_frames < len(index):
        # A torn picture that comes out, but not twice the same, is a frame all the same: others count it too.
        n_frames = max(n_frames, _end_of_what_comes_out(path, index, cancelled))
    kept = slice(0, int(np.searchsorted(index.entries, n_frames)))
    if n_frames in (0, len(index)) or not kept.stop:
        return index
    return replace(
        index,
        times=index.times[:n_frames],
        order=index.order[:n_frames],
        entries=index.entries[kept],
        entry_ranks=index.entry_ranks[kept],
        entry_dts=index.entry_dts[kept],
        entry_places=index.entry_places[kept],
    )


def _end_of_what_comes_out(path: Path, index: PacketIndex, cancelled: Callable[[], bool] | None) -> int:
    """Return the number after that of the last frame that a plain decode of the file's end puts out."""
    source = PacketSource(path, index, threads=1, strict=False)
    positions: list[int] = []
    try:
        for packet in itertools.chain(source.from_entry(len(index.entries) - 1) or source.from_start(), (None,)):
            if cancelled is not None and cancelled():
                raise OpeningCancelledError(f"Opening {path.name} was cancelled.")
            with suppress(FFmpegError, EOFError):
                positions += [index.position(frame.pts or 0, after=-1) for frame in source.codec.decode(packet)]
    except OutOfStepError:
        logger.debug("the end of %s is not where it was", path)
    finally:
        source.close()
    return max(positions, default=-1) + 1


def _seeks_well(path: Path, index: PacketIndex, seen: dict[int, bytes], cancelled: Callable[[], bool] | None) -> bool:
    """Return whether seeks lead to the frames that decoding from the start gave."""
    if not seen:
        return True
    damage = Damage(index)
    decoder = FrameDecoder(path, index, damage, threads=1)
    try:
        for position in sorted(seen, reverse=True):
            for _, frame in decoder.frames(position, position, superseded=cancelled):
                if digest(frame) != seen[position] and position not in damage:
                    return False
            if damage.missing[position]:
                return False
        return True
    except SupersededError:
        raise OpeningCancelledError(f"Opening {path.name} was cancelled.") from None
    finally:
        decoder.close()


def _nothing_decodes(path: Path, packets: StoredPackets, cancelled: Callable[[], bool] | None) -> AlPoseError:
    if cancelled is not None and cancelled():
        return OpeningCancelledError(f"Opening {path.name} was cancelled.")
    return AlPoseError(
        f"Expected frames in {path}, got {len(packets)} packets of which none decodes.",
        "The file is damaged: copy it again from where it was recorded.",
    )


# ---- times and entries ----------------------------------------------------------------------------


def _times(packets: StoredPackets, order: NDArray[np.int32], facts: _StreamFacts) -> tuple[NDArray[np.int64], float]:
    """Return when frames are shown, and frames per second."""
    if not packets.all_timed:
        return np.arange(len(order), dtype=np.int64), float(_rate(facts))
    times = packets.pts[order]
    if bool((np.diff(times) < 0).any()):
        times = _ascending(times, np.cumsum(packets.begins_again, dtype=np.int64)[order])
    span = float((int(times[-1]) - int(times[0])) * facts.time_base) if len(times) > 1 else 0.0
    return times, (len(times) - 1) / span if span > 0 else float(_rate(facts))


def _ascending(times: NDArray[np.int64], pieces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sort times within each piece, and let each piece start one step after the end of the previous one."""
    ascending = np.empty_like(times)
    end = int(times[pieces == pieces[0]].min())
    for piece in dict.fromkeys(pieces.tolist()):
        within = np.sort(times[pieces == piece])
        ascending[pieces == piece] = within - within[0] + end
        step = int(np.median(np.diff(within))) if len(within) > 1 else 1
        end += int(within[-1] - within[0]) + max(step, 1)
    return np.maximum.accumulate(ascending)


def _rate(facts: _StreamFacts) -> Fraction:
    return Fraction(facts.rate) if facts.rate else Fraction(UNKNOWN_FPS)


def _entries(
    packets: StoredPackets, order: NDArray[np.int32], *, by_place: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return positions and packet ranks of the keyframes that can be recognised after a seek.

    A keyframe that shares its time with another packet (Matroska rounds to milliseconds, fast cameras don't) can't be
    recognised after a seek, so decoding can't start there. If times start again, byte offsets tell them apart.
    """
    position = np.full(len(packets), -1, np.int64)
    position[order[::-1]] = np.arange(len(order) - 1, -1, -1)
    if not by_place and packets.all_timed:
        hidden = packets.is_hidden & packets.is_key
        shown_times = np.maximum.accumulate(packets.pts[order])
        position[hidden] = np.searchsorted(shown_times, packets.pts[hidden])
    marks = packets.places if by_place or not packets.all_timed else packets.pts
    values, counts = np.unique(marks, return_counts=True)
    is_unique = (counts[np.searchsorted(values, marks)] == 1) & (marks != -1 if marks is packets.places else True)
    usable = np.flatnonzero(packets.is_key & is_unique & (position >= 0) & (position < len(order)))
    if not len(usable) or position[usable].min() > 0:
        usable = np.concatenate([[0], usable])
        position[0] = 0
    usable = usable[np.argsort(position[usable], kind="stable")]
    # Of several keyframes for one position, the last is the nearest.
    usable = usable[np.append(np.diff(position[usable]) > 0, True)]
    return position[usable], usable.astype(np.int64)
