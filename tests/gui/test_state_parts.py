"""Each part of a session on its own: no window, no engine, only the parts that it is made of."""

from __future__ import annotations

import numpy as np
import pytest
from session_tools import TIMEOUT

from napari_al_pose.domain import AlPoseError, Annotation, FrameKey, KeypointState, Prediction, Suggestion
from napari_al_pose.domain.confidence_threshold import Thresholds
from napari_al_pose.domain.label_checks import LabelCheck
from napari_al_pose.domain.tools import LabelMode, Tool
from napari_al_pose.engine.messages import (
    Checked,
    Died,
    Failed,
    Finished,
    Look,
    Looked,
    MapPool,
    PoolMapped,
    Rank,
    Ready,
)
from napari_al_pose.gui.state.bodypart_order import BodypartOrder
from napari_al_pose.gui.state.current_frame import CurrentFrame
from napari_al_pose.gui.state.effort_meter import EffortMeter
from napari_al_pose.gui.state.engine_bridge import EngineBridge
from napari_al_pose.gui.state.frame_guesses import FrameGuesses
from napari_al_pose.gui.state.key_choices import KeyChoices
from napari_al_pose.gui.state.label_checks import LabelChecks
from napari_al_pose.gui.state.label_editor import LabelEditor
from napari_al_pose.gui.state.label_guesses import Carrier, PoseKnowledge
from napari_al_pose.gui.state.label_repair import LabelRepair
from napari_al_pose.gui.state.learning import Learning
from napari_al_pose.gui.state.model_guesses import ModelGuesses
from napari_al_pose.gui.state.navigator import Navigator
from napari_al_pose.gui.state.notices import Notices
from napari_al_pose.gui.state.pool_maps import PoolMaps
from napari_al_pose.gui.state.project_session import ProjectSession
from napari_al_pose.gui.state.prompter import Prompter
from napari_al_pose.gui.state.review import Review
from napari_al_pose.gui.state.track_editor import TrackEditor
from napari_al_pose.gui.state.view_options import ViewOptions
from napari_al_pose.project import open_project
from napari_al_pose.samples import ground_truth


@pytest.fixture(autouse=True)
def application(qapp):
    """Signals across threads need one; it shows nothing."""
    yield
    assert not any(widget.isVisible() for widget in qapp.topLevelWidgets())


@pytest.fixture
def notices():
    return Notices(KeyChoices())


@pytest.fixture
def told(notices):
    """What the user is told."""
    heard = []
    notices.raised.connect(lambda message, _hint, _is_error: heard.append(message))
    return heard


@pytest.fixture
def frame():
    return CurrentFrame()


@pytest.fixture
def projects(frame, notices):
    made = ProjectSession(frame, notices)
    yield made
    made.close()


@pytest.fixture
def navigator(projects, frame, notices):
    return Navigator(projects, frame, options=ViewOptions(), notices=notices)


@pytest.fixture
def editor(projects, frame, navigator, notices):
    return LabelEditor(projects, frame, navigator=navigator, options=ViewOptions(), notices=notices)


@pytest.fixture
def at_a_frame(projects, frame, navigator, sample_copy, qtbot):
    """A project is open, with a frame in front."""
    projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: frame.source is not None, timeout=TIMEOUT)
    return frame.key


def label(editor, frame):
    for index, name in enumerate(frame.bodyparts):
        editor.place(name, 40 + 12 * index, 60)


def test_notices_tell_withdraw_and_turn_errors_into_messages(notices, told):
    busy = []
    notices.busyChanged.connect(lambda: busy.append(notices.busy))
    notices.set_busy("Opening mouse1…")
    with notices.warning():
        raise AlPoseError("It is not there.", "Look again.")
    notices.refuse(AlPoseError("No.", "Yes."))
    assert told == ["It is not there.", "No."]
    assert busy == ["Opening mouse1…", ""]


def test_view_options_are_remembered_but_the_tool(qapp):
    options, changed = ViewOptions(), []
    options.changed.connect(changed.append)
    options.set("tool", Tool.PAN)
    options.next_label_mode()
    options.toggle("names")
    options.set("names", True)
    assert changed == ["tool", "label_mode", "names"]
    again = ViewOptions()
    assert (again.tool, again.label_mode, again.names) == (Tool.ADD, LabelMode.QUICK, True)


def test_key_choices_keep_a_key_and_refuse_one_that_does_something_else():
    keys = KeyChoices()
    accept = next(key for key in keys.table if key.action == "accept_guess")
    undo = next(key for key in keys.table if key.action == "undo")
    keys.change(accept, "F7")
    assert keys.named("{accept_guess}") == KeyChoices().named("{accept_guess}") == "F7"
    with pytest.raises(AlPoseError):
        keys.change(accept, undo.keys[0])
    keys.restore()
    assert KeyChoices().table == keys.table


def test_the_current_frame_reads_labels_and_goes_from_bodypart_to_bodypart(frame, sample_copy):
    key, heard = FrameKey("black-mouse", 10), []
    frame.annotationChanged.connect(lambda: heard.append(frame.annotation))
    with open_project(sample_copy) as project:
        frame.use(project.skeleton, project.labels, {})
        frame.show(key, None, keep_bodypart=False)
        project.labels.place(key, frame.bodyparts[0], 30.0, 40.0)
        frame.reload()
        assert heard[-1].xy[0].tolist() == [30, 40]
        assert frame.bodypart == frame.bodyparts[0]
        frame.next_bodypart()
        frame.previous_bodypart()
        frame.previous_bodypart()
        assert frame.bodypart == frame.bodyparts[-1]
        frame.leave()
    assert (frame.key, frame.annotation, frame.bodyparts) == (None, None, ())


def test_guesses_leave_out_what_is_labelled_and_tell_what_is_doubted():
    guesses, heard, key = FrameGuesses(), [], FrameKey("mouse", 3)
    guesses.changed.connect(lambda: heard.append(guesses.chosen))
    guesses.believe_from(Thresholds(0.5))
    guesses.about((Annotation.empty(key, 2),), 0)
    said = Prediction(key, 1, np.array([[10, 20], [30, 40]], np.float32), np.array([0.9, 0.2], np.float32))
    guesses.add_predictions({key: said})
    assert heard[-1].xy.tolist() == said.xy.tolist()
    assert guesses.doubted.tolist() == [False, True]
    assert np.isnan(guesses.believed.xy[1]).all()
    n_heard = len(heard)
    placed = Annotation(key, np.array([[11.0, 21.0], [np.nan, np.nan]]), np.array([KeypointState.PLACED, 0], np.int8))
    guesses.about((placed,), 0)
    assert np.isnan(guesses.chosen.xy[0]).all()
    assert len(heard) == n_heard, "the current frame says that its labels changed"
    guesses.borrow(Prediction(key, 0, np.full((2, 2), 7.0), np.ones(2)), FrameKey("mouse", 1))
    assert guesses.guessed().copied_from == FrameKey("mouse", 1)
    assert not guesses.doubted.any(), "a copied pose is believed whole"
    guesses.forget_frame()
    assert (guesses.each, guesses.chosen, guesses.is_predicted) == ((), None, False)


def test_a_project_session_opens_counts_and_gives_the_lock_back(projects, frame, sample_copy, qtbot, told):
    entered = []
    projects.entered.connect(lambda loaded: entered.append(loaded.project.root))
    projects.open_project(sample_copy)
    qtbot.waitUntil(lambda: projects.project is not None, timeout=TIMEOUT)
    assert entered == [sample_copy.parent]
    assert not projects.read_only
    projects.close_project()
    assert projects.project is None
    with open_project(sample_copy) as again:
        assert not again.read_only
    projects.open_project(sample_copy.parent / "nowhere")
    qtbot.waitUntil(lambda: bool(told), timeout=TIMEOUT)


def test_a_project_that_is_opened_while_the_session_closes_is_given_back(projects, sample_copy):
    projects.open_project(sample_copy)
    projects.close()
    with open_project(sample_copy) as again:
        assert not again.read_only


def test_a_navigator_goes_along_the_queue_and_the_labels(navigator, projects, frame, at_a_frame, qtbot):
    keys = [FrameKey(at_a_frame.video, number) for number in (20, 50)]
    navigator.take_ranking(tuple(Suggestion(key, 1.0, "mpe") for key in keys))
    assert frame.key == keys[0]  # the first of a project that nobody has touched shows itself
    navigator.next_suggestion()
    assert frame.key == keys[1]
    navigator.previous_suggestion()
    assert frame.key == keys[0]
    navigator.step(3)
    assert frame.key.frame == 23
    other = next(video.name for video in projects.project.videos if video.name != at_a_frame.video)
    navigator.go_to(FrameKey(other, 5))
    qtbot.waitUntil(lambda: frame.source is not None and frame.source.name == other, timeout=TIMEOUT)


def test_an_editor_labels_a_frame_and_takes_it_back(editor, projects, frame, at_a_frame):
    completed = []
    editor.frameCompleted.connect(lambda: completed.append(frame.key))
    label(editor, frame)
    assert completed == [at_a_frame]
    assert projects.project.labels.annotation(at_a_frame).is_complete
    for _ in frame.bodyparts:
        editor.undo()
    assert frame.annotation.is_empty
    editor.redo()
    assert not frame.annotation.is_empty


def test_a_prompter_says_what_the_next_click_places(projects, frame, navigator, editor, at_a_frame, bridge, notices):
    options, heard = ViewOptions(), []
    checks = LabelChecks(projects, frame, navigator=navigator, editor=editor, engine=bridge, notices=notices)
    learning = Learning(projects, navigator, engine=bridge, notices=notices)
    prompter = Prompter(projects, frame, navigator=navigator, checks=checks, learning=learning, options=options)
    prompter.changed.connect(lambda: heard.append(prompter.prompt.text))
    assert f"Click the {frame.bodyparts[0]}" in prompter.prompt.text
    editor.click(30, 40)
    assert f"Click the {frame.bodyparts[1]}" in heard[-1]
    options.set("tool", Tool.PAN)
    assert "Click" not in heard[-1]
    projects.close_project()
    assert heard[-1] == ""


def test_labels_of_before_are_brought_back(editor, projects, frame, at_a_frame, notices):
    repair = LabelRepair(projects, frame, editor=editor, notices=notices)
    editor.place(frame.bodyparts[0], 30, 40)
    first = projects.project.labels.history.of(at_a_frame)[0].action
    editor.place(frame.bodyparts[0], 70, 80)
    repair.bring_back(at_a_frame, first)
    assert frame.annotation.xy[0].tolist() == [30, 40]
    assert repair.conflicts == ()


def test_suspicious_labels_are_listed_until_they_are_moved(
    editor, projects, frame, navigator, at_a_frame, engine, notices
):
    bridge = EngineBridge()
    checks = LabelChecks(projects, frame, navigator=navigator, editor=editor, engine=bridge, notices=notices)
    label(editor, frame)
    found = LabelCheck(at_a_frame, frame.bodyparts[1], "far", 52.0, 60.0, distance=55.0, likelihood=0.9)
    bridge.start(projects.project.root)
    engine.says(Checked(1, (found,)))
    assert checks.all == (found,)
    checks.show(found)
    assert frame.bodypart == frame.bodyparts[1]
    editor.place(frame.bodyparts[1], 90, 20)
    assert checks.all == ()
    checks.undo()
    assert (checks.all, checks.in_front) == ((found,), found)
    bridge.stop()


class Priors:
    """Takes what the frame would be given."""

    def __init__(self):
        self.taken = []

    def set_prior(self, prior):
        self.taken.append(prior)


def test_what_poses_look_like_is_learnt_once_there_are_enough(editor, projects, at_a_frame, qtbot):
    priors = Priors()
    knowledge = PoseKnowledge(projects, priors, editor=editor)
    editor.frameCompleted.emit()
    qtbot.waitUntil(lambda: len(priors.taken) == 1, timeout=TIMEOUT)
    assert priors.taken == [None]
    project = projects.project
    (xy, visible), names = ground_truth(project.root)[at_a_frame.video], project.skeleton.bodyparts
    for number in range(0, 60, 6):
        points = {name: tuple(xy[number, i]) for i, name in enumerate(names) if visible[number, i]}
        project.labels.place_many(FrameKey(at_a_frame.video, number), points)
    editor.frameCompleted.emit()
    qtbot.waitUntil(lambda: len(priors.taken) == 2, timeout=TIMEOUT)
    assert priors.taken[1].n_poses == 10
    assert knowledge.parent() is None


def test_labels_are_carried_on_as_guesses(editor, projects, frame, navigator, at_a_frame, notices, qtbot):
    carrier = Carrier(projects, frame, navigator=navigator, notices=notices)
    label(editor, frame)
    carrier.carry_on(1)
    assert carrier.is_busy
    qtbot.waitUntil(lambda: not carrier.is_busy, timeout=TIMEOUT)
    carrier.close()


@pytest.fixture
def bridge(engine):
    return EngineBridge()


@pytest.fixture
def learning(projects, navigator, notices, bridge):
    """It starts a scripted engine with the project."""
    return Learning(projects, navigator, engine=bridge, notices=notices)


def test_learning_ranks_a_new_project_and_says_why_an_engine_cannot_start(learning, at_a_frame, engine, told):
    engine.says()
    assert learning.engine_state == "working"
    (ranking,) = engine.asked(Rank)
    engine.says(Finished(ranking.job))
    assert learning.engine_state == "ready"
    learning.train()
    assert "nothing to train on" in told[-1]
    engine.says(Failed(0, "The weights are missing.", "Install them."), Died("It ended with code 2.", "Restart it."))
    assert learning.engine_state == "dead"
    assert told[-1] == "The weights are missing."


@pytest.fixture
def answers(projects, frame, navigator, learning, bridge):
    """It is there before the project is opened, as in a session."""
    return ModelGuesses(projects, frame, navigator=navigator, learning=learning, engine=bridge)


def test_the_newest_model_is_asked_about_the_frame_and_its_answer_is_guessed(answers, frame, at_a_frame, engine):
    engine.says(Ready("cpu", 2))
    (look,) = engine.asked(Look)
    assert look.key == at_a_frame
    n = len(frame.bodyparts)
    for version in (1, 2):
        said = Prediction(at_a_frame, version, np.full((n, 2), 40.0 + version), np.full(n, 0.9))
        engine.says(Looked(look.job, at_a_frame, None, said))
    assert frame.guesses.looked.prediction.model_version == 2
    assert frame.guess.xy[0].tolist() == [42, 42]
    assert answers.parent() is None


def test_only_doubtful_bodyparts_are_asked_for_the_most_doubtful_first(
    answers, editor, projects, navigator, frame, at_a_frame, engine
):
    order, answered = BodypartOrder(frame, navigator=navigator, editor=editor), []
    order.answered.connect(lambda: answered.append(frame.key))
    projects.set_settings(projects.settings.model_copy(update={"ask": "bodyparts"}))
    engine.says(Ready("cpu", 1))
    (look,) = engine.asked(Look)
    likelihood = np.full(len(frame.bodyparts), 0.95)
    likelihood[[1, 3]] = 0.2, 0.1
    said = Prediction(at_a_frame, 1, np.full((len(likelihood), 2), 40.0), likelihood)
    engine.says(Looked(look.job, at_a_frame, None, said))
    asked = []
    for _ in range(2):
        assert not answered
        asked.append(frame.bodypart)
        editor.place(frame.bodypart, 50, 60)
    assert asked == [frame.bodyparts[3], frame.bodyparts[1]]
    assert answered == [at_a_frame]
    assert answers.parent() is None


def test_effort_is_read_from_the_log(editor, learning, projects, frame, at_a_frame, qtbot):
    meter = EffortMeter(projects, frame, learning=learning)
    label(editor, frame)
    qtbot.waitUntil(lambda: meter.effort is not None and meter.effort.frames == 1, timeout=TIMEOUT)


def test_tracks_and_review_say_what_is_missing_before_a_video_is_predicted(
    learning, editor, projects, frame, navigator, at_a_frame, notices, told, qtbot
):
    checks = LabelChecks(projects, frame, navigator=navigator, editor=editor, engine=EngineBridge(), notices=notices)
    tracks = TrackEditor(projects, frame, navigator=navigator, checks=checks, learning=learning, notices=notices)
    review = Review(projects, navigator, tracks=tracks, notices=notices)
    with qtbot.waitSignal(tracks.changed, timeout=TIMEOUT):
        tracks.read_anew()
    assert (tracks.overview, tracks.tracks, review.here, review.picked) == (None, (), None, ())
    tracks.swap()
    review.go_low(1)
    assert told[-2:] == ["This video has no tracks yet.", "This video is not predicted yet."]


def mapped(strategy, layout, version, chosen):
    none = np.zeros(0, np.int16)
    points = np.zeros((0, 2), np.float32)
    return PoolMapped(
        1, strategy, strategy, version, layout, (), points, np.zeros(0), (), points, chosen, (), none, none
    )


def test_maps_are_kept_until_they_are_out_of_date(projects, at_a_frame, engine):
    bridge = EngineBridge()
    maps, arrived = PoolMaps(projects, engine=bridge), []
    maps.mapped.connect(arrived.append)
    bridge.start(projects.project.root)
    first, second = (FrameKey(at_a_frame.video, number) for number in (3, 7))
    plane, neighbours = mapped("mpe", "pca", 1, (first,)), mapped("mpe", "tsne", 1, (first,))
    other = mapped("kcenter", "pca", 1, (second,))
    engine.says(plane, neighbours, other)
    assert arrived == [plane, neighbours, other]
    assert maps.known("mpe", "tsne") is neighbours
    engine.says(mapped("mpe", "pca", 1, (second,)))  # ranked anew: the other layout shows what was chosen before
    assert maps.known("mpe", "tsne") is None
    assert maps.known("kcenter", "pca") is other
    engine.says(mapped("mpe", "pca", 2, (second,)))
    assert maps.known("kcenter", "pca") is None, "of another model"
    projects.set_settings(projects.settings.model_copy(update={"train_after": 3}))
    assert maps.known("mpe", "pca") is not None
    projects.set_settings(projects.settings.model_copy(update={"pool_size": 123}))
    assert maps.known("mpe", "pca") is None
    maps.ask("mpe", "pca")
    assert [request.layout for request in engine.asked(MapPool)] == ["pca"]
    bridge.stop()
