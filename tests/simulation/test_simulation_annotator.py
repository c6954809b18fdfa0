"""The simulated annotator: what is counted, what is left as it is, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest

from napari_al_pose.domain import AlPoseError, KeypointState
from napari_al_pose.simulation.annotator import Truth, answer_points, clicks_needed, correct_frame, from_scratch
from napari_al_pose.simulation.bodypart_selection import GuessDoubt, select_bodyparts
from napari_al_pose.simulation.protocol import Arm, Protocol
from napari_al_pose.simulation.workflows import Actions, Costs, Workflow, parse_workflow

POINTS = np.array([[10.0, 10], [50, 10], [50, 90], [10, 90]])
LIKELIHOOD = np.array([0.9, 0.8, 0.3, 0.1])


def truth(*, hidden: tuple[int, ...] = (), jitter: float = 0.0) -> Truth:
    states = np.full(4, KeypointState.PLACED, np.int8)
    states[list(hidden)] = KeypointState.NOT_VISIBLE
    xy = np.where((states == KeypointState.PLACED)[:, None], POINTS, np.nan)
    return Truth(xy, states, 100.0, 0.05, np.full((4, 2), jitter))


def off(*by: float) -> np.ndarray:
    """Return guesses that are wrong by so many pixels along x."""
    return POINTS + np.array([[value, 0.0] for value in by])


def test_from_scratch_every_point_is_placed_give_or_take_a_persons_jitter():
    found = from_scratch(truth(hidden=(3,), jitter=1.5))
    assert found.actions == Actions(looks=1, placed=3, accepted=1)
    assert found.xy[:3] == pytest.approx(POINTS[:3] + 1.5)
    assert np.isnan(found.xy[3]).all()
    assert found.states.tolist() == [1, 1, 1, 2]


def test_what_is_within_the_tolerance_stays_as_wrong_as_it_is():
    found = correct_frame(truth(), off(4.9, -2, 0, 0), LIKELIHOOD, None)
    assert found.actions == Actions(looks=1, points=4, accepted=1)
    assert found.xy == pytest.approx(off(4.9, -2, 0, 0))
    assert found.taken.all()
    assert found.answers == ((0, 0.9, True), (1, 0.8, True), (2, 0.3, True), (3, 0.1, True))


def test_wrong_guesses_are_dragged_and_hidden_ones_marked():
    found = correct_frame(truth(hidden=(1,)), off(0, 0, 30, -6), LIKELIHOOD, None)
    assert found.actions == Actions(looks=1, points=4, dragged=2, accepted=2)
    assert found.actions.clicks == 2
    assert found.xy[[0, 2, 3]] == pytest.approx(POINTS[[0, 2, 3]])
    assert found.taken.tolist() == [True, False, False, False]
    assert [right for _, _, right in found.answers] == [True, False, False, False]


def test_the_worst_is_put_right_first_and_what_is_mended_takes_no_click():
    order = []

    def infer(xy, clicked, open_):
        order.append(int(np.flatnonzero(clicked)[-1]))
        mended = xy.copy()
        mended[open_] = POINTS[open_]
        return mended

    found = correct_frame(truth(), off(20, 0, 40, 0), LIKELIHOOD, infer)
    assert order == [2]
    assert found.actions == Actions(looks=1, points=4 + 1, dragged=1, accepted=1)
    assert found.xy == pytest.approx(POINTS)
    assert clicks_needed(truth(), off(20, 0, 40, 0), None) == 2
    assert clicks_needed(truth(), off(20, 0, 40, 0), infer) == 1


def test_mending_that_does_harm_takes_its_clicks():
    def infer(xy, clicked, open_):
        return np.where(open_[:, None], xy + 10, xy)

    found = correct_frame(truth(), off(20, 0, 0, 0), LIKELIHOOD, infer)
    assert found.actions.dragged == 4
    assert found.xy == pytest.approx(POINTS)


def test_a_frame_without_a_guess_is_labelled_point_by_point():
    nothing = np.full((4, 2), np.nan)
    assert correct_frame(truth(), nothing, LIKELIHOOD, None).actions == Actions(looks=1, placed=4, accepted=1)


def test_only_the_points_asked_for_are_answered():
    found = answer_points(truth(hidden=(3,)), off(0, 30, 30, 0), LIKELIHOOD, [1, 3, 0], infer=None)
    assert found.actions == Actions(looks=1, points=3, dragged=1, accepted=2)
    assert found.states.tolist() == [1, 1, 0, 2]
    assert np.isnan(found.xy[2]).all()
    assert found.answers == ((1, 0.8, False), (3, 0.1, False), (0, 0.9, True))


def test_one_key_takes_what_the_model_is_sure_of_as_it_is():
    sure = np.array([True, False, True, False])
    found = answer_points(truth(), off(0, 0, 30, 0), LIKELIHOOD, [1], infer=None, sure=sure)
    assert found.states.tolist() == [1, 1, 1, 0]
    assert found.xy[2] == pytest.approx(off(0, 0, 30, 0)[2])  # wrong, and nobody saw it
    assert found.actions == Actions(looks=1, points=1, accepted=2)


def test_seconds_are_the_sum_of_the_actions():
    actions = Actions(looks=2, points=8, placed=3, dragged=1, accepted=2)
    assert actions.seconds(Costs()) == pytest.approx(2 * 2 + 8 * 0.3 + 3 * 2.5 + 1 * 3 + 2 * 0.7)
    assert (actions + actions).seconds(Costs()) == pytest.approx(2 * actions.seconds(Costs()))
    assert actions.seconds(Costs.parse("drag=6, look=1")) == pytest.approx(2 + 2.4 + 7.5 + 6 + 1.4)


@pytest.mark.parametrize("text", ["jump=2", "look", "look=-1", "look=nan", "look=x", "look=0"])
def test_costs_that_are_none_are_refused(text):
    with pytest.raises(AlPoseError, match="Unknown cost"):
        Costs.parse(text)


def test_doubt_means_the_same_for_every_bodypart():
    rng = np.random.default_rng(0)
    judged = [(0, float(p), bool(rng.random() < 0.95)) for p in rng.uniform(0.3, 0.6, 60)]
    judged += [(1, float(p), bool(rng.random() < 0.1)) for p in rng.uniform(0.3, 0.6, 60)]
    doubt = GuessDoubt(judged, 3)(np.array([[0.5, 0.5, 0.5]]))[0]
    assert doubt[0] < 0.2 < 0.7 < doubt[1]
    assert doubt[0] < doubt[2] < doubt[1]  # nothing is known of the third: it goes by all
    assert GuessDoubt([], 2)(np.array([0.9, 0.2])) == pytest.approx([0.1, 0.8], abs=1e-6)


def test_the_doubtful_and_the_scarce_are_asked_for_and_some_are_drawn():
    rng = np.random.default_rng(0)
    doubt, even = np.array([0.1, 0.5, 0.9, 0.2]), np.full(4, 10)
    assert select_bodyparts(doubt, even, 2, drawn=0.0, rng=rng) == [2, 1]
    scarce = np.array([10, 10, 10, 0])
    assert select_bodyparts(np.array([0.1, 0.5, 0.9, 0.4]), scarce, 2, drawn=0.0, rng=rng) == [2, 3]
    drawn = {k for _ in range(50) for k in select_bodyparts(doubt, even, 1, drawn=0.5, rng=rng)}
    assert drawn == {0, 1, 2, 3}
    assert sorted(select_bodyparts(doubt, even, 4, drawn=0.3, rng=rng)) == [0, 1, 2, 3]


def test_workflows_are_read_and_arms_name_both():
    assert parse_workflow("points25-mended-whole20-sure90") == Workflow(share=0.25, mended=True, whole=0.2, sure=0.9)
    shipped = Workflow(fused=True, mended=True, weighed=True)
    assert parse_workflow("prefilled-fused-mended-weighed") == parse_workflow("shipped") == shipped
    assert parse_workflow("hybrid") is parse_workflow("points25-odd") is parse_workflow("uniform+dedup") is None
    assert Arm.parse("prefilled").name == "prefilled"
    assert Arm.parse("prefilled/uniform").name == "prefilled"
    assert Arm.parse("prefilled/kmeans+nospread").name == "prefilled/kmeans+nospread"
    assert Arm.parse("hybrid").way is None
    with pytest.raises(AlPoseError, match="Unknown workflow"):
        Arm.parse("by-magic/uniform")


def test_earlier_runs_keep_their_setting():
    plain = Protocol(arms=("uniform",), budgets=(5, 10))
    assert plain.setting() == "1207009f3351"
    assert plain.setting() == Protocol(arms=("uniform", "prefilled"), budgets=(5, 10)).setting()
    assert plain.setting() != Protocol(arms=("uniform",), budgets=(5, 10), tolerance=0.1).setting()
    assert plain.setting() != Protocol(arms=("uniform",), budgets=(5, 10), costs=Costs(look=1.0)).setting()
