"""dlib's face descriptor as an ONNX network: the same weights, ten times as fast, and in several threads at once.

The library itself computes without a BLAS and holds Python's lock all the while, so that one descriptor at a time is
made, in 0.1 s, while everything else waits.

Source: D. E. King, dlib, ``dnn_face_recognition_ex.cpp`` (the network) and ``dlib/dnn`` (how its file is written). The
tests compare with the library.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hifibench.errors import UsageError
from hifibench.records import Floats

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

SIDE, FEATURES = 150, 128
MEAN_RGB = (122.782, 117.001, 104.298)
"""Of the training set, in bytes; dlib's input layer takes them off and divides by 256."""

STEM = (32, 7)
"""Channels and kernel of the first convolution, which strides by 2."""
BLOCKS = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
"""Channels, residual blocks, whether the first of them halves the size; from the input on."""

_LAYER = re.compile(rb"\x01[\x05\x07\x04](con_4|affine_|fc_2)")


class _Block(NamedTuple):
    """A residual block: channels in and out, and whether it halves the size."""

    inward: int
    width: int
    down: bool


def network(file: Path) -> ModelProto:
    """The network of ``dlib_face_recognition_resnet_model_v1.dat``.

    Returns:
        An ONNX model from ``(1, 3, 150, 150)`` float32 RGB, bytes from 0 to 255, to ``(1, 128)``.

    Raises:
        UsageError: the file holds another network.
    """
    import onnx
    from onnx import helper

    tensors = _tensors(file)
    graph = _Graph(file, tensors)
    graph.stem()
    for block in _blocks():
        graph.residual(block)
    graph.head()
    if next(tensors, None) is not None:
        raise _other(file, "more layers than it should have")
    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "dlib",
            [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("descriptor", onnx.TensorProto.FLOAT, [1, FEATURES])],
            [onnx.numpy_helper.from_array(value, name) for name, value in graph.constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.checker.check_model(made)
    return made


def _blocks() -> Iterator[_Block]:
    inward = STEM[0]
    for width, count, down in BLOCKS:
        for index in range(count):
            yield _Block(inward, width, down and not index)
            inward = width


class _Graph:
    """The network while it is put together."""

    def __init__(self, file: Path, tensors: Iterator[Floats]) -> None:
        self._file, self._tensors = file, tensors
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, Floats] = {}
        self._last = "image"
        self._count = 0

    def stem(self) -> None:
        width, kernel = STEM
        mean = self._constant(np.array(MEAN_RGB, np.float32).reshape(1, 3, 1, 1))
        self._add("Sub", self._last, mean)
        self._add("Div", self._last, self._constant(np.full((1, 1, 1, 1), 256, np.float32)))
        self._convolve(3, width, kernel, stride=2)
        self._add("Relu", self._last)
        self._add("MaxPool", self._last, kernel_shape=[3, 3], strides=[2, 2])

    def residual(self, block: _Block) -> None:
        """Two convolutions, the first of which strides, beside the input or its averages; a ReLU follows the sum.

        Where the two differ in size or channels, dlib fills the smaller one with zeros at the end.
        """
        before = self._last
        self._convolve(block.inward, block.width, 3, stride=2 if block.down else 1)
        self._add("Relu", self._last)
        branch = self._convolve(block.width, block.width, 3, stride=1)
        if block.down:
            before = self._add("AveragePool", before, kernel_shape=[2, 2], strides=[2, 2])
            before = self._padded(before, channels=block.width - block.inward)
            branch = self._padded(branch, side=self._short_by(block))
        self._add("Add", branch, before)
        self._add("Relu", self._last)

    def head(self) -> None:
        self._add("GlobalAveragePool", self._last)
        self._add("Flatten", self._last)
        weights = self._take(BLOCKS[-1][0] * FEATURES).reshape(BLOCKS[-1][0], FEATURES)
        self._add("MatMul", self._last, self._constant(weights))
        self.nodes[-1].output[0] = "descriptor"

    def _convolve(self, inward: int, width: int, kernel: int, stride: int) -> str:
        """A convolution and the affine layer behind it, in one; only strides of 1 have a border of zeros."""
        count = width * inward * kernel**2
        filters, bias = np.split(self._take(count + width), [count])
        gamma, beta = np.split(self._take(2 * width), 2)
        filters = filters.reshape(width, inward, kernel, kernel) * gamma.reshape(-1, 1, 1, 1)
        pads = [kernel // 2 if stride == 1 else 0] * 4
        constants = self._constant(filters), self._constant(bias * gamma + beta)
        return self._add("Conv", self._last, *constants, strides=[stride] * 2, pads=pads)

    def _short_by(self, block: _Block) -> int:
        """By how many pixels the strided branch is smaller than the averages, at this depth."""
        side = (SIDE - STEM[1]) // 2 + 1
        side = (side - 3) // 2 + 1
        for other in _blocks():
            if other.down:
                if other == block:
                    return side // 2 - ((side - 3) // 2 + 1)
                side //= 2
        raise AssertionError("no such block")

    def _padded(self, name: str, channels: int = 0, side: int = 0) -> str:
        if not channels and not side:
            return name
        ends = self._constant(np.array([0, 0, 0, 0, 0, channels, side, side], np.int64))
        return self._add("Pad", name, ends)

    def _add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        self._count += 1
        self._last = f"{kind.lower()}{self._count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [self._last], **attributes))
        return self._last

    def _constant(self, value: np.ndarray) -> str:
        name = f"constant{len(self.constants)}"
        self.constants[name] = np.ascontiguousarray(value)
        return name

    def _take(self, size: int) -> Floats:
        tensor = next(self._tensors, None)
        if tensor is None or len(tensor) != size:
            found = "no more layers" if tensor is None else f"a layer of {len(tensor):,} numbers"
            raise _other(self._file, f"{found} where {size:,} were expected")
        return tensor


def _tensors(file: Path) -> Iterator[Floats]:
    """The weights of the layers that have any, from the input on."""
    content = file.read_bytes()
    at = 0
    while (layer := _LAYER.search(content, at)) is not None:
        at = layer.end()
        if layer[1] == b"fc_2":  # here the numbers of outputs and inputs come first
            _, at = _integer(content, at)
            _, at = _integer(content, at)
        sizes = []
        for _ in range(5):  # version, then four sizes
            size, at = _integer(content, at)
            sizes.append(size)
        count = int(np.prod(sizes[1:]))
        if sizes[0] != 2 or not 0 < 4 * count <= len(content) - at:
            raise _other(file, f"a layer of version {sizes[0]} and {count:,} numbers")
        yield np.frombuffer(content, "<f4", count, at).astype(np.float32)
        at += 4 * count


def _integer(content: bytes, at: int) -> tuple[int, int]:
    """An integer as dlib writes it, and where it ends: a byte with the sign and the number of bytes, then these."""
    length, negative = content[at] & 0x0F, bool(content[at] & 0x80)
    value = int.from_bytes(content[at + 1 : at + 1 + length], "little")
    return -value if negative else value, at + 1 + length


def _other(file: Path, found: str) -> UsageError:
    return UsageError(f"{file} holds another network than dlib's face descriptor: {found}. Get the file again.")
