"""COCO files as tools write them: links from 0, several categories, one image twice, images without numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_al_pose.domain import AlPoseError, KeypointState
from napari_al_pose.formats.coco import read_coco
from napari_al_pose.formats.image_sets import number_images

NAMES = ["a", "b", "c"]


def entry(image, points, *, category=1, **more):
    """Return an annotation of visible points."""
    keypoints = [value for x, y in points for value in (x, y, 2)]
    return {"image_id": image, "category_id": category, "keypoints": keypoints, **more}


def coco(path, annotations, *, images=("img1.png",), categories=None):
    """Write a document; images are names, numbered from 0, or entries."""
    document = {
        "images": [
            image if isinstance(image, dict) else {"id": i, "file_name": image} for i, image in enumerate(images)
        ],
        "annotations": annotations,
        "categories": categories or [{"id": 1, "name": "animal", "keypoints": NAMES, "skeleton": []}],
    }
    path.write_text(json.dumps(document))
    return path


def one(labels):
    """Return the points of the only annotation, by bodypart."""
    (found,) = labels.annotations
    return dict(zip(labels.skeleton.bodyparts, found.xy.tolist(), strict=True))


POINTS = [(1, 1), (2, 2), (3, 3)]


@pytest.mark.parametrize(
    ("skeleton", "links", "told"),
    [
        ([[1, 2], [2, 3]], (("a", "b"), ("b", "c")), ""),
        ([[0, 1], [1, 2]], (("a", "b"), ("b", "c")), "from 0"),
        ([[1.0, 3.0]], (("a", "c"),), ""),
        ([["a", "c"]], (("a", "c"),), ""),
        ([["a", "tail"], ["b", "c"]], (("b", "c"),), "1 line between unknown"),
        ([[1, 2], [2, 4]], (), "left out"),
        ([[0, 1], [2, 3]], (), "left out"),
        ([[0, -1]], (), "left out"),
        ([[1, 2], [2]], (), "left out"),
        ([[1, 2], [2, 1], [3, 3]], (("a", "b"),), ""),
        ([], (), ""),
        (None, (), ""),
    ],
)
def test_lines_are_as_meant_or_none_and_told(tmp_path, skeleton, links, told):
    categories = [{"id": 1, "name": "animal", "keypoints": NAMES, "skeleton": skeleton}]
    labels = read_coco(coco(tmp_path / "x.json", [entry(0, POINTS)], categories=categories))
    assert labels.skeleton.links == links
    assert one(labels) == {"a": [1, 1], "b": [2, 2], "c": [3, 3]}
    assert told in " ".join(labels.notices)
    assert bool(told) == bool(labels.notices)


def test_categories_with_keypoints_in_another_order(tmp_path):
    categories = [
        {"id": 1, "name": "cat", "keypoints": ["a", "b", "c"], "skeleton": [[1, 2]]},
        {"id": 2, "name": "dog", "keypoints": ["c", "a", "b"], "skeleton": [[2, 3]]},
    ]
    annotations = [entry(0, POINTS), entry(1, [(3, 3), (1, 1), (2, 2)], category=2)]
    labels = read_coco(coco(tmp_path / "x.json", annotations, images=["img1.png", "img2.png"], categories=categories))
    assert [a.xy.tolist() for a in labels.annotations] == [[[1, 1], [2, 2], [3, 3]]] * 2
    assert labels.skeleton.links == (("a", "b"),)


def test_what_a_category_lacks_is_not_labelled_and_other_kinds_are_counted(tmp_path):
    categories = [
        {"id": 1, "name": "mouse", "keypoints": ["a", "b", "c"]},
        {"id": 2, "name": "pup", "keypoints": ["b", "tip"]},
        {"id": 3, "name": "hand", "keypoints": ["thumb"]},
    ]
    annotations = [
        entry(0, POINTS),
        entry(1, [(8, 8), (9, 9)], category=2),
        entry(0, [(5, 5)], category=3),
        entry(1, [(6, 6)], category=3),
    ]
    images = ["img1.png", "img2.png"]
    annotations.append(entry(1, POINTS))
    labels = read_coco(coco(tmp_path / "x.json", annotations, images=images, categories=categories))
    assert labels.skeleton.bodyparts == ("a", "b", "c", "tip")
    pup = next(a for a in labels.annotations if a.states[3] == KeypointState.PLACED)
    assert pup.states.tolist() == [
        KeypointState.UNSEEN,
        KeypointState.PLACED,
        KeypointState.UNSEEN,
        KeypointState.PLACED,
    ]
    said = " ".join(labels.notices)
    assert "2 annotations of categories with other keypoints" in said
    assert "'mouse' (2 annotations), 'pup' (1 annotation)" in said
    assert "'hand'" not in said, "it was left out as a whole"


def test_an_entry_of_no_category_whose_points_are_cut_off_is_told_beside_the_others(tmp_path):
    torn = entry(0, [(3, 4), (5, 6), (7, 8)], bbox=[0, 0, 9, 9])
    torn["keypoints"].pop()
    del torn["category_id"]
    kinds = [{"id": i, "name": f"kind {i}", "keypoints": NAMES[::i], "skeleton": []} for i in (1, -1)]
    whole = entry(0, [(1, 2), (3, 4), (5, 6)])
    labels = read_coco(coco(tmp_path / "c.json", [whole, torn], categories=kinds))
    assert len(labels.annotations) == 1
    assert any("1 annotation of categories" in notice and "left out" in notice for notice in labels.notices)


def test_one_image_twice_keeps_both_annotations(tmp_path):
    images = [{"id": i, "file_name": "cam/img1.png", "width": 9, "height": 9} for i in (4, 7)]
    annotations = [entry(4, POINTS), entry(7, [(5, 5), (6, 6), (7, 7)]), entry(7, POINTS)]
    labels = read_coco(coco(tmp_path / "x.json", annotations, images=images))
    assert len(labels.annotations) == 2
    assert {a.individual for a in labels.annotations} == {"animal1", "animal2"}
    told = " ".join(labels.notices)
    assert "1 image listed more than once" in told
    assert "1 annotation counted once" in told


def test_one_animal_of_an_image_twice_keeps_both(tmp_path):
    annotations = [entry(0, [(i, i)] * 3, individual="ann") for i in (1, 2)]
    labels = read_coco(coco(tmp_path / "x.json", annotations))
    assert [a.xy[0, 0] for a in labels.annotations] == [1]
    assert [a.xy[0, 0] for a in labels.duplicates] == [2]
    assert "more than once and differently" in " ".join(labels.notices)


def test_coco_annotator_keeps_folders_apart_from_names(tmp_path):
    images = [{"id": i, "file_name": "1.png", "path": f"/datasets/{day}/1.png"} for i, day in enumerate(("d1", "d2"))]
    labels = read_coco(coco(tmp_path / "x.json", [entry(i, [(i, i)] * 3) for i in (0, 1)], images=images))
    assert {a.key.video: a.xy[0, 0] for a in labels.annotations} == {"d1": 0, "d2": 1}


def test_label_studios_addresses_are_files(tmp_path):
    labels = read_coco(coco(tmp_path / "x.json", [entry(0, POINTS)], images=["/data/local-files/?d=cam%2Fimg5.png"]))
    assert labels.annotations[0].key.video == "cam"
    assert labels.video("cam").pictures[5].path == "cam/img5.png"


def test_visibility_of_minus_one_is_not_labelled(tmp_path):
    """DeepLabCut's and MMPose's mark of keypoints that one of several joined data sets does not have."""
    annotation = {"image_id": 0, "category_id": 1, "keypoints": [5, 6, 2, -1, -1, -1, None, None, 0]}
    labels = read_coco(coco(tmp_path / "x.json", [annotation]))
    assert labels.annotations[0].states.tolist() == [
        KeypointState.PLACED,
        KeypointState.UNSEEN,
        KeypointState.NOT_VISIBLE,
    ]
    assert "visibility -1" in " ".join(labels.notices)


def test_places_of_invisible_points_are_counted(tmp_path):
    annotation = {"image_id": 0, "category_id": 1, "keypoints": [5, 6, 2, 7, 8, 0, 0, 0, 0]}
    labels = read_coco(coco(tmp_path / "x.json", [annotation]))
    assert "the places of 1 point with visibility 0" in " ".join(labels.notices)


def test_scores_are_told_of(tmp_path):
    labels = read_coco(coco(tmp_path / "x.json", [entry(0, POINTS, score=0.93)]))
    assert "1 annotation with a score" in " ".join(labels.notices)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (
            '{"images": [], "images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": []}',
            "'images'",
        ),
        ('{"images": [{"id": 1, "id": 2, "file_name": "a.png"}], "annotations": [], "categories": []}', "'id'"),
    ],
)
def test_a_key_twice_is_refused_by_name(tmp_path, text, match):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(AlPoseError, match=match + " twice"):
        read_coco(tmp_path / "x.json")


def test_two_images_of_one_id_are_refused(tmp_path):
    images = [{"id": 1, "file_name": name} for name in ("a1.png", "a2.png")]
    with pytest.raises(AlPoseError, match=r"image 1: its id 1 is also the id of 'a1.png'"):
        read_coco(coco(tmp_path / "x.json", [entry(1, POINTS)], images=images))


# ---- images without numbers -----------------------------------------------------------------------


def numbers(*files):
    """Return frame keys by file."""
    return number_images(list(files), "set")[0]


def test_an_image_has_one_number_whatever_else_a_file_names():
    train, val = numbers("m/d47f.jpg", "m/a2bx.jpg"), numbers("m/zz.jpg", "m/d47f.jpg", "m/000.jpg")
    assert train["m/d47f.jpg"] == val["m/d47f.jpg"]
    assert len({*train.values(), *val.values()}) == 4
    assert val["m/000.jpg"].frame == 0


@pytest.mark.parametrize("count", [1000])
def test_numbers_made_from_names_are_all_different_and_fit(count):
    found = numbers(*(f"m/{i:x}z.jpg" for i in range(count)))
    assert len(set(found.values())) == count
    assert all(0 <= key.frame < 2**31 for key in found.values())


def test_two_cameras_of_one_folder_do_not_share_a_frame():
    found = numbers("cam/left001.png", "cam/right001.png", "cam/left002.png")
    assert len(set(found.values())) == 3
    assert found["cam/left002.png"].frame == 2


def test_one_image_under_two_spellings_is_one():
    found = numbers("cam/img1.png", ".\\cam\\img1.png", "./cam//img1.png")
    assert len(set(found.values())) == 1
    np.testing.assert_equal({key.frame for key in found.values()}, {1})


def test_an_annotation_of_an_image_that_is_not_listed_costs_nothing_else(tmp_path):
    labels = read_coco(coco(tmp_path / "part.json", [entry(7, POINTS), entry(0, POINTS), entry(8, POINTS)]))
    assert one(labels) == dict(zip(NAMES, [[1, 1], [2, 2], [3, 3]], strict=True))
    assert any("2 annotations left out, of images that the file does not list" in told for told in labels.notices)


def test_a_visible_point_without_a_place_is_not_labelled(tmp_path):
    keypoints = [1, 1, 2, None, None, 1, 3, 3, 1]
    labels = read_coco(coco(tmp_path / "null.json", [{"image_id": 0, "category_id": 1, "keypoints": keypoints}]))
    assert labels.annotations[0].states.tolist() == [KeypointState.PLACED, KeypointState.UNSEEN, KeypointState.PLACED]
    assert any("1 point said to be visible but without a place" in told for told in labels.notices)
    assert any("1 occluded point" in told for told in labels.notices)


def test_the_random_endings_of_roboflow_are_no_frame_numbers(tmp_path):
    names = [f"clip_mp4-{number}_jpg.rf.{'0a1b2c3d' * 3}{number:08d}.jpg" for number in (7, 12, 130)]
    names += ["clip_mp4-12_jpg.rf.ffff0000ffff0000ffff0000ffff0000.jpg"]  # an augmented copy
    annotations = [entry(i, POINTS) for i in range(len(names))]
    labels = read_coco(coco(tmp_path / "roboflow.json", annotations, images=names))
    assert [a.key.frame for a in labels.annotations[:3]] == [7, 12, 130]
    assert len({a.key for a in labels.annotations}) == 4
    assert any("1 image of 'roboflow' without a frame number of their own" in told for told in labels.notices)
