"""Adaptive attentional denormalisation: the layer and the residual block that the generator is made of (Sec. 3.1).

Names of weights and submodules are those of GHOST's public weights; the numbers in ``add_blocks`` count the ReLUs,
which have no weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Aad = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def aad_relu(
    h_in: Tensor, gamma_att: Tensor, beta_att: Tensor, gamma_id: Tensor, beta_id: Tensor, w_m: Tensor, b_m: Tensor
) -> Tensor:
    """ReLU of an AAD layer's output (Eq. 2-5).

    Args:
        h_in: ``(B, C, H, W)`` activations.
        gamma_att: ``(B, C, H, W)`` modulation by attributes; ``beta_att`` alike.
        beta_att: its shift.
        gamma_id: ``(B, C)`` modulation by identity; ``beta_id`` alike.
        beta_id: its shift.
        w_m: ``(1, C, 1, 1)`` the 1x1 convolution of the attentional mask M.
        b_m: ``(1,)`` its bias.

    Returns:
        ``(B, C, H, W)``.
    """
    h = F.instance_norm(h_in)
    a = gamma_att * h + beta_att
    i = gamma_id[:, :, None, None] * h + beta_id[:, :, None, None]
    m = torch.sigmoid(F.conv2d(h, w_m, b_m))
    return F.relu((1 - m) * a + m * i)


def _fusible(
    h_in: Tensor, gamma_att: Tensor, beta_att: Tensor, gamma_id: Tensor, beta_id: Tensor, w_m: Tensor, b_m: Tensor
) -> Tensor:
    """`aad_relu` in elementary operations, which the compiler makes into few passes over the activations."""
    wide = h_in.float()
    variance, mean = torch.var_mean(wide, (2, 3), keepdim=True, correction=0)
    h = (wide - mean) * torch.rsqrt(variance + 1e-5)
    a = gamma_att.float() * h + beta_att.float()
    i = gamma_id.float()[:, :, None, None] * h + beta_id.float()[:, :, None, None]
    m = torch.sigmoid((h * w_m.float()).sum(1, keepdim=True) + b_m.float())
    return F.relu(a + m * (i - a)).to(h_in.dtype)


@cache
def _fused() -> Aad:
    # All sizes go through one code object: without room for them it would fall back to single operations.
    torch._dynamo.config.recompile_limit = max(64, torch._dynamo.config.recompile_limit)
    compiled: Aad = torch.compile(_fusible, dynamic=False)
    return compiled


def fuse_aad(model: nn.Module) -> None:
    """Let all AAD layers of a model run as compiled code.

    PyTorch's own instance norm leaves ``channels_last``, and every operation of the layer is a pass over memory of
    its own. Needs a C++ compiler (on CUDA: Triton); compiles once per size, some seconds in all.
    """
    for module in model.modules():
        if isinstance(module, AADLayer):
            module.aad_relu = _fused()


class AADLayer(nn.Module):
    """AAD and the ReLU that follows it everywhere.

    Args:
        channels: C of the activations.
        attribute_channels: of z_att at this level.
        id_dim: of z_id.

    Both modulations begin as near to doing nothing as the normed activations allow: gammas around one, betas and what
    depends on z_id around zero.
    """

    def __init__(self, channels: int, attribute_channels: int, id_dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(attribute_channels, channels, 1)
        self.conv2 = nn.Conv2d(attribute_channels, channels, 1)
        self.fc1 = nn.Linear(id_dim, channels)
        self.fc2 = nn.Linear(id_dim, channels)
        self.conv_h = nn.Conv2d(channels, 1, 1)
        self.aad_relu: Aad = aad_relu
        for layer in (self.conv1, self.conv2, self.conv_h):
            nn.init.xavier_normal_(layer.weight)
        for gamma, beta in ((self.conv1, self.conv2), (self.fc1, self.fc2)):
            nn.init.ones_(gamma.bias)  # type: ignore[arg-type]
            nn.init.zeros_(beta.bias)  # type: ignore[arg-type]
        for linear in (self.fc1, self.fc2):
            nn.init.normal_(linear.weight, std=1e-3)

    def forward(self, h_in: Tensor, z_att: Tensor, z_id: Tensor) -> Tensor:
        """``h_in`` (B, C, H, W), ``z_att`` (B, attribute_channels, H, W), ``z_id`` (B, id_dim) -> like ``h_in``."""
        # Both in one convolution: z_att is read once.
        weights = torch.cat([self.conv1.weight, self.conv2.weight])
        biases = torch.cat([self.conv1.bias, self.conv2.bias])  # type: ignore[list-item]
        gamma_att, beta_att = F.conv2d(z_att, weights, biases).chunk(2, dim=1)
        w_m, b_m = self.conv_h.weight, self.conv_h.bias
        assert b_m is not None
        return self.aad_relu(h_in, gamma_att, beta_att, self.fc1(z_id), self.fc2(z_id), w_m, b_m)


class AADResBlk(nn.Module):
    """``blocks`` times AAD, ReLU, conv3, beside a shortcut that is AAD, ReLU, conv3 where the channels change.

    Args:
        inputs: channels in.
        outputs: channels out; the last convolution changes them.
        attribute_channels: of z_att at this level.
        id_dim: of z_id.
        blocks: 2 in the paper.
    """

    def __init__(self, inputs: int, outputs: int, attribute_channels: int, id_dim: int, blocks: int = 2) -> None:
        super().__init__()
        self.add_blocks = nn.ModuleDict()
        for number in range(blocks):
            self.add_blocks[str(3 * number)] = AADLayer(inputs, attribute_channels, id_dim)
            self.add_blocks[str(3 * number + 2)] = _conv3(inputs, outputs if number == blocks - 1 else inputs)
        self.last_add_block: nn.ModuleDict | None = None
        if inputs != outputs:
            layer = AADLayer(inputs, attribute_channels, id_dim)
            self.last_add_block = nn.ModuleDict({"0": layer, "2": _conv3(inputs, outputs)})

    def forward(self, h: Tensor, z_att: Tensor, z_id: Tensor) -> Tensor:
        """As `AADLayer.forward`, from ``inputs`` channels to ``outputs``."""
        short = h if self.last_add_block is None else _run(self.last_add_block, h, z_att, z_id)
        return _run(self.add_blocks, h, z_att, z_id) + short


def _run(layers: nn.ModuleDict, x: Tensor, z_att: Tensor, z_id: Tensor) -> Tensor:
    for layer in layers.values():
        x = layer(x, z_att, z_id) if isinstance(layer, AADLayer) else layer(x)
    return x


def _conv3(inputs: int, outputs: int) -> nn.Conv2d:
    made = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.xavier_normal_(made.weight)
    return made
