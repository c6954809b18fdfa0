"""A camera that shows nothing but an empty cage is not asked for again and again."""

from __future__ import annotations

from collections import Counter

import av
import numpy as np
import pytest

from napari_al_pose.domain import FrameKey
from napari_al_pose.domain.steps import finish
from napari_al_pose.engine.features import FeatureCache
from napari_al_pose.engine.ranking import RankingRequest, rank
from napari_al_pose.engine.sources import Sources
from napari_al_pose.project import create_project, open_project


def film(path, *, still, n=90):
    """Code a textured scene with sensor noise, with an animal that runs through it unless it is ``still``."""
    rng = np.random.default_rng(len(path.stem))
    scene = rng.integers(60, 200, (15, 20, 3)).repeat(16, axis=0).repeat(16, axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 320, 240, "yuv420p", 2_000_000
        for i in range(n):
            frame = scene.copy()
            if not still:
                x, y = int(20 + 2.8 * i), int(110 + 70 * np.sin(i / 9))
                frame[y : y + 14, x : x + 24] = 10
            frame = (frame + rng.normal(0, 4, frame.shape)).clip(0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def project(tmp_path):
    videos = [film(tmp_path / f"{name}.mp4", still=name == "empty") for name in ("a", "bb", "ccc", "empty")]
    with open_project(create_project(tmp_path, task="t", scorer="Me", bodyparts=["nose"], videos=videos)) as made:
        made.save_settings(made.settings.model_copy(update={"pool_size": 80}))
        yield made


def test_a_still_video_is_asked_for_once(project, tmp_path):
    sources, features = Sources(), FeatureCache(tmp_path / "features.npz", device="cpu")
    opened = sources.refresh(project)
    request = RankingRequest(strategy="hybrid", size=20, seed=0, holdout_share=0.2)

    def videos_of_queue():
        ranked = finish(rank(project, opened, features, 0, request=request, model=None, version=0))
        return Counter(suggestion.key.video for suggestion in ranked.suggestions)

    found = videos_of_queue()
    assert found["empty"] == 1
    assert min(found[name] for name in ("a", "bb", "ccc")) >= 5
    project.labels.place(FrameKey("empty", 45), "nose", 5, 5)
    assert videos_of_queue()["empty"] == 0
    # What was computed is read again from the disk.
    features = FeatureCache(tmp_path / "features.npz", device="cpu")
    assert videos_of_queue()["empty"] == 0
    sources.close()
