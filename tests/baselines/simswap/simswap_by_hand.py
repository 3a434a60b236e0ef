"""SimSwap's generator restated in NumPy from a state dict alone, and the authors' list of names and shapes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = Mapping[str, Array]

# Name of a convolution, what it gives, what it takes, its kernel.
_CONVS_224 = [
    ("first_layer.1", 64, 3, 7),
    ("down1.0", 128, 64, 3),
    ("down2.0", 256, 128, 3),
    ("down3.0", 512, 256, 3),
    ("up3.1", 256, 512, 3),
    ("up2.1", 128, 256, 3),
    ("up1.1", 64, 128, 3),
    ("last_layer.1", 3, 64, 7),
]
_CONVS_512 = [
    ("first_layer.1", 32, 3, 7),
    ("down0.0", 64, 32, 3),
    ("down1.0", 128, 64, 3),
    ("down2.0", 256, 128, 3),
    ("down3.0", 512, 256, 3),
    ("up3.1", 256, 512, 3),
    ("up2.1", 128, 256, 3),
    ("up1.1", 64, 128, 3),
    ("up0.1", 32, 64, 3),
    ("last_layer.1", 3, 32, 7),
]
_NORMS_224 = [
    ("first_layer.2", 64),
    ("down1.1", 128),
    ("down2.1", 256),
    ("down3.1", 512),
    ("up3.2", 256),
    ("up2.2", 128),
    ("up1.2", 64),
]
_NORMS_512 = [
    ("first_layer.2", 32),
    ("down0.1", 64),
    ("down1.1", 128),
    ("down2.1", 256),
    ("down3.1", 512),
    ("up3.2", 256),
    ("up2.2", 128),
    ("up1.2", 64),
    ("up0.2", 32),
]


def _shapes(convs: list[tuple[str, int, int, int]], norms: list[tuple[str, int]]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for block in range(9):
        for half in (1, 2):
            shapes[f"BottleNeck.{block}.conv{half}.1.weight"] = (512, 512, 3, 3)
            shapes[f"BottleNeck.{block}.conv{half}.1.bias"] = (512,)
            shapes[f"BottleNeck.{block}.style{half}.linear.weight"] = (1024, 512)
            shapes[f"BottleNeck.{block}.style{half}.linear.bias"] = (1024,)
    for name, outputs, inputs, kernel in convs:
        shapes[f"{name}.weight"] = (outputs, inputs, kernel, kernel)
        shapes[f"{name}.bias"] = (outputs,)
    for name, channels in norms:
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (channels,)
        shapes[f"{name}.num_batches_tracked"] = ()
    return shapes


SHAPES = {"simswap-224": _shapes(_CONVS_224, _NORMS_224), "simswap-512": _shapes(_CONVS_512, _NORMS_512)}


def conv(x: Array, weights: Weights, name: str, stride: int = 1) -> Array:
    """Without padding: ``x`` (B, C, H, W)."""
    kernel = weights[f"{name}.weight"]
    side = kernel.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("bchwij,ocij->bohw", windows, kernel) + weights[f"{name}.bias"][None, :, None, None]


def pad(x: Array, by: int, mode: str) -> Array:
    return np.pad(x, ((0, 0), (0, 0), (by, by), (by, by)), mode=mode)  # type: ignore[call-overload,no-any-return]


def batch_norm(x: Array, weights: Weights, name: str) -> Array:
    scale = weights[f"{name}.weight"] / np.sqrt(weights[f"{name}.running_var"] + 1e-5)
    shift = weights[f"{name}.bias"] - scale * weights[f"{name}.running_mean"]
    return x * scale[None, :, None, None] + shift[None, :, None, None]


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def twice(x: Array) -> Array:
    """Twice the size: each new pixel is 3/4 of the nearest and 1/4 of the next one, the border repeated."""
    for axis in (2, 3):
        x = np.moveaxis(x, axis, 0)
        before, after = np.concatenate([x[:1], x[:-1]]), np.concatenate([x[1:], x[-1:]])
        pairs = np.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis=1)
        x = np.moveaxis(pairs.reshape(-1, *x.shape[1:]), 0, axis)
    return x


def adain(x: Array, weights: Weights, name: str, v: Array) -> Array:
    style = v @ weights[f"{name}.linear.weight"].T + weights[f"{name}.linear.bias"]
    channels = x.shape[1]
    mean, variance = x.mean((2, 3), keepdims=True), x.var((2, 3), keepdims=True)
    normed = (x - mean) / np.sqrt(variance + 1e-8)
    return normed * (1 + style[:, :channels, None, None]) + style[:, channels:, None, None]


def id_block(x: Array, weights: Weights, name: str, v: Array) -> Array:
    y = relu(adain(conv(pad(x, 1, "reflect"), weights, f"{name}.conv1.1"), weights, f"{name}.style1", v))
    return x + adain(conv(pad(y, 1, "reflect"), weights, f"{name}.conv2.1"), weights, f"{name}.style2", v)


def generator(target: Array, v: Array, weights: Weights) -> Array:
    """I_R of ``target`` (B, 3, S, S) and the identity ``v`` (B, 512), by running statistics."""
    first = 0 if "down0.0.weight" in weights else 1
    x = relu(batch_norm(conv(pad(target, 3, "reflect"), weights, "first_layer.1"), weights, "first_layer.2"))
    for level in range(first, 4):
        x = relu(
            batch_norm(conv(pad(x, 1, "constant"), weights, f"down{level}.0", stride=2), weights, f"down{level}.1")
        )
    block = 0
    while f"BottleNeck.{block}.conv1.1.weight" in weights:
        x = id_block(x, weights, f"BottleNeck.{block}", v)
        block += 1
    for level in range(3, first - 1, -1):
        x = relu(batch_norm(conv(pad(twice(x), 1, "constant"), weights, f"up{level}.1"), weights, f"up{level}.2"))
    return (np.tanh(conv(pad(x, 3, "reflect"), weights, "last_layer.1")) + 1) / 2
