"""What a video lacks: packets that its header promises, parts of packets, frames that did not come out of packets."""

from __future__ import annotations

import av
import numpy as np
from numpy.typing import NDArray

from napari_al_pose.video.damage import ranges
from napari_al_pose.video.index import UNKNOWN_FPS
from napari_al_pose.video.packets import UNTIMED, StoredPackets

_CUT_SHARE = 0.98
"""A file with less than this share of what the container promises, and more than `_CUT_FRAMES` short, is cut off."""
_CUT_FRAMES = 3
_LOST_MOST, _LOST_SHARE = 8, 0.02
"""Largest number of packets, and share of a file's, that count as lost because no frame came from them."""
SKIPPED_BYTES = 12
"""Packets of so few bytes may hold no frame."""
_NEAR_JOINT = 4
"""Packets before a joint that a demultiplexer may take for torn."""


def promised_frames(container: av.container.InputContainer, stream: av.VideoStream, packets: StoredPackets) -> float:
    """Return how many packets the container's header promises; if it does not say, the number there is.

    Containers that only state a duration state that of the longest stream, so sound must not be among them. Containers
    without a header estimate it from what is there. AVI counts frames that the recorder dropped.
    """
    n_packets = len(packets)
    if stream.frames and container.format.name == "avi":
        stamps = packets.dts[packets.dts != UNTIMED]
        step = max(int(np.median(np.diff(stamps))), 1) if len(stamps) > 1 else 1
        n_empty = sum(not entry.size for entry in stream.index_entries if entry.timestamp > stamps.max(initial=0))
        return n_packets + max(stream.frames - n_empty - int(stamps.max(initial=0)) - step, 0) / step
    if stream.frames:
        return float(stream.frames)
    if container.format.name in ("mpegts", "mpeg") or not container.duration or len(container.streams) > 1:
        return float(n_packets)
    if not packets.all_timed or packets.times_restart:
        return float(n_packets)
    missing = container.duration / av.time_base - float(int(packets.pts.max()) * (stream.time_base or 0))
    return n_packets + missing * float(stream.average_rate or UNKNOWN_FPS) - 1


def cut_notice(packets: StoredPackets, *, n_frames: int, promised: float) -> str:
    """Say that a file is cut off, for the user; "" if it is not."""
    if packets.broke:
        return packets.broke
    if len(packets) < promised * _CUT_SHARE and promised - len(packets) > _CUT_FRAMES:
        return (
            f"it ends at frame {n_frames - 1}: the file is cut off "
            f"(its header promises about {promised:.0f} frames, {n_frames} are there)"
        )
    return ""


def torn_packets(packets: StoredPackets, order: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the ranks of torn packets of frames, except those right before times start again: they only look torn."""
    before_joints = np.flatnonzero(packets.begins_again)[:, None] - np.arange(1, _NEAR_JOINT)
    torn = np.setdiff1d(np.flatnonzero(packets.is_torn), before_joints)
    return np.intersect1d(torn, order).astype(np.int32)


def lost_packets(packets: StoredPackets, order: list[int], *, n_failed: int) -> NDArray[np.int32]:
    """Return the packets from which no frame came although one should have.

    None comes from packets before the first frame, from those that need what is before it, and from a few bytes that
    repeat a frame. Where many packets have none and the decoder does not complain, they are parts of frames, such as
    fields.
    """
    is_lost = ~packets.is_hidden & (packets.sizes > SKIPPED_BYTES)
    is_lost[order] = False
    is_lost[: max(order[:2])] = is_lost[max(order) :] = False
    # What is stored after a keyframe and shown before it can't be decoded where that keyframe is the first of a piece.
    last_key = np.maximum.accumulate(np.where(packets.is_key, np.arange(len(packets)), 0))
    is_lost &= packets.pts >= packets.pts[last_key]
    lost = np.flatnonzero(is_lost).astype(np.int32)
    return lost if len(lost) <= max(_LOST_MOST, _LOST_SHARE * len(packets), 2 * n_failed) else lost[:0]


def what_is_lost(order: list[int], lost: NDArray[np.int32], *, is_cut: bool) -> str:
    """Say near which frames packets are lost, and whether the last are."""
    told = []
    if len(lost):
        near = np.unique(np.searchsorted(np.maximum.accumulate(order), lost))
        told.append(f"near frame {ranges(near)}, data that does not decode has no frame number")
    if is_cut:
        told.append(f"it ends at frame {len(order) - 1}: the file is cut off, what follows does not decode")
    return "; ".join(told)
