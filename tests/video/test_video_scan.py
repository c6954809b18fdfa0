"""Scanning whole videos, and copies with the poses drawn in."""

from __future__ import annotations

import threading

import av
import numpy as np
import pytest
from numbered_videos import Recipe, read_number

from napari_al_pose.domain import AlPoseError
from napari_al_pose.video import VideoFile, open_source
from napari_al_pose.video.pose_overlay import LabelledVideoWriter, LookOfPoses, PoseDrawer
from napari_al_pose.video.scan import Scanner, scan

B_FRAMES = Recipe("scan.mp4", "libx264", {"bf": "3", "b_strategy": "0"})
WIDE = Recipe("wide.mkv", "mjpeg", size=(256, 128), n_frames=12, pixels="yuvj420p")


def test_stretches_come_whole_and_in_order(written):
    with VideoFile(written(B_FRAMES)) as video:
        frames = scan(video, [(0, 3), (3, 9), (30, 33), (58, 60)])
        assert [read_number(frame) for frame in frames] == [*range(9), 30, 31, 32, 58, 59]


def test_batches_stop_at_the_end_of_a_stretch(written):
    with VideoFile(written(B_FRAMES)) as video, Scanner(video, [(10, 15), (40, 44)], batch_size=3) as scanner:
        batches = list(scanner)
    assert [batch.first for batch in batches] == [10, 13, 40, 43]
    assert [read_number(frame) for batch in batches for frame in batch.frames] == [*range(10, 15), *range(40, 44)]
    assert all(batch.decoded.all() for batch in batches)


@pytest.mark.parametrize("size", [(64, 128), (96, 100)])
def test_frames_are_scaled_as_training_scales_them(written, size):
    torch = pytest.importorskip("torch")
    with VideoFile(written(WIDE)) as video:
        whole = torch.from_numpy(video[:4].copy()).permute(0, 3, 1, 2)
        small = np.stack(list(scan(video, [(0, 4)], size=size)))
    expected = torch.nn.functional.interpolate(whole, size, mode="bilinear", antialias=True).permute(0, 2, 3, 1)
    assert small.shape == (4, *size, 3)
    # The corner with the grey number: colours are stored at half the size, so coloured noise comes out otherwise.
    corner = (slice(None), slice(size[0] // 2), slice(size[1] // 2))
    assert abs(small[corner].astype(float) - expected[corner].numpy()).mean() < 2


def test_folders_of_images_are_scanned_too(tmp_path):
    from PIL import Image

    for number in (3, 8):
        Image.fromarray(np.full((20, 30, 3), number * 10, np.uint8)).save(tmp_path / f"img{number:03d}.png")
    with open_source(tmp_path) as source, Scanner(source, [(0, 2)], batch_size=8, size=(10, 15)) as scanner:
        (batch,) = scanner
    assert batch.frames.shape == (2, 10, 15, 3)
    assert [int(frame.mean()) for frame in batch.frames] == [30, 80]


def test_frames_that_do_not_decode_are_said(written, tmp_path):
    path = tmp_path / "damaged.mkv"
    content = bytearray(written(WIDE).read_bytes())
    with av.open(str(written(WIDE))) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        damaged = next(packet for packet in packets if packet.pts == packets[5].pts)
        start = content.find(bytes(damaged)[:64])
    content[start : start + damaged.size] = bytes(damaged.size)
    path.write_bytes(content)
    with VideoFile(path) as video, Scanner(video, [(0, 12)], batch_size=12) as scanner:
        (batch,) = scanner
    assert batch.decoded.tolist() == [i != 5 for i in range(12)]


def test_a_scan_that_is_given_up_ends_its_thread(written):
    with VideoFile(written(B_FRAMES)) as video:
        scanner = Scanner(video, [(0, 60)], batch_size=1)
        next(iter(scanner))
        scanner.close()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("scan:")]


def test_what_fails_in_the_thread_is_raised_where_the_frames_are_taken(written, tmp_path):
    path = tmp_path / "gone.mp4"
    path.write_bytes(written(B_FRAMES).read_bytes())
    video = VideoFile(path)
    path.unlink()
    with Scanner(video, [(0, 60)], batch_size=8) as scanner, pytest.raises(AlPoseError, match="no such file"):
        list(scanner)
    video.close()


# ---- drawing --------------------------------------------------------------------------------------


def draw(source, path, rows, **look):
    look = LookOfPoses(links=((0, 1),), cutoff=0.5, **{"trail": 2, **look})
    with LabelledVideoWriter(path, source, n_bodyparts=2, look=look) as writer:
        assert list(writer.draw(0, rows)) == list(range(1, len(rows) + 1))
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]


@pytest.fixture
def grey(tmp_path):
    """Six grey frames of odd size."""
    from PIL import Image

    folder = tmp_path / "grey"
    folder.mkdir()
    for number in range(6):
        Image.fromarray(np.full((151, 201, 3), 90, np.uint8)).save(folder / f"img{number}.png")
    with open_source(folder) as source:
        yield source


def test_poses_links_and_trails_are_drawn(grey, tmp_path):
    rows = np.zeros((6, 2, 3), np.float32)
    rows[:, 0] = [[20 + 30 * i, 40, 0.9] for i in range(6)]
    rows[:, 1] = [[100, 120, 0.9 if i < 3 else 0.1] for i in range(6)]
    frames = draw(grey, tmp_path / "drawn.mp4", rows)
    assert len(frames) == 6
    assert frames[0].shape == (152, 202, 3)
    red, blue = frames[2][40, 80], frames[2][120, 100]
    assert red[0] > 150 > red[2]
    assert blue[2] > 150 > blue[0]
    assert abs(frames[3][120, 100] - 90).max() < 12  # not likely enough
    assert abs(frames[2][80, 90] - 90).max() > 25  # the link, half way
    assert abs(frames[3][80, 105] - 90).max() < 12  # no link to what is not there
    assert frames[2][40, 35, 0] > 98  # the trail reaches two frames back
    assert frames[4][40, 35, 0] < 96  # and no further


def test_unique_bodyparts_have_a_colour_of_their_own_and_no_trail(grey, tmp_path):
    rows = np.zeros((6, 2, 3), np.float32)
    rows[:, 0] = [[20 + 30 * i, 40, 0.9] for i in range(6)]
    rows[:, 1] = [[20 + 30 * i, 120, 0.9] for i in range(6)]
    look = LookOfPoses(links=(), cutoff=0.5, trail=2, n_animals=1, n_unique=1)
    with LabelledVideoWriter(tmp_path / "drawn.mp4", grey, n_bodyparts=2, look=look) as writer:
        assert len(list(writer.draw(0, rows))) == 6
    with av.open(str(tmp_path / "drawn.mp4")) as container:
        frame = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)][2]
    assert frame[40, 80, 0] > 150 > frame[40, 80, 2]
    assert frame[120, 80, 0] > 150 > frame[120, 80, 2]
    assert frame[40, 35, 0] > 98
    assert frame[120, 35, 0] < 96
    several = LookOfPoses(links=(), cutoff=0.5, trail=0, n_animals=2, n_unique=2)
    pose = np.array([[20, 20, 1], [60, 20, 1], [100, 20, 1], [140, 20, 1]], np.float64)
    drawn = PoseDrawer((151, 201), 4, several).draw(np.zeros((151, 201, 3), np.uint8), pose)
    colours = [tuple(drawn[20, x].tolist()) for x in (20, 60, 100, 140)]
    assert len(set(colours[:3])) == 3
    assert colours[2] == colours[3]


def test_a_drawing_that_is_given_up_leaves_nothing(grey, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    look = LookOfPoses(links=(), cutoff=0.5, trail=0)

    def give_up():
        with LabelledVideoWriter(folder / "drawn.mp4", grey, n_bodyparts=2, look=look) as writer:
            next(writer.draw(0, np.zeros((6, 2, 3), np.float32)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        give_up()
    assert list(folder.iterdir()) == []
