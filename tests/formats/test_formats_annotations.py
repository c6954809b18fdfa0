"""CollectedData in every form met in the wild."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.deeplabcut import (
    image_name,
    is_annotation_file,
    read_annotation_points,
    read_annotations,
    read_config,
    with_lines,
    write_annotations,
)

BODYPARTS = ("nose", "ear")
XY = np.array([[[1.5, 2.5], [np.nan, np.nan]], [[3.0, 4.0], [5.0, 6.0]]])
IMAGES = ("img005.png", "img012.png")


def frame(*, scorer="Me", bodyparts=BODYPARTS, xy=XY, images=IMAGES, video="mouse", individual=None, likelihood=False):
    levels, names = [[scorer], list(bodyparts), ["x", "y"]], ["scorer", "bodyparts", "coords"]
    if individual is not None:
        levels, names = [[scorer], [individual], *levels[1:]], ["scorer", "individuals", "bodyparts", "coords"]
    rows = pd.MultiIndex.from_tuples([("labeled-data", video, image) for image in images])
    made = pd.DataFrame(
        xy.reshape(len(images), -1), index=rows, columns=pd.MultiIndex.from_product(levels, names=names)
    )
    if likelihood:
        for bodypart in bodyparts:
            made[(scorer, bodypart, "likelihood")] = 0.9
    return made


def save(
    made: pd.DataFrame, folder: Path, name: str = "CollectedData_Me", *, key="df_with_missing", form="fixed"
) -> None:
    folder.mkdir(exist_ok=True)
    made.to_hdf(folder / f"{name}.h5", key=key, mode="w", format=form)
    made.to_csv(folder / f"{name}.csv")


def read(folder: Path, individuals=("",)):
    return read_annotations(folder, scorer="Me", individuals=individuals)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "mouse"


def one_level(made, separator="/"):
    made.index = [separator.join(row) for row in made.index]
    return made


def swapped(made):
    return made[[column for bodypart in reversed(BODYPARTS) for column in made.columns if column[1] == bodypart]]


FORMS = {
    "three levels": frame,
    "one level": lambda: one_level(frame()),
    "backslashes": lambda: one_level(frame(), "\\"),
    "likelihood": lambda: frame(likelihood=True),
    "swapped bodyparts": lambda: swapped(frame()),
    "nameless columns": lambda: frame().rename_axis(columns=[None] * 3),
    "shuffled rows": lambda: frame().iloc[::-1],
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("only", ["h5", "csv", "both"])
def test_every_form(folder, form, only):
    save(FORMS[form](), folder)
    for suffix in {"h5": ["csv"], "csv": ["h5"], "both": []}[only]:
        (folder / f"CollectedData_Me.{suffix}").unlink()
    if form == "nameless columns" and only == "csv":
        return  # pandas writes such a header without the words that make it one
    table = read(folder)
    assert table.notices == ()
    found = table.frames("mouse")
    assert set(found) == {5, 12}
    order = [table.columns.index(("", bodypart)) for bodypart in BODYPARTS]
    np.testing.assert_array_equal(found[5][1][order], XY[0])
    np.testing.assert_array_equal(found[12][1][order], XY[1])


@pytest.mark.parametrize("form", ["table", "fixed"])
def test_another_key_and_integers(folder, form):
    save(one_level(frame(xy=np.arange(8).reshape(2, 2, 2))), folder, key="keypoints", form=form)
    assert read(folder).xy.tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]


def test_half_a_point_is_none(folder):
    save(frame(xy=np.array([[[1, np.nan], [np.inf, 2]]]), images=IMAGES[:1]), folder)
    assert np.isnan(read(folder).xy).all()


def test_repeated_rows(folder):
    save(pd.concat([frame(), frame()]), folder)
    assert read(folder).notices == ()
    assert len(read(folder).rows) == 2
    save(pd.concat([frame(), frame(xy=XY + 1)]), folder)
    table = read(folder)
    np.testing.assert_array_equal(table.xy, XY)
    assert [notice for notice in table.notices if "img005.png" in notice]


def test_another_scorer_inside(folder):
    save(frame(scorer="You"), folder)
    table = read(folder)
    np.testing.assert_array_equal(table.xy, XY)
    assert "You" in table.notices[0]


def test_another_scorers_file(folder):
    save(frame(scorer="You"), folder, "CollectedData_You")
    assert "CollectedData_You" in read(folder).notices[0]
    np.testing.assert_array_equal(read(folder).xy, XY)
    save(frame(scorer="They"), folder, "CollectedData_They")
    assert len(read(folder).rows) == 0
    assert "several scorers" in read(folder).notices[0]
    save(frame(), folder)
    assert read(folder).notices == ()


def test_broken_h5_beside_a_readable_csv(folder):
    save(frame(), folder)
    (folder / "CollectedData_Me.h5").write_bytes(b"broken")
    table = read(folder)
    np.testing.assert_array_equal(table.xy, XY)
    assert "CollectedData_Me.h5" in table.notices[0]
    write_annotations(folder, scorer="Me", bodyparts=BODYPARTS, individuals=("",), frames={})
    assert (folder / "CollectedData_Me.h5.damaged").read_bytes() == b"broken"
    assert read(folder).notices == ()


def test_broken_h5_alone(folder):
    folder.mkdir()
    (folder / "CollectedData_Me.h5").write_bytes(b"broken")
    with pytest.raises(AlPoseError, match=r"CollectedData_Me\.h5") as caught:
        read(folder)
    assert caught.value.hint
    with pytest.raises(AlPoseError):
        write_annotations(folder, scorer="Me", bodyparts=BODYPARTS, individuals=("",), frames={})
    assert (folder / "CollectedData_Me.h5").read_bytes() == b"broken"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "hello\nworld\n", "first lines"),
        (lambda text: "", "first lines"),
        (lambda text: text.replace("1.5", "one"), r"img005\.png.*'one'"),
        (lambda text: text.replace("1.5,", "1.5,7,"), "line 4 has"),
        (lambda text: text.replace(",y", ",z"), "column 'z'"),
        (lambda text: text.replace("nose,nose", "nose,paw"), "no x and y for"),
    ],
)
def test_bad_csv_names_the_place(folder, change, message):
    save(frame(), folder)
    (folder / "CollectedData_Me.h5").unlink()
    path = folder / "CollectedData_Me.csv"
    path.write_text(change(path.read_text()))
    with pytest.raises(AlPoseError, match=message) as caught:
        read(folder)
    assert str(path) in caught.value.message


def with_decimal_commas(text):
    return re.sub(r"(\d)\.(\d)", r"\1,\2", text.replace(",", ";"))


@pytest.mark.parametrize(
    "saved",
    [
        lambda text: text.replace(",", ";").encode(),
        lambda text: with_decimal_commas(text).encode(),
        lambda text: with_decimal_commas(text).replace(";", "\t").replace("\n", "\r\n").encode("utf-16"),
        lambda text: text.replace("\n", ",,,\n").encode("utf-8-sig") + b",,,,,,,,,\n",
        lambda text: text.replace(",,\n", ",N/A,#N/A\n").encode(),
    ],
    ids=["semicolons", "decimal commas", "Unicode text", "empty columns and rows", "N/A"],
)
def test_a_csv_that_a_spreadsheet_saved(folder, saved):
    save(frame(), folder)
    (folder / "CollectedData_Me.h5").unlink()
    path = folder / "CollectedData_Me.csv"
    path.write_bytes(saved(path.read_text()))
    table = read(folder)
    assert table.rows == (("mouse", "img005.png"), ("mouse", "img012.png"))
    np.testing.assert_array_equal(table.xy, XY)
    assert table.notices == ()


def test_other_rows_and_columns_stay(folder):
    made = frame(bodyparts=("old", *BODYPARTS), xy=np.arange(12.0).reshape(2, 3, 2), images=("cover.png", "img012.png"))
    stray = frame(bodyparts=("old", *BODYPARTS), xy=np.arange(6.0).reshape(1, 3, 2), images=("img1.png",), video="rat")
    save(pd.concat([made, stray]), folder)
    table = read(folder)
    assert set(table.frames("mouse")) == {12}
    assert len(table.notices) == 2
    write_annotations(
        folder, scorer="Me", bodyparts=BODYPARTS, individuals=("",), frames={"img012.png": np.full((1, 2, 2), 50.0)}
    )
    written = pd.read_hdf(folder / "CollectedData_Me.h5")
    assert list(written.columns.get_level_values("bodyparts")[::2]) == ["nose", "ear", "old"]
    assert written.loc[("labeled-data", "mouse", "img012.png")].tolist() == [50, 50, 50, 50, 6, 7]
    assert written.loc[("labeled-data", "mouse", "cover.png")].tolist() == [2, 3, 4, 5, 0, 1]
    assert written.loc[("labeled-data", "rat", "img1.png")].tolist() == [2, 3, 4, 5, 0, 1]


def test_written_as_deeplabcut_expects(folder):
    frames = {"img7.png": np.array([[[1, 2], [3, 4]]]), "img3.png": np.array([[[5, 6], [np.nan, np.nan]]])}
    write_annotations(folder, scorer="Me", bodyparts=BODYPARTS, individuals=("",), frames=frames)
    made = pd.read_hdf(folder / "CollectedData_Me.h5", "df_with_missing")
    assert list(made.columns.names) == ["scorer", "bodyparts", "coords"]
    assert made.columns.tolist() == [("Me", part, axis) for part in BODYPARTS for axis in "xy"]
    assert list(made.index.names) == [None] * 3
    assert made.index.tolist() == [("labeled-data", "mouse", "img3.png"), ("labeled-data", "mouse", "img7.png")]
    assert (made.dtypes == np.float64).all()
    text = (folder / "CollectedData_Me.csv").read_text().splitlines()
    assert text[0] == "scorer,,,Me,Me,Me,Me"
    assert text[2] == "coords,,,x,y,x,y"
    assert text[3] == "labeled-data,mouse,img3.png,5.0,6.0,,"
    pd.testing.assert_frame_equal(
        pd.read_csv(folder / "CollectedData_Me.csv", header=[0, 1, 2], index_col=[0, 1, 2]), made, check_names=False
    )
    assert sorted(path.name for path in folder.iterdir()) == ["CollectedData_Me.csv", "CollectedData_Me.h5"]


STEPS = [
    {"frames": {"img7.png": XY[:1]}},
    {"frames": {"img005.png": XY[1:] + 0.1, "a, b7.png": XY[:1]}, "remove": ["img012.png"]},
    {"frames": {}, "remove": ["img7.png"]},
    {"frames": {"img6.png": np.concatenate([XY[:1], XY[:1, :1]], axis=1)}, "bodyparts": (*BODYPARTS, "tail")},
    {"frames": {"img5.png": np.concatenate([XY[:1], XY[:1, :1]], axis=1)}, "bodyparts": (*BODYPARTS, "tail")},
]


def test_files_written_row_by_row_are_those_written_as_a_whole(folder, tmp_path):
    save(frame(), folder)
    other = tmp_path / "other" / folder.name
    shutil.copytree(folder, other)
    table = with_lines(read(folder), scorer="Me")
    for step in STEPS:
        write = {"scorer": "Me", "bodyparts": BODYPARTS, "individuals": ("",), **step}
        table = write_annotations(folder, **write, present=table)
        write_annotations(other, **write)
        for suffix in (".csv", ".h5"):
            ours, whole = (each / f"CollectedData_Me{suffix}" for each in (folder, other))
            if suffix == ".csv":
                assert ours.read_bytes() == whole.read_bytes()
            else:
                pd.testing.assert_frame_equal(pd.read_hdf(ours), pd.read_hdf(whole))


def test_a_disk_that_loses_bytes_is_found_out(folder, monkeypatch):
    save(frame(), folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(Path, "write_bytes", lambda path, data: len(open_and_write(path, data[:-3])))
    with pytest.raises(AlPoseError, match=r"CollectedData_Me\.csv read back differently"):
        write_annotations(folder, scorer="Me", bodyparts=BODYPARTS, individuals=("",), frames={"img9.png": XY[:1]})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def open_and_write(path, data):
    with path.open("wb") as file:
        file.write(data)
    return data


def test_removing_rows_down_to_none(folder):
    save(frame(), folder)
    write = {"scorer": "Me", "bodyparts": BODYPARTS, "individuals": ("",)}
    write_annotations(folder, **write, frames={}, remove=["img005.png"])
    assert read(folder).rows == (("mouse", "img012.png"),)
    write_annotations(folder, **write, frames={}, remove=["img012.png"])
    assert read(folder).rows == ()
    (folder / "CollectedData_Me.h5").unlink()
    assert read(folder).rows == ()


def test_failing_disk_leaves_the_old_file(folder, monkeypatch):
    save(frame(), folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AlPoseError, match="No space left"):
        write_annotations(folder, scorer="Me", bodyparts=BODYPARTS, individuals=("",), frames={"img9.png": XY[:1]})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_several_individuals(folder):
    individuals = ("a", "b")
    frames = {"img1.png": np.arange(8.0).reshape(2, 2, 2), "img2.png": np.full((2, 2, 2), np.nan)}
    frames["img2.png"][1] = 7
    write_annotations(folder, scorer="Me", bodyparts=BODYPARTS, individuals=individuals, frames=frames)
    made = pd.read_hdf(folder / "CollectedData_Me.h5")
    assert list(made.columns.names) == ["scorer", "individuals", "bodyparts", "coords"]
    for suffix in ("both", ".h5"):
        (folder / f"CollectedData_Me{suffix}").unlink(missing_ok=True)
        table = read(folder, individuals)
        assert table.columns == (("a", "nose"), ("a", "ear"), ("b", "nose"), ("b", "ear"))
        np.testing.assert_array_equal(table.frames("mouse")[2][1], frames["img2.png"].reshape(4, 2))
    with pytest.raises(AlPoseError, match="several individuals"):
        read(folder)


def test_individuals_that_do_not_fit(folder):
    save(frame(individual="bob"), folder)
    table = read(folder)
    assert table.columns == (("", "nose"), ("", "ear"))
    assert "bob" in table.notices[0]
    save(frame(), folder)
    with pytest.raises(AlPoseError, match="unnamed animal"):
        read(folder, ("a", "b"))


@settings(max_examples=25, deadline=None)
@given(
    xy=hnp.arrays(
        np.float64,
        st.tuples(st.integers(1, 4), st.just(1), st.just(2), st.just(2)),
        elements=st.floats(-1e6, 1e6, allow_subnormal=False),
    ),
    hidden=st.integers(0, 255),
)
def test_round_trip(tmp_path_factory, xy, hidden):
    folder = tmp_path_factory.mktemp("trip") / "mouse"
    for index in range(xy.shape[0] * 2):
        if hidden >> index & 1:
            xy[index // 2, 0, index % 2] = np.nan
    frames = {f"img{number:02d}.png": points for number, points in enumerate(xy)}
    write_annotations(folder, scorer="Me", bodyparts=BODYPARTS, individuals=("",), frames=frames)
    np.testing.assert_array_equal(read(folder).xy, xy[:, 0])
    (folder / "CollectedData_Me.h5").unlink()
    np.testing.assert_array_equal(read(folder).xy, xy[:, 0])


def test_image_names(folder):
    assert image_name(folder, 7, 2330) == "img0007.png"
    assert image_name(folder, 7, 1) == "img7.png"
    assert image_name(folder, 99, 100) == "img99.png"
    folder.mkdir()
    (folder / "img00012.png").touch()
    (folder / "frame_5.jpg").touch()
    assert image_name(folder, 7, 2330) == "img00007.png"
    assert image_name(folder, 12, 2330) == "img00012.png"
    assert image_name(folder, 5, 2330) == "frame_5.jpg"


def test_file_names():
    assert is_annotation_file("labeled-data/x/CollectedData_Me.h5")
    assert is_annotation_file(Path("CollectedData_A_B.csv"))
    assert not is_annotation_file("machinelabels-iter0.h5")
    assert not is_annotation_file("CollectedData_Me.h5.damaged")


@pytest.mark.skipif("NAPARI_AL_POSE_DATA" not in os.environ, reason="NAPARI_AL_POSE_DATA is not set")
@pytest.mark.parametrize("project", ["openfield-Pranav-2018-10-30", "Reaching-Mackenzie-2018-08-30"])
def test_real_projects(project, tmp_path):
    root = Path(os.environ["NAPARI_AL_POSE_DATA"]) / project
    config = read_config(root / "config.yaml")
    (folder,) = (root / "labeled-data").iterdir()
    table = read_annotations(folder, scorer=config.scorer, individuals=("",))
    assert table.notices == ()
    expected = pd.read_hdf(folder / f"CollectedData_{config.scorer}.h5")
    np.testing.assert_array_equal(table.xy.reshape(len(expected), -1), expected.to_numpy())
    assert tuple(bodypart for _, bodypart in table.columns) == config.bodyparts
    from_csv = read_annotation_points(folder / f"CollectedData_{config.scorer}.csv")
    np.testing.assert_allclose(from_csv.xy, table.xy, rtol=0, atol=1e-9)


def without_folders(made):
    made.index = [row[-1] for row in made.index]
    return made


def shortened(made):
    """As pandas joins names of three parts and of one."""
    made.index = pd.MultiIndex.from_tuples([made.index[0], (made.index[1][-1], np.nan, np.nan)])
    return made


def merged(made):
    """The text that is left of a header whose equal cells were merged."""
    lines = [line.split(",") for line in made.to_csv().splitlines()]
    for line in lines[:2]:
        line[4:] = [cell if cell != line[place - 1] else "" for place, cell in enumerate(line[4:], 4)]
    return "".join(",".join(line) + "\n" for line in lines)


def renamed_scorers(made, names):
    made.columns = pd.MultiIndex.from_tuples(
        [(name, *column[1:]) for name, column in zip(names, made.columns, strict=True)], names=made.columns.names
    )
    return made


ODD_FORMS = {
    "no folders": (lambda: without_folders(frame()), "names 2 images without a folder"),
    "folders in some rows": (
        lambda: pd.concat([one_level(frame()).iloc[:1], without_folders(frame()).iloc[1:]]),
        "names 1 image without a folder",
    ),
    "folders in some rows of three levels": (lambda: shortened(frame()), "names 1 image without a folder"),
    "labeled-data only": (
        lambda: one_level(frame()).rename(index=lambda name: name.replace("mouse/", "")),
        "names 2 images without a folder",
    ),
    "spaces around names": (lambda: one_level(frame()).rename(index=lambda name: f" {name} "), None),
    "pandas' names for merged cells": (
        lambda: renamed_scorers(frame(), ["Me", *(f"Unnamed: {n}_level_0" for n in (4, 5, 6))]),
        None,
    ),
    "counted scorers": (lambda: renamed_scorers(frame(), ["Me", "Me.1", "Me.2", "Me.3"]), "several scorers inside"),
    "no scorer": (lambda: renamed_scorers(frame(), [f"Unnamed: {n}_level_0" for n in range(4)]), "names no scorer"),
}


@pytest.mark.parametrize("suffix", [".h5", ".csv"])
@pytest.mark.parametrize("form", ODD_FORMS)
def test_a_header_or_rows_that_lost_names_are_read_and_written_whole(folder, form, suffix):
    make, notice = ODD_FORMS[form]
    save(make(), folder)
    (folder / "CollectedData_Me").with_suffix({".h5": ".csv", ".csv": ".h5"}[suffix]).unlink()
    table = read(folder)
    assert table.rows == (("mouse", "img005.png"), ("mouse", "img012.png"))
    assert table.columns == (("", "nose"), ("", "ear"))
    np.testing.assert_array_equal(table.xy, XY)
    assert [notice in told for told in table.notices] == [True] if notice else not table.notices
    moved = np.array([[7.5, 8.5], [9.0, 1.0]])
    write_annotations(folder, scorer="Me", bodyparts=BODYPARTS, individuals=("",), frames={"img012.png": moved})
    for written in (
        pd.read_hdf(folder / "CollectedData_Me.h5"),
        pd.read_csv(folder / "CollectedData_Me.csv", header=[0, 1, 2], index_col=[0, 1, 2]),
    ):
        assert list(written.index) == [("labeled-data", "mouse", image) for image in IMAGES]
        assert list(written.columns) == list(frame().columns)
        np.testing.assert_array_equal(written.to_numpy().reshape(2, 2, 2), [XY[0], moved])


def test_merged_cells_of_a_spreadsheet_stand_for_all_that_they_cover(folder):
    folder.mkdir()
    (folder / "CollectedData_Me.csv").write_text(merged(frame()))
    table = read(folder)
    assert table.columns == (("", "nose"), ("", "ear"))
    np.testing.assert_array_equal(table.xy, XY)
    assert not table.notices


def test_a_bare_row_beside_a_whole_one_of_the_same_image_is_told(folder):
    save(pd.concat([one_level(frame()), without_folders(frame(xy=XY + 9)).iloc[:1]]), folder)
    table = read(folder)
    assert len(table.rows) == 2
    assert [row for row, _ in table.repeated] == [("mouse", "img005.png")]
    assert any("two different rows for mouse/img005.png" in notice for notice in table.notices)


def test_labels_of_two_people_for_the_same_bodyparts_are_not_mixed(folder):
    save(pd.concat([frame(scorer="You", xy=XY + 5), frame()], axis=1), folder)
    table = read(folder)
    np.testing.assert_array_equal(table.xy, XY)
    assert any("those of Me were read" in notice for notice in table.notices)


@pytest.mark.parametrize("label", ["", "labeled-data/mouse/..", f"labeled-data/mouse/{'i' * 250}.png"])
def test_a_row_without_an_image_is_refused_by_its_number(folder, label):
    made = one_level(frame())
    made.index = [made.index[0], label]
    save(made, folder)
    with pytest.raises(AlPoseError, match=r"Row 2 of the images in .*CollectedData_Me\.h5"):
        read(folder)


def test_a_bodypart_without_a_name_is_not_taken_for_its_neighbour(folder):
    made = frame()
    made.columns = pd.MultiIndex.from_tuples(
        [column if column[1] == "nose" else (column[0], "", column[2]) for column in made.columns],
        names=made.columns.names,
    )
    save(made, folder)
    with pytest.raises(AlPoseError, match="its column 3 names no bodypart"):
        read(folder)
