"""Whether an ONNX file is what its row says, told before anything is run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baselines.onnx_swappers.table import Row
from hifibench.errors import UsageError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
"""Of the numbers that a swapper may take and give."""

Shape = tuple[int, ...]


def check(network: InferenceSession, row: Row, identity: Shape, file: Path) -> None:
    """Hold a swapper's file against its row.

    Args:
        network: the file, opened.
        row: its row.
        identity: shape of what stands for the source's identity, without the batch: ``(3, S, S)`` or ``(K,)``.
        file: named in the error.

    Raises:
        UsageError: inputs or outputs have other names, types, ranks or sizes; says what the file has, and what the row.
    """
    side = row.target.size
    inputs = {row.source.input: identity, row.target.input: (3, side, side)}
    problems = [*_inputs(network.get_inputs(), inputs), *_outputs(network.get_outputs(), row.output, side)]
    if problems:
        takes = ", ".join(f"{name} (1, {_list(shape)})" for name, shape in inputs.items())
        raise UsageError(
            f"{file} does not fit its row: {'; '.join(problems)}.\n  The file takes {_told(network.get_inputs())}; it "
            f"gives {_told(network.get_outputs())}.\n  The row gives it {takes}.\n  Give another file, or change "
            "source.input, target.input, the sizes, identity, recogniser, converter or output in the row."
        )


def check_recogniser(network: InferenceSession, size: int, file: Path) -> int:
    """Hold a recogniser's file against its crop.

    Returns:
        How long its embeddings are.

    Raises:
        UsageError: it is no network from one float32 crop ``(1, 3, S, S)`` to one vector ``(1, K)``.
    """
    inputs, outputs = network.get_inputs(), network.get_outputs()
    fits = (
        len(inputs) == len(outputs) == 1
        and inputs[0].type == "tensor(float)"
        and _fits(inputs[0].shape, (1, 3, size, size))
        and len(outputs[0].shape) == 2
        and isinstance(outputs[0].shape[1], int)
    )
    if not fits:
        raise UsageError(
            f"{file} is no recogniser for this row: it takes {_told(inputs)} and gives {_told(outputs)}; expected one "
            f"tensor(float) (1, 3, {size}, {size}) and one vector (1, K). Give another file, or change source.size."
        )
    length: int = outputs[0].shape[1]
    return length


def image_output(network: InferenceSession, row: Row) -> str:
    """Name of the output with the swapped face."""
    first: str = network.get_outputs()[0].name
    return row.output.image or first


def _inputs(given: Sequence[Any], expected: dict[str, Shape]) -> Iterator[str]:
    for name in expected.keys() - {one.name for one in given}:
        yield f"it has no input {name}"
    for one in given:
        if one.name not in expected:
            yield f"its input {one.name} stands for nothing in the row"
        elif one.type not in TYPES:
            yield f"its input {one.name} is of {one.type}, expected one of {', '.join(TYPES)}"
        elif not _fits(one.shape, (1, *expected[one.name])):
            yield f"its input {one.name} is {_shape(one.shape)}, by the row (1, {_list(expected[one.name])})"


def _outputs(given: Sequence[Any], output: Any, side: int) -> Iterator[str]:
    outputs = {one.name: one for one in given}
    asked: list[tuple[str, list[Shape]]] = [(output.image or given[0].name, [(1, 3, side, side)])]
    if output.mask:
        asked.append((output.mask, [(1, 1, side, side), (1, side, side)]))
    for name, shapes in asked:
        if name not in outputs:
            yield f"it has no output {name}"
        elif outputs[name].type not in TYPES:
            yield f"its output {name} is of {outputs[name].type}, expected one of {', '.join(TYPES)}"
        # Many exports leave the shapes of outputs open: those are held to the row when they come.
        elif outputs[name].shape and not any(_fits(outputs[name].shape, shape) for shape in shapes):
            yield f"its output {name} is {_shape(outputs[name].shape)}, by the row {shapes[0]}"


def _fits(shape: Sequence[Any], expected: Shape) -> bool:
    """Whether sizes agree, where the file fixes them: names and nothing stand for any size."""
    return len(shape) == len(expected) and all(
        not isinstance(one, int) or one == size for one, size in zip(shape, expected, strict=True)
    )


def _told(sides: Sequence[Any]) -> str:
    return ", ".join(f"{one.name} {one.type} {_shape(one.shape)}" for one in sides)


def _shape(shape: Sequence[Any]) -> str:
    return f"({', '.join(str(one) if isinstance(one, int) else '?' for one in shape)})"


def _list(shape: Shape) -> str:
    return ", ".join(map(str, shape))
