from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hifibench.errors import MissingError, UsageError
from hifibench.experts import embedding_map

Save = Callable[..., Path]
RNG = np.random.default_rng(5)
EMBEDDINGS = (RNG.normal(size=(3, 512)) * np.array([[1], [8], [0.2]])).astype(np.float32)


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes a graph from ``source`` to ``target`` with the weights in the order given."""

    def write(
        nodes: Sequence[onnx.NodeProto],
        weights: Sequence[tuple[str, np.ndarray]],
        shapes: tuple[Sequence[int | str], Sequence[int | str]] = ((1, 512), (1, 512)),
    ) -> Path:
        graph = helper.make_graph(
            list(nodes),
            "test",
            [helper.make_tensor_value_info("source", TensorProto.FLOAT, shapes[0])],
            [helper.make_tensor_value_info("target", TensorProto.FLOAT, shapes[1])],
            [numpy_helper.from_array(value, name) for name, value in weights],
        )
        path = tmp_path / "graph.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
        return path

    return write


def matrix() -> np.ndarray:
    return np.random.default_rng(7).normal(size=(512, 512)).astype(np.float32)


IDENTITY = [helper.make_node("Identity", ["source"], ["target"])]


def test_emap_is_the_last_of_the_weights(save: Save) -> None:
    path = save(IDENTITY, [("first", matrix().T.copy()), ("kernel", np.zeros((2, 2), np.float32)), ("last", matrix())])
    read = embedding_map.emap(path)
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, matrix())


def test_emap_in_half_precision_becomes_float32(save: Save) -> None:
    read = embedding_map.emap(save(IDENTITY, [("last", matrix().astype(np.float16))]))
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, matrix().astype(np.float16).astype(np.float32))


def test_through_emap_multiplies_rows_from_the_left_and_gives_unit_vectors() -> None:
    mapped = embedding_map.through_emap(EMBEDDINGS, matrix())
    for row, embedding in zip(mapped, EMBEDDINGS, strict=True):
        expected = np.einsum("i,ij->j", embedding.astype(np.float64), matrix().astype(np.float64))
        np.testing.assert_allclose(row, expected / np.sqrt((expected**2).sum()), atol=1e-6)
    assert mapped.dtype == np.float32 and mapped.shape == (3, 512)
    np.testing.assert_allclose(embedding_map.through_emap(EMBEDDINGS * 7, matrix()), mapped, atol=1e-6)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([("last", np.zeros((512, 256), np.float32))], r"float32 of shape \(512, 256\), expected .* \(512, 512\)"),
        ([("map", matrix()), ("last", np.zeros(3, np.float32))], r"float32 of shape \(3,\)"),
        ([("last", np.zeros((512, 512), np.int64))], r"int64 of shape \(512, 512\)"),
        ([], r"of shape \(0,\)"),
    ],
)
def test_a_swapper_without_emap_is_refused(save: Save, weights: list[tuple[str, np.ndarray]], message: str) -> None:
    with pytest.raises(UsageError, match=rf"last weights of .*graph\.onnx are .*{message}.* choose no map"):
        embedding_map.emap(save(IDENTITY, weights))


def test_weights_in_a_lost_file_are_refused(save: Save, tmp_path: Path) -> None:
    path = save(IDENTITY, [("last", matrix())])
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="lost.bin", size_threshold=0)
    np.testing.assert_array_equal(embedding_map.emap(path), matrix())
    (tmp_path / "lost.bin").unlink()
    with pytest.raises(UsageError, match=r"graph\.onnx cannot be read as an ONNX network: .*lost\.bin"):
        embedding_map.emap(path)


@pytest.mark.parametrize("opening", [embedding_map.emap, embedding_map.converter])
def test_absent_files_and_files_of_words_are_refused(tmp_path: Path, opening: Callable[[Path], object]) -> None:
    with pytest.raises(MissingError, match=r"There is no file .*none\.onnx\. Give an \.onnx file"):
        opening(tmp_path / "none.onnx")
    (tmp_path / "words.onnx").write_text("no network at all, only words")
    with pytest.raises(UsageError, match=r"words\.onnx cannot be .* as an ONNX network.*Give an \.onnx file"):
        opening(tmp_path / "words.onnx")


CONVERTER = [
    helper.make_node("ReduceL2", ["source"], ["length"], keepdims=1),
    helper.make_node("Div", ["source", "length"], ["unit"]),
    helper.make_node("MatMul", ["unit", "map"], ["mapped"]),
    helper.make_node("LeakyRelu", ["mapped"], ["target"], alpha=0.01),
]
"""As the published ones do, it divides by the norm of all it is given: rows of a batch would mix."""


@pytest.mark.parametrize("batch", [1, "batch"])
@pytest.mark.parametrize("to_unit", [False, True])
def test_rows_are_converted_each_by_itself(save: Save, batch: int | str, to_unit: bool) -> None:
    network = embedding_map.converter(save(CONVERTER, [("map", matrix())], ((batch, 512), (batch, 512))))
    converted = embedding_map.convert(EMBEDDINGS, network, to_unit)
    mapped = EMBEDDINGS / np.linalg.norm(EMBEDDINGS, axis=1, keepdims=True) @ matrix()
    expected = np.where(mapped > 0, mapped, 0.01 * mapped)
    if to_unit:
        expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    assert converted.dtype == np.float32
    np.testing.assert_allclose(converted, expected, atol=1e-5)
    assert (abs(np.linalg.norm(converted, axis=1) - 1) < 1e-5).all() == to_unit


@pytest.mark.parametrize(
    ("nodes", "shapes", "message"),
    [
        (IDENTITY, ((1, 256), (1, 256)), r"maps source \[1, 256\] to target \[1, 256\], expected .* \(1, 512\)"),
        (
            [helper.make_node("Slice", ["source", "from", "to", "axes"], ["target"])],
            ((1, 512), (1, 128)),
            r"to target \[1, 128\]",
        ),
        (IDENTITY, ((1, 1, 512), (1, 1, 512)), r"maps source \[1, 1, 512\]"),
        (
            [*IDENTITY, helper.make_node("Relu", ["source"], ["more"])],
            ((1, 512), (1, 512)),
            r"to target \[1, 512\], more \[1, 512\]",
        ),
    ],
)
def test_what_does_not_map_embeddings_is_refused(
    save: Save, nodes: list[onnx.NodeProto], shapes: tuple[tuple[int, ...], tuple[int, ...]], message: str
) -> None:
    bounds = [(name, np.array([value])) for name, value in (("from", 0), ("to", 128), ("axes", 1))]
    path = save(nodes, bounds, shapes)
    if len(nodes) > 1:
        model = onnx.load(path)
        model.graph.output.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, (1, 512)))
        onnx.save(model, path)
    with pytest.raises(UsageError, match=message):
        embedding_map.converter(path)
