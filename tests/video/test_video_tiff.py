"""A TIFF stack as a video: every kind of page, damaged files, bounded memory, and a project of one."""

from __future__ import annotations

import gc
import os
import pickle
import sys

import numpy as np
import psutil
import pytest
import tifffile
from numbered_videos import HEIGHT, WIDTH, draw_number, read_number
from PIL import Image

from napari_al_pose.domain import AlPoseError
from napari_al_pose.project import create_project, open_project
from napari_al_pose.video import TiffStack, lazy_array, open_source
from napari_al_pose.video.pixels import placeholder

N = 14
PICTURES = np.stack([draw_number(i) for i in range(N)])
GREY = PICTURES[..., 0]


def write(path, pictures, **options):
    tifffile.imwrite(path, pictures, **options)
    return path


def write_by_pillow(path, pictures, **options):
    first, *rest = [Image.fromarray(picture) for picture in pictures]
    first.save(path, save_all=True, append_images=rest, **options)
    return path


KINDS = {
    "grey": lambda path: write(path, GREY),
    "rgb": lambda path: write(path, PICTURES, photometric="rgb"),
    "alpha": lambda path: write(
        path, np.concatenate([PICTURES, GREY[..., None]], -1), photometric="rgb", extrasamples=["unassalpha"]
    ),
    "planes": lambda path: write(path, PICTURES.swapaxes(2, 3).swapaxes(1, 2), photometric="rgb", planarconfig=2),
    "12 bits": lambda path: write(path, GREY.astype(np.uint16) * 16),
    "16 bits": lambda path: write(path, GREY.astype(np.uint16) * 257, byteorder=">"),
    "rgb 16 bits": lambda path: write(path, PICTURES.astype(np.uint16) * 257, photometric="rgb"),
    "float": lambda path: write(path, GREY.astype(np.float32) / 255),
    "deflated": lambda path: write(path, GREY, compression="deflate"),
    "lzw": lambda path: write_by_pillow(path, PICTURES, compression="tiff_lzw"),
    "lzw 16 bits": lambda path: write(path, PICTURES.astype(np.uint16) * 257, photometric="rgb", compression="lzw"),
    "zstandard": lambda path: write(path, PICTURES, photometric="rgb", compression="zstd", predictor=True),
    "jpeg 2000": lambda path: write(path, GREY, compression="jpeg2000"),
    "jpeg": lambda path: write_by_pillow(path, PICTURES, compression="jpeg", quality=95),
    "imagej": lambda path: write(path, GREY, imagej=True),
    "hyperstack": lambda path: write(path, GREY.reshape(7, 2, HEIGHT, WIDTH), imagej=True, metadata={"axes": "TZYX"}),
    "ome": lambda path: write(path, GREY, ome=True),
    "tiles": lambda path: write(path, GREY, tile=(32, 32)),
    "white is zero": lambda path: write(path, 255 - GREY, photometric="miniswhite"),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def test_every_page_of_every_kind(kind, tmp_path):
    with open_source(KINDS[kind](tmp_path / "cage1.tif")) as stack:
        assert isinstance(stack, TiffStack)
        assert (stack.name, stack.shape, stack.notice) == ("cage1", (N, HEIGHT, WIDTH, 3), "")
        for i in (N - 1, 0, 7, 6, *range(N)):
            assert read_number(stack[i]) == i
        if kind not in ("12 bits", "float", "jpeg"):
            in_colour = kind in ("rgb", "alpha", "planes", "lzw", "rgb 16 bits", "lzw 16 bits", "zstandard")
            expected = PICTURES[5] if in_colour else GREY[5][..., None].repeat(3, -1)
            assert abs(stack[5].astype(int) - expected).max() <= 0


def test_it_behaves_as_a_video(tmp_path):
    path = write(tmp_path / "cage1.tiff", GREY)
    with open_source(path, name="v") as stack:
        assert (len(stack), stack.number(3), stack.position(3), stack.fps) == (N, 3, 3, 30.0)
        with pytest.raises(KeyError):
            stack.position(N)
        np.testing.assert_array_equal(lazy_array(stack)[2:9:3].compute(), stack[2:9:3])
        stack.prefetch([4])
        while not stack.cached(4):
            pass
        with pickle.loads(pickle.dumps(stack)) as copy:
            assert (copy.name, read_number(copy[4])) == ("v", 4)


def test_a_single_picture(tmp_path):
    with open_source(write(tmp_path / "one.tif", GREY[3])) as stack:
        assert len(stack) == 1
        assert read_number(stack[0]) == 3


def test_pages_of_another_size_are_passed_over(tmp_path):
    with tifffile.TiffWriter(tmp_path / "mixed.tif") as writer:
        for picture in (GREY[0], GREY[1], GREY[2][:20]):
            writer.write(picture, contiguous=False)
    with open_source(tmp_path / "mixed.tif") as stack:
        assert len(stack) == 2
        assert read_number(stack[1]) == 1
        assert "1 pages of another size" in stack.notice


def test_a_damaged_page(tmp_path):
    path = write(tmp_path / "torn.tif", GREY, compression="deflate")
    with tifffile.TiffFile(path) as file:
        page = file.pages[6]
        offset, size = page.dataoffsets[0], page.databytecounts[0]
    content = bytearray(path.read_bytes())
    content[offset : offset + size] = b"\xff" * size
    path.write_bytes(content)
    with open_source(path) as stack:
        np.testing.assert_array_equal(stack[6], placeholder(HEIGHT, WIDTH))
        assert read_number(stack[7]) == 7
        assert "the first is page 6" in stack.notice


@pytest.mark.parametrize("content", [b"", b"II*\x00 and then nothing"], ids=["empty", "cut"])
def test_no_tiff(tmp_path, content):
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(AlPoseError, match=r"a\.tif"):
        open_source(tmp_path / "a.tif")
    with pytest.raises(AlPoseError, match=r"b\.tif.*no such file"):
        open_source(tmp_path / "b.tif")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts open files through /proc")
@pytest.mark.parametrize("kind", ["grey", "rgb", "lzw"])
def test_a_closed_stack_leaves_nothing_open(tmp_path, kind):
    before = len(os.listdir("/proc/self/fd"))
    stack = open_source(KINDS[kind](tmp_path / "a.tif"))
    stack[3]
    stack.close()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_memory_is_bounded_by_the_cache(tmp_path):
    pages = np.zeros((400, 480, 640), np.uint8)
    path = write(tmp_path / "long.tif", pages, compression="deflate")
    del pages
    with open_source(path, cache_bytes=8 * 2**20) as stack:
        stack[0]
        before = psutil.Process().memory_info().rss
        for i in range(len(stack)):
            stack[i]
        assert psutil.Process().memory_info().rss - before < 64 * 2**20
        assert stack._cache.n_bytes <= 8 * 2**20


def test_a_project_of_a_stack(tmp_path):
    path = write(tmp_path / "cage1.tif", GREY)
    config = create_project(tmp_path, task="stack", scorer="me", bodyparts=["snout"], videos=[path])
    with open_project(config) as project:
        (video,) = project.videos
        assert (video.name, video.has_video) == ("cage1", True)
        with video.open() as source:
            assert read_number(source[11]) == 11


DARK = np.zeros_like(GREY)
TWO_CHANNELS = {
    "imagej": lambda path: write(path, np.stack([GREY, DARK], 1), imagej=True, metadata={"axes": "TCYX"}),
    "ome": lambda path: write(path, np.stack([GREY, DARK], 0), ome=True, metadata={"axes": "CTYX"}),
    "samples": lambda path: write(path, np.stack([GREY, DARK], -1), extrasamples=["unspecified"]),
}


@pytest.mark.parametrize("how", TWO_CHANNELS)
def test_two_channels_are_one_frame(how, tmp_path):
    with open_source(TWO_CHANNELS[how](tmp_path / "two.tif")) as stack:
        assert len(stack) == N
        assert "2 channels are shown as red and green" in stack.notice
        for i in (N - 1, 0, 6):
            np.testing.assert_array_equal(stack[i][..., 0], GREY[i])
            assert not stack[i][..., 1:].any()


def test_more_channels_than_colours_are_said(tmp_path):
    path = write(tmp_path / "four.tif", np.stack([GREY] * 4, 1), imagej=True, metadata={"axes": "TCYX"})
    with open_source(path) as stack:
        assert len(stack) == N
        assert "4 channels are shown as red, green and blue, 1 more are left out" in stack.notice
        assert read_number(stack[5]) == 5


def test_a_film_saved_as_channels_is_a_film(tmp_path):
    with open_source(write(tmp_path / "film.tif", GREY, imagej=True, metadata={"axes": "CYX"})) as stack:
        assert [read_number(frame) for frame in stack] == list(range(N))
        assert stack.notice == ""


def test_pages_without_values(tmp_path):
    pages = GREY.astype(np.float32)
    pages[[0, 3]] = np.nan
    pages[5, 40:] = np.inf
    with open_source(write(tmp_path / "nan.tif", pages)) as stack:
        assert [read_number(stack[i]) for i in (1, 2, 13)] == [1, 2, 13]
        np.testing.assert_array_equal(stack[0], placeholder(HEIGHT, WIDTH))
        assert stack.is_damaged(0)
        assert not stack.is_damaged(1)
        assert stack[5].shape == (HEIGHT, WIDTH, 3)
        assert "the first is page 0 (it holds no values)" in stack.notice


@pytest.mark.parametrize("share", [0.3, 0.72])
@pytest.mark.parametrize("how", ["imagej", "imagej channels", "tifffile"])
def test_a_block_that_is_cut_off(tmp_path, share, how):
    pages = np.stack([GREY, DARK], 1) if how == "imagej channels" else GREY
    options = {"metadata": {"axes": "TYX"}} if how == "tifffile" else {"imagej": True}
    path = write(tmp_path / "cut.tif", pages, **options | ({"metadata": {"axes": "TCYX"}} if pages.ndim == 4 else {}))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with open_source(path) as stack:
        assert 3 < len(stack) < N
        assert f"{len(stack)} of {N} pages are there" in stack.notice
        for i in range(len(stack)):
            np.testing.assert_array_equal(stack[i][..., 0], GREY[i])


def test_a_block_of_which_nothing_is_left(tmp_path):
    path = write(tmp_path / "cut.tif", GREY, imagej=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size - GREY.nbytes + 100])
    with pytest.raises(AlPoseError, match=r"cut\.tif"):
        open_source(path)
