"""The dialogs and what their buttons do, on a real session with a real project."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path

import pytest
from PIL import Image
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDesktopServices, QDropEvent
from qtpy.QtWidgets import QDialogButtonBox, QLabel
from session_tools import TIMEOUT, can_press, dialog_of, press

from napari_al_pose.domain.settings import LoopSettings
from napari_al_pose.domain.skeleton_templates import TEMPLATES
from napari_al_pose.gui import actions as actions_module
from napari_al_pose.gui.dialogs.new_project import NewProjectDialog
from napari_al_pose.gui.dialogs.settings import SettingsDialog, SettingsForm
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
    assert {name: box.text() for name, box in form.switches.items() if box.isChecked()} == {
        "long_side": "automatic",
        "steps": "automatic",
        "rotation_degrees": "automatic",
        "swap_pairs": "automatic",
        "train_after": "never",
    }
    shown = [form.fields[name].native.text() for name in ("long_side", "steps", "rotation_degrees", "train_after")]
    assert not any(character.isdigit() for text in shown for character in text)
    assert form.fields["device"].native.itemText(0) == "automatic"
    assert not [field.tooltip for field in form.fields.values() if re.search(r"\(-?\d", field.tooltip)]
    assert form.advanced.isHidden()
    form.switches["steps"].setChecked(False)
    assert form.settings.train.steps > 0
    form.switches["steps"].setChecked(True)
    assert form.settings.train.steps == 0
    form.fields["steps"].value = 96
    assert not form.switches["steps"].isChecked()
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


@pytest.fixture
def new_project(actions, opened, window):
    """The dialog, opened from the menu, over a project with a video that can be used again."""
    actions.new()
    return dialog_of(window, NewProjectDialog), opened.projects.project.videos[0].path


def click(picture, x, y, qtbot, button=Qt.MouseButton.LeftButton):
    qtbot.mouseClick(picture, button, pos=picture.place_of(x, y).toPoint())


def test_a_project_is_made_from_what_was_entered(new_project, opened, qtbot, tmp_path):
    dialog, video = new_project
    assert not dialog.next_button.isEnabled()
    dialog.videos.add([video, video])
    assert dialog.videos.paths == [video]
    dialog.next_button.click()
    dialog.skeleton.bodyparts.setPlainText("nose\ntail")
    dialog.skeleton.links.setPlainText("nose - paw")
    assert "paw" in dialog.complaint.text()
    assert not dialog.next_button.isEnabled()
    dialog.skeleton.links.setPlainText("nose - tail")
    dialog.skeleton.individuals.setText("mouse1, mouse1")
    assert "individuals" in dialog.complaint.text()
    dialog.skeleton.individuals.setText("")
    dialog.skeleton.unique_bodyparts.setText("door, lamp")
    assert "Name the animals" in dialog.complaint.text()
    dialog.skeleton.individuals.setText("mouse1, mouse2")
    dialog.next_button.click()
    names = dialog.names
    assert names.task.text() == video.parent.parent.name, "suggested: a folder called videos says nothing"
    names.task.setText("open-field")
    names.scorer.setText("Ada")
    names.parent_folder.setText(str(tmp_path / "nowhere"))
    assert "nowhere" in dialog.complaint.text()
    names.parent_folder.setText(str(tmp_path))
    assert dialog.complaint.text() == ""
    root = Path(names.preview.toPlainText().splitlines()[0])
    before = opened.projects.project
    dialog.create_button.click()
    qtbot.waitUntil(
        lambda: opened.projects.project is not None and opened.projects.project is not before, timeout=TIMEOUT
    )
    assert opened.frame.bodyparts == ("nose", "tail")
    assert opened.projects.project.skeleton.links == (("nose", "tail"),)
    assert opened.projects.project.skeleton.individuals == ("mouse1", "mouse2")
    assert opened.projects.project.skeleton.unique_bodyparts == ("door", "lamp")
    assert opened.frame.individuals == ("mouse1", "mouse2", "single")
    assert opened.projects.project.scorer == "Ada"
    assert [made.name for made in opened.projects.project.videos] == [video.stem]
    assert opened.projects.project.root == root
    again = NewProjectDialog()
    qtbot.addWidget(again)
    again.videos.add([video])
    again.names.task.setText("open-field")
    again.next_button.click()
    again.skeleton.bodyparts.setPlainText("nose")
    again.next_button.click()
    assert "exists already" in again.complaint.text()
    again.reject()


def test_a_skeleton_is_clicked_on_a_frame_of_the_first_video(new_project, qtbot):
    dialog, video = new_project
    dialog.videos.add([video])
    page, picture = dialog.skeleton, dialog.skeleton.picture
    qtbot.waitUntil(lambda: picture.has_image, timeout=TIMEOUT)
    dialog.next_button.click()
    for name, place in (("snout", (60, 50)), ("tail", (200, 150))):
        click(picture, *place, qtbot)
        qtbot.keyClicks(picture.name_field, name)
        qtbot.keyClick(picture.name_field, Qt.Key.Key_Return)
    assert dialog.isVisible(), "Enter names the bodypart and leaves the dialog open"
    assert dialog.step == 1
    click(picture, 120, 90, qtbot)
    qtbot.keyClick(picture.name_field, Qt.Key.Key_Escape)
    assert page.bodyparts.toPlainText() == "snout\ntail"
    assert page.draft.places["tail"] == pytest.approx((200, 150), abs=1)
    page.lines_tool.click()
    click(picture, 60, 50, qtbot)
    click(picture, 200, 150, qtbot)
    assert page.links.toPlainText() == "snout - tail"
    page.bodyparts.setPlainText("nose\ntail")
    assert page.links.toPlainText() == "nose - tail", "a bodypart that is renamed keeps its lines"
    assert dialog.next_button.isEnabled()
    click(picture, 200, 150, qtbot, Qt.MouseButton.RightButton)
    assert (page.bodyparts.toPlainText(), page.links.toPlainText()) == ("nose", "")


def test_a_skeleton_comes_from_a_template_or_from_another_project(new_project, opened, qtbot, tmp_path):
    dialog, video = new_project
    remember_project(opened.projects.project.root)
    dialog.videos.add([video])
    dialog.next_button.click()
    page = dialog.skeleton
    for title, expected in (
        ("Hand", TEMPLATES["Hand"]),
        (f"As in {opened.projects.project.root.name}", opened.projects.project.skeleton),
    ):
        page.menu.aboutToShow.emit()
        next(action for action in page.menu.actions() if action.text() == title).trigger()
        assert (page.draft.bodyparts, page.draft.links) == (expected.bodyparts, expected.links)
        assert dialog.complaint.text() == ""


def test_a_video_that_cannot_be_read_is_named_before_anything_is_made(new_project, qtbot, tmp_path):
    dialog, video = new_project
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    dialog.videos.add([broken])
    qtbot.waitUntil(lambda: "broken.mp4" in dialog.complaint.text(), timeout=TIMEOUT)
    assert not dialog.next_button.isEnabled()
    dialog.videos.list.item(0).setSelected(True)
    dialog.videos.remove()
    dialog.videos.add([video])
    qtbot.waitUntil(dialog.next_button.isEnabled, timeout=TIMEOUT)


def test_files_and_folders_that_are_dropped_are_listed_beside_the_window(new_project, tmp_path, qtbot, monkeypatch):
    dialog, video = new_project
    (tmp_path / "notes.txt").write_text("no video")
    (tmp_path / "other.mp4").write_bytes(b"")
    answers, listed = threading.Event(), Path.iterdir

    def list_late(folder):
        assert answers.wait(TIMEOUT / 1000)
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", list_late)
    dropped = QMimeData()
    dropped.setUrls([QUrl.fromLocalFile(str(path)) for path in (video, tmp_path)])
    dialog.dropEvent(
        QDropEvent(
            QPointF(5, 5),
            Qt.DropAction.CopyAction,
            dropped,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )
    assert dialog.complaint.text() == "Looking for videos…"
    assert not dialog.next_button.isEnabled()
    answers.set()
    qtbot.waitUntil(lambda: dialog.videos.paths == [video, tmp_path / "other.mp4"], timeout=TIMEOUT)
    assert dialog.complaint.text() != "Looking for videos…"


def test_a_dropped_folder_without_videos_is_named(new_project, opened, tmp_path, qtbot):
    dialog, video = new_project
    frames, gone = tmp_path / "frames", tmp_path / "gone"
    frames.mkdir()
    for i in range(3):
        Image.new("L", (8, 6)).save(frames / f"img{i:04d}.tif")
    for path, said in (
        (frames, "frames holds 3 images, but no project and no video."),
        (gone, "gone."),
        (opened.projects.project.root, "is a project"),
    ):
        dialog.videos.look_in([path])
        qtbot.waitUntil(lambda said=said: said in dialog.complaint.text(), timeout=TIMEOUT)
        assert not dialog.next_button.isEnabled()
    dialog.videos.look_in([video, frames])
    qtbot.waitUntil(dialog.next_button.isEnabled, timeout=TIMEOUT)
    assert dialog.videos.paths == [video]
    assert "frames holds 3 images" in dialog.complaint.text()
    dialog.videos.look_in([frames, gone])
    qtbot.waitUntil(lambda: "Also without videos: 1 more folder." in dialog.complaint.text(), timeout=TIMEOUT)
    dialog.videos.add([])
    assert dialog.complaint.text() == ""


# ---- the sample -----------------------------------------------------------------------------------


@pytest.fixture
def other_copy(sample_project, tmp_path):
    folder = tmp_path / "made" / sample_project.parent.name
    shutil.copytree(sample_project.parent, folder)
    return folder / sample_project.name


def test_the_sample_is_made_in_the_background_and_opened(actions, opened, monkeypatch, other_copy, qtbot):
    monkeypatch.setattr(actions_module, "_sample_project", lambda: other_copy)
    said = []
    actions.progressed.connect(said.append)
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
    press(bar, "✕")
    assert not bar.isVisible()


def test_a_notice_shortens_paths_and_leads_to_what_was_written(window, qtbot, monkeypatch, tmp_path):
    bar, opened = NoticeBar(window), []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(Path(url.toLocalFile())))
    window.resize(360, 500)
    window.show()
    folder = tmp_path / "recordings of this autumn" / "and their labels"
    folder.mkdir(parents=True)
    written = folder / "labels.slp"
    written.touch()
    bar.show_message(f"15 labelled frames written to {written}.", "", is_error=False, written=written)
    (shown,) = bar.findChildren(QLabel)
    assert shown.text().endswith("/…/and their labels/labels.slp.")
    assert str(written) in shown.toolTip()
    assert str(written) in bar.text
    press(bar, "Open folder")
    assert opened == [folder]
    bar.show_message("Another message.", "", is_error=False)
    assert not can_press(bar, "Open folder")
    bar.leave()
    assert not bar.isVisible(), "it was about the project that was left"
    bar.show_message("The disk is full.", "", is_error=True)
    bar.leave()
    assert bar.isVisible()


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
