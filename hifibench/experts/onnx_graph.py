"""An ONNX graph as a torch module: the few operations of plain convolutional networks.

Tensors become tensors; shapes (the ``Shape`` … ``Reshape`` chains that exporters leave behind) become Python lists of
integers. So nothing is copied back from a GPU to learn a shape, and the batch size stays free.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from onnx import GraphProto, NodeProto, helper, numpy_helper
from torch import Tensor, nn

from hifibench.errors import UsageError
from hifibench.experts.frozen import Frozen

Attributes = dict[str, Any]
Operation = Callable[..., Any]


class OnnxGraph(Frozen):
    """A feed-forward ONNX graph with one input and one output.

    Weights are parameters that ask for no gradient; batch normalisation always uses its running statistics, also
    after ``train()``. Works under autocast and in ``channels_last``.

    Args:
        graph: the graph of an ONNX model.
        name: what messages call it.

    Raises:
        UsageError: an operation, or a way of using one, is not known.
    """

    def __init__(self, graph: GraphProto, name: str = "The network") -> None:
        super().__init__()
        self._name = name
        weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        inputs = [value.name for value in graph.input if value.name not in weights]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise UsageError(
                f"{name} has {len(inputs)} inputs and {len(graph.output)} outputs; as a torch module only networks "
                "with one of each are known."
            )
        self._input, self._output = inputs[0], graph.output[0].name
        self._integers: dict[str, list[int] | int] = {}
        self._parameter_of: dict[str, str] = {}
        for key, value in weights.items():
            self._keep(key, value)
        self._steps: list[tuple[Operation, tuple[str, ...], str]] = []
        for node in graph.node:
            attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
            if node.op_type == "Constant":
                self._keep(node.output[0], numpy_helper.to_array(attributes["value"]))
            else:
                self._steps.append((self._operation(node, attributes), tuple(node.input), node.output[0]))
        self.eval()

    def _keep(self, key: str, value: np.ndarray) -> None:
        if np.issubdtype(value.dtype, np.integer):
            self._integers[key] = value.tolist()
            return
        parameter = f"weight_{key.replace('.', '_')}"
        self.register_parameter(parameter, nn.Parameter(torch.from_numpy(value.copy()), requires_grad=False))
        self._parameter_of[key] = parameter

    def _operation(self, node: NodeProto, attributes: Attributes) -> Operation:
        make = _OPERATIONS.get(node.op_type)
        if make is None:
            raise UsageError(
                f"{self._name} uses the ONNX operation {node.op_type}; as a torch module only Constant, "
                f"{', '.join(sorted(_OPERATIONS))} are known. Run it by ONNX Runtime instead."
            )
        try:
            return make(attributes)
        except NotImplementedError as error:
            raise UsageError(f"{self._name}: {node.op_type} {error}. Run it by ONNX Runtime instead.") from error

    def forward(self, given: Tensor) -> Tensor:
        """The graph's output for its input ``given``, row by row."""
        values: dict[str, Any] = {self._input: given, **self._integers}
        for key, parameter in self._parameter_of.items():
            values[key] = getattr(self, parameter)
        for operation, inputs, output in self._steps:
            values[output] = operation(*(values[key] for key in inputs))
        result: Tensor = values[self._output]
        return result


def _conv(attributes: Attributes) -> Operation:
    pads = list(attributes.get("pads", [0, 0, 0, 0]))
    if pads[:2] != pads[2:]:
        raise NotImplementedError(f"with different padding on opposite sides ({pads}) is not known")
    if attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise NotImplementedError(f"with automatic padding ({attributes['auto_pad'].decode()}) is not known")
    stride, dilation = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    groups = attributes.get("group", 1)

    def conv(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if groups == x.shape[1] and max(stride) > 1 and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            # The gradient of a strided depthwise convolution has no fast bfloat16 kernel: 20 ms instead of 3.
            with torch.autocast("cpu", enabled=False):
                return F.conv2d(x.float(), weight, bias, stride, pads[:2], dilation, groups).to(x.dtype)
        return F.conv2d(x, weight, bias, stride, pads[:2], dilation, groups)

    return conv


def _gemm(attributes: Attributes) -> Operation:
    if attributes.get("transA", 0) or attributes.get("alpha", 1.0) != 1 or attributes.get("beta", 1.0) != 1:
        raise NotImplementedError("with a transposed first factor, alpha or beta is not known")
    transposed = attributes.get("transB", 0)

    def gemm(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return F.linear(x, weight if transposed else weight.T, bias)

    return gemm


def _batch_normalization(attributes: Attributes) -> Operation:
    epsilon = attributes.get("epsilon", 1e-5)

    def normalize(x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return F.batch_norm(x, mean, variance, scale, bias, eps=epsilon)

    return normalize


def _prelu(attributes: Attributes) -> Operation:
    del attributes

    def prelu(x: Tensor, slope: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return F.prelu(x, slope.to(x.dtype).flatten())
        # As a product with a constant: F.prelu also works out a gradient for the slope, which nobody asked for, and
        # spends four times as long on it.
        wide = slope.to(x.dtype).reshape(-1, *[1] * (x.dim() - 2))
        return x * torch.where(x.detach() > 0, torch.ones((), dtype=x.dtype, device=x.device), wide)

    return prelu


def _max_pool(attributes: Attributes) -> Operation:
    pads = list(attributes.get("pads", [0, 0, 0, 0]))
    if pads[:2] != pads[2:] or attributes.get("ceil_mode", 0) or attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise NotImplementedError("with uneven or automatic padding, or rounding up, is not known")
    kernel, stride = attributes["kernel_shape"], attributes.get("strides", [1, 1])
    dilation = attributes.get("dilations", [1, 1])
    return lambda x: F.max_pool2d(x, kernel, stride, pads[:2], dilation)


def _unsqueeze(attributes: Attributes) -> Operation:
    axes = attributes.get("axes")

    def unsqueeze(value: int, given: list[int] | None = None) -> list[int]:
        if (axes or given) != [0] or not isinstance(value, int):
            raise NotImplementedError("Unsqueeze is known for single numbers of a shape only")
        return [value]

    return unsqueeze


def _flatten(attributes: Attributes) -> Operation:
    if attributes.get("axis", 1) != 1:
        raise NotImplementedError("along another axis than 1 is not known")
    return lambda x: torch.flatten(x, 1)


def _reshape(attributes: Attributes) -> Operation:
    if attributes.get("allowzero", 0):
        raise NotImplementedError("with allowzero is not known")
    # In ONNX a 0 keeps the dimension that stands there.
    return lambda x, shape: x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(shape)])


_OPERATIONS: dict[str, Callable[[Attributes], Operation]] = {
    "Add": lambda _: torch.add,
    "BatchNormalization": _batch_normalization,
    "Concat": lambda _: lambda *shapes: [number for shape in shapes for number in shape],
    "Conv": _conv,
    "Flatten": _flatten,
    "Gather": lambda _: lambda shape, index: shape[index],
    "Gemm": _gemm,
    "GlobalAveragePool": lambda _: lambda x: x.mean((2, 3), keepdim=True),
    "Identity": lambda _: lambda x: x,
    "MaxPool": _max_pool,
    "PRelu": _prelu,
    "Relu": lambda _: F.relu,
    "Reshape": _reshape,
    "Shape": lambda _: lambda x: list(x.shape),
    "Unsqueeze": _unsqueeze,
}
"""Operation -> its attributes -> the function (https://onnx.ai/onnx/operators). ``Concat``, ``Gather`` and
``Unsqueeze`` are those of shape arithmetic: they take and give Python integers."""
