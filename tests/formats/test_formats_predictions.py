"""Predictions of whole videos in the forms that other programs read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.deeplabcut import (
    DeepLabCutConfig,
    prediction_scorer,
    read_predictions,
    writing_deeplabcut,
)
from napari_al_pose.formats.lightning_pose import writing_lightning_pose
from napari_al_pose.formats.pose_table import writing_pose_table
from napari_al_pose.formats.sleap_file import unopened_video
from napari_al_pose.formats.sleap_predictions import read_sleap_predictions, writing_sleap

SCORER = "DLC_Resnet18_open-fieldOct30al-pose_snapshot_4"
NUMBERS = np.arange(7) * 3


@pytest.fixture
def rows():
    """Seven frames of a nose and an ear: one frame without anything, one without an ear."""
    random = np.random.default_rng(0)
    rows = np.concatenate([random.uniform(0, 640, (7, 2, 2)), random.uniform(0, 1, (7, 2, 1))], -1, dtype=np.float32)
    rows[2] = [np.nan, np.nan, 0]
    rows[5, 1] = [np.nan, np.nan, 0]
    return rows


def write(writing, rows):
    """Write in two parts, as long videos are."""
    with writing as add:
        add(NUMBERS[:4], rows[:4])
        add(NUMBERS[4:], rows[4:])


def give_up(writing, *frames):
    with writing as add:
        add(*frames)
        raise KeyboardInterrupt


def test_the_scorer_is_formed_as_deeplabcut_forms_it(tmp_path):
    config = DeepLabCutConfig(tmp_path / "config.yaml", "open/field", "Me", "Oct30", ("nose", "ear"))
    assert prediction_scorer(config, 4, "resnet_18") == SCORER


def test_written_as_deeplabcut_writes_it(tmp_path, rows):
    path = tmp_path / f"a.b m3v1{SCORER}.h5"
    write(writing_deeplabcut(path, scorer=SCORER, bodyparts=("nose", "ear")), rows)
    table = pd.read_hdf(path, "df_with_missing")
    assert list(table.columns.names) == ["scorer", "bodyparts", "coords"]
    assert table.columns.tolist()[:3] == [(SCORER, "nose", "x"), (SCORER, "nose", "y"), (SCORER, "nose", "likelihood")]
    assert table.index.tolist() == NUMBERS.tolist()
    assert set(table.dtypes) == {np.dtype(float)}
    csv = path.with_name(f"a.b m3v1{SCORER}.csv")
    pd.testing.assert_frame_equal(pd.read_csv(csv, header=[0, 1, 2], index_col=0), table)
    for file in (path, csv):
        found = read_predictions(file)
        assert found.scorer == SCORER
        assert found.bodyparts == ("nose", "ear")
        assert found.frames.tolist() == NUMBERS.tolist()
        np.testing.assert_array_equal(found.xy, rows[..., :2])
        np.testing.assert_array_equal(found.likelihood, rows[..., 2])


def test_sleap_io_opens_what_is_written_for_sleap(tmp_path, rows):
    sio = pytest.importorskip("sleap_io")
    path = tmp_path / "mouse.predictions.slp"
    made = writing_sleap(
        path,
        video=tmp_path / "mouse.mp4",
        shape=(20, 480, 640, 3),
        bodyparts=("nose", "ear"),
        links=[("nose", "ear")],
    )
    write(made, rows)
    labels = sio.load_slp(str(path), open_videos=False)
    assert labels.skeleton.node_names == ["nose", "ear"]
    assert [tuple(edge) for edge in labels.skeleton.edge_names] == [("nose", "ear")]
    assert [frame.frame_idx for frame in labels] == [0, 3, 9, 12, 15, 18]
    assert all(isinstance(frame.instances[0], sio.PredictedInstance) for frame in labels)
    seen = np.concatenate([frame.numpy() for frame in labels])
    np.testing.assert_array_equal(seen, np.delete(rows[..., :2], 2, axis=0))
    assert labels[1].instances[0].numpy(scores=True)[0, 2] == rows[1, 0, 2]

    found = read_sleap_predictions(path, "mouse")
    assert found.bodyparts == ("nose", "ear")
    assert found.frames.tolist() == [0, 3, 9, 12, 15, 18]
    np.testing.assert_array_equal(found.xy, np.delete(rows[..., :2], 2, axis=0))


def test_sleap_predictions_keep_their_frame_numbers(tmp_path):
    """Whatever frame they begin with, in whatever list of images, and where two videos have one file name."""
    sio = pytest.importorskip("sleap_io")
    skeleton = sio.Skeleton(["nose"])

    def save(name, *videos):
        videos_of = {str(video): unopened_video(sio, video) for video, _ in videos}
        frames = [
            sio.LabeledFrame(
                video=videos_of[str(video)],
                frame_idx=number,
                instances=[sio.PredictedInstance.from_numpy(np.full((1, 2), float(number)), skeleton=skeleton)],
            )
            for video, numbers in videos
            for number in numbers
        ]
        sio.Labels(frames).save(str(tmp_path / name), embed=False, verbose=False)
        return tmp_path / name

    found = read_sleap_predictions(save("late.slp", ("/x/mouse.mp4", (100, 107))), "mouse")
    assert found.frames.tolist() == [100, 107]
    assert found.xy[:, 0, 0].tolist() == [100, 107]
    images = [f"/x/mouse/img{n:03d}.png" for n in (50, 40, 30)]
    found = read_sleap_predictions(save("images.slp", (images, (0, 2))), "mouse")
    assert found.frames.tolist() == [30, 50]
    assert found.xy[:, 0, 0].tolist() == [2, 0]
    two = save("two.slp", ("/x/m1/mouse.mp4", (1,)), ("/x/m2/mouse.mp4", (2,)))
    with pytest.raises(AlPoseError, match="2 videos called 'mouse'"):
        read_sleap_predictions(two, "mouse")
    assert read_sleap_predictions(two, "m2-mouse").frames.tolist() == [2]


def test_predictions_on_images_are_counted_by_their_order_in_sleap(tmp_path, rows):
    sio = pytest.importorskip("sleap_io")
    images = {int(number): tmp_path / "cam" / f"img{number:03d}.png" for number in NUMBERS}
    path = tmp_path / "cam.predictions.slp"
    writing = writing_sleap(
        path, video=tmp_path / "cam", shape=(7, 8, 8, 3), bodyparts=("nose", "ear"), links=(), images=images
    )
    write(writing, rows)
    for frame in sio.load_slp(str(path), open_videos=False):
        number = int(NUMBERS[frame.frame_idx])
        assert frame.video.filename[frame.frame_idx] == str(images[number])
    assert read_sleap_predictions(path, "cam").frames.tolist() == [0, 3, 9, 12, 15, 18]


def test_sleap_files_that_hold_no_predictions_of_one_animal_are_refused(tmp_path):
    sio = pytest.importorskip("sleap_io")
    skeleton, video = sio.Skeleton(["nose"]), sio.Video("/nowhere/mouse.mp4", open_backend=False)
    two = [sio.PredictedInstance.from_numpy(np.full((1, 2), v), skeleton=skeleton) for v in (1.0, 2.0)]
    path = tmp_path / "two.slp"
    sio.Labels([sio.LabeledFrame(video=video, frame_idx=0, instances=two)]).save(str(path), embed=False, verbose=False)
    with pytest.raises(AlPoseError, match="several animals"):
        read_sleap_predictions(path, "mouse")
    person = [sio.Instance.from_numpy(np.ones((1, 2)), skeleton=skeleton)]
    path = tmp_path / "labels.slp"
    sio.Labels([sio.LabeledFrame(video=video, frame_idx=0, instances=person)]).save(
        str(path), embed=False, verbose=False
    )
    with pytest.raises(AlPoseError, match="no predictions"):
        read_sleap_predictions(path, "mouse")
    path.write_bytes(b"no hdf5")
    with pytest.raises(AlPoseError, match="not a readable SLEAP file"):
        read_sleap_predictions(path, "mouse")


def test_lightning_poses_csv(tmp_path, rows):
    path = tmp_path / "mouse.csv"
    write(writing_lightning_pose(path, bodyparts=("nose", "ear")), rows)
    table = pd.read_csv(path, header=[0, 1, 2], index_col=0, float_precision="round_trip")
    assert {column[0] for column in table.columns} == {"heatmap_tracker"}
    np.testing.assert_array_equal(table["heatmap_tracker"]["ear"]["x"], rows[:, 1, 0].astype(float))
    found = read_predictions(path)
    assert found.frames.tolist() == NUMBERS.tolist()
    np.testing.assert_array_equal(found.xy, rows[..., :2])


def test_nothing_is_left_of_files_that_were_given_up(tmp_path, rows):
    pytest.importorskip("sleap_io")
    for writing in (
        writing_deeplabcut(tmp_path / "a.h5", scorer=SCORER, bodyparts=("nose", "ear")),
        writing_lightning_pose(tmp_path / "b.csv", bodyparts=("nose", "ear")),
        writing_sleap(
            tmp_path / "c.slp", video=tmp_path / "c.mp4", shape=(7, 8, 8, 3), bodyparts=("nose", "ear"), links=()
        ),
    ):
        with pytest.raises(KeyboardInterrupt):
            give_up(writing, NUMBERS, rows)
    assert list(tmp_path.iterdir()) == []


def test_machine_labels(tmp_path):
    columns = pd.MultiIndex.from_product(
        [["DLC"], ["nose"], ["x", "y", "likelihood"]], names=["scorer", "bodyparts", "coords"]
    )
    rows = pd.MultiIndex.from_tuples([("labeled-data", "mouse", "img012.png")])
    path = tmp_path / "machinelabels-iter0.h5"
    pd.DataFrame([[1.0, 2.0, 0.5]], index=rows, columns=columns).to_hdf(path, key="machinelabels")
    found = read_predictions(path)
    assert found.frames.tolist() == [12]
    assert found.likelihood.tolist() == [[0.5]]


def test_refused(tmp_path):
    columns = pd.MultiIndex.from_product([["Me"], ["nose"], ["x", "y"]], names=["scorer", "bodyparts", "coords"])
    path = tmp_path / "CollectedData_Me.h5"
    pd.DataFrame([[1.0, 2.0]], columns=columns).to_hdf(path, key="a")
    with pytest.raises(AlPoseError, match="no likelihood"):
        read_predictions(path)
    columns = pd.MultiIndex.from_product(
        [["DLC"], ["a", "b"], ["nose"], ["x", "y", "likelihood"]],
        names=["scorer", "individuals", "bodyparts", "coords"],
    )
    pd.DataFrame([[1.0] * 6], columns=columns).to_hdf(path, key="a")
    with pytest.raises(AlPoseError, match="several individuals"):
        read_predictions(path)


def test_folder_that_is_gone(tmp_path, rows):
    with pytest.raises(AlPoseError, match="could not be written"):
        write(writing_deeplabcut(tmp_path / "gone" / "a.h5", scorer=SCORER, bodyparts=("nose", "ear")), rows)


def test_the_plain_table_has_a_row_for_each_keypoint_and_smoothed_positions_in_columns_of_their_own(tmp_path, rows):
    path = tmp_path / "mouse.poses.csv"
    seconds, smoothed = NUMBERS / 30, rows + np.float32([1, 2, 0])
    with writing_pose_table(path, bodyparts=("nose", "ear, left"), smoothing="median") as add:
        add(NUMBERS[:4], seconds[:4], rows[:4], smoothed[:4])
        assert not path.exists()
        add(NUMBERS[4:], seconds[4:], rows[4:], smoothed[4:])
    table = pd.read_csv(path)
    assert list(table) == ["frame", "seconds", "bodypart", "x", "y", "likelihood", "x_median", "y_median"]
    assert table.frame.tolist() == np.repeat(NUMBERS, 2).tolist()
    assert table.bodypart.tolist() == ["nose", "ear, left"] * 7
    np.testing.assert_allclose(table.seconds, np.repeat(seconds, 2), atol=1e-6)
    raw = table[["x", "y", "likelihood"]].to_numpy(np.float32).reshape(rows.shape)
    np.testing.assert_array_equal(raw, rows)
    np.testing.assert_array_equal(
        table[["x_median", "y_median"]].to_numpy(np.float32), smoothed[..., :2].reshape(-1, 2)
    )


def test_without_smoothing_or_times_the_plain_table_says_nothing_of_them(tmp_path, rows):
    path = tmp_path / "images.poses.csv"
    with writing_pose_table(path, bodyparts=("nose", "ear")) as add:
        add(NUMBERS, np.full(7, np.nan), rows)
    table = pd.read_csv(path)
    assert list(table) == ["frame", "seconds", "bodypart", "x", "y", "likelihood"]
    assert table.seconds.isna().all()
    with pytest.raises(KeyboardInterrupt):
        give_up(writing_pose_table(path, bodyparts=("nose", "ear")), NUMBERS, np.zeros(7), rows)
    pd.testing.assert_frame_equal(pd.read_csv(path), table)
    assert list(tmp_path.iterdir()) == [path]
