"""A wrong label is found by models that did not learn from it: real trainings on the sample."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.domain import FrameKey, FrameRole
from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.domain.steps import finish
from napari_al_pose.engine.loop import ActiveLearningLoop
from napari_al_pose.engine.messages import Checked, Progress
from napari_al_pose.project import open_project
from napari_al_pose.samples import ground_truth

pytestmark = pytest.mark.slow

SETTINGS = LoopSettings(pool_size=20, batch_size=4, train=TrainSettings(steps=60, long_side=192, batch_size=4))
WRONG_FRAME, WRONG_BY = 37, np.array([90.0, 60.0])


def run(generator):
    replies = []
    result = finish(generator, replies.append)
    return replies, result


@pytest.fixture
def project(sample_copy):
    """Sixteen labelled frames of one video, three of them held out, one bodypart of one frame far off."""
    with open_project(sample_copy) as project:
        project.save_settings(SETTINGS)
        video = project.videos[0].name
        xy, visible = ground_truth(sample_copy.parent)[video]
        for i in range(16):
            key = FrameKey(video, 2 + 7 * i)
            for part, name in enumerate(project.skeleton.bodyparts):
                x, y = xy[key.frame, part] + (WRONG_BY if (key.frame, part) == (WRONG_FRAME, 0) else 0)
                if visible[key.frame, part]:
                    project.labels.place(key, name, float(x), float(y))
                else:
                    project.labels.mark_not_visible(key, name)
            if i >= 13:
                project.labels.roles.set(key, FrameRole.HOLDOUT)
        yield project


def test_a_wrong_label_is_found_kept_and_not_asked_about_twice(project):
    loop = ActiveLearningLoop(project.root, device="cpu", threads=2)
    run(loop.train(project))
    progress, checked = run(loop.check_labels(project))
    assert isinstance(checked, Checked)
    first = checked.checks[0]
    assert (first.key.frame, first.bodypart) == (WRONG_FRAME, project.skeleton.bodyparts[0])
    assert first.distance == pytest.approx(np.hypot(*WRONG_BY), rel=0.5)
    assert any(isinstance(reply, Progress) and reply.total > 0 for reply in progress)
    assert project.checks.load() == checked.checks

    # What models said of unseen frames is kept: the second time nothing is trained.
    again, checked = run(loop.check_labels(project))
    assert checked.checks[0] == first
    assert len(again) < len(progress) / 2

    # Found right by the user: not listed again, unless it is moved.
    project.checks.find_right(first)
    _, checked = run(loop.check_labels(project))
    assert first not in checked.checks
    project.labels.place(first.key, first.bodypart, first.x + 5, first.y)
    _, checked = run(loop.check_labels(project))
    assert (checked.checks[0].key, checked.checks[0].bodypart) == (first.key, first.bodypart)
    loop.close()


def test_before_the_first_model_there_is_nothing_to_check(project):
    loop = ActiveLearningLoop(project.root, device="cpu", threads=1)
    assert run(loop.check_labels(project))[1].checks == ()
    loop.close()
