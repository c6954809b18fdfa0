"""The guess over a frame follows its labels, and goes back with them."""

from __future__ import annotations

import numpy as np
import pytest
from test_domain_pose_inference import GRID, at, mice, scoremaps

from napari_al_pose.domain import Annotation, FrameKey, KeypointState, Prediction
from napari_al_pose.domain.evidence import of_scoremaps
from napari_al_pose.domain.frame_guess import MOST_POSES, frame_guess, prior_of, with_carried
from napari_al_pose.domain.labelling import open_guess
from napari_al_pose.domain.views.label_propagation import carried_sentence, carrying_line

KEY = FrameKey("v", 1)
POSE = mice(1, seed=99)[0]


def annotations(n: int) -> list[Annotation]:
    return [Annotation(FrameKey("v", 10 + i), xy, np.ones(5, np.int8)) for i, xy in enumerate(mice(n))]


@pytest.fixture(scope="module")
def prior():
    return prior_of(annotations(20))


@pytest.fixture(scope="module")
def exchanged():
    """Return prediction and evidence of a frame in which left and right ear are exchanged."""
    both = [at(POSE, 1, 0.5), at(POSE, 2, 0.6)], [at(POSE, 1, 0.6), at(POSE, 2, 0.5)]
    maps = scoremaps([[at(POSE, 0, 0.3)], *both, [at(POSE, 3, 0.3)], [at(POSE, 4, 0.3)]])
    guess = POSE[[0, 2, 1, 3, 4]].astype(np.float32)
    return Prediction(KEY, 3, guess, np.full(5, 0.6, np.float32)), of_scoremaps(maps, GRID)


def labelled(**points) -> Annotation:
    annotation = Annotation.empty(KEY, 5)
    for name, state in points.items():
        k = int(name[1:])
        annotation.states[k] = state
        if state == KeypointState.PLACED:
            annotation.xy[k] = POSE[k]
    return annotation


def test_a_label_decides_the_others_anew_and_taking_it_back_takes_that_back(prior, exchanged):
    prediction, evidence = exchanged
    before = frame_guess(prediction, labelled(), prior=prior, evidence=evidence)
    after = frame_guess(prediction, labelled(p1=KeypointState.PLACED), prior=prior, evidence=evidence)
    assert np.hypot(*(after.xy[2] - POSE[2])) < 4
    assert np.isnan(after.xy[1]).all()
    assert after.likelihood[1] == 0
    again = frame_guess(prediction, labelled(), prior=prior, evidence=evidence)
    assert np.array_equal(before.xy, again.xy)


def test_what_is_not_visible_gets_no_guess(prior, exchanged):
    found = frame_guess(*exchanged[:1], labelled(p4=KeypointState.NOT_VISIBLE), prior=prior, evidence=exchanged[1])
    assert np.isnan(found.xy[4]).all()


@pytest.mark.parametrize("lacks", ["prior", "evidence", "both", "other bodyparts"])
def test_without_prior_or_scoremaps_the_models_guess_stays(lacks, prior, exchanged):
    prediction, evidence = exchanged
    annotation = labelled(p0=KeypointState.PLACED)
    given = {"prior": prior, "evidence": evidence}
    if lacks == "other bodyparts":
        given["prior"] = prior_of([Annotation(a.key, a.xy[:4], a.states[:4]) for a in annotations(8)])
    else:
        given |= {name: None for name in given if lacks in (name, "both")}
    found = frame_guess(prediction, annotation, **given)
    assert np.array_equal(found.xy, open_guess(prediction, annotation).xy, equal_nan=True)


def test_no_prediction_and_a_complete_frame_give_none(prior, exchanged):
    assert frame_guess(None, labelled(), prior=prior, evidence=exchanged[1]) is None
    done = labelled(**{f"p{k}": KeypointState.PLACED for k in range(5)})
    assert frame_guess(exchanged[0], done, prior=prior, evidence=exchanged[1]) is None


def test_a_prior_needs_some_poses_and_takes_not_all_of_many():
    assert prior_of([]) is None
    assert prior_of(annotations(2)) is None
    assert prior_of(annotations(MOST_POSES + 20)).n_poses <= MOST_POSES


def test_carried_points_take_the_place_of_those_the_model_doubts():
    xy = np.array([[1, 1], [2, 2], [3, 3], [np.nan, np.nan]], np.float32)
    guess = Prediction(KEY, 2, xy, np.array([0.9, 0.2, 0.4, 0.0], np.float32))
    carried = Prediction(KEY, 0, np.array([[9, 9], [8, 8], [np.nan, np.nan], [7, 7]], np.float32), np.full(4, 0.6))
    found = with_carried(guess, carried)
    assert found.xy[:, 0].tolist() == [1, 8, 3, 7]
    assert found.likelihood.tolist() == pytest.approx([0.9, 0.6, 0.4, 0.6])
    assert with_carried(guess, None) is guess
    assert with_carried(None, carried) is carried
    assert with_carried(None, None) is None


def test_what_is_said_of_carried_labels():
    assert (
        carried_sentence(43, 7, 63, wanted=None, stopped=False)[0] == "Carried 7 points through 43 frames, to frame 63."
    )
    assert carried_sentence(3, 1, 23, wanted=23, stopped=False)[0] == "Carried 1 point through 3 frames, to frame 23."
    assert "lost before frame 40" in carried_sentence(3, 5, 23, wanted=40, stopped=False)[0]
    assert carried_sentence(3, 5, 23, wanted=None, stopped=True)[0].endswith("where you ended it.")
    assert "lost in the next frame" in carried_sentence(0, 0, None, wanted=40, stopped=False)[0]
    assert carrying_line(40, 500) == "Carrying labels on: 40 of 500 frames"
