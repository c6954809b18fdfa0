"""Several animals in a frame: the annotator labels all of them, and errors are those of matched animals."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from napari_al_pose.acquisition import Extra, ScoreContext
from napari_al_pose.cli import main
from napari_al_pose.domain import AlPoseError, FrameKey, KeypointState, Skeleton
from napari_al_pose.pose.animals import AnimalPoses
from napari_al_pose.project import open_project
from napari_al_pose.samples import INDIVIDUALS, make_pair, pair_truth
from napari_al_pose.simulation.annotator import Truth, answer_points, correct_frame, from_scratch, inference_of_each
from napari_al_pose.simulation.arms import TrueError
from napari_al_pose.simulation.dataset import Dataset, Reference, reference_lengths
from napari_al_pose.simulation.labelled import labelled_frame
from napari_al_pose.simulation.learner import Output
from napari_al_pose.simulation.matching import guesses_of
from napari_al_pose.simulation.measures import measure
from napari_al_pose.simulation.preparing import prepare
from napari_al_pose.simulation.protocol import Protocol
from napari_al_pose.simulation.round_files import read_rounds
from napari_al_pose.simulation.sources import open_source_of_labels
from napari_al_pose.simulation.workflows import Actions

PLACED, HIDDEN, UNSEEN = (np.int8(s) for s in (KeypointState.PLACED, KeypointState.NOT_VISIBLE, KeypointState.UNSEEN))
FIRST = np.array([[10.0, 10], [50, 10], [50, 60]])
BOTH = np.concatenate([FIRST, FIRST + 100])
SKELETON = Skeleton(("nose", "back", "tail"), (), ("a", "b"))
N_FRAMES = 40
EVERY = 4


def truth(*, second: np.int8 = PLACED) -> Truth:
    states = np.array([PLACED] * 3 + [second] * 3, np.int8)
    xy = np.where((states == PLACED)[:, None], BOTH, np.nan)
    return Truth(xy, states, 100.0, 0.05, np.zeros((6, 2)), n_animals=2)


def dataset(states: np.ndarray) -> Dataset:
    """Frames that show the same two animals, as far as ``states`` (n, 6) say so."""
    n = len(states)
    xy = np.where((states == PLACED)[..., None], BOTH, np.nan)
    keys = tuple(FrameKey("v", i) for i in range(n))
    return Dataset(
        name="two",
        skeleton=SKELETON,
        keys=keys,
        images=np.zeros((n, 64, 64, 3), np.uint8),
        xy=xy,
        states=states,
        scale=np.ones(n),
        reference=reference_lengths(keys, xy, states, SKELETON, Reference()),
        cap=1.0,
        crop=(64, 64),
        fps=25.0,
    )


def said(*frames: list[np.ndarray]) -> Output:
    """Return a model's output: the poses of each frame."""
    most = max(len(poses) for poses in frames)
    xy = np.full((len(frames), most, 3, 2), np.nan, np.float32)
    for i, poses in enumerate(frames):
        for a, pose in enumerate(poses):
            xy[i, a] = pose
    likelihood = np.where(np.isfinite(xy[..., 0]), np.float32(0.8), np.float32(0))
    animals = AnimalPoses(xy, likelihood, likelihood.mean(axis=2), None, ((),) * len(frames))
    return Output(xy[:, 0], likelihood[:, 0], None, None, animals)


# ---- the annotator --------------------------------------------------------------------------------


def test_from_scratch_all_points_of_all_animals_are_placed():
    assert from_scratch(truth()).actions == Actions(looks=1, placed=6)


def test_an_animal_that_is_not_there_takes_one_key():
    found = from_scratch(truth(second=HIDDEN))
    assert found.actions == Actions(looks=1, placed=3, accepted=1)
    assert found.states.tolist() == [1, 1, 1, 2, 2, 2]


def test_one_key_accepts_the_guesses_of_all_animals():
    found = correct_frame(truth(), BOTH + 1, np.full(6, 0.9), None)
    assert found.actions == Actions(looks=1, points=6, accepted=1)
    assert found.taken.all()


def test_a_missed_animal_is_placed_and_an_extra_pose_refused():
    guess = BOTH.copy()
    guess[3:] = np.nan
    found = correct_frame(truth(), guess, np.full(6, 0.9), None, extra=2)
    assert found.actions == Actions(looks=1, points=3 + 2, placed=3, accepted=1 + 2)
    assert found.xy == pytest.approx(BOTH)
    assert found.taken.tolist() == [True] * 3 + [False] * 3
    assert [k for k, _, _ in found.answers] == [0, 1, 2]  # nobody judges a guess that is not there
    asked = answer_points(truth(), guess, np.full(6, 0.9), [0, 4], infer=None, extra=1)
    assert asked.actions == Actions(looks=1, points=1 + 1, placed=1, accepted=1 + 1)
    assert asked.states.tolist() == [1, 0, 0, 0, 1, 0]


def test_a_click_updates_the_guesses_of_its_own_animal():
    def push(xy, clicked, open_):
        return np.where(open_[:, None], xy + 7, xy)

    infer = inference_of_each([push, push])
    clicked = np.zeros(6, bool)
    assert infer(BOTH, clicked, ~clicked) == pytest.approx(BOTH + 7)
    clicked[4] = True
    after = infer(BOTH, clicked, ~clicked)
    assert after[:3] == pytest.approx(BOTH[:3])
    assert after[[3, 5]] == pytest.approx(BOTH[[3, 5]] + 7)
    assert inference_of_each([None, None]) is None
    assert inference_of_each([None, push])(BOTH, np.zeros(6, bool), np.ones(6, bool))[:3] == pytest.approx(BOTH[:3])


# ---- what is measured -----------------------------------------------------------------------------


def test_animals_are_matched_whatever_the_model_calls_them():
    two = dataset(np.ones((3, 6), np.int8))
    second, first, nowhere = FIRST + 101, FIRST, FIRST + 300
    found = guesses_of(two, [0, 1, 2], said([second, first], [second], [nowhere, second, first]))
    assert found.xy[0] == pytest.approx(np.concatenate([first, second]))
    assert np.isnan(found.xy[1, :3]).all()
    assert found.xy[1, 3:] == pytest.approx(second)
    assert found.extra.tolist() == [0, 0, 1]
    assert found.slots.tolist() == [[1, 0], [-1, 0], [2, 1]]
    errors = measure(two, np.arange(3), found.xy, extra=found.extra)
    assert errors.missed == pytest.approx(1 / 6)
    assert errors.extra == pytest.approx(1 / 6)
    assert errors.error_px == pytest.approx(math.sqrt(2) * 9 / 15)  # of the animals that were found
    off = math.sqrt(2) / np.hypot(40, 50)
    assert errors.error == pytest.approx((9 * off + 3 * 1.0) / 18)  # the missed one is as wrong as anything can be
    assert errors.pck[0.05] == pytest.approx(15 / 18)
    assert errors.lost == pytest.approx(2 / 3)
    assert errors.per_bodypart["nose"] == pytest.approx((3 * off + 1.0) / 6)


def test_poses_beside_labels_are_extra_only_where_every_animal_is_known():
    states = np.array([[1, 1, 1, 0, 0, 0], [1, 1, 1, 2, 2, 2], [2] * 6], np.int8)
    data = dataset(states)
    found = guesses_of(data, [0, 1, 2], said([FIRST, FIRST + 100], [FIRST, FIRST + 100], [FIRST]))
    assert found.extra.tolist() == [0, 1, 1]
    errors = measure(data, np.arange(3), found.xy, extra=found.extra)
    assert (errors.missed, errors.extra) == (0, 1.0)
    assert errors.lost == pytest.approx(2 / 3)


def test_a_model_that_finds_nothing_has_the_largest_error():
    data = dataset(np.ones((2, 6), np.int8))
    found = guesses_of(data, [0, 1], said([np.full((3, 2), np.nan)], []))
    errors = measure(data, np.arange(2), found.xy, extra=found.extra)
    assert (errors.error, errors.missed, errors.lost) == (1.0, 1.0, 1.0)
    assert math.isnan(errors.error_px)


def test_labels_nobody_gave_are_not_taught():
    image = np.zeros((64, 64, 3), np.uint8)
    partly = labelled_frame(image, BOTH, np.array([1, 1, 1, 0, 0, 0], np.int8), SKELETON)
    assert len(partly.animals) == 1
    assert not partly.every_animal
    empty = labelled_frame(image, BOTH, np.full(6, HIDDEN), SKELETON)
    assert not empty.animals
    assert empty.every_animal


# ---- from beginning to end ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def labelled_pair(tmp_path_factory):
    """The ``config.yaml`` of the sample of two mice, every few frames labelled as they are."""
    config = make_pair(tmp_path_factory.mktemp("pair"), n_frames=N_FRAMES)
    with open_project(config) as project:
        for video, poses in pair_truth(config).items():
            for frame in range(0, N_FRAMES, EVERY):
                for who, pose in zip(INDIVIDUALS, poses[frame], strict=True):
                    for part, point in zip(project.skeleton.bodyparts, pose, strict=True):
                        if np.isfinite(point).all():
                            project.labels.place(FrameKey(video, frame), part, *point.tolist(), individual=who)
                        else:
                            project.labels.mark_not_visible(FrameKey(video, frame), part, individual=who)
    return config


def test_a_project_of_two_is_opened_with_all_animals(labelled_pair):
    raw = open_source_of_labels(str(labelled_pair), rotation_degrees=180)
    assert raw.skeleton.individuals == INDIVIDUALS
    assert raw.xy.shape == (2 * N_FRAMES // EVERY, 14, 2)
    known = pair_truth(labelled_pair)[raw.keys[3].video][raw.keys[3].frame]
    np.testing.assert_allclose(raw.xy[3], known.reshape(14, 2), atol=1e-3)


def test_heads_alone_refuse_several_animals(labelled_pair, tmp_path):
    raw = open_source_of_labels(str(labelled_pair), rotation_degrees=180)
    with pytest.raises(AlPoseError, match="several animals") as refused:
        prepare(raw, Protocol(arms=("uniform",), budgets=(2, 3)), tmp_path)
    assert "--learning all" in refused.value.hint


def test_workflows_and_strategies_are_played_on_two_mice(labelled_pair, tmp_path, capsys):
    command = ["simulate", str(labelled_pair), "--workflows", "from-scratch,prefilled,shipped", "--strategies"]
    command += ["uniform,hybrid", "--json", "--seeds", "1", "--use-folds", "0", "--budgets", "3,5", "--steps", "12"]
    command += ["--batch-size", "4", "--folds", "2", "--jobs", "1", "--baseline", "from-scratch"]
    with pytest.raises(SystemExit) as end:
        main([*command, "--output", str(tmp_path / "out")])
    assert end.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert document["missing"] == 0
    assert set(document["effort"]) == {"from-scratch", "prefilled", "shipped"}
    rows = {(row["arm"], row["budget"]): row for row in read_rounds(tmp_path / "out" / "rounds")}
    assert len(rows) == 2 * 8  # with the three arms of every run
    for row in rows.values():
        assert 0 <= row["missed"] <= 1
        assert row["extra"] >= 0
        assert row["error"] <= 1
    assert not any(row["fallback"] for row in rows.values())
    scratch = rows["from-scratch", 5]["work"]
    assert scratch["looks"] == 5
    assert scratch["n_points"] == 5 * 14
    assert scratch["placed"] + scratch["accepted"] == 5 * 14  # each point of each mouse
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "missed animals" in page


def test_the_true_error_is_that_of_whole_frames():
    data = dataset(np.ones((2, 6), np.int8))
    poses = said([FIRST + 100, FIRST], [FIRST, FIRST + 110]).animals.xy
    context = ScoreContext(
        keys=data.keys, skeleton=SKELETON, xy=poses[:, 0], likelihood=np.ones((2, 3)), extra={Extra.ANIMALS_XY: poses}
    )
    right, wrong = TrueError(data).score(context)
    assert right == pytest.approx(0)
    assert wrong == pytest.approx(np.hypot(10, 10) / np.hypot(40, 50) / 2, rel=1e-4)
