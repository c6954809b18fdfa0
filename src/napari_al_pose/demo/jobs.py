"""The ten jobs of a newcomer, played in the real window with a mouse and keys, timed, with a picture of every stage.

The sample is the newcomer's recording; its ground truth moves the hand. What "another program" does in job 8 is done to
the files, as another program would.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from qtpy.QtCore import QPoint, QRect, Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QApplication, QCheckBox, QDialog, QWidget

from napari_al_pose.demo.annotator import MouseAnnotator, TruePose, wait_until
from napari_al_pose.demo.hand import Hand, shown
from napari_al_pose.demo.panels import show_the_panels
from napari_al_pose.domain import Annotation, FrameKey, KeypointState
from napari_al_pose.gui.state.session import Session
from napari_al_pose.project import Project, open_project

START_SECONDS, TRAIN_SECONDS, EXPORT_SECONDS = 300.0, 900.0, 900.0
N_TO_LABEL, N_TO_CORRECT = 10, 5
_MOVED_PX = 12
_FILM_WIDTH = 960
_N_CLICKED = 4
_SLIPS_IN, _SLIP_PX = 2, 70
_SETTLE_SECONDS = 0.5
_TABLE = "df_with_missing"

T = TypeVar("T")


@dataclass(slots=True)
class Play:
    """The window, the two hands on it, and where pictures and figures go.

    Parameters
    ----------
    viewer : napari.Viewer
    session : Session
    annotator : MouseAnnotator
        Works on the canvas.
    hand : Hand
        Works on everything around it.
    output : Path
        Folder for the pictures.
    tell : callable
        Takes each line of figures.
    """

    viewer: Any
    session: Session
    annotator: MouseAnnotator
    hand: Hand
    output: Path
    tell: Callable[[str], None]
    pictures: int = 0
    shots: int = 0

    @property
    def screen(self) -> str:
        """The window's size: "1600x1000"."""
        size = self.viewer.window._qt_window.size()
        return f"{size.width()}x{size.height()}"

    @contextmanager
    def job(self, name: str) -> Iterator[dict[str, int]]:
        """Count and time what is done inside, waiting included; what is put into the value is told as well."""
        before, began, more = self._counts(), time.monotonic(), dict[str, int]()
        yield more
        seconds = time.monotonic() - began
        done = {key: value - before[key] for key, value in self._counts().items()}
        actions = sum(done.values())
        self.tell(
            json.dumps(
                {"job": name, "screen": self.screen, "seconds": round(seconds, 1), "actions": actions, **done, **more}
            )
        )

    def picture(self, name: str, *, of: QWidget | None = None, area: QRect | None = None) -> None:
        """Save what the screen shows, dialogs and all, as ``<nn>-<name>.png``; or where a widget is, or part of it."""
        _settle()
        self.pictures += 1
        shot = QGuiApplication.primaryScreen().grabWindow(0)
        if of is not None:
            inner = of.rect() if area is None else area.intersected(of.rect())
            shot = shot.copy(QRect(of.mapToGlobal(inner.topLeft()), inner.size()))
        path = self.output / f"{self.pictures:02d}-{name}.png"
        if not shot.save(str(path)):
            raise OSError(f"The picture {path} could not be written.")

    def shoot(self) -> None:
        """Add what the screen shows to the film, as ``film-<nnn>.png``."""
        _settle()
        self.shots += 1
        shot = QGuiApplication.primaryScreen().grabWindow(0)
        small = shot.scaledToWidth(_FILM_WIDTH, Qt.TransformationMode.SmoothTransformation)
        small.save(str(self.output / f"film-{self.shots:03d}.png"))

    @property
    def project(self) -> Project:
        """The open project."""
        return _given(self.session.projects.project, "an open project")

    @property
    def annotation(self) -> Annotation:
        """The labels of the current frame."""
        return _given(self.session.frame.annotation, "a frame")

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
        """Let the window work until ``condition`` holds."""
        wait_until(condition, seconds=seconds, what=what)

    def _counts(self) -> dict[str, int]:
        hand, annotator = self.hand, self.annotator
        return {
            "clicks": hand.clicks + annotator.clicks,
            "drags": annotator.drags,
            "keys": hand.keys + annotator.keys,
            "fields": hand.fields,
        }


def play_jobs(play: Play) -> None:
    """Play all of them, in the order in which one leads to the next.

    Raises
    ------
    WaitedTooLongError
        If the window does not get on.
    """
    play.output.mkdir(parents=True, exist_ok=True)
    play.picture("start-page")
    open_the_sample(play)
    label_ten_frames(play)
    train(play)
    inspect_a_scoremap(play)
    show_the_panels(play)
    correct_guesses(play)
    check_labels(play)
    decide_a_conflict(play)
    predict_a_video(play)
    export_labels(play)
    make_a_project(play)
    open_a_deeplabcut_project(play)


def open_the_sample(play: Play) -> None:
    """Press the button of the start page and wait for the first suggestion."""
    session = play.session
    with play.job("open the sample: to the first picture"):
        play.hand.press("Try the sample")
        play.wait(lambda: session.frame.key is not None and session.frame.picture_is_current, "the first picture")
    play.picture("first-picture")
    with play.job("open the sample: to the first suggestion"):
        play.wait(lambda: len(session.navigator.queue) > 0, "the first suggestions")
        if session.navigator.queue.position < 0:
            play.annotator.go_on()
    play.picture("first-suggestion")


def label_ten_frames(play: Play) -> None:
    """Click all bodyparts of ten frames of the queue and of the test frames among them."""
    session, annotator = play.session, play.annotator
    with play.job("label frames for the first training") as told:
        for labelled in range(len(session.navigator.queue)):
            if labelled == 1:
                annotator.label_frame(until=max(1, len(session.frame.bodyparts) // 2))
                play.picture("labelling")
            annotator.label_frame()
            if labelled == _SLIPS_IN:
                _slip(play)
            play.shoot()
            told["frames"] = labelled + 1
            if session.learning.training.running or session.projects.n_trainable >= N_TO_LABEL:
                break
            annotator.go_on()
    play.picture("ten-frames-labelled")


def _slip(play: Play) -> None:
    """Leave a label far from its bodypart, as a hand sometimes does; the model will doubt it."""
    frame, xy = play.session.frame, play.annotation.xy
    index = int(np.flatnonzero(np.isfinite(xy[:, 0]))[0])
    height, width = frame.size
    to_middle = np.sign([width / 2, height / 2] - xy[index])
    play.annotator.drag(xy[index], xy[index] + to_middle * _SLIP_PX)


def train(play: Play) -> None:
    """Wait for the training, which begins by itself after ten frames, and for the new queue."""
    training = play.session.learning
    rounds = len(training.rounds)
    with play.job("train"):
        if not training.training.running:
            play.annotator.press(Qt.Key.Key_L)
        play.wait(
            lambda: training.training.step >= max(1, training.training.steps // 2), "half the training", TRAIN_SECONDS
        )
        play.picture("training")
        play.shoot()
        play.wait(lambda: len(training.rounds) > rounds, "the new model", TRAIN_SECONDS)
        play.wait(lambda: not training.training.running, "the new queue", TRAIN_SECONDS)
    play.picture("trained")


def inspect_a_scoremap(play: Play) -> None:
    """Go to the first suggestion of the model and lay its scoremap over the video."""
    frame = play.session.frame
    with play.job("inspect a scoremap"):
        play.annotator.go_on()
        play.wait(lambda: frame.guess is not None and frame.guesses.looked is not None, "the model's guess")
        play.picture("guess")
        play.shoot()
        play.annotator.press(Qt.Key.Key_H)
        play.wait(lambda: frame.scoremap_choice != "", "the scoremap")
        play.picture("scoremap")
        play.shoot()
        play.annotator.press(Qt.Key.Key_H)


def correct_guesses(play: Play) -> None:
    """Put right what the model guesses in five frames, and accept the rest."""
    session, annotator = play.session, play.annotator
    with play.job(f"correct the guesses in {N_TO_CORRECT} frames"):
        for number in range(N_TO_CORRECT):
            play.wait(lambda: session.frame.guess is not None or session.frame.guesses.looked is not None, "a guess")
            play.shoot()
            annotator.label_frame()
            play.shoot()
            if number < N_TO_CORRECT - 1:
                annotator.go_on()
    play.picture("corrected")


def check_labels(play: Play) -> None:
    """Look at the labels that the model doubts, the slip of the hand among them, and take its point for the first."""
    checks = play.session.checks
    with play.job("check doubtful labels") as told:
        play.wait(lambda: bool(checks.all), "the labels to check", TRAIN_SECONDS)
        told["labels"] = len(checks.all)
        play.annotator.press(Qt.Key.Key_6)
        play.wait(lambda: checks.in_front is not None and play.session.frame.picture_is_current, "the label")
        play.picture("check-labels")
        play.hand.press("Take the model's point")
        play.hand.press("Done")


def decide_a_conflict(play: Play) -> None:
    """Move a label that another program moved too, and keep one's own."""
    session, annotator = play.session, play.annotator
    project, annotation = play.project, play.annotation
    key = annotation.key
    index = int(np.flatnonzero(annotation.states == KeypointState.PLACED)[0])
    name = session.frame.bodyparts[index]
    file = project.root / "labeled-data" / key.video / f"CollectedData_{project.scorer}.h5"
    play.wait(lambda: _row_of(file, key) is not None, "DeepLabCut's file of the labels", START_SECONDS)
    _move_in_file(file, key, name, _MOVED_PX)
    with play.job("decide a conflict with another program"):
        at = annotation.xy[index]
        annotator.drag(at, at - [0, _MOVED_PX])
        play.wait(lambda: bool(session.repair.conflicts), "the conflict", START_SECONDS)
        play.wait(lambda: _dialog() is not None, "the question about it")
        play.picture("conflict")
        play.hand.press("Keep mine")
        play.wait(lambda: not session.repair.conflicts, "the conflict's end")
    play.picture("conflict-decided")


def predict_a_video(play: Play) -> None:
    """Predict the videos and have the poses drawn into a copy."""
    learning = play.session.learning
    with play.job("predict a video"):
        play.hand.press("Export")
        drawn = next(each for each in shown(QCheckBox, _dialog()) if "drawn in" in each.text())
        play.hand.click(drawn, QPoint(10, drawn.height() // 2))
        play.picture("export")
        play.hand.press("Predict and write")
        play.wait(
            lambda: learning.export.busy and learning.export.done > 0, "the first predicted frames", EXPORT_SECONDS
        )
        play.picture("predicting")
        play.wait(lambda: not learning.export.busy, "all predicted frames", EXPORT_SECONDS)
    play.picture("predicted")
    play.hand.press("Close")


def export_labels(play: Play) -> None:
    """Write the labels in the format that is offered first, and read what it could not hold."""
    messages: list[str] = []
    play.session.notices.raised.connect(lambda message, _hint, _is_error: messages.append(message))
    with play.job("export the labels"):
        play.hand.press("Export")
        play.hand.press("Other formats…")
        play.picture("export-labels")
        play.hand.press("Export", within=_dialog())
        play.wait(lambda: any("written" in each for each in messages), "the written labels", EXPORT_SECONDS)
    play.picture("exported")
    if _dialog() is not None:
        play.hand.press("Close", within=_dialog())


def make_a_project(play: Play) -> None:
    """Make a project of one of the sample's videos."""
    session, hand = play.session, play.hand
    before, video = play.project.root, _given(play.project.videos[0].path, "a video file")
    home = play.output / "new"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    with play.job("make a project from a video"):
        hand.choose("Project", "New from videos…")
        play.wait(lambda: _dialog() is not None, "the dialog for a new project")
        dialog: Any = _dialog()
        hand.answer_file_dialog(video)
        hand.press("Add…")
        play.wait(lambda: dialog.skeleton.picture.has_image, "a frame of the video")
        hand.press("Next")
        _click_skeleton(play, dialog.skeleton, FrameKey(play.project.videos[0].name, 0))
        play.picture("new-project")
        hand.press("Next")
        hand.fill(dialog.names.task, "open-field")
        hand.fill(dialog.names.scorer, "Ada")
        hand.fill(dialog.names.parent_folder, str(home))
        play.picture("new-project-folder")
        hand.press("Create project")
        play.wait(
            lambda: session.projects.project is not None and session.projects.project.root != before, "the new project"
        )
        play.wait(lambda: session.frame.picture_is_current, "the first picture")
    play.picture("new-project-open")


def _click_skeleton(play: Play, page: Any, key: FrameKey) -> None:
    """Click four bodyparts where they are in the frame, name them, and join them."""
    truth, names = play.annotator.truth[key], play.session.frame.bodyparts
    chosen = [(name, truth.xy[index]) for index, name in enumerate(names) if truth.visible[index]][:_N_CLICKED]
    for name, xy in chosen:
        play.hand.click(page.picture, page.picture.place_of(*map(float, xy)).toPoint())
        play.hand.type(page.picture.name_field, name)
    play.hand.press("Lines")
    for _name, xy in chosen:
        play.hand.click(page.picture, page.picture.place_of(*map(float, xy)).toPoint())


def open_a_deeplabcut_project(play: Play) -> None:
    """Open a project with labels that DeepLabCut knows of."""
    session, hand = play.session, play.hand
    config = play.output / "deeplabcut" / "config.yaml"
    before = play.project.root
    with play.job("open a DeepLabCut project with labels"):
        hand.answer_file_dialog(config)
        hand.choose("Project", "Open…")
        play.wait(
            lambda: session.projects.project is not None and session.projects.project.root != before, "the project"
        )
        play.wait(lambda: len(session.projects.tally.complete) > 0, "its labels")
        play.wait(lambda: len(session.navigator.queue) > 0, "its suggestions")
    play.picture("deeplabcut-project")


def prepare_deeplabcut_project(
    sample: Path, folder: Path, truth: Mapping[FrameKey, TruePose], *, n_frames: int
) -> Path:
    """Make a labelled project as DeepLabCut leaves one, of the sample's videos; return its ``config.yaml``."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sample.parent, folder, ignore=shutil.ignore_patterns("al-pose"))
    with open_project(folder) as project:
        keys = sorted(key for key in truth if key.video == project.videos[0].name)
        for key in keys[:: len(keys) // n_frames][:n_frames]:
            for name, xy, visible in zip(project.skeleton.bodyparts, truth[key].xy, truth[key].visible, strict=True):
                if visible:
                    project.labels.place(key, name, float(xy[0]), float(xy[1]))
                else:
                    project.labels.mark_not_visible(key, name)
        project.export_labels()
    shutil.rmtree(folder / "al-pose")
    return folder / sample.name


def _dialog() -> Any:
    """Return the dialog in front; None without one."""
    return next((w for w in reversed(QApplication.topLevelWidgets()) if isinstance(w, QDialog) and w.isVisible()), None)


def _settle() -> None:
    """Let what was asked for be painted."""
    end = time.monotonic() + _SETTLE_SECONDS
    wait_until(lambda: time.monotonic() > end, seconds=2 * _SETTLE_SECONDS + 1, what="paint")


def _row_of(file: Path, key: FrameKey) -> int | None:
    """Return the row of a frame in DeepLabCut's file; None while it has none."""
    if not file.exists():
        return None
    names = [name[-1] if isinstance(name, tuple) else name for name in pd.read_hdf(file, _TABLE).index]
    numbers = [int("".join(filter(str.isdigit, Path(name).stem))) for name in names]
    return numbers.index(key.frame) if key.frame in numbers else None


def _move_in_file(file: Path, key: FrameKey, bodypart: str, distance: float) -> None:
    """Move a label as another program does: in the .h5 and in the .csv."""
    table = pd.read_hdf(file, _TABLE)
    column = next(name for name in table.columns if bodypart in name and name[-1] == "x")
    table.loc[table.index[_row_of(file, key)], column] += distance
    table.to_hdf(file, key=_TABLE, mode="w")
    table.to_csv(file.with_suffix(".csv"))


def _given(value: T | None, what: str) -> T:
    if value is None:
        raise RuntimeError(f"Expected {what}, got none.")
    return value
