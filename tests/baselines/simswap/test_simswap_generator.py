"""The generator against the authors' names and figures, and against a computation in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import simswap_by_hand as hand
import torch
from simswap_tiny import TINY, generator, images

from baselines.simswap.config import PUBLISHED_224, PUBLISHED_512, Config
from baselines.simswap.generator import Generator, IDBlock, adain, count, fuse_adain
from baselines.simswap.presets import LITE

WIDE = Config(size=32, width=1 / 32, blocks=1, halvings=4)


def numbers(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.double().numpy() for name, value in module.state_dict().items()}


def identity(rows: int, seed: int = 3) -> torch.Tensor:
    v = torch.randn(rows, 512, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(v, dim=1)


@pytest.mark.parametrize(("name", "config"), [("simswap-224", PUBLISHED_224), ("simswap-512", PUBLISHED_512)])
def test_names_and_shapes_are_the_authors(name: str, config: Config) -> None:
    with torch.device("meta"):
        state = Generator(config).state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == hand.SHAPES[name]


def test_the_cost_is_that_of_the_public_code() -> None:
    cost = count(PUBLISHED_224)
    assert cost.params_trainable == 55_051_779  # 55.05 M, ArcFace left out
    assert f"{cost.params_trainable / 1e6:.2f} {cost.macs / 1e9:.1f}" == "55.05 48.1"


def test_the_multiply_accumulates_are_those_counted_by_hand() -> None:
    total = 0
    for key, shape in hand.SHAPES["simswap-224"].items():
        if key.endswith("weight") and len(shape) > 1:
            level = int(key[4]) if key.startswith("down") else int(key[2]) - 1 if key.startswith("up") else 0
            side = 28 if key.startswith("BottleNeck") else 224 // 2**level
            total += int(np.prod(shape)) * (side**2 if len(shape) == 4 else 1)
    assert count(PUBLISHED_224).macs == total


@pytest.mark.parametrize("config", [TINY, WIDE], ids=["three halvings", "four halvings"])
def test_the_whole_generator_computes_what_numpy_does(config: Config) -> None:
    network, target, v = generator(config), images(2), identity(2)
    with torch.no_grad():
        got = network(target, v).double().numpy()
    want = hand.generator(target.double().numpy(), v.double().numpy(), numbers(network))
    assert want.std() > 0.05  # else agreement would say little
    np.testing.assert_allclose(got, want, atol=2e-5)


def test_an_id_block_computes_what_numpy_does() -> None:
    block = generator(TINY).BottleNeck[0]
    assert isinstance(block, IDBlock)
    x, v = torch.randn(3, 8, 5, 6, generator=torch.Generator().manual_seed(1)), identity(3)
    with torch.no_grad():
        got = block(x, v).double().numpy()
    weights = {f"b.{name}": value for name, value in numbers(block).items()}
    want = hand.id_block(x.double().numpy(), weights, "b", v.double().numpy())
    np.testing.assert_allclose(got, want, atol=2e-5)
    assert got.min() < -0.1  # nothing cuts the sum


def test_adain_gives_features_the_mean_and_deviation_of_the_style() -> None:
    feat = 5 + 3 * torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(2))
    sigma, mu = torch.rand(2, 4, 1, 1) + 0.5, torch.randn(2, 4, 1, 1)
    made = adain(feat, sigma, mu)
    torch.testing.assert_close(made.mean((2, 3), keepdim=True), mu, atol=1e-5, rtol=0)
    torch.testing.assert_close(made.std((2, 3), keepdim=True, correction=0), sigma, atol=1e-5, rtol=0)


def test_identities_begin_alike_and_matter_once_styles_do() -> None:
    fresh, trained = Generator(TINY).eval(), generator(TINY)
    target = images(1).expand(2, -1, -1, -1)
    with torch.no_grad():
        alike, differing = fresh(target, identity(2)), trained(target, identity(2))
    torch.testing.assert_close(alike[0], alike[1], atol=1e-6, rtol=0)
    assert (differing[0] - differing[1]).abs().max() > 0.01


def test_the_scale_of_the_identity_multiplies_it() -> None:
    plain, scaled = generator(TINY), generator(Config(size=32, width=1 / 64, blocks=2, identity_scale=3.0))
    with torch.no_grad():
        torch.testing.assert_close(scaled(images(1), identity(1)), plain(images(1), 3 * identity(1)))


def test_images_lie_between_0_and_1_at_any_multiple_of_the_halvings() -> None:
    with torch.no_grad():
        made = generator(TINY)(images(1, size=40), identity(1))
    assert made.shape == (1, 3, 40, 40)
    assert 0 <= float(made.min()) < float(made.max()) <= 1


def test_the_fused_norm_computes_the_same() -> None:
    network = generator(TINY)
    with torch.no_grad():
        before = network(images(2), identity(2))
        fuse_adain(network)
        torch.testing.assert_close(network(images(2), identity(2)), before, atol=1e-5, rtol=1e-5)


def test_the_exported_weights_of_lite_are_small_enough_to_ship() -> None:
    method = {name: LITE.method[name] for name in ("width", "blocks", "identity_scale", "momentum")}
    assert 2 * count(Config(LITE.size, **method)).params_trainable < 10e6
