from __future__ import annotations

from typing import Any

import faceshifter_by_hand as by_hand
import pytest
import torch
from torch import nn

from baselines.faceshifter.aad import AADLayer, AADResBlk, _fusible, aad_relu
from baselines.faceshifter.aei import AEINet
from baselines.faceshifter.config import Config
from baselines.faceshifter.hear import HEARNet, heuristic_error
from baselines.faceshifter.network import FaceShifterNet, count

SMALL = Config(size=32, base=3, generator_base=4, widest=8, hear_base=4, hear_widest=6, hear_depth=3)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def close(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert float(one.detach().std()) > 0.01  # nothing was compared with nothing


@pytest.mark.parametrize("fused", [False, True])
def test_an_aad_layer_is_the_papers_formulas(fused: bool) -> None:
    layer = AADLayer(6, 5, 7)
    if fused:
        layer.aad_relu = _fusible
    state = by_hand.randomise(layer)
    h_in, z_att, z_id = 2 + 3 * torch.randn(2, 6, 8, 8), torch.randn(2, 5, 8, 8), torch.randn(2, 7)
    close(layer(h_in, z_att, z_id), by_hand.aad_tensor(state, h_in, z_att, z_id).clamp_min(0))


def test_the_attentional_mask_chooses_between_attributes_and_identity() -> None:
    h, ones, w_m = torch.randn(1, 4, 6, 6), torch.ones(1, 4), torch.zeros(1, 4, 1, 1)
    attributes, identity = torch.full_like(h, 3.0), 5 * ones
    for bias, expected in ((-100.0, 3.0), (100.0, 5.0), (0.0, 4.0)):
        got = aad_relu(h, torch.zeros_like(h), attributes, 0 * ones, identity, w_m, torch.tensor([bias]))
        torch.testing.assert_close(got, torch.full_like(h, expected))


@pytest.mark.parametrize(("outputs", "blocks"), [(6, 2), (4, 2), (4, 1), (6, 3)])
def test_an_aad_block_is_its_layers_in_their_order(outputs: int, blocks: int) -> None:
    block = AADResBlk(6, outputs, 5, 7, blocks)
    state = by_hand.randomise(block)
    h, z_att, z_id = torch.randn(2, 6, 8, 8), torch.randn(2, 5, 8, 8), torch.randn(2, 7)
    close(block(h, z_att, z_id), by_hand.res_block(state, h, z_att, z_id, blocks))


@torch.no_grad()
@pytest.mark.parametrize(("blocks", "tanh"), [(1, True), (2, True), (2, False)])
def test_a_small_aei_net_is_its_state_dict_run_by_plain_calls(blocks: int, tanh: bool) -> None:
    config = Config(32, 3, 4, 8, blocks, tanh, hear_depth=3)
    # In float64: without a tanh the values are large, and single ones differ by how float32 rounds its sums.
    network = AEINet(config, id_dim=7).double()
    state = by_hand.randomise(network)
    x_t, z_id = torch.rand(2, 3, 32, 32).double() * 2 - 1, torch.randn(2, 7).double()
    y, z_att = network(x_t, z_id)
    expected = by_hand.encoder(by_hand.within(state, "encoder"), x_t, config.depth)
    for one, other in zip(z_att, expected, strict=True):
        close(one, other)
    assert tuple(one.shape[1] for one in z_att) == config.attribute_widths
    assert [one.shape[-1] for one in z_att] == [2, 4, 8, 16, 32]
    close(y, by_hand.aei(state, x_t, z_id, config.depth, blocks, tanh))


@torch.no_grad()
def test_a_small_hear_net_is_its_state_dict_run_by_plain_calls() -> None:
    network = HEARNet(SMALL)
    state = by_hand.randomise(network)
    y_hat, delta = torch.rand(2, 3, 32, 32) * 2 - 1, torch.randn(2, 3, 32, 32)
    close(network(y_hat, delta), by_hand.hear(state, y_hat, delta, SMALL.hear_depth))


def test_an_untrained_hear_net_changes_nothing() -> None:
    y_hat = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(HEARNet(SMALL)(y_hat, torch.randn(2, 3, 32, 32)), y_hat)


@torch.no_grad()
def test_both_stages_are_one_after_the_other() -> None:
    network = FaceShifterNet(SMALL)
    state = by_hand.randomise(network)
    x_t = torch.rand(2, 3, 32, 32) * 2 - 1
    z_source, z_target = nn.functional.normalize(torch.randn(2, 2, 512), dim=2)
    aei, unit = by_hand.within(state, "aei"), 512**0.5
    y_hat, reconstructed = (by_hand.aei(aei, x_t, unit * z, SMALL.depth, 2) for z in (z_source, z_target))
    made = network(x_t, z_source, z_target)
    close(made.y_hat, y_hat)
    close(made.delta, x_t - reconstructed)
    close(made.y, by_hand.hear(by_hand.within(state, "hear"), y_hat, x_t - reconstructed, SMALL.hear_depth))
    close(network.first(x_t, z_source)[0], y_hat)


def test_the_heuristic_error_is_what_is_missing() -> None:
    torch.testing.assert_close(heuristic_error(torch.tensor(0.75), torch.tensor(0.25)), torch.tensor(0.5))


def ghost_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes in GHOST's ``G_unet_2blocks.pth``: AEI-Net with a U-Net, two blocks and 512 identity numbers."""
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name: str, channels: int) -> None:
        shapes.update({f"{name}.{one}": (channels,) for one in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{name}.num_batches_tracked"] = ()

    def aad(name: str, channels: int, attributes: int) -> None:
        for layer, shape in {
            "conv1": (channels, attributes, 1, 1),
            "conv2": (channels, attributes, 1, 1),
            "fc1": (channels, 512),
            "fc2": (channels, 512),
            "conv_h": (1, channels, 1, 1),
        }.items():
            shapes.update({f"{name}.{layer}.weight": shape, f"{name}.{layer}.bias": shape[:1]})

    downs = [(3, 32), (32, 64), (64, 128), (128, 256), (256, 512), (512, 1024), (1024, 1024)]
    for number, (inputs, outputs) in enumerate(downs, start=1):
        shapes[f"encoder.conv{number}.0.weight"] = (outputs, inputs, 4, 4)
        norm(f"encoder.conv{number}.1", outputs)
    ups = [(1024, 1024), (2048, 512), (1024, 256), (512, 128), (256, 64), (128, 32)]
    for number, (inputs, outputs) in enumerate(ups, start=1):
        shapes[f"encoder.deconv{number}.deconv.weight"] = (inputs, outputs, 4, 4)
        norm(f"encoder.deconv{number}.bn", outputs)
    shapes |= {"generator.up1.weight": (512, 1024, 2, 2), "generator.up1.bias": (1024,)}
    blocks = [
        (1024, 1024, 1024),
        (1024, 1024, 2048),
        (1024, 1024, 1024),
        (1024, 512, 512),
        (512, 256, 256),
        (256, 128, 128),
        (128, 64, 64),
        (64, 3, 64),
    ]
    for number, (inputs, outputs, attributes) in enumerate(blocks, start=1):
        name = f"generator.AADBlk{number}"
        aad(f"{name}.add_blocks.0", inputs, attributes)
        shapes[f"{name}.add_blocks.2.weight"] = (inputs, inputs, 3, 3)
        aad(f"{name}.add_blocks.3", inputs, attributes)
        shapes[f"{name}.add_blocks.5.weight"] = (outputs, inputs, 3, 3)
        if inputs != outputs:
            aad(f"{name}.last_add_block.0", inputs, attributes)
            shapes[f"{name}.last_add_block.2.weight"] = (outputs, inputs, 3, 3)
    return shapes


def test_the_state_dict_of_ghost_loads_strictly() -> None:
    with torch.device("meta"):
        network, weights = AEINet(Config()), {name: torch.empty(shape) for name, shape in ghost_shapes().items()}
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == ghost_shapes()
    assert len(weights) == 311
    network.load_state_dict(weights, strict=True, assign=True)
    assert [name for name, _ in network.named_parameters()] == [
        name for name in network.state_dict() if "running" not in name and "num_batches" not in name
    ]


def test_parameters_and_macs_are_those_of_the_public_code() -> None:
    """184.3 M and 31.0 G at 256: convolutions and linear layers of encoder and generator, without the recogniser."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        network = AEINet(Config()).eval()
        network(torch.zeros(1, 3, 256, 256), torch.zeros(1, 512))
    assert sum(one.numel() for one in network.parameters()) == 184_343_381
    assert counter.get_total_flops() / 2e9 == pytest.approx(31.02, abs=0.005)


def test_the_cost_of_both_stages_is_that_of_its_parts() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    network = FaceShifterNet(SMALL).eval()
    x_t, z_id = torch.zeros(1, 3, 32, 32), torch.zeros(1, 512)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        z_att = network.aei.encoder(x_t)
        for _ in range(2):  # the swap, and the target by its own identity
            y = network.aei.generator(z_att, z_id)
        network.hear(y, y)
    counted = count(SMALL)
    assert counted.macs == counter.get_total_flops() // 2
    assert counted.params_trainable == sum(one.numel() for one in network.parameters())
    assert counted.params_frozen == 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"size": 96}, "size 96: expected a power of two"),
        ({"size": 16}, "size 16: expected a power of two, at least 32"),
        ({"base": 0}, "base 0: expected 1 or more"),
        ({"blocks": 0}, "blocks 0: expected 1 or more"),
        ({"widest": 16}, "fewer channels than the first"),
        ({"hear_widest": 8}, "fewer channels than the first"),
        ({"hear_depth": 8}, "hear_depth 8: expected 2 to 7 for 256 pixels"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Config(**changes)
