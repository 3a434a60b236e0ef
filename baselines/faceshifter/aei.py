"""AEI-Net, the first stage: identity of the source, attributes of the target (Sec. 3.1).

Names of weights and submodules are those of GHOST's public weights, which load as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.faceshifter.aad import AADResBlk
from baselines.faceshifter.config import ID_DIM, Config

SLOPE = 0.1
"""Of every leaky ReLU."""


def down(inputs: int, outputs: int) -> nn.Sequential:
    """4x4 convolution that halves the size, batch norm, leaky ReLU."""
    conv = nn.Conv2d(inputs, outputs, 4, 2, padding=1, bias=False)
    nn.init.xavier_normal_(conv.weight)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.LeakyReLU(SLOPE))


class Up(nn.Module):
    """4x4 transposed convolution that doubles the size, batch norm, leaky ReLU; the skip is put behind the result."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.deconv = nn.ConvTranspose2d(inputs, outputs, 4, 2, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        nn.init.xavier_normal_(self.deconv.weight)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """``x`` (B, inputs, H, W), ``skip`` (B, C, 2H, 2W) -> (B, outputs + C, 2H, 2W)."""
        return torch.cat([F.leaky_relu(self.bn(self.deconv(x)), SLOPE), skip], dim=1)


class AttributesEncoder(nn.Module):
    """The multi-level attributes encoder: a U-Net whose feature maps on the way up are z_att (Eq. 1)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.depth = config.depth
        widths, attributes = config.encoder_widths, config.attribute_widths
        for level, (inputs, outputs) in enumerate(zip((3, *widths), widths, strict=False), start=1):
            self.add_module(f"conv{level}", down(inputs, outputs))
        for level, (inputs, outputs) in enumerate(zip(attributes, widths[-2::-1], strict=False), start=1):
            self.add_module(f"deconv{level}", Up(inputs, outputs))

    def forward(self, x_t: Tensor) -> list[Tensor]:
        """``x_t`` (B, 3, S, S) in [-1, 1] -> z_att^1 (2x2 pixels) to z_att^n (S x S), as `Config.attribute_widths`."""
        features = [x_t]
        for level in range(1, self.depth + 1):
            features.append(self.get_submodule(f"conv{level}")(features[-1]))
        z_att = [features.pop()]
        for level in range(1, self.depth):
            z_att.append(self.get_submodule(f"deconv{level}")(z_att[-1], features.pop()))
        return [*z_att, double(z_att[-1])]


class AADGenerator(nn.Module):
    """AAD ResBlks from 2x2 pixels to the image, with bilinear upsampling between them."""

    def __init__(self, config: Config, id_dim: int = ID_DIM) -> None:
        super().__init__()
        widths, attributes = config.generator_widths, config.attribute_widths
        self.levels, self.tanh = len(widths), config.tanh
        self.up1 = nn.ConvTranspose2d(id_dim, widths[0], 2)
        nn.init.xavier_normal_(self.up1.weight)
        for level, (inputs, outputs, channels) in enumerate(
            zip(widths, (*widths[1:], 3), attributes, strict=True), start=1
        ):
            self.add_module(f"AADBlk{level}", AADResBlk(inputs, outputs, channels, id_dim, config.blocks))

    def forward(self, z_att: Sequence[Tensor], z_id: Tensor) -> Tensor:
        """``z_att`` of `AttributesEncoder`, ``z_id`` (B, id_dim) -> the swap ``(B, 3, S, S)``, see `AEINet`."""
        m = self.up1(z_id[:, :, None, None])
        for level, attributes in enumerate(z_att, start=1):
            m = self.get_submodule(f"AADBlk{level}")(m, attributes, z_id)
            if level < self.levels:
                m = double(m)
        return torch.tanh(m) if self.tanh else m


class AEINet(nn.Module):
    """AEI-Net without its identity encoder, which is a frozen recogniser."""

    def __init__(self, config: Config, id_dim: int = ID_DIM) -> None:
        super().__init__()
        self.encoder = AttributesEncoder(config)
        self.generator = AADGenerator(config, id_dim)

    def forward(self, x_t: Tensor, z_id: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The face of ``z_id`` with the attributes of ``x_t``.

        Args:
            x_t: ``(B, 3, S, S)`` RGB in [-1, 1].
            z_id: ``(B, id_dim)`` identity of the source.

        Returns:
            The swap ``(B, 3, S, S)``, in [-1, 1] by a tanh or, without one, on average; and z_att of ``x_t``.
        """
        z_att = self.encoder(x_t)
        return self.generator(z_att, z_id), z_att


def double(x: Tensor) -> Tensor:
    """Twice the size, bilinearly, corner pixels on corner pixels."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
