"""A recogniser from a PyTorch checkpoint whose own keys say which network it holds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from hifibench.errors import UsageError
from hifibench.experts import checkpoint, curricular, iresnet

WANTED = (
    "the state dict of an ArcFace IResNet (backbone.pth of InsightFace's arcface_torch) or of a CurricularFace IR "
    "network (CurricularFace_Backbone.pth)"
)
_SHOWN = 3


def load(file: Path) -> nn.Module:
    """Load whichever of the two it is, at the depth it has: frozen, differentiable with respect to the crops.

    Args:
        file: a state dict, maybe under ``state_dict``, maybe with ``module.`` before every name.

    Returns:
        A network from ``(B, 3, 112, 112)`` RGB in [-1, 1] (template ``arcface``) to ``(B, 512)``, not of unit length;
        on the CPU in float32, in evaluation mode for good.

    Raises:
        MissingError: there is no such file.
        UsageError: it is damaged, would run code, or holds another network.
    """
    weights = checkpoint.state(file, WANTED)
    with torch.device("meta"):
        network = _network(weights)
    if network is None:
        names = [*weights]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        raise UsageError(
            f"{file} holds a network that is none of the known recognisers (its weights are called "
            f"{', '.join(names[:_SHOWN])}{more}). Give {WANTED}."
        )
    return checkpoint.fill(network, weights, file, WANTED)


def _network(names: Iterable[str]) -> nn.Module | None:
    """The network of those names, without weights; ``None`` where no known one has a stage of that many blocks."""
    parts = {tuple(name.split(".")[:2]) for name in names}
    if ("input_layer", "0") in parts:
        blocks = sum(first == "body" for first, *_ in parts)
        depths = {sum(of_stages): layers for layers, of_stages in curricular.BLOCKS.items()}
        return curricular.CurricularFace(depths[blocks]) if blocks in depths else None
    if ("features", "weight") in parts:
        stages = tuple(sum(first == f"layer{stage}" for first, *_ in parts) for stage in range(1, 5))
        layers = next((layers for layers, of_stages in iresnet.BLOCKS.items() if of_stages == stages), 0)
        return iresnet.IResNet(layers) if layers else None
    return None
