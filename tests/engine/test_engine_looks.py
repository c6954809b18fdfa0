"""What is stored of a whole video of several animals: poses, and the colours that they have in the frames."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from napari_al_pose.domain.settings import TrainSettings
from napari_al_pose.engine.whole_videos import _predict_batch
from napari_al_pose.pose import PoseModel
from napari_al_pose.pose.animals import Animals
from napari_al_pose.pose.network import PoseNetwork
from napari_al_pose.pose.window import Window


def test_colours_are_those_of_the_pixels_under_the_keypoints():
    network = PoseNetwork("efficientnet_lite0", 3, pretrained=True, several=True).eval()
    network.scoremaps.bias.data.zero_()  # an untrained network that believes in something
    model = PoseModel(
        network,
        bodyparts=("a", "b", "c"),
        settings=TrainSettings(device="cpu"),
        long_side=128,
        window=Window(64, 96),
        animals=Animals(2, always=True),
    )
    columns = np.linspace(20, 230, 128).astype(np.uint8)
    frames = np.zeros((2, 96, 128, 3), np.uint8)
    frames[..., 0], frames[..., 1] = columns, 77
    batch = SimpleNamespace(frames=frames, decoded=np.array([True, False]))
    rows = _predict_batch(model, batch, SimpleNamespace(shape=(2, 96, 128, 3)))
    assert rows.shape == (2, 2 * 3 + 2 * (3 + 1), 3)
    assert np.isnan(rows[1, :, :2]).all()
    poses, looks = rows[0, :6].reshape(2, 3, 3), rows[0, 6:].reshape(2, 4, 3)
    x = poses[..., 0]
    seen = np.isfinite(looks[:, :3, 0]) & (x > 1) & (x < 126)
    assert seen.any()
    np.testing.assert_allclose(looks[:, :3, 0][seen], np.interp(x, np.arange(128), columns)[seen], atol=4)
    assert (looks[:, :3, 1][seen] == 77).all()
    np.testing.assert_array_equal(looks[:, 3, :2], poses[:, 0, :2])
