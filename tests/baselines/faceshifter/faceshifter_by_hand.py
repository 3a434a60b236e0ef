"""FaceShifter's networks once more, from their state dicts alone, in NumPy and plain functional calls."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Weights = Mapping[str, Tensor]
Array = NDArray[np.float64]


def randomise(network: torch.nn.Module, seed: int = 0) -> Weights:
    """Give all weights and running statistics values that no layer can ignore; evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=generator) / max(1, value[0].numel()) ** 0.5)
            if name.endswith("running_var"):
                value.copy_(0.5 + value.square())
    network.eval()
    return network.state_dict()


def within(state: Weights, prefix: str) -> Weights:
    """The part of a state dict below a name."""
    return {name.removeprefix(prefix + "."): one for name, one in state.items() if name.startswith(prefix + ".")}


def aad(w: Weights, h_in: Array, z_att: Array, z_id: Array) -> Array:
    """One AAD layer in NumPy, sample by sample and number by number of the paper's formulas, without a ReLU."""
    w = {name: value.double().numpy() for name, value in w.items()}
    made = np.empty_like(h_in)
    for b in range(len(h_in)):
        mean, deviation = h_in[b].mean((1, 2)), np.sqrt(h_in[b].var((1, 2)) + 1e-5)
        h = (h_in[b] - mean[:, None, None]) / deviation[:, None, None]
        by_attributes = [
            np.tensordot(w[f"{name}.weight"][:, :, 0, 0], z_att[b], 1) + w[f"{name}.bias"][:, None, None]
            for name in ("conv1", "conv2")
        ]
        by_identity = [w[f"{name}.weight"] @ z_id[b] + w[f"{name}.bias"] for name in ("fc1", "fc2")]
        a = by_attributes[0] * h + by_attributes[1]
        i = by_identity[0][:, None, None] * h + by_identity[1][:, None, None]
        m = 1 / (1 + np.exp(-(np.tensordot(w["conv_h.weight"][0, :, 0, 0], h, 1) + w["conv_h.bias"][0])))
        made[b] = (1 - m) * a + m * i
    return made


def aad_tensor(w: Weights, h_in: Tensor, z_att: Tensor, z_id: Tensor) -> Tensor:
    """`aad` of tensors, in double precision inside."""
    made = aad(w, *(one.double().numpy() for one in (h_in, z_att, z_id)))
    return torch.from_numpy(made).to(h_in.dtype)


def res_block(w: Weights, h: Tensor, z_att: Tensor, z_id: Tensor, blocks: int) -> Tensor:
    """AAD ResBlk."""

    def branch(part: str, at: int, x: Tensor) -> Tensor:
        normed = aad_tensor(within(w, f"{part}.{at}"), x, z_att, z_id).clamp_min(0)
        return F.conv2d(normed, w[f"{part}.{at + 2}.weight"], stride=1, padding=1)

    x = h
    for number in range(blocks):
        x = branch("add_blocks", 3 * number, x)
    return x + (branch("last_add_block", 0, h) if "last_add_block.2.weight" in w else h)


def leaky_norm(w: Weights, name: str, x: Tensor) -> Tensor:
    """Batch norm with running statistics, then a leaky ReLU of slope 0.1."""
    shape = (1, -1, 1, 1)
    mean, variance = (w[f"{name}.running_{what}"].view(shape) for what in ("mean", "var"))
    x = (x - mean) / (variance + 1e-5).sqrt() * w[f"{name}.weight"].view(shape) + w[f"{name}.bias"].view(shape)
    return torch.where(x > 0, x, 0.1 * x)


def encoder(w: Weights, x: Tensor, depth: int) -> list[Tensor]:
    """Multi-level attributes encoder."""
    skips = []
    for level in range(1, depth + 1):
        x = leaky_norm(w, f"conv{level}.1", F.conv2d(x, w[f"conv{level}.0.weight"], stride=2, padding=1))
        skips.append(x)
    z_att = [skips[-1]]
    for level in range(1, depth):
        up = F.conv_transpose2d(z_att[-1], w[f"deconv{level}.deconv.weight"], stride=2, padding=1)
        z_att.append(torch.cat([leaky_norm(w, f"deconv{level}.bn", up), skips[depth - 1 - level]], dim=1))
    return [*z_att, double(z_att[-1])]


def double(x: Tensor) -> Tensor:
    """Bilinear upsampling, corners on corners, as a product with a matrix."""

    def matrix(size: int) -> Tensor:
        places = torch.linspace(0, size - 1, 2 * size, dtype=torch.float64)
        return (1 - (places[:, None] - torch.arange(size)).abs()).clamp_min(0)

    rows, columns = (matrix(size).to(x.dtype) for size in x.shape[-2:])
    return rows @ x @ columns.T


def aei(w: Weights, x_t: Tensor, z_id: Tensor, depth: int, blocks: int, tanh: bool = True) -> Tensor:
    """The whole of AEI-Net."""
    z_att = encoder(within(w, "encoder"), x_t, depth)
    w = within(w, "generator")
    # A transposed convolution of one pixel: every place of the 2x2 kernel is a linear map of its own.
    m = torch.einsum("bi,ioyx->boyx", z_id, w["up1.weight"]) + w["up1.bias"].view(1, -1, 1, 1)
    for level, attributes in enumerate(z_att, start=1):
        m = res_block(within(w, f"AADBlk{level}"), m, attributes, z_id, blocks)
        m = double(m) if level < len(z_att) else m
    return m.tanh() if tanh else m


def hear(w: Weights, y_hat: Tensor, delta: Tensor, depth: int) -> Tensor:
    """HEAR-Net."""
    skips = [torch.cat([y_hat, delta], dim=1)]
    for level in range(depth):
        x = F.conv2d(skips[-1], w[f"downs.{level}.0.weight"], stride=2, padding=1)
        skips.append(leaky_norm(w, f"downs.{level}.1", x))
    x = skips[-1]
    for level in range(depth):
        up = F.conv_transpose2d(x, w[f"ups.{level}.deconv.weight"], stride=2, padding=1)
        x = torch.cat([leaky_norm(w, f"ups.{level}.bn", up), skips[depth - 1 - level]], dim=1)
    return y_hat + F.conv2d(x, w["last.weight"], w["last.bias"], padding=1)
