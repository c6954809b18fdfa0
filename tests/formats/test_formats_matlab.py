"""Arrays of MATLAB files, as scipy reads and writes them, and damaged ones."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from napari_al_pose.formats.matlab import matrices

NUMBERS = np.arange(42.0).reshape(3, 7, 2) - 5.5


def written(*, compressed=False, **arrays) -> bytes:
    file = io.BytesIO()
    savemat(file, arrays, do_compression=compressed)
    return file.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_what_scipy_writes_is_read(kind, compressed):
    array = NUMBERS.astype(kind)
    first, second = matrices(written(compressed=compressed, a_long_name=array, x=np.float64(7)))
    assert (first.name, first.shape, second.name) == ("a_long_name", (3, 7, 2), "x")
    np.testing.assert_array_equal(first.read(), array)
    assert second.read().tolist() == [[7.0]]


def test_the_other_order_of_bytes():
    def element(kind, content):
        return struct.pack(">II", kind, len(content)) + content + bytes(-len(content) % 8)

    content = element(6, struct.pack(">II", 6, 0)) + element(5, struct.pack(">ii", 2, 2)) + element(1, b"joints")
    content += element(7, struct.pack(">4f", 1, 2, 3, 4))
    (found,) = matrices(bytes(124) + struct.pack(">H", 0x0100) + b"MI" + element(14, content))
    assert (found.name, found.read().tolist()) == ("joints", [[1, 3], [2, 4]])


def test_lsps_own_file(data_dir):
    path = data_dir / "lsp" / "joints.mat"
    (found,) = (each for each in matrices(path.read_bytes()) if each.name == "joints")
    np.testing.assert_array_equal(found.read(), loadmat(path)["joints"])


@pytest.mark.parametrize("array", ["text", {"a": 1.0}, np.array([[1j]]), np.array(["a", 1.0], object)], ids=str)
def test_what_holds_no_real_numbers_says_so(array):
    (found,) = matrices(written(x=array))
    assert not found.holds_numbers
    with pytest.raises(ValueError, match="no real numbers"):
        found.read()


@given(st.data(), st.booleans())
def test_damaged_files_end_in_a_message(data, compressed):
    content = bytearray(written(compressed=compressed, joints=NUMBERS))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    kept = content[: data.draw(st.integers(0, len(content)))]
    for each in (content, kept):
        try:
            for matrix in matrices(bytes(each)):
                assert matrix.read().shape == matrix.shape
        except ValueError:
            pass


def test_what_would_fill_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr("napari_al_pose.formats.matlab.MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="holds more than"):
        list(matrices(written(compressed=True, x=np.zeros(10_000))))
