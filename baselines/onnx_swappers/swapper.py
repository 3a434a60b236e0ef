"""One swap through an ONNX network, as its row says."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from baselines.onnx_swappers import fit
from baselines.onnx_swappers.files import Files
from baselines.onnx_swappers.identity import Identity, identity
from baselines.onnx_swappers.pixels import decode, encode
from baselines.onnx_swappers.table import Row
from hifibench.errors import UsageError
from hifibench.onnx_session import session
from hifibench.records import Cost, Floats, Status, Swap

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from torch import Tensor

    from hifibench.contracts import SwapperCard

_CUT = 0.05
"""How much may be cut off a swap, on average, to bring it into [0, 1]. Networks overshoot in highlights, and those who
run them cut that off; more comes of a wrong range in the row."""


class OnnxSwapper:
    """Swaps row by row, so that no pair depends on its company.

    Args:
        card: the card it is loaded under.
        row: the contract of the network.
        network: the swapper, checked against the row.
        given: how a source becomes its identity input.
        file: of the swapper.
    """

    def __init__(self, card: SwapperCard, row: Row, network: InferenceSession, given: Identity, file: Path) -> None:
        self._card, self._row, self._network, self._identity, self._file = card, row, network, given, file
        self._types = {one.name: fit.TYPES[one.type] for one in network.get_inputs()}
        image = fit.image_output(network, row)
        self._outputs = [image, row.output.mask] if row.output.mask else [image]

    @property
    def card(self) -> SwapperCard:
        """The card it was loaded under."""
        return self._card

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        """See `hifibench.contracts.Swapper.swap`; a swap that is no picture is a failed pair.

        Raises:
            UsageError: the network gives images or masks of another size than the row's.
        """
        rows = [self._one(*pair) for pair in zip(source.cpu().numpy(), target.cpu().numpy(), strict=True)]
        return Swap(
            torch.from_numpy(np.stack([image for image, _, _ in rows])),
            torch.from_numpy(np.stack([mask for _, mask, _ in rows])) if self._row.output.mask else None,
            tuple(Status.FAILED if message else Status.OK for _, _, message in rows),
            tuple(message for _, _, message in rows),
        )

    def cost(self) -> Cost:
        """The weights of all networks, running statistics included; none is trained here, and no MACs are counted."""
        return Cost(0, weights([self._file, *self._identity.networks]), None)

    def _one(self, source: Floats, target: Floats) -> tuple[Floats, Floats, str]:
        """Image ``(3, S, S)`` and mask ``(1, S, S)`` in [0, 1], and why they are none."""
        side = self._row.target.size
        who = self._identity.of(source)
        if not np.isfinite(who).all():
            return *_nothing(side), "The source's embedding holds values that are no finite numbers."
        given = {self._row.source.input: who, self._row.target.input: encode(target, self._row.target)[None]}
        made = self._network.run(self._outputs, {name: one.astype(self._types[name]) for name, one in given.items()})
        written = self._held(made[0], (1, 3, side, side))[0]
        mask = self._held(made[1], (1, 1, side, side), (1, side, side)).reshape(1, side, side) if made[1:] else None
        image = decode(written, self._row.output)
        message = _trouble(image, mask)
        if message:
            return *_nothing(side), message
        return np.clip(image, 0, 1), _nothing(side)[1] if mask is None else np.clip(mask, 0, 1), ""

    def _held(self, made: Floats, *shapes: tuple[int, ...]) -> Floats:
        if made.shape not in shapes:
            raise UsageError(
                f"{self._file} gives an output of shape {made.shape}, expected {shapes[0]}. Change target.size, "
                "output.image or output.mask in its row."
            )
        return made.astype(np.float32)


def open_swapper(card: SwapperCard, row: Row, files: Files, device: str) -> OnnxSwapper:
    """Open all networks of a row and hold them against it.

    Raises:
        MissingError: the embedded recogniser cannot be fetched.
        UsageError: a file is no ONNX network, or does not fit the row.
    """
    network = session(files.swapper, device)
    given = identity(row, files, device)
    fit.check(network, row, given.shape, files.swapper)
    return OnnxSwapper(card, row, network, given, files.swapper)


def weights(networks: Iterable[Path]) -> int:
    """How many floating-point numbers the initialisers of ONNX files hold."""
    import onnx

    kinds = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE}
    return sum(
        int(np.prod(one.dims, dtype=np.int64))
        for file in networks
        for one in onnx.load(str(file), load_external_data=False).graph.initializer
        if one.data_type in kinds
    )


def _nothing(side: int) -> tuple[Floats, Floats]:
    """A black image ``(3, S, S)`` and an empty mask ``(1, S, S)``."""
    return np.zeros((3, side, side), np.float32), np.zeros((1, side, side), np.float32)


def _trouble(image: Floats, mask: Floats | None) -> str:
    """Why an image and its mask are no swap; empty where they are."""
    for name, values in (("image", image), ("mask", mask)):
        if values is None:
            continue
        if not np.isfinite(values).all():
            return f"The network's {name} holds values that are no finite numbers."
        if np.abs(values - np.clip(values, 0, 1)).mean() > _CUT:
            return (
                f"The network's {name} has values from {values.min():.3g} to {values.max():.3g}, far outside [0, 1]: "
                "the row's output has a wrong mean, std or range."
            )
    return ""
