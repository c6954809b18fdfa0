"""Which guess is whose: in whatever order animals are labelled, and wherever."""

from __future__ import annotations

import numpy as np

from napari_al_pose.domain import Annotation, FrameKey, KeypointState, Prediction
from napari_al_pose.domain.individuals import assign_poses, guesses_for

KEY = FrameKey("v", 3)
WEST, EAST = np.array([[10, 10], [20, 10], [30, 10]], float), np.array([[110, 10], [120, 10], [130, 10]], float)
POSES = np.stack([WEST, EAST]).astype(np.float32)
SAID = Prediction.of_animals(KEY, 1, POSES, np.full((2, 3), 0.9, np.float32))


def empty(n: int = 2) -> list[Annotation]:
    return [Annotation.empty(KEY, 3, f"mouse{i}") for i in range(n)]


def labelled(xy: np.ndarray, which: list[int], individual: str = "mouse") -> Annotation:
    states = np.zeros(3, np.int8)
    states[which] = KeypointState.PLACED
    return Annotation(KEY, np.where(states[:, None] > 0, xy, np.nan), states, individual)


def test_without_labels_each_individual_has_a_guess_of_its_own():
    assert assign_poses(POSES, empty()) == [0, 1]
    np.testing.assert_array_equal(guesses_for(SAID, empty())[1].xy, POSES[1])


def test_a_click_on_the_other_animal_moves_the_guess_there_and_gives_the_first_to_the_other():
    annotations = [labelled(EAST + 3, [0]), empty()[1]]
    assert assign_poses(POSES, annotations) == [1, 0]
    np.testing.assert_array_equal(guesses_for(SAID, annotations)[0].xy, POSES[1])
    # Whoever is labelled first.
    assert assign_poses(POSES, [empty()[0], labelled(WEST - 2, [2])]) == [1, 0]


def test_labels_where_no_pose_is_take_none():
    assert assign_poses(POSES, [labelled(WEST + 500, [0, 1]), empty()[1]]) == [-1, 1]


def test_two_individuals_labelled_on_one_animal_do_not_share_its_pose():
    assert assign_poses(POSES, [labelled(WEST, [0, 1]), labelled(WEST + 4, [0, 1])]) == [0, -1]


def test_an_individual_said_not_to_be_there_gets_no_guess():
    gone = Annotation(KEY, np.full((3, 2), np.nan), np.full(3, KeypointState.NOT_VISIBLE, np.int8), "mouse1")
    assert assign_poses(POSES, [gone, *empty(2)]) == [-1, 1, 0]


def test_more_individuals_than_poses_and_more_poses_than_individuals():
    missing = POSES.copy()
    missing[1] = np.nan
    assert assign_poses(missing, empty(3)) == [0, -1, -1]
    assert guesses_for(Prediction.of_animals(KEY, 1, missing, np.zeros((2, 3))), empty())[1] is None
    assert assign_poses(np.concatenate([POSES, POSES + 300]), empty()) == [0, 1]


def test_an_animal_whose_track_was_split_off_is_offered_to_the_individual_that_is_labelled_or_to_none():
    nowhere = np.full_like(WEST, np.nan)

    def followed(*tracks):
        return Prediction.of_animals(KEY, 1, np.stack(tracks).astype(np.float32), np.ones((len(tracks), 3), np.float32))

    of_two = followed(nowhere, EAST, WEST)
    assert assign_poses(POSES, empty(), of_two) == [-1, 1]
    assert assign_poses(POSES, empty(), of_two, chosen=0) == [0, 1]
    of_three = followed(nowhere, EAST, nowhere, WEST)
    assert assign_poses(POSES, empty(3), of_three, chosen=2) == [-1, 1, 0]
    assert assign_poses(POSES, empty(3), of_three, chosen=1) == [-1, 1, -1], "which has a guess already"


def test_what_a_model_of_one_animal_says_is_the_first_individuals():
    one = Prediction(KEY, 1, POSES[0], np.ones(3, np.float32))
    assert guesses_for(one, empty()) == (one, None)
    assert guesses_for(None, empty()) == (None, None)
