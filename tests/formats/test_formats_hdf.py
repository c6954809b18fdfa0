"""HDF5 tables are read; programs inside them are not run."""

from __future__ import annotations

import os
import pickle
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
import tables

from napari_al_pose.domain import AlPoseError
from napari_al_pose.formats import hdf
from napari_al_pose.formats.hdf import appending_frames, read_frame, write_frame


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


@pytest.mark.parametrize("form", ["fixed", "table"])
@pytest.mark.parametrize("key", ["df_with_missing", "keypoints"])
def test_reads_what_pandas_writes(tmp_path, frame, form, key):
    path = tmp_path / "a.h5"
    if form == "table":
        frame.index = ["/".join(row) for row in frame.index]
    frame.to_hdf(path, key=key, mode="w", format=form)
    pd.testing.assert_frame_equal(read_frame(path), frame)


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
    pd.testing.assert_frame_equal(read_frame(path), frame)


def test_program_in_a_cell_is_not_run(tmp_path, frame):
    path, trace = tmp_path / "a.h5", tmp_path / "ran"
    frame = frame.astype(object)
    frame.iloc[0, 0] = Program(trace)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame.to_hdf(path, key="df_with_missing", mode="w")
    trace.rmdir() if trace.exists() else None
    with pytest.raises(AlPoseError, match="Python object") as caught:
        read_frame(path)
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
        read_frame(path)
    except AlPoseError as error:
        assert str(path) in error.message  # noqa: PT017  # it may be read or refused, but never run
    assert not trace.exists()


def test_other_threads_keep_the_real_pickle(tmp_path, frame):
    seen = []
    with hdf._only_harmless_pickles() as refused:
        data = pickle.dumps(threading.Event)
        thread = threading.Thread(target=lambda: seen.append(tables.attributeset.pickle.loads(data)))
        thread.start()
        thread.join()
        with pytest.raises(pickle.UnpicklingError):
            tables.attributeset.pickle.loads(data)
    assert seen == [threading.Event]
    assert refused == ["threading.Event"]
    assert tables.attributeset.pickle is pickle


@pytest.mark.parametrize("content", [b"", b"scorer,a,b\n", b"\x89HDF\r\n\x1a\n" + b"\x00" * 4000])
def test_not_hdf5(tmp_path, content):
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    with pytest.raises(AlPoseError, match=r"a\.h5") as caught:
        read_frame(path)
    assert caught.value.hint


def test_cut_off_and_empty(tmp_path, frame):
    path = tmp_path / "a.h5"
    frame.to_hdf(path, key="df_with_missing", mode="w")
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(AlPoseError, match=r"a\.h5"):
            read_frame(path)
    tables.open_file(path, "w").close()
    with pytest.raises(AlPoseError, match="no table"):
        read_frame(path)
    with pytest.raises(AlPoseError, match="no file"):
        read_frame(tmp_path / "absent.h5")
