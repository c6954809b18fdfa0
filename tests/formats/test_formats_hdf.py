"""HDF5 tables are read; programs inside them are not run, and nobody else's modules are touched."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import warnings

import h5py
import numpy as np
import pandas as pd
import pytest
import tables

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats.hdf import appending_frames, read_hdf_table, write_frame
from napari_al_pose.formats.pickled_names import read_names


class Program:
    """Unpickling it makes a file, as it could do anything else."""

    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return (os.mkdir, (self.trace,))


@pytest.fixture
def frame():
    columns = pd.MultiIndex.from_product([["me"], ["nose", "ear"], ["x", "y"]], names=["scorer", "bodyparts", "coords"])
    index = pd.MultiIndex.from_tuples([("labeled-data", "mouse", f"img{i:03d}.png") for i in range(3)])
    return pd.DataFrame(np.arange(12.0).reshape(3, 4), index=index, columns=columns)


def assert_same(path, frame):
    table = read_hdf_table(path)
    assert table.columns == list(frame.columns)
    assert table.rows == list(frame.index)
    np.testing.assert_array_equal(table.values, frame.to_numpy(float))


@pytest.mark.parametrize(
    ("form", "rows", "n"),
    [
        *(("fixed", rows, n) for rows in ("three levels", "text", "numbers") for n in (3, 0)),
        *(("table", rows, 3) for rows in ("text", "numbers")),  # pandas has no others
    ],
)
@pytest.mark.parametrize("key", ["df_with_missing", "keypoints", "deep/below"])
@pytest.mark.parametrize("kinds", ["float64", "float32", "mixed"])
def test_reads_what_pandas_writes(tmp_path, frame, form, key, rows, kinds, n):
    path = tmp_path / "a.h5"
    frame.iloc[0, 1] = np.nan
    if rows == "text":
        frame.index = pd.Index(["/".join(row) for row in frame.index[:-1]] + ["labeled-data/Käfig/img9.png"])
    elif rows == "numbers":
        frame.index = [5, 7, 100]
    if kinds == "mixed":  # three blocks
        frame = frame.astype({("me", "nose", "x"): "float32", ("me", "ear", "y"): "int64"})
    else:
        frame = frame.astype(kinds)
    frame = frame[:n]
    frame.to_hdf(path, key=key, mode="w", format=form)
    assert_same(path, frame)


def test_reads_several_animals_and_many_columns(tmp_path):
    names = ["scorer", "individuals", "bodyparts", "coords"]
    parts = [f"part {i}" for i in range(20)]
    columns = pd.MultiIndex.from_product([["me"], ["b", "a", "ü"], parts, ["x", "y", "likelihood"]], names=names)
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 180)), columns=columns)
    for form in ("fixed", "table"):
        frame.to_hdf(tmp_path / f"{form}.h5", key="df_with_missing", mode="w", format=form)
        assert_same(tmp_path / f"{form}.h5", frame)


@pytest.mark.parametrize("complib", ["zlib"])
def test_reads_compressed_tables(tmp_path, frame, complib):
    frame.to_hdf(tmp_path / "a.h5", key="df_with_missing", mode="w", complevel=9, complib=complib)
    assert_same(tmp_path / "a.h5", frame)


def test_writes_what_pandas_reads(tmp_path, frame):
    write_frame(frame, tmp_path / "a.h5")
    pd.testing.assert_frame_equal(pd.read_hdf(tmp_path / "a.h5", "df_with_missing"), frame)


def test_appends_what_pandas_reads_as_one_table(tmp_path, frame):
    frame = frame.reset_index(drop=True)
    with appending_frames(tmp_path / "a.h5") as append:
        append(frame[:2])
        append(frame[2:])
    pd.testing.assert_frame_equal(pd.read_hdf(tmp_path / "a.h5", "df_with_missing"), frame)


def test_prefers_deeplabcuts_key(tmp_path, frame):
    path = tmp_path / "a.h5"
    (frame + 1).to_hdf(path, key="another", mode="w")
    frame.to_hdf(path, key="df_with_missing", mode="a")
    assert_same(path, frame)
    assert read_hdf_table(path).others == ("another",)


def test_program_in_a_cell_is_not_run(tmp_path, frame):
    path, trace = tmp_path / "a.h5", tmp_path / "ran"
    frame = frame.astype(object)
    frame.iloc[0, 0] = Program(trace)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame.to_hdf(path, key="df_with_missing", mode="w")
    trace.rmdir() if trace.exists() else None
    with pytest.raises(AlPoseError, match="Python objects") as caught:
        read_hdf_table(path)
    assert str(path) in caught.value.message
    assert not trace.exists()


@pytest.mark.parametrize("place", ["root", "group", "table"])
@pytest.mark.parametrize("name", ["TITLE", "encoding", "non_index_axes", "info", "nan_rep", "custom"])
def test_program_in_an_attribute_is_not_run(tmp_path, frame, place, name):
    path, trace = tmp_path / "a.h5", tmp_path / "ran"
    frame.index = range(len(frame))
    frame.to_hdf(path, key="df_with_missing", mode="w", format="table")
    payload = np.bytes_(pickle.dumps(Program(trace), protocol=0))
    with tables.open_file(path, "a") as file:
        node = {"root": file.root, "group": file.root.df_with_missing, "table": file.root.df_with_missing.table}[place]
        node._v_attrs._g__setattr(name, payload)
    if trace.exists():
        trace.rmdir()
    try:
        read_hdf_table(path)
    except AlPoseError as error:
        assert str(path) in error.message  # noqa: PT017  # it may be read or refused, but never run
    assert not trace.exists()


def test_objects_are_refused_even_if_they_are_harmless(tmp_path, frame):
    path = tmp_path / "a.h5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame.astype(object).to_hdf(path, key="df_with_missing", mode="w")
    with pytest.raises(AlPoseError, match="Python objects") as caught:
        read_hdf_table(path)
    assert str(path) in caught.value.message
    assert ".csv beside it" in caught.value.hint


def test_reading_does_not_touch_pytables_or_pickle(tmp_path, frame, monkeypatch):
    frame.index = range(len(frame))
    for form in ("fixed", "table"):
        frame.to_hdf(tmp_path / f"{form}.h5", key="df_with_missing", mode="w", format=form)

    def never(*_arguments, **_options):
        raise AssertionError("unpickled")

    before = tables.attributeset.pickle, tables.atom.pickle
    for name in ("loads", "load", "Unpickler"):
        monkeypatch.setattr(pickle, name, never)
    for form in ("fixed", "table"):
        assert_same(tmp_path / f"{form}.h5", frame)
    assert (tables.attributeset.pickle, tables.atom.pickle) == before


@pytest.mark.parametrize("kind", ["external link", "external storage", "virtual"])
def test_values_of_another_file_are_not_read(tmp_path, frame, kind):
    path, other = tmp_path / "a.h5", tmp_path / "other.h5"
    frame.to_hdf(path, key="df_with_missing", mode="w")
    frame.to_hdf(other, key="df_with_missing", mode="w")
    name = "/df_with_missing/block0_values"
    with h5py.File(path, "a") as file:
        shape, about = file[name].shape, dict(file[name].attrs)
        del file[name]
        if kind == "external link":
            file[name] = h5py.ExternalLink("other.h5", name)
        elif kind == "virtual":
            layout = h5py.VirtualLayout(shape, np.float64)
            layout[:] = h5py.VirtualSource(str(other), name, shape=shape)
            file.create_virtual_dataset(name, layout).attrs.update(about)
        else:
            file.create_dataset(name, shape, np.float64, external=[(str(other), 0, 96)]).attrs.update(about)
    with pytest.raises(AlPoseError, match=r"a\.h5"):
        read_hdf_table(path)


NAMES = [("me", "nose", "x"), ("mé", "nose", "y")]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_names_in_pickles_of_every_protocol(protocol):
    assert read_names(pickle.dumps(NAMES, protocol)) == NAMES
    assert read_names(pickle.dumps([(1, NAMES)], protocol), inside=True) == NAMES
    assert read_names(pickle.dumps(["a", "b"], protocol)) == [("a",), ("b",)]
    assert read_names(pickle.dumps([], protocol)) == []


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_other_things_in_pickles_are_no_names(tmp_path, protocol):
    for thing in (Program(tmp_path / "ran"), {"a": 1}, [1.5], [("a", 1)], None, "text", [None], os.mkdir):
        assert read_names(pickle.dumps(thing, protocol)) is None
    assert read_names(pickle.dumps(NAMES, protocol)[:-3]) is None
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"scorer,a,b\n", b"\x89HDF\r\n\x1a\n" + b"\x00" * 4000])
def test_not_hdf5(tmp_path, content):
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    with pytest.raises(AlPoseError, match=r"a\.h5") as caught:
        read_hdf_table(path)
    assert caught.value.hint


def test_cut_off_and_empty(tmp_path, frame):
    path = tmp_path / "a.h5"
    frame.to_hdf(path, key="df_with_missing", mode="w")
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(AlPoseError, match=r"a\.h5"):
            read_hdf_table(path)
    tables.open_file(path, "w").close()
    with pytest.raises(AlPoseError, match="no table"):
        read_hdf_table(path)
    with pytest.raises(AlPoseError, match="no file"):
        read_hdf_table(tmp_path / "absent.h5")


@pytest.mark.skipif(sys.platform == "win32", reason="locks are other ones there")
def test_a_file_that_is_just_being_written_is_waited_for_and_then_named(frame, tmp_path):
    import fcntl

    path = tmp_path / "CollectedData_Me.h5"
    write_frame(frame, path)
    with path.open("r+b") as writing:
        fcntl.flock(writing, fcntl.LOCK_EX)
        done = threading.Timer(0.3, fcntl.flock, [writing, fcntl.LOCK_UN])
        done.start()
        assert_same(path, frame)
        done.join()
        fcntl.flock(writing, fcntl.LOCK_EX)
        with pytest.raises(AlPoseError, match=r"CollectedData_Me\.h5 is being written by another program"):
            read_hdf_table(path)
