"""Other programs' own files: real ones, and damaged or hostile ones, which are refused by name."""

from __future__ import annotations

import csv
import json
import os
import shutil

import h5py
import numpy as np
import pytest
import sleap_io as sio
from scipy.io import loadmat, savemat

from napari_al_pose.domain import AlPoseError, FrameKey, KeypointState
from napari_al_pose.exchange import detect_format
from napari_al_pose.formats.coco import read_coco, write_coco
from napari_al_pose.formats.deeplabcut import write_annotations
from napari_al_pose.formats.horse10 import read_horse10
from napari_al_pose.formats.image_sets import WrittenPaths, number_images
from napari_al_pose.formats.lightning_pose import read_lightning_pose
from napari_al_pose.formats.lsp import read_lsp
from napari_al_pose.formats.mpii import read_mpii
from napari_al_pose.formats.sleap import read_sleap

# ---- real files -----------------------------------------------------------------------------------


def test_sleaps_own_file(data_dir):
    path = data_dir / "sleap" / "small_robot_minimal.slp"
    labels = read_sleap(path)
    assert labels.skeleton.bodyparts == ("A", "B")
    assert labels.skeleton.links == (("A", "B"),)
    assert [video.path for video in labels.videos] == ["tests/data/videos/small_robot.mp4"]
    expected = sio.load_slp(str(path), open_videos=False)
    for annotation, frame in zip(labels.annotations, expected, strict=True):
        assert annotation.key == FrameKey("small_robot", frame.frame_idx)
        np.testing.assert_array_equal(annotation.xy, frame.instances[0].numpy())


def test_horse10_in_coco(data_dir):
    path = data_dir / "horse10" / "test_horse10.json"
    labels = read_coco(path)
    entries = {entry["image_id"]: entry for entry in json.loads(path.read_text())["annotations"]}
    assert labels.skeleton.n_bodyparts == 22
    assert {a.key.frame for a in labels.annotations} == {244, 292, 465}
    first = next(a for a in labels.annotations if a.key.frame == 244)
    assert first.xy[0].tolist() == entries[100]["keypoints"][:2]
    absent = sum(v == 0 for entry in entries.values() for v in entry["keypoints"][2::3])
    assert sum(int((a.states == KeypointState.NOT_VISIBLE).sum()) for a in labels.annotations) == absent
    assert f"{absent} points without a place" in labels.notices[0]
    assert labels.videos[0].pictures[244].size == (288, 162)


def test_mpiis_own_joints(data_dir):
    path = data_dir / "mpii" / "test_mpii.json"
    labels = read_mpii(path)
    entry = json.loads(path.read_text())[0]
    number = int(entry["image"].removesuffix(".jpg"))
    (found,) = [a for a in labels.annotations if a.key.frame == number]
    np.testing.assert_allclose(found.xy, np.array(entry["joints"]) - 1)  # MATLAB counts from 1
    assert len(labels.annotations) == 5


def test_lsps_own_joints(data_dir):
    path = data_dir / "lsp" / "joints.mat"
    labels = read_lsp(path)
    joints = loadmat(path)["joints"]
    assert len(labels.annotations) == 2000
    np.testing.assert_allclose(labels.annotations[7].xy, joints[:2, :, 7].T - 1)
    assert labels.videos[0].pictures[8].path == "images/im0008.jpg"


def test_the_extended_lsp_says_visible_the_other_way_round(tmp_path):
    joints = np.full((14, 3, 2), 5.0)
    joints[3, 2, 0] = 0
    joints[3, :2, 0] = -9
    savemat(tmp_path / "joints.mat", {"joints": joints})
    first, second = read_lsp(tmp_path / "joints.mat").annotations
    assert first.states[3] == KeypointState.NOT_VISIBLE
    assert second.is_complete
    assert (second.states == KeypointState.PLACED).all()


# ---- Horse-10 -------------------------------------------------------------------------------------


@pytest.fixture
def horses(tmp_path):
    """Horse-10 as its makers have it, of three horses with two images each."""
    for horse in ("Ajax", "Bella", "Coco"):
        write_annotations(
            tmp_path / "labeled-data" / horse,
            scorer="Byron",
            bodyparts=("Nose", "Eye"),
            individuals=("",),
            frames={f"{n:04d}.png": np.full((1, 2, 2), n) for n in (1, 2)},
        )
    with (tmp_path / "TrainTestInfo_shuffle1.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["", "trainIndices", "testIndices_withinDomain", "testIndices_acrossDomain"])
        rows.writerow([0, "labeled-data/Ajax/0001.png", "labeled-data/Ajax/0002.png", "labeled-data/Coco/0001.png"])
        rows.writerow([1, "labeled-data/Bella/0002.png", "", "labeled-data/Coco/0002.png"])
    return tmp_path


def test_horse10_has_horses_and_official_splits(horses):
    found = read_horse10(horses)
    assert {video.name for video in found.labels.videos} == {"Ajax", "Bella", "Coco"}
    assert len(found.labels.annotations) == 6
    (split,) = found.splits
    assert split.train == (FrameKey("Ajax", 1), FrameKey("Bella", 2))
    assert split.within == (FrameKey("Ajax", 2),)
    assert {key.video for key in split.across} == {"Coco"}


def test_horse10_for_mmpose(tmp_path, data_dir):
    document = json.loads((data_dir / "horse10" / "test_horse10.json").read_text())
    for image, horse in zip(document["images"], ("Ajax", "Ajax", "Coco"), strict=True):
        image["file_name"] = f"labeled-data/{horse}/{image['file_name']}"
    (tmp_path / "annotations").mkdir()
    for part, chosen in (("train", [0]), ("test", [1, 2])):
        images = [document["images"][i] for i in chosen]
        ids = {image["id"] for image in images}
        annotations = [entry for entry in document["annotations"] if entry["image_id"] in ids]
        made = document | {"images": images, "annotations": annotations}
        (tmp_path / "annotations" / f"horse10-{part}-split1.json").write_text(json.dumps(made))
    found = read_horse10(tmp_path)
    (split,) = found.splits
    assert split.train == (FrameKey("Ajax", 244),)
    assert split.within == (FrameKey("Ajax", 292),)
    assert split.across == (FrameKey("Coco", 465),)


def test_a_split_of_images_without_labels_is_refused(horses):
    path = horses / "TrainTestInfo_shuffle1.csv"
    path.write_text(path.read_text().replace("Coco/0002", "Coco/0009"))
    with pytest.raises(AlPoseError, match=r"shuffle1.csv, line 3: .*Coco/0009"):
        read_horse10(horses)
    with pytest.raises(AlPoseError, match="not the Horse-10"):
        read_horse10(horses / "labeled-data" / "Ajax")


# ---- several animals, tracks, predictions in SLEAP ------------------------------------------------


def sleap_file(path, instances, *, tracks=(), video="cam.mp4"):
    """Write frames with instances, given as lists of (points, track name or None, predicted)."""
    skeleton = sio.Skeleton(["nose", "tail"])
    made = {name: sio.Track(name) for name in tracks}
    source = sio.Video(filename=video, backend_metadata={"type": "MediaVideo", "filename": video}, open_backend=False)
    frames = []
    for number, inside in enumerate(instances):
        kinds = [(sio.PredictedInstance if predicted else sio.Instance, xy, track) for xy, track, predicted in inside]
        made_instances = [
            kind.from_numpy(np.array(xy, float), skeleton=skeleton, track=made.get(track)) for kind, xy, track in kinds
        ]
        frames.append(sio.LabeledFrame(video=source, frame_idx=number, instances=made_instances))
    labels = sio.Labels(labeled_frames=frames, videos=[source], skeletons=[skeleton], tracks=list(made.values()))
    sio.save_slp(labels, str(path), embed=False, verbose=False)
    return path


A, B, NOTHING = [[1, 2], [3, 4]], [[5, 6], [7, 8]], [[np.nan, np.nan]] * 2


def test_tracks_are_individuals_whatever_their_order(tmp_path):
    path = sleap_file(tmp_path / "a.slp", [[(A, "x", 0), (B, "y", 0)], [(B, "y", 0), (A, "x", 0)]], tracks=("x", "y"))
    labels = read_sleap(path)
    assert labels.skeleton.individuals == ("x", "y")
    for annotation in labels.annotations:
        np.testing.assert_array_equal(annotation.xy, A if annotation.individual == "x" else B)


def test_instances_without_tracks_are_numbered(tmp_path):
    labels = read_sleap(sleap_file(tmp_path / "a.slp", [[(A, None, 0), (B, None, 0)], [(A, None, 0)]]))
    assert labels.skeleton.individuals == ("animal1", "animal2")
    assert any("numbered" in notice for notice in labels.notices)
    some = sleap_file(tmp_path / "b.slp", [[(A, None, 0), (B, "x", 0)], [(A, "x", 0)]], tracks=("x",))
    labels = read_sleap(some)
    assert labels.skeleton.individuals == ("x", "animal1")
    assert any("1 instance without a track of its own" in notice for notice in labels.notices)


def test_predictions_and_empty_instances_are_no_labels(tmp_path):
    path = sleap_file(tmp_path / "a.slp", [[(A, None, 1)], [(B, None, 0), (NOTHING, None, 0)]])
    labels = read_sleap(path)
    assert len(labels.annotations) == 1
    assert labels.skeleton.individuals == ("",)
    assert any("1 x prediction" in notice for notice in labels.notices)
    assert any("without points" in notice for notice in labels.notices)


# ---- COCO of several kinds ------------------------------------------------------------------------


def coco_file(path, **changes):
    """Write AP-10K style labels: two species with the same keypoints, two animals in the second image."""
    names = ["nose", "tail"]
    document = {
        "images": [{"id": i, "file_name": f"00000{i}.jpg", "width": 64, "height": 48} for i in (1, 2)],
        "categories": [
            {"id": 1, "name": "cat", "keypoints": names, "skeleton": [[1, 2]]},
            {"id": 2, "name": "dog", "keypoints": names, "skeleton": [[1, 2]]},
            {"id": 3, "name": "cup"},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [1, 2, 2, 3, 4, 1]},
            {"id": 2, "image_id": 2, "category_id": 1, "keypoints": [5, 6, 2, 0, 0, 0]},
            {"id": 3, "image_id": 2, "category_id": 2, "keypoints": [7, 8, 2, 9, 10, 2]},
            {"id": 4, "image_id": 2, "category_id": 3, "bbox": [0, 0, 5, 5]},
        ],
    } | changes
    path.write_text(json.dumps(document))
    return path


def test_species_with_the_same_keypoints(tmp_path):
    labels = read_coco(coco_file(tmp_path / "ap10k.json"))
    assert labels.skeleton.individuals == ("animal1", "animal2")
    assert labels.skeleton.links == (("nose", "tail"),)
    assert [(a.key.frame, a.individual) for a in labels.annotations] == [(1, "animal1"), (2, "animal1"), (2, "animal2")]
    told = " ".join(labels.notices)
    for what in ("1 annotation without keypoints", "1 occluded point", "1 point without a place"):
        assert what in told


def test_what_coco_says_beyond_keypoints_is_named(tmp_path):
    keypoints = {"image_id": 1, "category_id": 2, "keypoints": [1, 2, 2, 3, 5, 2], "track_id": 7}
    images = [{"id": 1, "file_name": "000001.jpg", "license": 3}, {"id": 2, "file_name": "000002.jpg"}]
    annotations = [
        {"id": 1, **keypoints, "bbox": [1, 2, 2, 3], "segmentation": []},
        {"id": 2, **keypoints, "bbox": [0, 0, 40, 30], "segmentation": [[1, 2, 3, 4, 5, 6]], "image_id": 2},
        {"id": 3, "image_id": 2, "category_id": 1, "iscrowd": 1, "segmentation": [[1, 2, 3]]},
    ]
    path = coco_file(tmp_path / "more.json", images=images, annotations=annotations, info={"year": 2021}, licenses=[])
    others = "'track_id' in 2 of the annotations, 'segmentation' in 1 of the annotations, 'license' in 1 of the images"
    assert read_coco(path).notices[-3:] == (
        f"{path}: the boxes of 1 annotation not kept.",
        f"{path}: species (categories) not kept: 'dog' (2 annotations); all are animals of one kind here.",
        f"{path}: not kept: {others}, 'info'.",
    )


def test_nothing_is_said_to_be_left_out_of_coco_written_here(tmp_path):
    labels = read_coco(coco_file(tmp_path / "theirs.json"))
    write_coco(labels, tmp_path / "ours.json")
    told = read_coco(tmp_path / "ours.json").notices
    assert not [notice for notice in told if "not kept" in notice]


# ---- Lightning Pose -------------------------------------------------------------------------------

HEADER = "scorer,me,me,me\nbodyparts,nose,nose,nose\ncoords,x,y,visible\n"


def lightning_file(path, *rows, header=HEADER):
    path.write_text(header + "".join(f"{row}\n" for row in rows))
    return path


def test_the_visible_column_is_the_three_states(tmp_path):
    rows = [f"labeled-data/cam/img{i}.png,{cells}" for i, cells in enumerate(("1.5,2.5,2", ",,1", ",,0", "3,4,1"))]
    labels = read_lightning_pose(lightning_file(tmp_path / "a.csv", *rows))
    states = {a.key.frame: a.states.tolist() for a in labels.annotations}
    assert states == {0: [KeypointState.PLACED], 1: [KeypointState.NOT_VISIBLE], 3: [KeypointState.NOT_VISIBLE]}
    assert "1 point marked occluded" in labels.notices[0]


def test_without_the_column_missing_is_not_visible(tmp_path):
    header = "scorer,me,me\nbodyparts,nose,nose\ncoords,x,y\n"
    path = lightning_file(tmp_path / "a.csv", "labeled-data/cam/img0.png,,", header=header)
    assert read_lightning_pose(path).annotations[0].states.tolist() == [KeypointState.NOT_VISIBLE]
    assert detect_format(path).name == "lightning-pose"


# ---- images ---------------------------------------------------------------------------------------


def test_images_without_numbers_are_numbered_and_told():
    keys, videos, notices = number_images(["images/b.png", "images/a.png", "dog.v2/7.png"], "set")
    assert keys["images/a.png"].video == "set"
    assert keys["images/a.png"] != keys["images/b.png"]
    assert keys["dog.v2/7.png"] == FrameKey("dog-v2", 7)
    assert [video.name for video in videos] == ["set", "dog-v2"]
    assert "a.png" in notices[0]


def test_images_of_two_folders_of_one_name_stay_apart():
    keys, _, _ = number_images(["day1/cam/img1.png", "day2/cam/img1.png"], "set")
    assert len(set(keys.values())) == 2


def test_a_path_never_leaves_the_folders(tmp_path):
    inside = tmp_path / "labels"
    (inside / "cam").mkdir(parents=True)
    (tmp_path / "secret.png").touch()
    (inside / "cam" / "a.png").touch()
    named = ("../secret.png", str(tmp_path / "secret.png"), "C:\\data\\cam\\a.png")
    paths = WrittenPaths(named, [inside])
    assert [paths.find(name) for name in named] == [None, None, inside / "cam" / "a.png"]


def test_a_name_that_several_files_share_is_no_ones(tmp_path):
    for name in ("cam.mp4", "day2/cam.mp4", "other.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    paths = WrittenPaths(["/x/day1/cam.mp4", "D:\\y\\day2\\CAM.mp4", "day2/cam.mp4", "/x/other.mp4"], [tmp_path])
    assert paths.find("/x/day1/cam.mp4") is None
    assert paths.ambiguous("/x/day1/cam.mp4") == tmp_path / "cam.mp4"
    assert paths.find("day2/cam.mp4") == tmp_path / "day2" / "cam.mp4"  # exactly what is written
    assert paths.find("/x/other.mp4") == tmp_path / "other.mp4"
    assert paths.ambiguous("/x/other.mp4") is None


# ---- damaged and hostile files --------------------------------------------------------------------

COCO_DAMAGE = {
    "nan": {"annotations": [{"image_id": 1, "keypoints": [float("nan"), 2, 2, 3, 4, 2]}]},
    "huge": {"annotations": [{"image_id": 1, "keypoints": [1e300, 2, 2, 3, 4, 2]}]},
    "text": {"annotations": [{"image_id": 1, "keypoints": ["1", 2, 2, 3, 4, 2]}]},
    "short": {"annotations": [{"image_id": 1, "keypoints": [1, 2, 2]}]},
    "visibility": {"annotations": [{"image_id": 1, "keypoints": [1, 2, 7, 3, 4, 2]}]},
    "no image": {"annotations": [{"image_id": 99, "keypoints": [1, 2, 2, 3, 4, 2]}]},
    "no list": {"annotations": {"a": 1}},
    "no name": {"images": [{"id": 1}]},
    "twice": {"images": [{"id": 1, "file_name": "a1.png"}, {"id": 1, "file_name": "a2.png"}]},
    "no keypoints": {"categories": [{"id": 1, "name": "cup"}]},
    "an entry that is none": {"annotations": [7]},
}


@pytest.mark.parametrize("damage", COCO_DAMAGE)
def test_damaged_coco_is_refused_by_name(tmp_path, damage):
    path = coco_file(tmp_path / "damaged.json", **COCO_DAMAGE[damage])
    with pytest.raises(AlPoseError, match=r"damaged\.json"):
        read_coco(path)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "[" * 100_000, '{"images": 1' + "0" * 5000 + "}", "\x00\xff"])
def test_what_is_no_json_is_refused_by_name(tmp_path, text):
    path = tmp_path / "damaged.json"
    path.write_bytes(text.encode("latin-1"))
    for read in (read_coco, read_mpii):
        with pytest.raises(AlPoseError, match=r"damaged\.json"):
            read(path)


@pytest.mark.parametrize(
    "entry",
    [
        {"joints": [[1, 2]] * 15, "joints_vis": [1] * 15},
        {"joints": [[1, 2, 3]] * 16, "joints_vis": [1] * 16},
        {"joints": [[1, None]] * 16, "joints_vis": [1] * 16},
        {"joints": [[1, 2]] * 16, "joints_vis": ["yes"] * 16},
    ],
)
def test_damaged_mpii_is_refused_by_entry(tmp_path, entry):
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps([{"image": "1.jpg", **entry}]))
    with pytest.raises(AlPoseError, match=r"damaged\.json, entry 0"):
        read_mpii(path)


@pytest.mark.parametrize("row", ["a1.png,1,2,5", "a1.png,x,2,2", "a1.png,1,2"])
def test_damaged_lightning_pose_is_refused_by_name(tmp_path, row):
    with pytest.raises(AlPoseError, match=r"damaged\.csv"):
        read_lightning_pose(lightning_file(tmp_path / "damaged.csv", row))


@pytest.mark.parametrize("joints", [np.zeros((3, 13, 2)), np.zeros(3), np.full((3, 14, 1), 1e200), np.array([["a"]])])
def test_damaged_lsp_is_refused_by_name(tmp_path, joints):
    savemat(tmp_path / "damaged.mat", {"joints": joints})
    with pytest.raises(AlPoseError, match=r"damaged\.mat"):
        read_lsp(tmp_path / "damaged.mat")
    (tmp_path / "damaged.mat").write_bytes(b"MATLAB 5.0 MAT-file" + b"\xff" * 500)
    with pytest.raises(AlPoseError, match=r"damaged\.mat"):
        read_lsp(tmp_path / "damaged.mat")


def test_damaged_sleap_is_refused_by_name(tmp_path):
    path = sleap_file(tmp_path / "damaged.slp", [[(A, None, 0)]])
    whole = path.read_bytes()
    for content in (b"", b"no hdf5", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(AlPoseError, match=r"damaged\.slp"):
            read_sleap(path)


@pytest.mark.parametrize("damage", ["huge", "no skeleton", "bomb", "no videos"])
def test_hostile_sleap_is_refused_by_name(tmp_path, damage):
    path = sleap_file(tmp_path / "hostile.slp", [[(A, None, 0)]])
    with h5py.File(path, "r+") as file:
        if damage == "huge":
            points = file["points"][:]
            points["x"] = 1e200
            file["points"][:] = points
        elif damage == "bomb":
            file.create_dataset("suggestions_json2", shape=(10**10,), dtype="f8", compression="gzip", chunks=True)
        elif damage == "no videos":
            del file["videos_json"]
        else:
            file["metadata"].attrs["json"] = np.bytes_(b'{"skeletons": [], "nodes": [], "version": "2.0.0"}')
    with pytest.raises(AlPoseError, match=r"hostile\.slp"):
        read_sleap(path)


def test_an_unknown_kind_of_file_is_refused(tmp_path):
    with pytest.raises(AlPoseError, match="no known format"):
        detect_format(tmp_path / "labels.xlsx")


@pytest.mark.skipif(os.name == "nt", reason="Windows refuses it itself")
def test_a_video_named_by_a_path_upwards_is_only_a_name(tmp_path):
    labels = read_sleap(sleap_file(tmp_path / "a.slp", [[(A, None, 0)]], video="../../etc/..mp4"))
    assert "/" not in labels.videos[0].name
    assert labels.videos[0].name not in ("", ".", "..")
    shutil.rmtree(tmp_path)


def test_an_array_of_a_kind_that_matlab_lacks_is_no_readable_file(tmp_path):
    path = tmp_path / "joints.mat"
    savemat(path, {"joints": np.ones((3, 14, 2))})
    data = bytearray(path.read_bytes())
    data[144] = 99  # the kind of the first array
    path.write_bytes(data)
    with pytest.raises(AlPoseError, match=r"joints\.mat is not a readable MATLAB file"):
        read_lsp(path)
