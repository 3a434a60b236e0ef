from __future__ import annotations

import pytest
import torch
from small_networks import CARD, Small, faces
from torch import Tensor, nn

from baselines.simswap.config import Config
from baselines.simswap.generator import Generator
from baselines.simswap.swapper import SimSwap
from hifibench.contracts import Crop, NetworkSwapper, Swapper, SwapperCard
from hifibench.records import Status
from hifibench.torch_swaps import draw, look, parameters


@torch.no_grad()
def test_a_swap_is_what_the_networks_give_one_after_the_other_row_by_row() -> None:
    swapper = Small()
    assert isinstance(swapper, NetworkSwapper) and isinstance(swapper, Swapper) and swapper.card is CARD
    assert swapper.networks is swapper.networks
    source, target = faces(3)
    swap = swapper.swap(source, target)
    assert swap.status == (Status.OK,) * 3 and swapper.generator.batches == [1, 1, 1]
    for row in range(3):
        s, t = source[row : row + 1], target[row : row + 1]
        image, mask = swapper.generator(t, *swapper.source(s), *swapper.target(t))
        assert swap.mask is not None
        assert torch.equal(swap.image[row], image[0]) and torch.equal(swap.mask[row], mask[0])


@torch.no_grad()
def test_elsewhere_than_on_a_processor_sources_are_seen_alone_and_the_rest_together() -> None:
    swapper = Small()
    source, target = (one.to("meta") for one in faces(3))
    swapper.generator.to("meta"), swapper.source.to("meta"), swapper.target.to("meta")
    seen = [look(swapper.networks.source, row) for row in source.split(1)]
    image, mask = draw(swapper.networks, target, seen)
    assert (swapper.source.calls, swapper.target.calls, swapper.generator.batches) == (3, 1, [3])
    assert image.shape == target.shape and mask.shape[1] == 1


def test_its_cost_is_one_swap() -> None:
    cost = Small().cost()
    looks, drawn = 2 * 4 * 12, 16 * 16 * 4 * 11 * 9
    assert cost.macs == looks + drawn
    assert (cost.params_trainable, cost.params_frozen) == (4 * 11 * 9 + 4, 48)


class Recogniser(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(3 * 16, 512)

    def forward(self, image: Tensor) -> Tensor:
        return nn.functional.normalize(self.map(nn.functional.adaptive_avg_pool2d(image, 4).flatten(1)), dim=1)


@torch.no_grad()
@pytest.mark.parametrize("gain", [1.0, 40.0], ids=["within its range", "cut to its range"])
def test_simswap_has_the_bits_of_its_two_networks(gain: float) -> None:
    torch.manual_seed(0)
    generator, recogniser = Generator(Config(64, 0.125, 1)), Recogniser().requires_grad_(False)
    for parameter in generator.requires_grad_(False).parameters():
        parameter.add_(torch.randn_like(parameter) * 0.02 * gain)
    crop = Crop("ffhq", 64)
    swapper = SimSwap(SwapperCard("tiny", "tiny", crop, crop), generator, recogniser)
    source, target = torch.rand(2, 2, 3, 64, 64)
    swap = swapper.swap(source, target)
    assert swap.mask is None and not generator.training
    for row in range(2):
        x_s, x_t = (one[row : row + 1].to(memory_format=torch.channels_last) for one in (source, target))
        assert torch.equal(swap.image[row], generator(x_t, recogniser(x_s)).float().clamp(0, 1)[0])
    own = parameters(generator), parameters(recogniser)
    assert (swapper.cost().params_trainable, swapper.cost().params_frozen) == own
