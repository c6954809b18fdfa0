"""Draws the frames that a strategy ranks first and last, as one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_al_pose.domain import FrameKey, FrameSource
from napari_al_pose.domain.views.pool_map import best_and_worst
from napari_al_pose.engine.sources import read_batches
from napari_al_pose.formats.atomic import replacing

_CELL, _COLUMNS, _MARGIN, _LINE = 200, 6, 10, 18
_PAPER, _INK, _FAINT = "white", "#202020", "#6a6a6a"


def write_contact_sheet(
    path: Path,
    title: str,
    keys: Sequence[FrameKey],
    scores: NDArray[np.floating],
    sources: dict[str, FrameSource],
    *,
    n: int = 12,
) -> None:
    """Write a PNG with the ``n`` best-scored and the ``n`` worst-scored frames, each with its name and score.

    Parameters
    ----------
    path : Path
        Replaced if it exists.
    title : str
        Drawn at the top.
    keys : sequence of FrameKey, N
        The scored frames.
    scores : float array, (N,)
        Frames with NaN are left out.
    sources : dict of str to FrameSource
        By video.
    n : int
        Number of frames of each kind.

    Raises
    ------
    AlPoseError
        If a frame can't be read or the file can't be written.
    """
    best, worst = best_and_worst(keys, scores, n)
    pictures = _pictures([keys[i] for i in (*best, *worst)], sources)
    blocks = [("Labelled first", best, pictures[: len(best)]), ("Labelled last", worst, pictures[len(best) :])]
    blocks = [block for block in blocks if block[1]]
    rows = sum(math.ceil(len(rows_) / _COLUMNS) for _, rows_, _ in blocks)
    height = max((p.height for p in pictures), default=0) + 2 * _LINE + _MARGIN
    size = (_COLUMNS * (_CELL + _MARGIN) + _MARGIN, 3 * _LINE + len(blocks) * 2 * _LINE + rows * height + _MARGIN)
    sheet = Image.new("RGB", size, _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    draw.text((_MARGIN, _MARGIN), title, _INK, ImageFont.load_default(17))
    top = 3 * _LINE
    for heading, own, images in blocks:
        draw.text((_MARGIN, top), heading, _INK, font)
        top += int(1.5 * _LINE)
        for place, (index, image) in enumerate(zip(own, images, strict=True)):
            x = _MARGIN + (place % _COLUMNS) * (_CELL + _MARGIN)
            y = top + (place // _COLUMNS) * height
            sheet.paste(image, (x, y))
            key = keys[index]
            draw.text((x, y + image.height + 2), _fitting(draw, f"{key.frame}  {key.video}", font), _INK, font)
            draw.text((x, y + image.height + _LINE), f"{scores[index]:.4g}", _FAINT, font)
        top += math.ceil(len(own) / _COLUMNS) * height + _LINE // 2
    with replacing(path) as temporary:
        sheet.save(temporary, "PNG")


def _pictures(keys: Sequence[FrameKey], sources: dict[str, FrameSource]) -> list[Image.Image]:
    found: dict[int, Image.Image] = {}
    for batch in read_batches(keys, sources, batch_size=4):
        for index, frame in zip(batch.indices.tolist(), batch.frames, strict=True):
            image = Image.fromarray(frame)
            image.thumbnail((_CELL, _CELL))
            found[index] = image
    return [found[index] for index in range(len(keys))]


def _fitting(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    if draw.textlength(text, font) <= _CELL:
        return text
    while draw.textlength(text + "…", font) > _CELL:
        text = text[:-1]
    return text + "…"
