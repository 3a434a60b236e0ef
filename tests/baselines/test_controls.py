from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from baselines import controls
from hifibench.contracts import Crop, Swapper
from hifibench.faces import templates
from hifibench.faces.align import chw, hwc
from hifibench.faces.detect import Detector
from hifibench.pipeline.swap import Job, swap_jobs
from hifibench.records import Status

ALL = [controls.target_copy, controls.source_paste, controls.re_encode]


@pytest.fixture
def frames() -> tuple[torch.Tensor, torch.Tensor]:
    """Source and target of different sizes, smooth as photographs are, neither of them square."""
    y, x = np.mgrid[0:60, 0:90] / 90
    target = np.stack([x, y, 0.5 + 0.4 * np.sin(9 * x + 5 * y)], axis=2)
    source = 1 - target[:40, :70]
    return tuple(torch.from_numpy(chw(np.rint(255 * image).astype(np.uint8)))[None] for image in (source, target))


@pytest.mark.parametrize("plugin", ALL, ids=lambda plugin: plugin.card.name)
def test_controls_are_swappers_that_bound_the_scale(plugin):
    swapper = plugin.load("cpu")
    assert isinstance(swapper, Swapper)
    assert swapper.card == plugin.card
    assert plugin.card.kind == "reference"
    assert swapper.cost().params_trainable == swapper.cost().params_frozen == 0


def test_target_copy_is_the_target_and_shares_no_memory_with_it(frames):
    source, target = frames
    swap = controls.target_copy.load("cpu").swap(source, target)
    assert torch.equal(swap.image, target)
    assert swap.status == (Status.OK,)
    swap.image.zero_()
    assert target.max() > 0


def test_source_paste_is_the_source_in_a_crop_aligned_like_the_targets():
    card = controls.source_paste.card
    assert card.source == card.target
    source, target = torch.rand(2, 3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    swap = controls.source_paste.load("cpu").swap(source, target)
    assert torch.equal(swap.image, source)
    assert len(swap.status) == 3


def test_source_paste_shows_a_recogniser_the_source_and_nothing_else(portrait):
    source, target = portrait(2_000_000_001), portrait(2_000_000_002)
    detector = Detector()
    faces = [detector.choose(frame) for frame in (source, target)]
    (done,) = swap_jobs(controls.source_paste.load("cpu"), [Job(source, faces[0], target, faces[1])])
    seen, _ = templates.take(source, faces[0], Crop("arcface", 112))
    # The target's landmarks say where the source's aligned face went.
    shown, _ = templates.take(done.frame, faces[1], Crop("arcface", 112))
    assert np.abs(shown - seen).mean() < 0.04
    assert np.abs(templates.take(target, faces[1], Crop("arcface", 112))[0] - seen).mean() > 0.1
    np.testing.assert_array_equal(done.frame[:8], target[:8])


def test_re_encode_is_jpeg_90_of_the_target(frames):
    source, target = frames
    image = controls.re_encode.load("cpu").swap(source, target).image
    assert image.shape == target.shape
    error = (image - target).abs().mean()
    assert 0 < error < 0.02

    buffer = io.BytesIO()
    Image.fromarray(hwc(target[0].numpy())).save(buffer, "JPEG", quality=90, subsampling="4:2:0")
    np.testing.assert_array_equal(hwc(image[0].numpy()), np.asarray(Image.open(buffer)))


def test_re_encode_halves_the_resolution_of_colour_but_not_of_light():
    # Columns of alternating hue at one luma vanish under 4:2:0; columns of alternating light stay.
    hue = np.zeros((32, 32, 3), np.uint8)
    hue[:, 0::2], hue[:, 1::2] = (200, 80, 100), (80, 141, 100)
    light = np.zeros((32, 32, 3), np.uint8)
    light[:, 0::2] = 200
    encoded = controls.re_encode.load("cpu").swap(
        torch.zeros(2, 3, 4, 4), torch.from_numpy(np.stack([chw(hue), chw(light)]))
    )
    contrast = (encoded.image[..., 0::2] - encoded.image[..., 1::2]).mean(dim=(2, 3))
    assert contrast[0, 0].abs() < 0.1 * (200 - 80) / 255
    assert contrast[1, 0] > 0.9 * 200 / 255


def test_re_encode_keeps_red_red():
    red = torch.zeros(1, 3, 16, 16)
    red[:, 0] = 1.0
    mean = controls.re_encode.load("cpu").swap(red, red).image.mean(dim=(0, 2, 3))
    assert mean[0] > 0.95
    assert mean[1] < 0.05
    assert mean[2] < 0.05
