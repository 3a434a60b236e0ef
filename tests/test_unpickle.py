from __future__ import annotations

import os
import pickle
import subprocess
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hifibench.errors import UsageError
from hifibench.unpickle import load_arrays

DTYPES = st.sampled_from(["<f4", ">f8", "i2", "u1", "?", "c16", "S3", "<U2", "<M8[s]"])


def opened(tmp_path: Path, data: bytes) -> Any:
    path = tmp_path / "data.pkl"
    path.write_bytes(data)
    return load_arrays(path)


@given(array=hnp.arrays(DTYPES, hnp.array_shapes(max_dims=3, max_side=4)), protocol=st.integers(0, 5))
def test_every_array_comes_back_as_the_standard_unpickler_gives_it(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray[Any, Any], protocol: int
) -> None:
    data = pickle.dumps({"a": array, "t": array.T}, protocol)
    back = opened(tmp_path_factory.mktemp("p"), data)
    for name, expected in pickle.loads(data).items():
        assert back[name].dtype == expected.dtype and back[name].shape == expected.shape
        assert back[name].tobytes() == expected.tobytes()
    np.testing.assert_array_equal(back["a"], array)


@pytest.mark.parametrize("protocol", range(6))
def test_scalars_containers_and_structured_arrays_come_back(tmp_path: Path, protocol: int) -> None:
    record = np.zeros(2, dtype=[("x", "f4"), ("y", "i8")])
    mixed = np.array([{"a": 1}, None], dtype=object)
    value = OrderedDict(
        s=np.float32(1.5), d=np.dtype(">i4"), t=(1, 2.5, "x", b"\xff", None, {3}, 2j), r=record, o=mixed
    )
    back = opened(tmp_path, pickle.dumps(value, protocol))
    assert type(back) is OrderedDict and back["t"] == value["t"] and back["d"] == value["d"]
    assert back["s"] == 1.5 and type(back["s"]) is np.float32
    assert np.array_equal(back["r"], record) and back["o"].tolist() == mixed.tolist()


def test_pickles_of_python_2_and_numpy_1_load(tmp_path: Path) -> None:
    # What cPickle of Python 2.7 with NumPy 1 writes, protocol 2, for {'w': array([1., 2.], dtype=float32)}.
    data = (
        b"\x80\x02}q\x01U\x01wq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b"
        b"\x87Rq\x05(K\x01K\x02\x85cnumpy\ndtype\nq\x06U\x02f4K\x00K\x01\x87Rq\x07(K\x03U\x01<NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89U\x08\x00\x00\x80?\x00\x00\x00@tbs."
    )
    back = opened(tmp_path, data)
    assert back["w"].dtype == np.float32 and back["w"].tolist() == [1.0, 2.0]


class Malicious:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (os.system, r"\w+\.system"),
        (subprocess.check_call, r"\w+\.check_call"),
        (eval, r"\w+\.eval"),
        (getattr, r"\w+\.getattr"),
        (np.load, r"numpy[\w.]*\.load"),
        (np.fromfile, r"numpy[\w.]*\.fromfile"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_anything_that_could_run_is_refused_by_name(tmp_path: Path, function: Any, name: str, protocol: int) -> None:
    target = tmp_path / "ran"
    data = pickle.dumps({"w": np.zeros(2), "x": Malicious(function, f"touch {target}")}, protocol)
    with pytest.raises(UsageError, match=f"data.pkl: the pickle asks for {name}, expected nothing but NumPy arrays"):
        opened(tmp_path, data)
    assert not target.exists()


def test_attributes_of_admitted_classes_cannot_be_reached(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"asks for numpy\.ndarray\.tofile"):
        opened(tmp_path, b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.")


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    import codecs

    with pytest.raises(UsageError, match="asks for the encoding 'rot13'"):
        opened(tmp_path, pickle.dumps(Malicious(codecs.encode, "abc", "rot13")))


@pytest.mark.parametrize("data", [b"", b"\x80", b"no pickle at all", pickle.dumps(np.zeros(9))[:-20], b"\x80\xff."])
def test_a_broken_file_is_named(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UsageError, match=r"data\.pkl is no whole pickle of NumPy arrays .* Get the file again"):
        opened(tmp_path, data)
