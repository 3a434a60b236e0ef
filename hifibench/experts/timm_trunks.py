"""Networks of the package timm, without weights of theirs, and what most of them want to see."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from hifibench.errors import MissingError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, red first."""


def trunk(name: str, **options: Any) -> nn.Module:
    """A network of that name with fresh weights; nothing is fetched.

    Args:
        name: as timm calls it, such as ``hrnet_w18``.
        options: of ``timm.create_model``.

    Raises:
        MissingError: timm is not installed.
    """
    try:
        import timm
    except ImportError as error:
        raise MissingError(
            f"The network {name} needs the package timm, which cannot be imported: {error}. "
            "Install it with 'python -m pip install timm'."
        ) from error
    network: nn.Module = timm.create_model(name, pretrained=False, **options)
    return network


def standardised(crops: Tensor) -> Tensor:
    """Crops ``(B, 3, H, W)`` RGB in [0, 1] by ImageNet's mean and deviation."""
    mean, std = (crops.new_tensor(values)[:, None, None] for values in (MEAN, STD))
    return (crops - mean) / std
