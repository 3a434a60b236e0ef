from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hifibench import assets
from hifibench.data.openvino_ir import constants
from hifibench.errors import UsageError

ELEMENT = {"f16": "<f2", "f32": "<f4", "f64": "<f8", "i32": "<i4", "i64": "<i8"}
ARRAYS = st.sampled_from(sorted(ELEMENT)).flatmap(
    lambda kind: st.tuples(st.just(kind), hnp.arrays(ELEMENT[kind], hnp.array_shapes(min_dims=0, max_dims=4)))
)

Write = Callable[..., tuple[Path, Path]]


def layer(name: str = "w", kind: str = "Const", **data: Any) -> str:
    place = {"element_type": "f32", "shape": "2, 3", "offset": 0, "size": 24} | data
    words = " ".join(f'{key}="{value}"' for key, value in place.items() if value is not None)
    return f'<layer id="0" name="{name}" type="{kind}" version="opset1"><data {words}/></layer>'


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(*layers: str, data: bytes = bytes(24), head: str = '<?xml version="1.0"?>') -> tuple[Path, Path]:
        xml, weights = tmp_path / "net.xml", tmp_path / "net.bin"
        xml.write_text(f'{head}<net name="n" version="10"><layers>{"".join(layers)}</layers></net>')
        weights.write_bytes(data)
        return xml, weights

    return write


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(ARRAYS, max_size=5), st.binary(max_size=3))
def test_what_was_written_is_read(write: Write, arrays: list[tuple[str, np.ndarray]], gap: bytes) -> None:
    layers, data = [layer("between", "Parameter", element_type="f32", offset=None)], b""
    for i, (kind, array) in enumerate(arrays):
        data += gap
        shape = ", ".join(map(str, array.shape))
        layers.append(layer(f"c{i}", element_type=kind, shape=shape, offset=len(data), size=array.nbytes))
        data += array.tobytes()
    read = constants(*write(*layers, data=data))
    assert list(read) == [f"c{i}" for i in range(len(arrays))]
    for found, (_, array) in zip(read.values(), arrays, strict=True):
        assert found.dtype == array.dtype
        assert found.flags.writeable
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("network", ["mapping", "synthesis"])
def test_openvino_reads_the_same_from_the_portrait_networks(network: str) -> None:
    from hifibench.data.generator import _openvino

    paths = [assets.path(f"mobilestylegan-{network}-{kind}") for kind in ("xml", "bin")]
    ours = constants(*paths)
    model = _openvino().Core().read_model(*map(str, paths))
    theirs = {op.friendly_name: op.get_data() for op in model.get_ops() if op.get_type_name() == "Constant"}
    # OpenVINO itself drops or computes beforehand a few small ones.
    common = ours.keys() & theirs.keys()
    assert sum(ours[name].nbytes for name in common) > 0.99 * paths[1].stat().st_size
    for name in common:
        assert ours[name].dtype == theirs[name].dtype
        np.testing.assert_array_equal(ours[name], theirs[name])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"element_type": "bf16"}, "has the type 'bf16'; known are f16, f32"),
        ({"element_type": None}, "expected element_type, shape, offset and size"),
        ({"offset": "many"}, "expected element_type, shape, offset and size"),
        ({"size": 20}, "takes 20 bytes; expected 24"),
        ({"shape": "-2, -3"}, "expected"),
        ({"offset": 4}, "from byte 4 on, but the BIN file ends at byte 24. It is truncated"),
        ({"offset": -4}, "from byte -4 on"),
    ],
)
def test_a_constant_that_does_not_fit_is_named(write: Write, data: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"The constant 'w' of .*net.xml .*{message}"):
        constants(*write(layer(**data)))


def test_two_constants_of_one_name_are_refused(write: Write) -> None:
    with pytest.raises(UsageError, match="two constants named 'w'"):
        constants(*write(layer(), layer()))


def test_a_file_that_is_no_xml_is_refused(write: Write) -> None:
    with pytest.raises(UsageError, match=r"net.xml is no OpenVINO IR file"):
        constants(*write(head="ELF"))


def test_entities_are_refused_before_they_grow(write: Write) -> None:
    bomb = '<!DOCTYPE net [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    with pytest.raises(UsageError, match="declares a document type"):
        constants(*write(layer(name="&b;"), head=bomb))
