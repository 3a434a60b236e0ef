"""Tiny ONNX files that keep the contracts of published ones, and what they compute, restated in NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, HALF, DOUBLE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE
OFFSET, CONTRAST = 0.4, 0.1
"""A tiny swapper gives ``OFFSET + CONTRAST * target + tint`` of what it is given."""


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).normal(size=shape).astype(np.float32)


def write(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Mapping[str, Sequence[int | str] | None],
    constants: Mapping[str, np.ndarray],
    kind: int = FLOAT,
) -> Path:
    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@dataclass
class Swapper:
    """Tints the target by three numbers that are linear in the identity (of a crop: in its mean)."""

    size: int
    identity: tuple[int, ...]
    emap: np.ndarray | None = None
    kind: int = FLOAT
    mask: tuple[int | str, ...] | None = None
    names: tuple[str, str] = ("source", "target")
    contrast: float = CONTRAST

    def write(self, path: Path) -> Path:
        source, target = self.names
        dtype = {FLOAT: np.float32, HALF: np.float16, DOUBLE: np.float64}[self.kind]
        crop = len(self.identity) == 3
        nodes = [
            *([helper.make_node("ReduceMean", [source], ["who"], axes=[2, 3], keepdims=0)] if crop else []),
            helper.make_node("MatMul", ["who" if crop else source, "tint"], ["flat"]),
            helper.make_node("Reshape", ["flat", "spread"], ["colour"]),
            helper.make_node("Mul", [target, "contrast"], ["faint"]),
            helper.make_node("Add", ["faint", "offset"], ["base"]),
            helper.make_node("Add", ["base", "colour"], ["output"]),
        ]
        outputs: dict[str, Sequence[int | str] | None] = {"output": (1, 3, self.size, self.size)}
        constants = {
            "tint": self.tint.astype(dtype),
            "spread": np.array([1, 3, 1, 1]),
            "contrast": np.array(self.contrast, dtype),
            "offset": np.array(OFFSET, dtype),
        }
        if self.mask is not None:
            nodes.append(helper.make_node("ReduceMean", [target], ["mask"], axes=[1], keepdims=len(self.mask) - 3))
            outputs["mask"] = self.mask
        if self.emap is not None:
            constants["emap"] = self.emap.astype(dtype)  # the last one, as in inswapper's file
        given = {source: (1, *self.identity), target: (1, 3, self.size, self.size)}
        return write(path, nodes, given, outputs, constants, self.kind)

    @property
    def tint(self) -> np.ndarray:
        return weights(self.identity[0], 3, seed=1) * np.array([0.1, 0.05, 0.2], np.float32)

    def run(self, identity: np.ndarray, target: np.ndarray) -> np.ndarray:
        """``(K,)`` or ``(3, S, S)``, and ``(3, S, S)``, both as the network sees them."""
        who = identity.mean((1, 2)) if identity.ndim == 3 else identity
        return OFFSET + self.contrast * target + (who @ self.tint)[:, None, None]


@dataclass
class Recogniser:
    """An embedding that is linear in the crop's mean colour, of length 2 or so."""

    length: int = 512
    size: int = 112

    def write(self, path: Path) -> Path:
        nodes = [
            helper.make_node("ReduceMean", ["input.1"], ["colour"], axes=[2, 3], keepdims=0),
            helper.make_node("MatMul", ["colour", "w"], ["bare"]),
            helper.make_node("Add", ["bare", "b"], ["embedding"]),
        ]
        given = {"input.1": ("batch", 3, self.size, self.size)}
        return write(path, nodes, given, {"embedding": (1, self.length)}, dict(zip("wb", self.parts, strict=True)))

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray]:
        scale = np.float32(0.1)
        return scale * weights(3, self.length, seed=2), scale * weights(self.length, seed=3)

    def run(self, crop: np.ndarray) -> np.ndarray:
        w, b = self.parts
        return crop.mean((1, 2)) @ w + b


@dataclass
class Converter:
    """A linear map of embeddings, another for every seed."""

    seed: int = 0

    def write(self, path: Path) -> Path:
        nodes = [helper.make_node("MatMul", ["input", "w"], ["output"])]
        return write(path, nodes, {"input": (1, 512)}, {"output": (1, 512)}, {"w": self.matrix})

    @property
    def matrix(self) -> np.ndarray:
        return weights(512, 512, seed=4 + self.seed) / np.float32(20)

    def run(self, embedding: np.ndarray) -> np.ndarray:
        return embedding @ self.matrix
