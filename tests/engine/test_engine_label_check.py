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

SETTINGS = LoopSettings(pool_size=20, batch_size=4, train=TrainSettings(steps=90, long_side=192, batch_size=4))
WRONG_FRAME, WRONG_BY = 37, np.array([90.0, 60.0])


def run(generator):
    replies = []
    result = finish(generator, replies.append)
    return replies, result


def _wrong(checked):
    """The check of the frame with the wrong label; a short training doubts a few right ones too."""
    (found,) = [check for check in checked.checks if check.key.frame == WRONG_FRAME]
    assert len(checked.checks) < 8
    return found


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
    loop = ActiveLearningLoop(project.root, device="cpu")
    run(loop.train(project))
    progress, checked = run(loop.check_labels(project))
    assert isinstance(checked, Checked)
    wrong = _wrong(checked)
    assert wrong.bodypart == project.skeleton.bodyparts[0]
    assert wrong.distance == pytest.approx(np.hypot(*WRONG_BY), rel=0.5)
    assert any(isinstance(reply, Progress) and reply.total > 0 for reply in progress)
    assert project.checks.load() == checked.checks

    # What models said of unseen frames is kept: the second time nothing is trained.
    again, checked = run(loop.check_labels(project))
    assert _wrong(checked) == wrong
    assert len(again) < len(progress) / 2

    # Found right by the user: not listed again, unless it is moved.
    project.checks.find_right(wrong)
    _, checked = run(loop.check_labels(project))
    assert wrong not in checked.checks
    project.labels.place(wrong.key, wrong.bodypart, wrong.x + 5, wrong.y)
    _, checked = run(loop.check_labels(project))
    assert (_wrong(checked).x, _wrong(checked).y) == (wrong.x + 5, wrong.y)
    loop.close()


def test_before_the_first_model_there_is_nothing_to_check(project):
    loop = ActiveLearningLoop(project.root, device="cpu", threads=1)
    assert run(loop.check_labels(project))[1].checks == ()
    loop.close()
