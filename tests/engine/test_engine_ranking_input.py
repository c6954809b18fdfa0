"""What a ranking knows of the labels: where the model was wrong before it saw them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.acquisition.reliability import animal_size
from napari_al_pose.domain import FrameKey
from napari_al_pose.engine.ranking_input import ProjectLabels
from napari_al_pose.project import open_project


def test_the_last_model_that_had_not_seen_a_label_says_how_wrong_it_was(sample_copy):
    with open_project(sample_copy) as project:
        video, parts = project.videos[0].name, project.skeleton.bodyparts
        first, second, third = (FrameKey(video, frame) for frame in (3, 40, 77))
        pose = np.stack([np.arange(len(parts)) * 10.0, np.zeros(len(parts))], axis=1)
        for key in (first, second, third):
            project.labels.place_many(key, dict(zip(parts, pose.tolist(), strict=True)))
        size = animal_size(pose[None])
        wrong = pose.copy()
        wrong[-1, 1] += 0.5 * size
        sure = np.ones((2, len(parts)))
        for version, poses in ((1, [wrong, wrong]), (2, [pose, wrong])):
            with project.models.new_folder() as folder:
                (folder / "model.pt").write_bytes(b"")
            # The first frame was labelled after version 1, and version 2 has learnt from it.
            keys = [first, second] if version == 1 else [FrameKey(video, 200), second]
            project.predictions.save(version, keys, np.stack(poses), sure)
        found = ProjectLabels(project).errors_before([second, first, third])
    assert found[:2] == pytest.approx([0.5, 0.5])
    assert np.isnan(found[2])
