"""Which packets of H.264 are left out on the way to another frame."""

from __future__ import annotations

import av
import pytest
from numbered_videos import Recipe

from napari_al_pose.video.references import H264References

B = {"bf": "3", "b_strategy": "0", "x264-params": "b-pyramid=none"}


@pytest.mark.parametrize("file", ["references.mp4", "references.ts", "references.avi"])
def test_only_b_frames_are_not_needed(written, file):
    with av.open(str(written(Recipe(file, "libx264", B, n_frames=40)))) as container:
        stream = container.streams.video[0]
        references = H264References(stream.codec_context.extradata)
        packets = [packet for packet in container.demux(stream) if packet.size]
        needed = [references.is_needed(packet) for packet in packets]
        codec = stream.codec_context
        kinds = {}
        for rank, packet in enumerate(packets):
            packet.pts = rank
            kinds |= {frame.pts: frame.pict_type for frame in codec.decode(packet)}
        kinds |= {frame.pts: frame.pict_type for frame in codec.decode(None)}
    is_b = [kinds[rank] == av.video.frame.PictureType.B for rank in range(len(packets))]
    assert sum(is_b) > 15
    assert needed == [not b for b in is_b]


@pytest.mark.parametrize("content", [b"", b"\x00", b"\x00\x00\x01", b"\xff" * 40, b"\x00\x00\x00\x01\x09\x10"])
@pytest.mark.parametrize("extradata", [None, b"", b"\x01\x64\x00\x1e\xff", b"\x00\x00\x01\x67"])
def test_what_can_not_be_told_is_needed(content, extradata):
    packet = av.Packet(content) if content else av.Packet(0)
    assert H264References(extradata).is_needed(packet)
