"""The multi-scale patch discriminator against plain functions, and the hinge losses against their closed forms."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from hifibench.training.patch_discriminator import MultiscaleDiscriminator, hinge_d, hinge_g


def by_hand(state: Mapping[str, Tensor], image: Tensor, layers: int, norm: bool) -> list[Tensor]:
    """One scale from its weights alone; ``image`` in [-1, 1]."""
    found = []
    for index in range(layers + 1):
        stride = 2 if index < layers else 1
        image = F.conv2d(image, state[f"layers.{index}.0.weight"], state.get(f"layers.{index}.0.bias"), stride, 2)
        if norm and index:
            image = (image - image.mean((2, 3), keepdim=True)) / (
                image.var((2, 3), keepdim=True, correction=0) + 1e-5
            ).sqrt()
        image = torch.where(image > 0, image, 0.2 * image)
        found.append(image)
    return [*found, F.conv2d(image, state["logit.weight"], state["logit.bias"], padding=2)]


@pytest.mark.parametrize("norm", [False, True])
def test_every_feature_of_every_scale_is_what_plain_functions_give(norm: bool) -> None:
    torch.manual_seed(0)
    network = MultiscaleDiscriminator(scales=2, layers=3, channels=8, norm=norm).double()
    image = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    found = network(image)
    scaled = image * 2 - 1
    # A mean of 3x3 pixels at every second place; at the border only of those that are there.
    kernel = torch.ones(3, 1, 3, 3, dtype=torch.float64)
    there = F.conv2d(torch.ones_like(scaled), kernel, None, 2, 1, groups=3)
    half = F.conv2d(scaled, kernel, None, 2, 1, groups=3) / there
    for index, seen in enumerate((scaled, half)):
        own = network.scales[index].state_dict()
        expected = by_hand(own, seen, 3, norm)
        assert len(found[index]) == len(expected) == 5
        for one, other in zip(found[index][:-1], expected[:-1], strict=True):
            torch.testing.assert_close(one, other)
        torch.testing.assert_close(found[index][-1], expected[-1].float())


def test_widths_double_up_to_512_and_norms_take_the_place_of_biases() -> None:
    with torch.device("meta"):
        scale = MultiscaleDiscriminator(scales=1, layers=5).scales[0]
    assert [layer[0].out_channels for layer in scale.layers] == [64, 128, 256, 512, 512, 512]
    assert [layer[0].bias is None for layer in scale.layers] == [False, True, True, True, True, True]


def test_hinge_losses_have_their_closed_forms() -> None:
    real, fake = [torch.tensor([2.0, 0.5]), torch.tensor([-1.0])], [torch.tensor([-3.0, 0.0]), torch.tensor([0.5])]
    # First scale: (0 + .5) / 2 + (0 + 1) / 2; second: 2 + 1.5; then their mean.
    assert float(hinge_d(real, fake)) == pytest.approx((0.75 + 3.5) / 2)
    assert float(hinge_g(fake)) == pytest.approx((1.5 - 0.5) / 2)


def test_discriminating_harder_is_no_longer_rewarded_beyond_the_margin() -> None:
    real, fake = torch.tensor([1.5], requires_grad=True), torch.tensor([-1.5], requires_grad=True)
    hinge_d([real], [fake]).backward()
    assert float(real.grad or 0) == float(fake.grad or 0) == 0
