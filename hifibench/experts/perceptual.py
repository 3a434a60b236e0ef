"""LPIPS, the learned perceptual distance between images.

Source: R. Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", CVPR 2018. The
package ``lpips`` brings the calibration and the arithmetic; the ImageNet trunks, which it would fetch by itself, come
from the assets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from hifibench import assets
from hifibench.errors import MissingError
from hifibench.records import Floats
from hifibench.unpickle import load_arrays

if TYPE_CHECKING:
    from torch import nn

Trunk = Literal["alex", "vgg"]
ASSETS = {"alex": "lpips-alexnet", "vgg": "lpips-vgg16"}
"""Trunk -> the asset with its weights."""


def lpips_module(trunk: Trunk = "alex", device: str = "cpu") -> nn.Module:
    """LPIPS for training: frozen, differentiable with respect to both images.

    Returns:
        A module from two batches ``(B, 3, S, S)`` RGB in [0, 1] to ``(B,)`` distances, 0 for equal images.

    Raises:
        MissingError: the package ``lpips`` or the trunk's weights are absent.
    """
    import torch
    from torch import Tensor, nn

    network = _network(trunk)
    kernels = _kernels(load_arrays(assets.path(ASSETS[trunk])))
    convolutions = [module for module in network.net.modules() if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        for convolution, (kernel, bias) in zip(convolutions, kernels, strict=True):
            convolution.weight.copy_(torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()))
            assert convolution.bias is not None
            convolution.bias.copy_(torch.from_numpy(bias))

    class Perceptual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network.requires_grad_(False)

        def forward(self, one: Tensor, other: Tensor) -> Tensor:
            distances: Tensor = self.network(one, other, normalize=True).float().flatten()
            return distances

    return Perceptual().to(device)


def _network(trunk: Trunk) -> Any:
    import warnings

    try:
        import lpips
    except ImportError as error:
        raise MissingError(
            f"LPIPS needs the packages lpips and torchvision, which cannot be imported: {error}. "
            "Install them with 'python -m pip install lpips torchvision'."
        ) from error
    with warnings.catch_warnings():  # it calls torchvision in a way that is deprecated there
        warnings.simplefilter("ignore", UserWarning)
        return lpips.LPIPS(net=trunk, pnet_rand=True, verbose=False)


def _kernels(tree: dict[str, Any]) -> list[tuple[Floats, Floats]]:
    """The trunk's convolutions in order: kernels (height, width, in, out) and biases."""
    [layers] = [tree[name] for name in tree if not name.startswith("NetLinLayer")]
    return [(layers[f"Conv_{i}"]["kernel"], layers[f"Conv_{i}"]["bias"]) for i in range(len(layers))]
