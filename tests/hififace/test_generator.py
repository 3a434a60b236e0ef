from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from hifibench.hififace.blocks import SLOPE, AdaIN, ResBlock, norm_lrelu, resample
from hifibench.hififace.config import DENG, TDDFA, Config, Variant
from hifibench.hififace.discriminator import Discriminator
from hifibench.hififace.generator import Generator, blend

VARIANTS = get_args(Variant)


def small(variant: Variant = "full", size: int = 128, width: float = 1 / 16) -> Config:
    return Config(size=size, width=width, variant=variant, face_model=TDDFA)


def conv(inputs: int, outputs: int, side: int, bias: bool = True) -> int:
    return side * side * inputs * outputs + outputs * bias


def plain_block(inputs: int, outputs: int) -> int:
    """Parameters by hand: two norms with scale and shift, two 3x3 convolutions, the first one without bias since a norm
    follows, and a 1x1 skip without bias."""
    return (
        2 * inputs
        + conv(inputs, outputs, 3, False)
        + 2 * outputs
        + conv(outputs, outputs, 3)
        + conv(inputs, outputs, 1, False)
    )


def styled_block(inputs: int, outputs: int, style: int) -> int:
    """The norms' scale and shift come from v_sid through a linear layer with a bias each."""
    styles = (style + 1) * 2 * (inputs + outputs)
    return styles + conv(inputs, outputs, 3, False) + conv(outputs, outputs, 3) + conv(inputs, outputs, 1, False)


def by_hand(style: int, feature: str, image: bool, extra: bool) -> int:
    encoder = conv(3, 64, 3) + sum(
        plain_block(i, o)
        for i, o in ((64, 128), (128, 256), (256, 512), (512, 512), (512, 512), (512, 512), (512, 512))
    )
    decoder = 4 * styled_block(512, 512, style) + styled_block(512, 256, style)
    fusion = {
        "mask": plain_block(256, 256) + conv(256, 1, 3),
        "concat": plain_block(256, 256) + conv(512, 256, 1),
        "none": 0,
    }[feature]
    after = 2 * styled_block(256, 256, style) + conv(256, 3, 3)
    f_up = plain_block(256, 128) + plain_block(128, 64) + extra * plain_block(64, 64) + conv(64, 4 if image else 3, 3)
    return encoder + decoder + fusion + after + f_up


@pytest.mark.parametrize(
    ("variant", "style", "feature", "image"),
    [
        ("full", 659, "mask", True),
        ("n3d", 512, "mask", True),
        ("bare", 659, "none", False),
        ("blend", 659, "none", True),
        ("concat", 659, "concat", True),
    ],
)
@pytest.mark.parametrize("size", [256, 512])
def test_parameters_are_those_counted_by_hand(variant, style, feature, image, size) -> None:
    with torch.device("meta"):
        network = Generator(Config(size=size, variant=variant))
    counted = sum(parameter.numel() for parameter in network.parameters())
    assert counted == by_hand(style, feature, image, size == 512)


def test_the_paper_size_costs_what_the_documentation_says() -> None:
    with torch.device("meta"):
        network, target, v = Generator(Config()), torch.empty(1, 3, 256, 256), torch.empty(1, 659)
        with FlopCounterMode(display=False) as counter:
            network(target, v)
    assert sum(parameter.numel() for parameter in network.parameters()) == 58_697_544
    assert counter.get_total_flops() // 2 == 58_023_373_312


def test_a_512_model_has_exactly_one_more_block() -> None:
    def blocks(size: int) -> list[str]:
        with torch.device("meta"):
            network = Generator(Config(size=size))
        return [name for name, module in network.named_modules() if isinstance(module, ResBlock)]

    assert set(blocks(512)) - set(blocks(256)) == {"f_up.2"}
    assert set(blocks(256)) <= set(blocks(512))


@pytest.mark.parametrize("variant", VARIANTS)
def test_shapes_ranges_and_gradients(variant: Variant) -> None:
    torch.manual_seed(0)
    config = small(variant)
    network = Generator(config)
    made = network(torch.rand(2, 3, 128, 128), torch.randn(2, config.style_dim))
    assert made.i_r.shape == made.i_out.shape == (2, 3, 128, 128)
    assert made.m_r.shape == (2, 1, 128, 128)
    assert made.i_low.shape == (2, 3, 32, 32) and made.m_low.shape == (2, 1, 32, 32)
    assert len(made.features) == 4
    for image in made[:5]:
        assert float(image.detach().min()) >= 0 and float(image.detach().max()) <= 1
    loss = made.i_r.square().sum() + made.i_low.square().sum() + made.m_r.square().sum() + made.m_low.square().sum()
    loss.backward()
    idle = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 1e-6]
    assert idle == []


def test_fusion_is_what_the_variant_says() -> None:
    torch.manual_seed(0)
    target = torch.rand(1, 3, 128, 128)
    for variant in VARIANTS:
        config = small(variant)
        made = Generator(config)(target, torch.randn(1, config.style_dim))
        assert torch.equal(made.i_r, made.i_out) == (variant == "bare")
        assert bool((made.m_low == 1).all()) == (variant not in ("full", "n3d"))


def test_the_swap_is_the_target_exactly_where_the_mask_is_zero() -> None:
    torch.manual_seed(0)
    config, target = small(), torch.rand(2, 3, 128, 128)
    network = Generator(config)
    with torch.no_grad():
        network.to_image.bias[3] = -1000.0
        made = network(target, torch.randn(2, config.style_dim))
    assert float(made.m_r.max()) == 0
    assert torch.equal(made.i_r, target)


def test_the_identity_changes_the_swap_and_the_target_does_too() -> None:
    torch.manual_seed(0)
    config = small()
    network, (one, two) = Generator(config).eval(), torch.rand(2, 1, 3, 128, 128)
    for module in network.modules():
        if isinstance(module, AdaIN):  # the styles begin at zero
            torch.nn.init.normal_(module.style.weight, std=0.1)
    v, w = torch.randn(2, 1, config.style_dim)
    with torch.no_grad():
        assert not torch.allclose(network(one, v).i_out, network(one, w).i_out)
        assert not torch.allclose(network(one, v).i_out, network(two, v).i_out)


def test_rows_of_a_batch_do_not_meet() -> None:
    torch.manual_seed(0)
    config = small()
    network, target, v = Generator(config), torch.rand(3, 3, 128, 128), torch.randn(3, config.style_dim)
    with torch.no_grad():
        torch.testing.assert_close(network(target, v).i_r[1:2], network(target[1:2], v[1:2]).i_r, atol=1e-5, rtol=0)


def test_adain_gives_the_mean_and_deviation_that_the_style_asks_for() -> None:
    layer = AdaIN(4, 3)
    with torch.no_grad():
        layer.style.weight.zero_()
        layer.style.bias.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0, 10.0, 20.0, 30.0, 40.0]))
    scale, shift = layer(torch.randn(2, 3))
    slope_undone = norm_lrelu(torch.randn(2, 4, 50, 50), scale, shift).detach()
    out = torch.where(slope_undone < 0, slope_undone / SLOPE, slope_undone)
    torch.testing.assert_close(out.mean((2, 3)), torch.tensor([10.0, 20, 30, 40]).expand(2, 4), atol=1e-3, rtol=0)
    torch.testing.assert_close(
        out.std((2, 3), correction=0), torch.tensor([2.0, 3, 4, 5]).expand(2, 4), atol=1e-2, rtol=0
    )


def test_resampling_keeps_flat_pictures_and_changes_the_size() -> None:
    flat = torch.full((1, 2, 8, 8), 0.25)
    for how, side in (("down", 4), ("up", 16), ("none", 8)):
        torch.testing.assert_close(resample(flat, how), torch.full((1, 2, side, side), 0.25))


def test_blending_in_halves() -> None:
    one, two, mask = torch.full((1, 3, 2, 2), 0.8), torch.full((1, 3, 2, 2), 0.2), torch.full((1, 1, 2, 2), 0.5)
    torch.testing.assert_close(blend(one, mask, two), torch.full((1, 3, 2, 2), 0.5))


@pytest.mark.parametrize("size", [128, 256, 512])
def test_the_discriminator_gives_one_logit_an_image(size: int) -> None:
    with torch.device("meta"):
        network = Discriminator(Config(size=size, width=0.25))
        assert network(torch.empty(5, 3, size, size)).shape == (5,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"size": 200}, "128, 256 or 512"), ({"width": 0}, "width 0"), ({"variant": "bar"}, "expected full, n3d")],
)
def test_a_config_that_makes_no_sense_is_refused(changes, message) -> None:
    with pytest.raises(ValueError, match=message):
        Config(**changes)


def test_style_lengths() -> None:
    assert Config().style_dim == 659 and Config(face_model=TDDFA).style_dim == 565
    assert Config(variant="n3d").style_dim == 512
    assert DENG.total == 147


@pytest.mark.slow
def test_bf16_channels_last_agrees_with_float32() -> None:
    torch.manual_seed(0)
    config = small(width=0.25)
    network, target, v = Generator(config).eval(), torch.rand(1, 3, 128, 128), torch.randn(1, config.style_dim)
    with torch.no_grad():
        plain = network(target, v).i_r
        network = network.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            fast = network(target.contiguous(memory_format=torch.channels_last), v).i_r
    assert fast.dtype == torch.float32
    assert float((fast - plain).abs().max()) < 2e-2
