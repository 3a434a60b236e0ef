"""The discriminator D, as in StarGAN v2 (Choi et al., CVPR 2020) with a single domain."""

from __future__ import annotations

from torch import Tensor, nn

from hifibench.hififace.blocks import SLOPE, ResBlock
from hifibench.hififace.config import Config


class Discriminator(nn.Module):
    """Image to one logit: real above 0, generated below. No normalisation, as R1 needs gradients of single images."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        # StarGAN v2 begins with 2^14 / size channels and doubles them up to 512 while it halves the size down to 4.
        channels, side = config.channels(2**14 // config.size), config.size
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1)]
        while side > 4:
            wider = min(2 * channels, config.channels(512))
            layers.append(ResBlock(channels, wider, "down", norm=False))
            channels, side = wider, side // 2
        layers += [nn.LeakyReLU(SLOPE), nn.Conv2d(channels, channels, 4), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers)
        self.logit = nn.Conv2d(channels, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """``image`` (B, 3, S, S) RGB in [0, 1] -> ``(B,)`` logits, float32."""
        logit: Tensor = self.logit(self.layers(image * 2 - 1))
        return logit.flatten().float()
