"""Labels come to their own videos and images only, however the file names them."""

from __future__ import annotations

import contextlib
import json
import unicodedata

import numpy as np
import pandas as pd
import pytest
import sleap_io as sio
from exchange_tools import make_video
from PIL import Image

from napari_al_pose.domain import AlPoseError, FrameKey
from napari_al_pose.domain.steps import finish
from napari_al_pose.exchange import export_labels, format_named, import_labels
from napari_al_pose.project import open_project

SKELETON = sio.Skeleton(["a", "b"])


def slp(path, labels, *, shape=None):
    """Write labels given as (path of a video, frame, points)."""
    videos, frames = {}, []
    for name, number, xy in labels:
        about = {"type": "MediaVideo", "filename": name} | ({"shape": shape} if shape else {})
        video = videos.setdefault(name, sio.Video(filename=name, backend_metadata=about, open_backend=False))
        instance = sio.Instance.from_numpy(np.array(xy, float), skeleton=SKELETON)
        frames.append(sio.LabeledFrame(video=video, frame_idx=number, instances=[instance]))
    made = sio.Labels(labeled_frames=frames, videos=list(videos.values()), skeletons=[SKELETON])
    sio.save_slp(made, str(path), embed=False, verbose=False)
    return path


POINTS = [[10, 20], [30, 40]]


@pytest.mark.parametrize(
    "paths",
    [
        ("/mnt/x/mouse1/video.mp4", "/mnt/x/mouse2/video.mp4"),
        ("D:\\m1\\video.mp4", "D:\\m2\\VIDEO.MP4"),
        ("/x/day1/cam/video.mp4", "/x/day2/cam/video.mp4"),
        ("mouse1/video.mp4", "/y/mouse2/video.mp4"),
    ],
)
@pytest.mark.parametrize("beside", ["video.mp4", "cam/video.mp4", "videos/video.mp4"])
def test_an_ambiguous_name_is_nobodys(tmp_path, paths, beside):
    make_video(tmp_path / beside)
    done = finish(import_labels(slp(tmp_path / "l.slp", [(p, 3, POINTS) for p in paths]), tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        assert len(project.labels.labelled_keys()) == 2
        assert len({key.video for key in project.labels.labelled_keys()}) == 2
        assert not any(video.has_video for video in project.videos)
    assert sum("could not be found" in notice for notice in done.notices) == 1
    if beside == "video.mp4":
        assert any("ambiguous" in notice and "video.mp4" in notice for notice in done.notices)


def test_as_much_of_the_path_as_tells_them_apart_will_do(tmp_path):
    """What the message asks for works: each video in a folder of its own beside the labels."""
    for mouse, n in (("mouse1", 10), ("mouse2", 12)):
        make_video(tmp_path / mouse / "video.mp4", n=n)
    path = slp(tmp_path / "l.slp", [(f"/mnt/x/{mouse}/video.mp4", 3, POINTS) for mouse in ("mouse1", "mouse2")])
    done = finish(import_labels(path, tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        found = {video.name: len(video.open()) for video in project.videos}
        assert found == {"mouse1-video": 10, "mouse2-video": 12}
    assert sum("Check that it is the same video" in notice for notice in done.notices) == 2


@pytest.mark.parametrize(
    ("frame", "shape", "reason"),
    [(40, None, "30 frames, and frame 40"), (3, [30, 480, 640, 1], "labels are of 640 x 480")],
)
def test_a_video_of_the_name_that_cannot_be_it_is_not_taken(tmp_path, frame, shape, reason):
    make_video(tmp_path / "video.mp4")
    path = slp(tmp_path / "l.slp", [("/mnt/x/video.mp4", frame, POINTS)], shape=shape)
    done = finish(import_labels(path, tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        assert not any(video.has_video for video in project.videos)
        assert len(project.labels.labelled_keys()) == 1
    assert any(reason in notice for notice in done.notices)


def test_a_video_is_not_given_away_that_another_one_names_outright(tmp_path):
    there = make_video(tmp_path / "a" / "video.mp4")
    path = slp(tmp_path / "l.slp", [("/far/a/video.mp4", 3, POINTS), (str(there), 4, POINTS)])
    finish(import_labels(path, tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        (video,) = [video for video in project.videos if video.has_video]
        assert [key.frame for key in project.labels.labelled_keys() if key.video == video.name] == [4]


def test_one_video_on_two_computers_is_one(tmp_path):
    make_video(tmp_path / "a.mp4")
    path = slp(tmp_path / "l.slp", [("C:/lab/data/a.mp4", 3, POINTS), ("/mnt/lab/data/a.mp4", 7, POINTS)])
    done = finish(import_labels(path, tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        assert [video.name for video in project.videos] == ["a"]
        assert project.labels.complete_keys() == [FrameKey("a", 3), FrameKey("a", 7)]
    assert any("read as one video" in notice for notice in done.notices)


def test_a_frame_that_a_file_has_twice_waits_as_a_conflict(tmp_path):
    make_video(tmp_path / "a.mp4")
    others = ([[11, 20], [30, 40]], [[12, 20], [30, 44]])
    path = slp(tmp_path / "l.slp", [("a.mp4", 3, xy) for xy in (POINTS, *others)])
    done = finish(import_labels(path, tmp_path / "made"))
    assert any("more than once and differently" in notice for notice in done.notices)
    with open_project(tmp_path / "made") as project:
        assert project.labels.annotation(FrameKey("a", 3)).xy.tolist() == POINTS
        kept = {(c.key.bodypart, c.theirs.x, c.theirs.y) for c in project.labels.conflicts.all()}
        assert kept == {("a", 11, 20), ("a", 12, 20), ("b", 30, 44)}


# ---- images ---------------------------------------------------------------------------------------


def coco(path, images, *, sizes=None):
    """Write a COCO file of one point in each image, given as {file: (x, y)}."""
    document = {
        "images": [
            {"id": i, "file_name": name} | ({"width": sizes[0], "height": sizes[1]} if sizes else {})
            for i, name in enumerate(images)
        ],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "keypoints": [x, y, 2]}
            for i, (x, y) in enumerate(images.values())
        ],
        "categories": [{"id": 1, "name": "animal", "keypoints": ["spot"]}],
    }
    path.write_text(json.dumps(document))
    return path


def spotted(path, *, at, size=(48, 32), exif=0):
    """Write a black picture with a white spot of 5 x 5 pixels; ``at`` is in pixels as stored."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[at[1] - 2 : at[1] + 3, at[0] - 2 : at[0] + 3] = 255
    about = Image.Exif()
    if exif:
        about[0x0112] = exif
    Image.fromarray(pixels).save(path, exif=about, **({"quality": 95} if path.suffix == ".jpg" else {}))


def points_on_spots(project):
    """Return how many labels of an open project lie on the white spot of their picture; all are expected to."""
    hits = 0
    for annotation in project.labels.annotations():
        with contextlib.closing(project.video(annotation.key.video).open()) as source:
            x, y = annotation.xy[0].round().astype(int)
            hits += int(source[source.position(annotation.key.frame)][y, x].min()) > 200
    return hits


@pytest.mark.parametrize(
    "names",
    [
        (["d47f1b1ee9d3a", "a2b3c4d5e6f7b", "0123456789abc"], ["ffeeddccbbaac", "a1a1a1a1a1a1b"]),
        (["left001", "right001"], ["left002", "right002", "left001"]),
        (["5", "x"], ["6", "y"]),
    ],
)
def test_a_second_file_of_one_folder_adds_its_own_images(tmp_path, names):
    spots = {f"macaque/{n}.png": (6 + 4 * i, 5 + 3 * i) for i, n in enumerate(dict.fromkeys([*names[0], *names[1]]))}
    for name, at in spots.items():
        spotted(tmp_path / name, at=at)
    for file, inside in zip(("train", "val"), names, strict=True):
        chosen = {f"macaque/{n}.png": spots[f"macaque/{n}.png"] for n in inside}
        finish(import_labels(coco(tmp_path / f"{file}.json", chosen), tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        assert len(project.labels.complete_keys()) == len(spots)
        assert points_on_spots(project) == len(spots)
        assert not project.labels.conflicts.all()
    # Once more brings nothing new.
    assert finish(import_labels(tmp_path / "train.json", tmp_path / "made")).points == 0


TURNED = {1: (30, 8), 3: (17, 23), 6: (23, 30), 8: (8, 17)}
"""Where the spot at (30, 8) of the stored picture, 48 x 32, is shown, by EXIF's orientation."""


@pytest.mark.parametrize("exif", TURNED)
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("said", [True, False])
def test_labels_on_a_turned_picture_stay_on_it(tmp_path, exif, suffix, said):
    shown = (32, 48) if exif in (6, 8) else (48, 32)
    spotted(tmp_path / "cam" / f"img0{suffix}", at=(30, 8), exif=exif)
    file = coco(tmp_path / "l.json", {f"cam/img0{suffix}": TURNED[exif]}, sizes=shown if said else None)
    done = finish(import_labels(file, tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        assert points_on_spots(project) == 1
        assert project.video("cam").open().shape[1:3] == shown[::-1]
    assert any("EXIF" in notice for notice in done.notices) == (exif != 1)
    (image,) = (tmp_path / "made" / "labeled-data" / "cam").glob("img0.*")
    assert Image.open(image).getexif().get(0x0112) is None or exif == 1


@pytest.mark.parametrize("how", ["size", "reach"])
def test_labels_on_the_picture_as_stored_stay_on_it(tmp_path, how):
    """Programs that read with Pillow or libjpeg label the picture that the sensor saw; the file's size tells."""
    at = (30, 8) if how == "size" else (40, 8)  # x of 40 is outside of the turned picture
    spotted(tmp_path / "cam" / "img0.jpg", at=at, exif=6)
    file = coco(tmp_path / "l.json", {"cam/img0.jpg": at}, sizes=(48, 32) if how == "size" else None)
    finish(import_labels(file, tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        assert points_on_spots(project) == 1
        finish(export_labels(project, format_named("coco"), tmp_path / "out"))
    finish(import_labels(tmp_path / "out", tmp_path / "again"))
    with open_project(tmp_path / "again") as project:
        assert points_on_spots(project) == 1


# ---- tables ---------------------------------------------------------------------------------------


def table(path, *, individuals=(), likelihood=None):
    """Write a DeepLabCut table of bodyparts a, b in two images."""
    axes = ["x", "y"] + (["likelihood"] if likelihood is not None else [])
    levels = [
        (*((who,) if individuals else ()), part, axis) for who in individuals or ("",) for part in "ab" for axis in axes
    ]
    names = ["scorer", *(["individuals"] if individuals else []), "bodyparts", "coords"]
    columns = pd.MultiIndex.from_tuples([("Ada", *level) for level in levels], names=names)
    rows = [f"labeled-data/cam/img{i}.png" for i in range(2)]
    values = np.arange(2.0 * len(levels)).reshape(2, -1)
    if likelihood is not None:
        values[:, 2::3] = likelihood
    made = pd.DataFrame(values, index=rows, columns=columns)
    made.to_csv(path) if path.suffix == ".csv" else made.to_hdf(path, key="df_with_missing", mode="w")
    return path


def test_a_table_of_several_animals_is_one_under_any_name(tmp_path):
    finish(import_labels(table(tmp_path / "export.csv", individuals=("m1", "m2")), tmp_path / "made"))
    with open_project(tmp_path / "made") as project:
        assert project.skeleton.individuals == ("m1", "m2")
        assert len(list(project.labels.annotations())) == 4


@pytest.mark.parametrize("name", ["machinelabels-iter0.csv", "machinelabels-iter0.h5", "camDLC_resnet50.csv", "x.h5"])
@pytest.mark.parametrize("individuals", [(), ("m1", "m2")])
def test_what_a_model_predicted_is_no_label(tmp_path, name, individuals):
    path = table(tmp_path / name, individuals=individuals, likelihood=0.99)
    with pytest.raises(AlPoseError, match="a model's predictions") as caught:
        finish(import_labels(path, tmp_path / "made"))
    assert str(path) in caught.value.message
    assert not (tmp_path / "made").exists()


def test_likelihoods_in_a_file_of_labels_are_told_of(tmp_path):
    done = finish(import_labels(table(tmp_path / "CollectedData_Ada.csv", likelihood=0.5), tmp_path / "made"))
    assert any("4 points with a likelihood below 1" in notice for notice in done.notices)
    done = finish(import_labels(table(tmp_path / "CollectedData_Bob.csv", likelihood=1.0), tmp_path / "other"))
    assert not any("likelihood below" in notice for notice in done.notices)


@pytest.mark.parametrize(("written", "on_disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_an_image_is_found_whichever_way_accents_are_written(tmp_path, written, on_disk):
    disk = tmp_path / unicodedata.normalize(on_disk, "Mäuse")
    disk.mkdir()
    Image.new("RGB", (64, 48)).save(disk / unicodedata.normalize(on_disk, "Käfig é1.png"))
    entry = {"id": 1, "file_name": unicodedata.normalize(written, "Mäuse/Käfig é1.png"), "width": 64, "height": 48}
    labels = tmp_path / "labels.json"
    label = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [5, 6, 2]}
    category = {"id": 1, "name": "animal", "keypoints": ["nose"]}
    labels.write_text(json.dumps({"images": [entry], "annotations": [label], "categories": [category]}))
    done = finish(import_labels(labels, tmp_path / "made"))
    assert not any("could not be found" in notice for notice in done.notices)
    assert len(list((tmp_path / "made" / "labeled-data").rglob("*.png"))) == 1
