"""A label that is wrong on purpose: the real engine process finds it after a training, and the panel lists it."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from session_tools import of_session

from napari_al_pose.domain import FrameKey, FrameRole
from napari_al_pose.domain.settings import LoopSettings, TrainSettings
from napari_al_pose.gui.panels.label_checks import LabelCheckPanel
from napari_al_pose.gui.state.session import new_session
from napari_al_pose.gui.theme import theme_colours
from napari_al_pose.project import open_project
from napari_al_pose.samples import ground_truth

pytestmark = [pytest.mark.gui, pytest.mark.slow]

LONG = 600_000
QUICK = LoopSettings(
    strategy="uniform",
    batch_size=4,
    train_after=0,
    holdout_share=0.2,
    pool_size=20,
    train=TrainSettings(steps=90, long_side=192, batch_size=4),
)
WRONG_FRAME, WRONG_BY = 37, (90.0, 60.0)


@pytest.fixture
def mislabelled(sample_copy):
    """Sixteen labelled frames of one video, three of them held out, one bodypart of one frame far off."""
    with open_project(sample_copy) as project:
        project.save_settings(QUICK)
        video = project.videos[0].name
        xy, visible = ground_truth(sample_copy.parent)[video]
        for number in range(2, 114, 7):
            key = FrameKey(video, number)
            for part, name in enumerate(project.skeleton.bodyparts):
                dx, dy = WRONG_BY if (number, part) == (WRONG_FRAME, 0) else (0.0, 0.0)
                if visible[number, part]:
                    project.labels.place(key, name, xy[number, part, 0] + dx, xy[number, part, 1] + dy)
                else:
                    project.labels.mark_not_visible(key, name)
            if number >= 93:
                project.labels.roles.set(key, FrameRole.HOLDOUT)
        return FrameKey(video, WRONG_FRAME), sample_copy


def test_a_wrong_label_is_listed_after_a_training(mislabelled, window, qtbot):
    wrong, config = mislabelled
    session = new_session()
    errors = []
    session.notices.raised.connect(lambda message, hint, is_error: errors.append(message) if is_error else None)
    panel = of_session(LabelCheckPanel, session, colours=theme_colours("dark"), parent=window)
    window.show()
    try:
        session.projects.open_project(config)
        qtbot.waitUntil(
            lambda: session.frame.source is not None and session.learning.engine_state == "ready", timeout=LONG
        )
        assert panel.rows == ()
        session.learning.train()
        qtbot.waitUntil(lambda: bool(panel.rows), timeout=LONG)
        titles = [row.title for row in panel.rows]  # a short training may doubt a few right labels too
        index = panel.list.model().index(titles.index(f"{wrong.video}, frame {wrong.frame}"), 0)
        panel.list.scrollTo(index)
        at = panel.list.visualRect(index).center()
        qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=at)
        assert (session.frame.key, session.frame.bodypart) == (wrong, session.frame.bodyparts[0])
        xy, _visible = ground_truth(config.parent)[wrong.video]
        qtbot.waitUntil(panel.take.isEnabled, timeout=LONG)
        qtbot.mouseClick(panel.take, Qt.MouseButton.LeftButton)
        moved = session.projects.project.labels.annotation(wrong).xy[0]
        assert np.hypot(*(moved - xy[WRONG_FRAME, 0])) < np.hypot(*WRONG_BY) / 2, "the model's point is nearer"
        assert session.learning.engine_state in ("ready", "working")
        assert not errors
    finally:
        session.close()
