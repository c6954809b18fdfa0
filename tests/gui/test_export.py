"""The dialog *Export*: what it asks, what it tells the engine, what it says while the engine works."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QDesktopServices
from session_tools import TIMEOUT

from napari_al_pose.domain import FrameKey, Round
from napari_al_pose.domain.pose_export import ExportOptions
from napari_al_pose.engine.messages import (
    Cancelled,
    Export,
    Failed,
    Finished,
    PosesExported,
    Progress,
    Rank,
    Stop,
    Train,
    Trained,
)
from napari_al_pose.formats.lightning_pose import writing_lightning_pose
from napari_al_pose.gui.dialogs.pose_export import ExportDialog
from napari_al_pose.project.video_predictions import RunHeader

pytestmark = pytest.mark.gui


@pytest.fixture
def with_models(opened, qtbot, engine):
    """The opened session of a project with two models, the first of which has predicted a part of a video."""
    project = opened.projects.project
    for number in (1, 2):
        with project.models.new_folder() as folder:
            (folder / "model.pt").write_bytes(b"")
        trained = Round(number, 0, 10 * number, 0, "mpe", None, "2026-01-01T00:00:00+00:00", 1.0, 1)
        project.rounds.append(trained)
        engine.says(Trained(0, trained, False))
    header = RunHeader(
        video=project.videos[0].name,
        identity="",
        footage=project.videos[0].footage,
        model_version=1,
        bodyparts=("a",),
        segments=((0, 40), (40, 100)),
    )
    project.video_predictions.resume(header).finish(0)
    for ranking in engine.asked(Rank):
        engine.says(Cancelled(ranking.job))
    qtbot.waitUntil(lambda: not opened.learning.training.busy, timeout=TIMEOUT)
    return opened


def dialog_of(window):
    (found,) = [child for child in window.findChildren(ExportDialog) if child.isVisible()]
    return found


def show(actions, window, qtbot):
    actions.export()
    dialog = dialog_of(window)
    qtbot.waitUntil(lambda: dialog.knows_state, timeout=TIMEOUT)
    return dialog


def answer(engine, session, qtbot, reply):
    with qtbot.waitSignal(session.learning.exportChanged, timeout=TIMEOUT):
        engine.says(reply)


def test_labels_are_written_for_deeplabcut(actions, opened, window, qtbot):
    for name in opened.frame.bodyparts:
        opened.editor.place(name, 50.0, 60.0)
    folder = opened.projects.project.root / "labeled-data" / opened.frame.key.video
    actions.export()
    with qtbot.waitSignal(opened.notices.raised, timeout=TIMEOUT) as notice:
        dialog_of(window).labels_button.click()
    assert "labeled-data" in notice.args[0]
    assert notice.args[2] is False
    assert {path.suffix for path in folder.iterdir()} >= {".h5", ".csv", ".png"}


def test_without_a_model_it_says_what_to_do(actions, opened, window):
    actions.export()
    dialog = dialog_of(window)
    assert not dialog.predict_button.isEnabled()
    assert "press Train" in dialog.status.text()


def test_what_is_chosen_is_asked_of_the_engine(actions, with_models, window, qtbot, tmp_path, engine):
    dialog = show(actions, window, qtbot)
    names = [video.name for video in with_models.projects.project.videos]
    assert dialog.chosen_videos == names
    assert [dialog.model.itemText(i) for i in range(2)] == ["Model 2, 20 frames", "Model 1, 10 frames"]
    for i in range(1, len(names)):
        dialog.videos.item(i).setCheckState(Qt.CheckState.Unchecked)
    outside = tmp_path / "outside.mp4"
    dialog.add_files([outside])
    dialog.model.setCurrentIndex(1)
    dialog.formats["deeplabcut"].setChecked(False)
    dialog.formats["sleap"].setChecked(True)
    dialog.smoothing.setCurrentIndex(2)
    dialog.labelled_video.setChecked(True)
    dialog.cutoff.setValue(0.35)
    dialog.trail.setValue(4)
    dialog.predict_button.click()
    (request,) = engine.asked(Export)
    assert request.videos == (names[0], str(outside))
    assert request.options == ExportOptions(
        version=1, formats=("sleap",), smoothing="kalman", labelled_video=True, cutoff=0.35, trail=4
    )
    # What was chosen is chosen again the next time, but for the model: that is the newest.
    dialog.reject()
    answer(engine, with_models, qtbot, Cancelled(request.job))
    again = show(actions, window, qtbot).options
    assert again == ExportOptions(
        version=2, formats=("sleap",), smoothing="kalman", labelled_video=True, cutoff=0.35, trail=4
    )


def test_nothing_to_write_and_no_video_cannot_be_asked_for(actions, with_models, window, qtbot):
    dialog = show(actions, window, qtbot)
    assert dialog.predict_button.isEnabled()
    dialog.formats["deeplabcut"].setChecked(False)
    assert not dialog.predict_button.isEnabled()
    dialog.labelled_video.setChecked(True)
    assert dialog.predict_button.isEnabled()
    for i in range(dialog.videos.count()):
        dialog.videos.item(i).setCheckState(Qt.CheckState.Unchecked)
    assert not dialog.predict_button.isEnabled()


def test_videos_begun_before_say_so(actions, with_models, window, qtbot):
    dialog = show(actions, window, qtbot)
    assert "predicted" not in dialog.videos.item(0).text()
    dialog.model.setCurrentIndex(1)
    assert "40% predicted, continues from there" in dialog.videos.item(0).text()
    assert "predicted" not in dialog.videos.item(1).text()


def test_progress_is_shown_also_after_the_dialog_was_closed(actions, with_models, window, qtbot, monkeypatch, engine):
    dialog = show(actions, window, qtbot)
    dialog.start()
    (request,) = engine.asked(Export)
    assert dialog.stop_button.isVisible()
    assert not dialog.videos.isEnabled()
    dialog.reject()
    answer(engine, with_models, qtbot, Progress(request.job, "Predicting mouse1", 600, 2400, 90.0))
    dialog = show(actions, window, qtbot)
    assert dialog.status.text() == "Predicting mouse1, 600 of 2,400, 90 s left"
    assert dialog.bar.value() == 250
    # Another export isn't begun meanwhile, and a training isn't waited for.
    with_models.learning.export_videos(["x"], ExportOptions())
    assert len(engine.asked(Export)) == 1
    with_models.editor.place(with_models.frame.bodyparts[0], 5.0, 5.0)
    with_models.learning.train()
    qtbot.waitUntil(lambda: bool(engine.asked(Train)), timeout=TIMEOUT)
    dialog.refresh()
    assert "paused while the model trains" in dialog.status.text()
    engine.says(PosesExported(request.job, ("mouse1",), 2, ("/a/b.h5", "/a/c.slp")))
    with qtbot.assertNotEmitted(with_models.notices.raised):  # the dialog says it
        answer(engine, with_models, qtbot, Finished(request.job))
    assert not with_models.learning.export.busy
    assert with_models.learning.training.running
    assert dialog.predict_button.isVisible()
    assert "2 files written" in dialog.status.text()
    assert dialog.open_button.isVisible()
    opened_urls = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened_urls.append)
    dialog.open_button.click()
    assert [Path(url.toLocalFile()) for url in opened_urls] == [Path("/a")]


def test_what_came_of_an_export_is_told_on_the_dock_where_the_dialog_was_closed(
    actions, with_models, window, qtbot, engine
):
    told = []
    with_models.notices.raised.connect(lambda *said: told.append(said))

    def export():
        dialog = show(actions, window, qtbot)
        dialog.start()
        dialog.reject()
        return engine.asked(Export)[-1].job

    job = export()
    engine.says(PosesExported(job, ("mouse1",), 2, ("/a/b.h5",)), Finished(job))
    assert told == [(f"1 video predicted, 1 file written to {Path('/a')}.", "", False)]
    engine.says(Failed(export(), "The disk is full.", "Make room."))
    assert told[1:] == [("The disk is full. Make room.", "", True)]


def test_stopping_says_that_the_next_export_continues(actions, with_models, window, qtbot, engine):
    dialog = show(actions, window, qtbot)
    dialog.start()
    (request,) = engine.asked(Export)
    dialog.stop_button.click()
    assert engine.asked(Stop)[-1].job == request.job
    answer(engine, with_models, qtbot, Cancelled(request.job))
    assert "export again to continue" in dialog.status.text()


def test_a_failure_is_told(actions, with_models, window, qtbot, engine):
    dialog = show(actions, window, qtbot)
    dialog.start()
    (request,) = engine.asked(Export)
    answer(engine, with_models, qtbot, Failed(request.job, "The disk is full.", "Make room."))
    assert not with_models.notices.errors, "it is said in one place"
    assert dialog.status.text() == "The disk is full. Make room."
    assert dialog.predict_button.isEnabled()
    assert np.isclose(dialog.cutoff.value(), 0.6)


def test_a_long_message_squeezes_nothing(actions, with_models, window, qtbot, engine):
    dialog = show(actions, window, qtbot)
    dialog.start()
    (request,) = engine.asked(Export)
    answer(engine, with_models, qtbot, Failed(request.job, "No file can be written to /a/long/folder. " * 9, ""))
    assert dialog.status.text().startswith("No file")
    assert dialog.height() >= dialog.layout().heightForWidth(dialog.width())


# ---- what is on disk ------------------------------------------------------------------------------


def test_a_frame_that_an_export_has_reached_has_a_guess_at_once(with_models, qtbot):
    project, parts = with_models.projects.project, with_models.frame.bodyparts
    video = project.videos[0].name
    header = RunHeader(
        video=video,
        identity="",
        footage=project.videos[0].footage,
        model_version=2,
        bodyparts=parts,
        segments=((0, 40), (40, 100)),
    )
    run = project.video_predictions.resume(header)
    run.write(33, np.full((1, len(parts), 3), 0.7, np.float32))
    with_models.navigator.go_to(FrameKey(video, 33))
    qtbot.waitUntil(lambda: with_models.frame.guess is not None, timeout=TIMEOUT)
    assert with_models.frame.guess.model_version == 2
    assert np.allclose(with_models.frame.guess.likelihood, 0.7)
    with_models.navigator.go_to(FrameKey(video, 34))
    assert with_models.frame.guess is None


def test_added_predictions_are_guesses_and_rank_the_queue(opened, qtbot, tmp_path, engine):
    video, parts = opened.projects.project.videos[0].name, opened.frame.bodyparts
    path = tmp_path / f"{video}_lightning.csv"
    with writing_lightning_pose(path, bodyparts=parts) as add:
        add(np.arange(90), np.full((90, len(parts), 3), 0.4, np.float32))
    opened.navigator.go_to(FrameKey(video, 7))
    before = len(engine.asked(Rank))
    with qtbot.waitSignal(opened.notices.raised, timeout=TIMEOUT) as notice:
        opened.learning.add_predictions([path])
    assert notice.args[0] == f"Added predictions of {video}."
    qtbot.waitUntil(lambda: opened.frame.guess is not None, timeout=TIMEOUT)
    assert opened.frame.guess.model_version == 0
    assert np.allclose(opened.frame.guess.xy, 0.4)
    assert len(engine.asked(Rank)) == before + 1
    with qtbot.waitSignal(opened.notices.raised, timeout=TIMEOUT) as notice:
        opened.learning.add_predictions([tmp_path / "unknown.csv"])
    assert "named after no video" in notice.args[0]
    assert notice.args[2]
