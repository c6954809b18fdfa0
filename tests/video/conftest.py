from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from numbered_videos import Recipe, write_video

from leaks import nothing_is_left  # noqa: F401
from napari_al_pose.video import index_cache


@pytest.fixture(autouse=True)
def own_index_cache(tmp_path_factory, monkeypatch) -> Path:
    """Packet indexes of a test go to a folder of its own."""
    folder = tmp_path_factory.mktemp("index-cache")
    monkeypatch.setattr(index_cache, "cache_folder", lambda: folder)
    return folder


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> Callable[[Recipe], Path]:
    """Write a video once for the whole run; tests only read it."""
    folder = tmp_path_factory.mktemp("videos")

    def write(recipe: Recipe) -> Path:
        path = folder / recipe.file
        if not path.exists():
            if not recipe.available:
                pytest.skip(f"FFmpeg here has no encoder {recipe.codec}")
            write_video(path, recipe)
        return path

    return write
