"""The multi-scale patch discriminator of pix2pixHD, which SimSwap and FaceShifter are trained against.

Source: T.-C. Wang et al., "High-resolution image synthesis and semantic manipulation with conditional GANs", CVPR
2018, Sec. 3.2; hinge loss: J. H. Lim and J. C. Ye, "Geometric GAN", 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

_SLOPE = 0.2
_WIDEST = 512


class PatchDiscriminator(nn.Module):
    """4x4 convolutions that end in a map of logits, one for every patch.

    The first ``layers`` halve the size; one more and the logit's keep it. All but the first and the last have an
    instance norm, if any has.
    """

    def __init__(self, layers: int, channels: int, norm: bool) -> None:
        super().__init__()
        widths = [3, *(min(channels * 2**i, _WIDEST) for i in range(layers + 1))]
        self.layers = nn.ModuleList()
        for index, (inputs, outputs) in enumerate(pairwise(widths)):
            stride = 2 if index < layers else 1
            normed = norm and index > 0
            self.layers.append(
                nn.Sequential(
                    nn.Conv2d(inputs, outputs, 4, stride, padding=2, bias=not normed),
                    nn.InstanceNorm2d(outputs) if normed else nn.Identity(),
                    nn.LeakyReLU(_SLOPE),
                )
            )
        self.logit = nn.Conv2d(widths[-1], 1, 4, padding=2)

    def forward(self, image: Tensor) -> list[Tensor]:
        """``image`` (B, 3, S, S) in [-1, 1] -> the features of each layer, last the logits ``(B, 1, s, s)``."""
        features = []
        for layer in self.layers:
            image = layer(image)
            features.append(image)
        return [*features, self.logit(image).float()]


class MultiscaleDiscriminator(nn.Module):
    """Patch discriminators at full size, half of it and so on.

    Args:
        scales: how many of them.
        layers: convolutions of stride 2 in each.
        channels: of the first layer; doubled from layer to layer up to 512.
        norm: whether they have instance norms. Gradient penalties need single images, and instance norms keep to them.
    """

    def __init__(self, scales: int = 2, layers: int = 4, channels: int = 64, norm: bool = True) -> None:
        super().__init__()
        self.scales = nn.ModuleList(PatchDiscriminator(layers, channels, norm) for _ in range(scales))

    def forward(self, image: Tensor) -> list[list[Tensor]]:
        """``image`` (B, 3, S, S) RGB in [0, 1] -> per scale the features of each layer, the last one the logits."""
        image, found = image * 2 - 1, []
        for index, scale in enumerate(self.scales):
            if index:
                image = F.avg_pool2d(image, 3, 2, padding=1, count_include_pad=False)
            found.append(scale(image))
        return found


def hinge_d(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """Hinge loss of D: ``max(0, 1 - D(real)) + max(0, 1 + D(fake))``, the mean over patches, then over scales.

    Args:
        real: a map of logits a scale.
        fake: the same of generated images.
    """
    each = [F.relu(1 - r).mean() + F.relu(1 + f).mean() for r, f in zip(real, fake, strict=True)]
    return sum(each[1:], each[0]) / len(each)


def hinge_g(fake: Sequence[Tensor]) -> Tensor:
    """Hinge loss of G: ``-D(fake)``, the mean over patches, then over scales."""
    each = [-f.mean() for f in fake]
    return sum(each[1:], each[0]) / len(each)
