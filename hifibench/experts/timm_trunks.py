"""Networks of the package timm, without weights of theirs."""

from __future__ import annotations

from typing import Any

from torch import nn

from hifibench.errors import MissingError


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
