from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import faceshifter_by_hand as by_hand
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import baselines.faceshifter.config as config
from baselines.faceshifter import ghost as plugin
from baselines.faceshifter.aei import AEINet
from baselines.faceshifter.config import Config
from baselines.faceshifter.ghost import load
from baselines.faceshifter.ghost_swapper import Ghost
from hifibench.contracts import Crop, Swapper
from hifibench.errors import MissingError, UsageError
from hifibench.experts.iresnet import IResNet
from hifibench.records import Status

# Few channels at the full size of GHOST: its crops and resizing are what is tested.
NARROW = Config(base=2, generator_base=2, widest=4, hear_base=4, hear_widest=4)


class Recogniser(nn.Module):
    """Notes what it is shown; its vectors are far from unit length."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, crops: Tensor) -> Tensor:
        self.seen.append(crops)
        return 20 * crops.mean((1, 2, 3))[:, None] * torch.linspace(-1, 1, config.ID_DIM)


@pytest.fixture
def swapper() -> Ghost:
    torch.manual_seed(0)
    network = AEINet(NARROW)
    by_hand.randomise(network)
    return Ghost(plugin.card, network, Recogniser())  # type: ignore[arg-type]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """GHOST's folder in a cache of the test's own."""
    monkeypatch.setenv("HIFIBENCH_CACHE", str(tmp_path))
    folder = tmp_path / "methods" / "ghost"
    folder.mkdir(parents=True)
    return folder


def resized(image: Tensor, size: int) -> Tensor:
    """As OpenCV resizes linearly: pixel i of n shows place (i + 1/2) N / n - 1/2, held at the borders."""
    old = image.shape[-1]
    places = ((torch.arange(size, dtype=torch.float64) + 0.5) * old / size - 0.5).clamp(0, old - 1)
    weights = (1 - (places[:, None] - torch.arange(old)).abs()).clamp_min(0).float()
    return weights @ image @ weights.T


@torch.no_grad()
def test_a_swap_is_the_published_chain_of_resizes_and_ranges(swapper: Ghost) -> None:
    source, target = torch.rand(2, 2, 3, 224, 224)
    made = swapper.swap(source, target)
    assert made.image.shape == (2, 3, 224, 224) and made.mask is None and made.status == (Status.OK,) * 2
    seen = torch.cat(swapper.recogniser.seen)  # type: ignore[arg-type]
    # 224 to 112 with corners on corners: the first and the last pixel are the image's own.
    expected = F.grid_sample(
        2 * source - 1,
        torch.stack(torch.meshgrid(*[torch.linspace(-1, 1, 112)] * 2, indexing="xy"), -1).expand(2, -1, -1, -1),
        align_corners=True,
    )
    torch.testing.assert_close(seen, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(seen[..., -1, -1], 2 * source[..., -1, -1] - 1)
    z_id = Recogniser()(expected)  # as it is, not of unit length
    y, _ = swapper.network(resized(2 * target - 1, 256), z_id)
    torch.testing.assert_close(made.image, (resized(y, 224) + 1) / 2, rtol=1e-3, atol=1e-3)
    assert float(made.image.min()) >= 0 and float(made.image.max()) <= 1


def test_a_row_does_not_depend_on_its_company(swapper: Ghost) -> None:
    source, target = torch.rand(2, 3, 3, 224, 224)
    together = swapper.swap(source, target).image
    alone = swapper.swap(source[1:2], target[1:2]).image
    torch.testing.assert_close(together[1:2], alone, rtol=0, atol=0)


def test_the_card_tells_crops_and_terms() -> None:
    assert isinstance(Ghost(plugin.card, AEINet(NARROW), Recogniser()), Swapper)  # type: ignore[arg-type]
    assert plugin.card.source == plugin.card.target == Crop("simswap-224", 224)
    assert "Apache-2.0" in plugin.card.licence and "non-commercial" in plugin.card.licence
    assert "mask" in plugin.card.limits
    assert plugin.training is None


def test_its_figures_are_those_of_the_public_code() -> None:
    assert plugin.count is not None
    own = plugin.count()
    assert own.params_trainable == 184_343_381 and own.macs is not None
    assert own.macs / 1e9 == pytest.approx(31.02, abs=0.005)


def test_its_cost_is_a_swap_and_a_look_at_the_source() -> None:
    recogniser, network = IResNet(18).eval(), AEINet(NARROW).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        recogniser(torch.zeros(1, 3, 112, 112))
        network(torch.zeros(1, 3, 256, 256), torch.zeros(1, config.ID_DIM))
    whole = Ghost(plugin.card, network, recogniser).cost()
    assert whole.macs == counter.get_total_flops() // 2
    assert whole.params_trainable == sum(one.numel() for one in network.parameters())
    assert whole.params_frozen == sum(one.numel() for one in recogniser.parameters())


@pytest.mark.parametrize("there", [(), ("G_unet_2blocks.pth",), ("backbone.pth",)])
def test_missing_files_are_named_with_source_terms_and_place(place: Path, there: tuple[str, ...]) -> None:
    for name in there:
        (place / name).touch()
    with pytest.raises(MissingError) as caught:
        load("cpu")
    said = str(caught.value)
    urls = {
        "G_unet_2blocks.pth": ("releases/download/sber-swap-v2.0/G_unet_2blocks.pth", "Apache-2.0"),
        "backbone.pth": ("releases/download/arcface/backbone.pth", "non-commercial"),
    }
    for name, parts in urls.items():
        for part in (*parts, f"{place / name}: from"):
            assert (part in said) == (name not in there), part


def write(place: Path, change: Callable[[dict[str, Tensor]], None] = lambda weights: None) -> None:
    """A generator file with GHOST's names, all of it zeros of no size in memory, and a recogniser that is none."""
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in AEINet(Config()).state_dict().items()}
    zero = torch.zeros(())
    weights = {name: zero.expand(shape) for name, shape in shapes.items()}
    change(weights)
    torch.save(weights, place / "G_unet_2blocks.pth")
    torch.save({"fc.weight": torch.zeros(3)}, place / "backbone.pth")


def test_a_file_of_another_network_is_refused_by_names(place: Path) -> None:
    def rename(weights: dict[str, Tensor]) -> None:
        weights["generator.AADBlk9.up.weight"] = weights.pop("generator.AADBlk8.add_blocks.5.weight")

    write(place, rename)
    with pytest.raises(UsageError, match=r"G_unet_2blocks.pth holds another network: .*AADBlk8.add_blocks.5.weight is"):
        load("cpu")


def test_a_file_of_the_right_names_is_taken_and_a_wrong_recogniser_is_refused(place: Path) -> None:
    write(place)
    with pytest.raises(UsageError, match=r"backbone.pth holds another network"):
        load("cpu")


def test_a_file_that_would_run_code_is_refused(place: Path) -> None:
    torch.save({"network": nn.Linear(1, 1)}, place / "G_unet_2blocks.pth")
    (place / "backbone.pth").touch()
    with pytest.raises(UsageError, match=r"asks for torch\.nn\.modules\.linear\.Linear"):
        load("cpu")


def test_the_cards_hash_follows_the_files(place: Path) -> None:
    from baselines.faceshifter.ghost import _card

    hashes = {_card().hash}
    torch.save({"a": torch.zeros(3)}, place / "G_unet_2blocks.pth")
    hashes.add(_card().hash)
    torch.save({"a": torch.zeros(3)}, place / "backbone.pth")
    hashes.add(_card().hash)
    assert len(hashes) == 3
