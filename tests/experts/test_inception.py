from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from hifibench.experts.inception import CARD, SIZE, enlarged, inception, scaled
from hifibench.records import Frame


@pytest.fixture(scope="module")
def expert():
    return inception.load("cpu")


@pytest.fixture(scope="module")
def faces(crops, portrait: Callable[..., Frame]) -> np.ndarray:
    return crops(CARD, [portrait(0), portrait(1)])


@pytest.mark.parametrize("side", [256, 299, 400])
def test_enlarging_is_that_of_stylegan(side: int) -> None:
    images = np.random.default_rng(side).random((2, 3, side, side), np.float32) * 255
    shift = 1 / side - 1 / SIZE
    theta = torch.tensor([[1, 0, shift], [0, 1, shift]])[None].repeat(2, 1, 1)
    grid = F.affine_grid(theta, [2, 3, SIZE, SIZE], align_corners=False)
    expected = F.grid_sample(torch.from_numpy(images), grid, padding_mode="border", align_corners=False)
    np.testing.assert_allclose(enlarged(images), expected.numpy(), atol=0.02)
    assert enlarged(images).dtype == np.float32


def test_bytes_are_scaled_to_one() -> None:
    np.testing.assert_array_equal(scaled(np.float32([0, 128, 255])), np.float32([-1, 0, 127 / 128]))


def test_the_scale_is_the_one_that_the_first_layer_was_trained_on(expert, faces: np.ndarray) -> None:
    """Its statistics are those of faces so scaled within a factor; those of bytes would differ by thousands."""
    weights = {name.rsplit(".", 1)[-1]: value for name, value in expert._network.net.layers.conv.named_parameters()}
    inputs = torch.from_numpy(scaled(enlarged(np.rint(faces * 255).astype(np.float32))))
    with torch.inference_mode():
        seen = F.conv2d(inputs, weights["weight"], stride=2)
    assert ((seen.mean((0, 2, 3)) - weights["mean"]) / weights["var"].sqrt()).abs().mean() < 0.5
    assert 0.2 < (seen.var((0, 2, 3)) / weights["var"]).median() < 2


def test_features_are_those_of_the_last_pooling(expert, faces: np.ndarray) -> None:
    got = expert.observe(faces)["features"]
    assert got.shape == (2, 2048)
    assert got.min() >= 0
    np.testing.assert_array_equal(expert.observe(faces[1:])["features"], got[1:])
    noisy = np.clip(faces + np.random.default_rng(0).normal(0, 0.004, faces.shape), 0, 1).astype(np.float32)
    apart = np.linalg.norm(got[0] - got[1])
    assert np.linalg.norm(expert.observe(noisy)["features"][0] - got[0]) < 0.5 * apart
    swapped = np.ascontiguousarray(faces[:, ::-1])
    assert np.linalg.norm(expert.observe(swapped)["features"][0] - got[0]) > 0.3 * apart


def test_values_beyond_one_are_refused(expert) -> None:
    with pytest.raises(ValueError, match=r"inception takes RGB in \[0, 1\]; given values from 0 to 255"):
        expert.observe(np.linspace(0, 255, 3 * 256 * 256, dtype=np.float32).reshape(1, 3, 256, 256))
