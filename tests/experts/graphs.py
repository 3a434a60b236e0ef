"""Recognisers of the official layouts with random weights, and as ONNX graphs: a second formulation, another engine.

A state dict bears the names of the public code. A graph is written node by node from those names, and run by ONNX
Runtime; it shares no code with the modules under test.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

State = dict[str, Tensor]
WIDTHS = (64, 128, 256, 512)


class Graph:
    """A graph that grows by one node a call; ``state`` gives the weights."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self.state = state
        self.nodes: list[onnx.NodeProto] = []
        self.used: dict[str, Tensor] = {}

    def weight(self, name: str, shape: tuple[int, ...] | None = None) -> str:
        tensor = self.state[name].float()
        self.used[name] = tensor if shape is None else tensor.reshape(shape)
        return name

    def node(self, kind: str, *inputs: str, **attributes: object) -> str:
        made = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [made], name=f"n{made}", **attributes))
        return made

    def conv(self, name: str, x: str, stride: int = 1, pad: int = 1, bias: bool = False) -> str:
        extra = (self.weight(f"{name}.bias"),) if bias else ()
        return self.node(
            "Conv", x, self.weight(f"{name}.weight"), *extra, strides=[stride, stride], pads=[pad, pad, pad, pad]
        )

    def prelu(self, name: str, x: str) -> str:
        return self.node("PRelu", x, self.weight(f"{name}.weight", (-1, 1, 1)))

    def norm(self, name: str, x: str, affine: bool = True) -> str:
        if not affine:
            width = len(self.state[f"{name}.running_mean"])
            self.used |= {f"{name}.one": torch.ones(width), f"{name}.zero": torch.zeros(width)}
        scales = (
            tuple(self.weight(f"{name}.{kind}") for kind in ("weight", "bias"))
            if affine
            else (f"{name}.one", f"{name}.zero")
        )
        statistics = (self.weight(f"{name}.{kind}") for kind in ("running_mean", "running_var"))
        return self.node("BatchNormalization", x, *scales, *statistics, epsilon=1e-5)

    def linear(self, name: str, x: str) -> str:
        return self.node("Gemm", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), transB=1)

    def save(self, file: Path, last: str, size: tuple[int, int] = (112, 112)) -> Path:
        graph = helper.make_graph(
            self.nodes,
            "recogniser",
            [helper.make_tensor_value_info("data", TensorProto.FLOAT, ("batch", 3, *size))],
            [helper.make_tensor_value_info(last, TensorProto.FLOAT, ("batch", 512))],
            [numpy_helper.from_array(value.numpy(), name) for name, value in self.used.items()],
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), file)
        return file


class Weights:
    """A state dict that grows; float16 where files would be large."""

    def __init__(self, seed: int, half: bool = False) -> None:
        self.state: State = {}
        self.random, self.half = torch.Generator().manual_seed(seed), half

    def _put(self, name: str, value: Tensor) -> None:
        self.state[name] = value.half() if self.half else value

    def conv(self, name: str, out: int, inward: int, side: int = 3, bias: bool = False) -> None:
        spread = (1.4 / (inward * side * side)) ** 0.5
        self._put(f"{name}.weight", torch.randn(out, inward, side, side, generator=self.random) * spread)
        if bias:
            self._put(f"{name}.bias", torch.randn(out, generator=self.random) * 0.1)

    def prelu(self, name: str, width: int) -> None:
        self._put(f"{name}.weight", torch.rand(width, generator=self.random) * 0.8)

    def norm(self, name: str, width: int, affine: bool = True) -> None:
        if affine:
            self._put(f"{name}.weight", torch.rand(width, generator=self.random) * 0.5 + 0.25)
            self._put(f"{name}.bias", torch.randn(width, generator=self.random) * 0.1)
        self._put(f"{name}.running_mean", torch.randn(width, generator=self.random) * 0.1)
        self._put(f"{name}.running_var", torch.rand(width, generator=self.random) + 0.5)
        self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def linear(self, name: str, out: int, inward: int) -> None:
        self._put(f"{name}.weight", torch.randn(out, inward, generator=self.random) / inward**0.5)
        self._put(f"{name}.bias", torch.randn(out, generator=self.random) * 0.1)


def sphere20(seed: int = 20) -> State:
    made = Weights(seed)
    for stage, (inward, width, blocks) in enumerate(zip((3, *WIDTHS), WIDTHS, (1, 2, 4, 1), strict=False), 1):
        made.conv(f"layer{stage}.0", width, inward, bias=True)
        made.prelu(f"layer{stage}.1", width)
        for block in range(2, 2 + blocks):
            for half in (1, 2):
                made.conv(f"layer{stage}.{block}.conv{half}", width, width)
                made.prelu(f"layer{stage}.{block}.prelu{half}", width)
    made.linear("fc", 512, 512 * 7 * 6)
    return made.state


def sphere20_graph(state: State, file: Path) -> Path:
    graph, x = Graph(state), "data"
    for stage, blocks in enumerate((1, 2, 4, 1), 1):
        x = graph.prelu(f"layer{stage}.1", graph.conv(f"layer{stage}.0", x, stride=2, bias=True))
        for block in range(2, 2 + blocks):
            y = x
            for half in (1, 2):
                name = f"layer{stage}.{block}"
                y = graph.prelu(f"{name}.prelu{half}", graph.conv(f"{name}.conv{half}", y))
            x = graph.node("Add", x, y)
    return graph.save(file, graph.linear("fc", graph.node("Flatten", x)), size=(112, 96))


def curricular(stages: tuple[int, ...], seed: int = 101, half: bool = False) -> State:
    made = Weights(seed, half)
    made.conv("input_layer.0", 64, 3)
    made.norm("input_layer.1", 64)
    made.prelu("input_layer.2", 64)
    inward, number = 64, 0
    for width, blocks in zip(WIDTHS, stages, strict=True):
        for _ in range(blocks):
            name = f"body.{number}"
            if inward != width:
                made.conv(f"{name}.shortcut_layer.0", width, inward, 1)
                made.norm(f"{name}.shortcut_layer.1", width)
            made.norm(f"{name}.res_layer.0", inward)
            made.conv(f"{name}.res_layer.1", width, inward)
            made.prelu(f"{name}.res_layer.2", width)
            made.conv(f"{name}.res_layer.3", width, width)
            made.norm(f"{name}.res_layer.4", width)
            inward, number = width, number + 1
    made.norm("output_layer.0", 512)
    made.linear("output_layer.3", 512, 512 * 7 * 7)
    made.norm("output_layer.4", 512, affine=False)
    return made.state


def curricular_graph(state: State, stages: tuple[int, ...], file: Path) -> Path:
    graph = Graph(state)
    x = graph.prelu("input_layer.2", graph.norm("input_layer.1", graph.conv("input_layer.0", "data")))
    number = 0
    for blocks in stages:
        for block in range(blocks):
            name, stride = f"body.{number}", 2 if block == 0 else 1
            y = graph.conv(f"{name}.res_layer.1", graph.norm(f"{name}.res_layer.0", x))
            y = graph.conv(f"{name}.res_layer.3", graph.prelu(f"{name}.res_layer.2", y), stride)
            y = graph.norm(f"{name}.res_layer.4", y)
            if f"{name}.shortcut_layer.0.weight" in state:
                x = graph.conv(f"{name}.shortcut_layer.0", x, stride, pad=0)
                x = graph.norm(f"{name}.shortcut_layer.1", x)
            elif stride > 1:
                x = graph.node("MaxPool", x, kernel_shape=[1, 1], strides=[stride, stride])
            x, number = graph.node("Add", y, x), number + 1
    x = graph.linear("output_layer.3", graph.node("Flatten", graph.norm("output_layer.0", x)))
    return graph.save(file, graph.norm("output_layer.4", x, affine=False))


def iresnet(stages: tuple[int, ...], seed: int = 100, half: bool = False) -> State:
    made = Weights(seed, half)
    made.conv("conv1", 64, 3)
    made.norm("bn1", 64)
    made.prelu("prelu", 64)
    inward = 64
    for stage, (width, blocks) in enumerate(zip(WIDTHS, stages, strict=True), 1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            made.norm(f"{name}.bn1", inward)
            made.conv(f"{name}.conv1", width, inward)
            made.norm(f"{name}.bn2", width)
            made.prelu(f"{name}.prelu", width)
            made.conv(f"{name}.conv2", width, width)
            made.norm(f"{name}.bn3", width)
            if block == 0:
                made.conv(f"{name}.downsample.0", width, inward, 1)
                made.norm(f"{name}.downsample.1", width)
            inward = width
    made.norm("bn2", 512)
    made.linear("fc", 512, 512 * 7 * 7)
    made.norm("features", 512)
    return made.state


def iresnet_graph(state: State, stages: tuple[int, ...], file: Path) -> Path:
    graph = Graph(state)
    x = graph.prelu("prelu", graph.norm("bn1", graph.conv("conv1", "data")))
    for stage, blocks in enumerate(stages, 1):
        for block in range(blocks):
            name, stride = f"layer{stage}.{block}", 2 if block == 0 else 1
            y = graph.norm(f"{name}.bn2", graph.conv(f"{name}.conv1", graph.norm(f"{name}.bn1", x)))
            y = graph.norm(f"{name}.bn3", graph.conv(f"{name}.conv2", graph.prelu(f"{name}.prelu", y), stride))
            if block == 0:
                x = graph.norm(f"{name}.downsample.1", graph.conv(f"{name}.downsample.0", x, stride, pad=0))
            x = graph.node("Add", y, x)
    return graph.save(file, graph.norm("features", graph.linear("fc", graph.node("Flatten", graph.norm("bn2", x)))))


def run(file: Path, images: Tensor) -> np.ndarray:
    """``(B, 512)`` of a graph, on one image after the other."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    network = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return np.concatenate([network.run(None, {"data": image[None].numpy()})[0] for image in images])


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
