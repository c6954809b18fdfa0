"""The dialogs and what their buttons do, on a real session with a real project."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from qtpy.QtWidgets import QDialogButtonBox, QLabel
from session_tools import TIMEOUT, dialog_of

from napari_al_pose.domain.settings import LoopSettings
from napari_al_pose.gui import actions as actions_module
from napari_al_pose.gui.dialogs.project import NewProjectDialog, SettingsDialog
from napari_al_pose.gui.dialogs.settings_form import SettingsForm
from napari_al_pose.gui.panels.notice_bar import NoticeBar
from napari_al_pose.gui.remembered import recent_projects, remember_project

pytestmark = pytest.mark.gui


# ---- settings -------------------------------------------------------------------------------------


def test_the_form_gives_back_what_it_was_given():
    settings = LoopSettings.model_validate(
        {"strategy": "influence", "train_after": 3, "train": {"steps": 70, "seed": 5, "device": "cpu"}}
    )
    assert SettingsForm(settings).settings == settings


def test_the_form_says_automatic_in_place_of_magic_numbers_and_folds_what_few_change():
    form = SettingsForm(LoopSettings.model_validate({"train_after": 0}))
    assert {form.fields[name].native.text() for name in ("long_side", "steps", "rotation_degrees")} == {"automatic"}
    assert form.fields["train_after"].native.text() == "never"
    assert form.advanced.isHidden()
    form.fields["steps"].value = 96
    assert form.settings.train.steps == 96
    assert not SettingsForm(form.settings).advanced.isHidden(), "what was chosen is in sight"


def test_the_form_changes_only_what_it_shows_and_keeps_the_limits():
    form = SettingsForm(LoopSettings.model_validate({"strategy": "influence", "train": {"seed": 5}}))
    form.fields["batch_size"].value = 33
    form.fields["rotation_degrees"].value = 20
    changed = form.settings
    assert (changed.batch_size, changed.train.rotation_degrees) == (33, 20)
    assert (changed.strategy, changed.train.seed) == ("influence", 5)
    with pytest.raises(ValueError, match="range"):
        form.fields["holdout_share"].value = 0.9
    assert "Candidate" in form.fields["pool_size"].label
    assert form.fields["pool_size"].tooltip


def test_settings_are_stored_on_ok_and_not_on_cancel(actions, opened, window):
    for end, expected in (("reject", LoopSettings.model_validate({}).train_after), ("accept", 4)):
        actions.settings()
        dialog = dialog_of(window, SettingsDialog)
        dialog.form.fields["train_after"].value = 4
        getattr(dialog, end)()
        assert opened.projects.settings.train_after == expected


def test_the_defaults_come_back_without_the_strategy(opened, window):
    settings = LoopSettings.model_validate({"strategy": "influence", "train_after": 3})
    dialog = SettingsDialog(settings, window)
    dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.RestoreDefaults).click()
    assert dialog.form.settings == LoopSettings.model_validate({"strategy": "influence"})


# ---- a new project --------------------------------------------------------------------------------


def test_a_project_is_made_from_what_was_entered(actions, opened, window, qtbot, tmp_path):
    video = opened.projects.project.videos[0].path
    actions.new()
    dialog = dialog_of(window, NewProjectDialog)
    assert not dialog._create.isEnabled()
    dialog.task.setText("open-field")
    dialog.scorer.setText("Ada")
    dialog.bodyparts.setPlainText("nose\ntail")
    dialog.links.setPlainText("nose - paw")
    dialog.add_videos([video, video])
    assert "paw" in dialog._complaint.text()
    dialog.links.setPlainText("nose - tail")
    dialog.parent_folder.setText(str(tmp_path / "nowhere"))
    assert "nowhere" in dialog._complaint.text()
    dialog.parent_folder.setText(str(tmp_path))
    assert dialog._complaint.text() == ""
    dialog.individuals.setText("mouse1, mouse1")
    assert "individuals" in dialog._complaint.text()
    dialog.individuals.setText("mouse1, mouse2")
    assert dialog._create.isEnabled()
    before = opened.projects.project
    dialog._create.click()
    qtbot.waitUntil(
        lambda: opened.projects.project is not None and opened.projects.project is not before, timeout=TIMEOUT
    )
    assert opened.frame.bodyparts == ("nose", "tail")
    assert opened.projects.project.skeleton.links == (("nose", "tail"),)
    assert opened.frame.individuals == ("mouse1", "mouse2")
    assert opened.projects.project.scorer == "Ada"
    assert [made.name for made in opened.projects.project.videos] == [video.stem]
    assert opened.projects.project.root.parent == tmp_path


# ---- the sample -----------------------------------------------------------------------------------


@pytest.fixture
def other_copy(sample_project, tmp_path):
    folder = tmp_path / "made" / sample_project.parent.name
    shutil.copytree(sample_project.parent, folder)
    return folder / sample_project.name


def test_the_sample_is_made_in_the_background_and_opened(actions, opened, monkeypatch, other_copy, qtbot):
    monkeypatch.setattr(actions_module, "_sample_project", lambda: other_copy)
    said = []
    actions.said.connect(said.append)
    before = opened.projects.project
    actions.sample()
    qtbot.waitUntil(lambda: opened.projects.project is not before, timeout=TIMEOUT)
    assert said[0]
    assert said[-1] == ""


# ---- notices and recent projects ------------------------------------------------------------------


def test_a_notice_lies_over_the_dock_until_it_is_dismissed_or_put_right(window, qtbot):
    below = QLabel("what is pressed two hundred times", window)
    window.resize(360, 500)
    window.show()
    bar, place = NoticeBar(window), below.geometry()
    assert not bar.isVisible()
    bar.show_message("No such file: <b>a.mp4</b>", "Choose another.", is_error=True)
    assert bar.isVisible()
    assert bar.text == "No such file: <b>a.mp4</b>\nChoose another."
    assert below.geometry() == place
    assert window.rect().contains(bar.geometry())
    window.resize(300, 400)
    assert window.rect().contains(bar.geometry())
    bar.withdraw("Another message.")
    assert bar.isVisible()
    bar.withdraw("No such file: <b>a.mp4</b>")
    assert not bar.isVisible()
    bar.show_message("Again.", "", is_error=True)
    bar._close.click()
    assert not bar.isVisible()


def test_recent_projects_are_newest_first_once_and_only_those_there(tmp_path):
    roots = []
    for name in "abc":
        root = tmp_path / name
        root.mkdir()
        Path(root, "config.yaml").touch()
        roots.append(root)
        remember_project(root)
    remember_project(roots[0])
    assert [path.name for path in recent_projects()] == ["a", "c", "b"]
    Path(roots[2], "config.yaml").unlink()
    assert [path.name for path in recent_projects()] == ["a", "b"]
