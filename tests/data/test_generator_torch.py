from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from hifibench.data import generator
from hifibench.data.generator import Generator
from hifibench.data.generator_torch import TorchGenerator
from hifibench.data.mobilestylegan import inverse_haar
from hifibench.errors import UsageError
from hifibench.records import Floats

LATENTS = np.stack([generator.latent(seed) for seed in (3, 5)])
TOLERANCE = 4e-4
"""Of images in [-1, 1]: a twentieth of a level of 255. Both float32 results lie within 1.5e-4 of the float64 one."""


@pytest.fixture(scope="module")
def torch_512() -> TorchGenerator:
    return TorchGenerator(batch=2)


@pytest.fixture(scope="module")
def torch_double() -> TorchGenerator:
    made = TorchGenerator()
    made.mapping.double()
    made.synthesis.double()
    return made


@pytest.fixture(scope="module")
def styles() -> Floats:
    """Two truncated styles and two that are not."""
    network = generator.shared()
    return np.concatenate([network.styles([3, 5]), network.mapped(LATENTS)])


@torch.inference_mode()
def synthesised(network: TorchGenerator, styles: Floats) -> Tensor:
    return network.synthesise(torch.from_numpy(styles).to(next(network.synthesis.parameters()).dtype))


def test_the_mapping_network_gives_the_styles_of_openvino(torch_512: TorchGenerator) -> None:
    np.testing.assert_allclose(torch_512.mapped(LATENTS), generator.shared().mapped(LATENTS), atol=2e-5)
    np.testing.assert_allclose(torch_512.styles([3, 5]), generator.shared().styles([3, 5]), atol=2e-5)


def test_images_are_those_of_openvino(torch_512: TorchGenerator, styles: Floats) -> None:
    theirs = generator.shared().synthesise(styles)
    assert np.abs(theirs).max() > 0.9, "the tolerance is meant for images of this range"
    np.testing.assert_allclose(synthesised(torch_512, styles), theirs, atol=TOLERANCE)


def test_frames_are_those_of_openvino_but_for_rounding(torch_512: TorchGenerator, styles: Floats) -> None:
    ours, theirs = torch_512.render(styles[1:]), generator.shared().render(styles[1:])
    assert ours.dtype == theirs.dtype
    difference = np.abs(ours.astype(int) - theirs)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_at_1024_pixels_images_are_those_of_openvino_and_shrink_to_those_at_512(
    torch_512: TorchGenerator, styles: Floats
) -> None:
    large = synthesised(TorchGenerator(size=1024), styles[2:3])
    np.testing.assert_allclose(large, Generator(1024).synthesise(styles[2:3]), atol=TOLERANCE)
    np.testing.assert_allclose(F.avg_pool2d(large, 2), synthesised(torch_512, styles[2:3]), atol=1e-5)


@pytest.mark.slow
def test_an_image_does_not_depend_on_the_others_of_its_batch(torch_double: TorchGenerator, styles: Floats) -> None:
    together = synthesised(torch_double, styles[:2])
    alone = torch.cat([synthesised(torch_double, style[None]) for style in styles[:2]])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-10)


@pytest.mark.slow
def test_the_gradient_of_the_style_is_that_of_finite_differences(torch_double: TorchGenerator, styles: Floats) -> None:
    # Small, for a longer step meets many kinks of the rectifiers.
    step = 1e-8 * torch.randn(512, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    style = torch.from_numpy(styles[0]).double()

    def seen(style: Tensor) -> Tensor:
        return torch_double.synthesise(style[None]).square().mean()

    given = style.clone().requires_grad_()
    seen(given).backward()
    assert given.grad is not None
    assert given.grad.isfinite().all()
    with torch.inference_mode():
        difference = (seen(style + step) - seen(style - step)) / 2
    torch.testing.assert_close(given.grad @ step, difference, rtol=1e-4, atol=0)


def test_the_networks_are_frozen_and_the_mapping_is_differentiable(torch_512: TorchGenerator) -> None:
    assert not any(one.requires_grad for net in (torch_512.mapping, torch_512.synthesis) for one in net.parameters())
    latents = torch.from_numpy(LATENTS).requires_grad_()
    torch_512.mapping(latents).square().mean().backward()
    assert latents.grad is not None
    assert latents.grad.isfinite().all()
    assert latents.grad.abs().amax(1).min() > 0


@pytest.mark.parametrize(
    ("precision", "least_db", "most_db"),
    [(torch.bfloat16, 45, 55), pytest.param(torch.float16, 57, 70, marks=pytest.mark.slow)],
)
def test_autocast_keeps_the_picture_as_far_as_its_bits_go(
    torch_512: TorchGenerator, styles: Floats, precision: torch.dtype, least_db: float, most_db: float
) -> None:
    exact = synthesised(torch_512, styles[:1])
    with torch.autocast("cpu", precision):
        rough = synthesised(torch_512, styles[:1])
    assert rough.dtype == torch.float32
    psnr_db = 10 * torch.log10(4 / (exact - rough).square().mean())
    assert least_db < psnr_db < most_db


def test_autocast_leaves_styles_as_they_are(torch_512: TorchGenerator) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        rough = torch_512.mapped(LATENTS)
    np.testing.assert_array_equal(rough, torch_512.mapped(LATENTS))


def test_no_styles_give_no_frames(torch_512: TorchGenerator) -> None:
    assert torch_512.render(torch_512.styles([])).shape == (0, 512, 512, 3)


class TestInverseHaar:
    BANDS = torch.randn(2, 12, 5, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def test_it_is_the_transposed_convolution_with_the_four_filters(self) -> None:
        low, high = torch.tensor([1.0, 1.0]).double() / 2**0.5, torch.tensor([1.0, -1.0]).double() / 2**0.5
        filters = [torch.outer(down, across) for down, across in ((low, low), (high, low), (low, high), (high, high))]
        expected = torch.zeros(2, 3, 10, 14, dtype=torch.float64)
        for colour in range(3):
            for band, kernel in zip((colour, *range(3 + 3 * colour, 6 + 3 * colour)), filters, strict=True):
                part = F.conv_transpose2d(self.BANDS[:, band : band + 1], kernel[None, None], stride=2)
                expected[:, colour : colour + 1] += part
        torch.testing.assert_close(inverse_haar(self.BANDS), expected)

    def test_it_keeps_energy_and_a_flat_band_flat(self) -> None:
        torch.testing.assert_close(inverse_haar(self.BANDS).square().sum(), self.BANDS.square().sum())
        flat = torch.cat([torch.full((1, 2, 3, 3), 4.0), torch.zeros(1, 6, 3, 3)], 1)
        torch.testing.assert_close(inverse_haar(flat), torch.full((1, 2, 6, 6), 2.0))


@pytest.mark.parametrize(
    ("given", "message"), [({"size": 256}, "512 or 1024 pixels, not 256"), ({"batch": 0}, "0 at a time; give a batch")]
)
def test_other_sizes_and_empty_batches_are_refused(given: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TorchGenerator(**given)  # type: ignore[arg-type]
