from __future__ import annotations

import logging
import subprocess
import sys

import numpy as np
import pytest
import torch

from baselines.faceswap import CARD, faceswap
from baselines.faceswap.swapper import FaceSwap
from hifibench.contracts import Crop, Swapper
from hifibench.experts.landmarker import mediapipe
from hifibench.faces import paste, templates
from hifibench.faces.detect import Detector
from hifibench.records import Status

SEEDS = (3, 5, 17)


@pytest.fixture(scope="module")
def swapper():
    return faceswap.load("cpu")


@pytest.fixture(scope="module")
def frames(portrait):
    return [portrait(seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def taken(frames):
    detector = Detector()
    return [templates.take(frame, detector.choose(frame), CARD.target) for frame in frames]


@pytest.fixture(scope="module")
def crops(taken):
    return torch.from_numpy(np.stack([crop for crop, _ in taken]))


class DotFinder:
    """A landmarker that puts every landmark onto the one red dot in its crop."""

    card = mediapipe.card

    def observe(self, crops):
        redness = np.clip(crops[:, 0] - crops[:, 2], 0, None)
        share = redness / redness.sum(axis=(1, 2), keepdims=True)
        y, x = np.mgrid[: crops.shape[2], : crops.shape[3]]
        dot = [(share * x).sum(axis=(1, 2)), (share * y).sum(axis=(1, 2)), np.ones(len(crops))]
        return {"landmarks": np.repeat(np.stack(dot, axis=1)[:, None], 478, axis=1).astype(np.float32)}


@pytest.mark.parametrize(("x", "y"), [(256, 300), (100, 490), (460, 120)])
def test_landmarks_come_back_in_pixels_of_the_crop(swapper, x, y):
    picture = np.zeros((512, 512, 3), np.float32)
    picture[y - 3 : y + 4, x - 3 : x + 4, 0] = 1
    landmarks = FaceSwap(CARD, DotFinder(), swapper._mesh)._landmarks(picture)
    np.testing.assert_allclose(landmarks[:, :2], [(x, y)] * 478, atol=0.05)
    np.testing.assert_allclose(landmarks[:, 2], 428 / 256)


@pytest.fixture(scope="module")
def swap(swapper, crops):
    """Each portrait gets the face of the one before it."""
    return swapper.swap(crops.roll(1, 0), crops)


def changed(swap, target):
    """Where a swap differs from its target once it is blended in."""
    return (swap.mask * (swap.image - target)).abs().amax(dim=1)


def test_it_keeps_the_contract(swapper, swap, crops):
    assert isinstance(swapper, Swapper)
    assert swapper.card == CARD
    assert CARD.source == CARD.target == Crop("ffhq", 512)
    assert swap.status == (Status.OK,) * 3
    assert swap.image.shape == crops.shape
    assert swap.mask.shape == (3, 1, 512, 512)
    for values in (swap.image, swap.mask):
        assert values.dtype == torch.float32
        assert values.min() >= 0
        assert values.max() <= 1


def test_listing_it_imports_nothing_heavy():
    heavy = "{'torch', 'cv2', 'mediapipe', 'onnxruntime', 'scipy', 'pandas'}"
    code = f"import sys, baselines.faceswap, baselines.controls; sys.exit(str({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr.strip() == "set()"


def test_the_mask_covers_the_face_and_vanishes_before_the_border(swap):
    border = swap.mask.clone()
    border[..., 4:-4, 4:-4] = 0
    assert not border.any()
    # Nose and cheeks of an FFHQ crop are face, its corners are not.
    assert (swap.mask[:, 0, 300:330, 230:280] == 1).all()
    assert not swap.mask[:, 0, :60].any()
    assert 0.08 < swap.mask.mean() < 0.4


def test_what_is_far_from_the_face_stays_bit_identical(swapper, frames, taken):
    frame = frames[1].copy()
    frame[8:40, 8:40] = (255, 0, 0)
    face = Detector().choose(frame)
    crop, matrix = templates.take(frame, face, CARD.target)
    swap = swapper.swap(torch.from_numpy(taken[0][0])[None], torch.from_numpy(crop)[None])
    pasted = paste.paste_back(frame, swap.image[0].numpy(), matrix, swap.mask[0, 0].numpy())
    assert (pasted[8:40, 8:40] == (255, 0, 0)).all()
    untouched = (pasted == frame).all(axis=2).mean()
    assert 0.5 < untouched < 0.95


def test_a_face_on_itself_stays_nearly_as_it_is(swapper, crops, swap):
    itself = changed(swapper.swap(crops, crops), crops).mean(dim=(1, 2)) / swap.mask.mean(dim=(1, 2, 3))
    another = changed(swap, crops).mean(dim=(1, 2)) / swap.mask.mean(dim=(1, 2, 3))
    assert (itself < 0.03).all()
    assert (another > 2 * itself).all()


def test_source_and_target_are_not_interchangeable(swapper, crops):
    there = swapper.swap(crops[:1], crops[1:2])
    back = swapper.swap(crops[1:2], crops[:1])
    assert (there.image - back.image).abs().mean() > 0.02
    # Whatever is swapped, the picture around it is the target's.
    outside = there.mask == 0
    assert torch.equal(there.image[outside.expand_as(there.image)], crops[1:2][outside.expand_as(there.image)])


def test_the_swap_resembles_the_source_more_than_the_target_does(frames, taken, swap):
    from hifibench.experts.recognition import edgeface

    recogniser, detector = edgeface.load("cpu"), Detector()

    def embedding(frame):
        cut = templates.take(frame, detector.choose(frame), edgeface.card.crop)[0]
        return recogniser.observe(cut[None])["embedding"][0]

    originals = [embedding(frame) for frame in frames]
    for row, (frame, (_, matrix)) in enumerate(zip(frames, taken, strict=True)):
        swapped = paste.paste_back(frame, swap.image[row].numpy(), matrix, swap.mask[row, 0].numpy())
        source, target = originals[row - 1], originals[row]
        assert embedding(swapped) @ source > target @ source + 0.15


def test_channels_are_red_green_blue(swapper, crops):
    # Red lips are the surest sign: were red and blue exchanged inside, a blue tint would move them as red does here.
    lips = (slice(None), slice(None), slice(375, 395), slice(235, 280))
    plain = swapper.swap(crops[:1], crops[1:2]).image[lips].mean(dim=(0, 2, 3))
    tinted_target = crops[1:2].clone()
    tinted_target[:, 2] *= 0.7
    tinted = swapper.swap(crops[:1], tinted_target).image[lips].mean(dim=(0, 2, 3))
    assert plain[2] - tinted[2] > 0.05
    assert abs(plain[0] - tinted[0]) < 0.02


def test_colours_follow_the_target_not_the_source(swapper, crops):
    blue_source = crops[:1] * torch.tensor([0.6, 0.8, 1.0]).view(1, 3, 1, 1)
    middle = (slice(None), slice(None), slice(280, 360), slice(200, 310))
    plain = swapper.swap(crops[:1], crops[1:2]).image[middle].mean(dim=(0, 2, 3))
    tinted = swapper.swap(blue_source, crops[1:2])
    assert tinted.status == (Status.OK,)
    assert (tinted.image[middle].mean(dim=(0, 2, 3)) - plain).abs().max() < 0.03


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_without_a_face_there_is_a_status_and_the_target(swapper, crops, level):
    blank = torch.full_like(crops[:1], level)
    no_source = swapper.swap(blank, crops[:1])
    assert no_source.status == (Status.NO_FACE_SOURCE,)
    assert torch.equal(no_source.image, crops[:1])
    assert not no_source.mask.any()
    assert swapper.swap(crops[:1], blank).status == (Status.NO_FACE_TARGET,)


def test_a_row_depends_on_that_row_alone(swapper, swap, crops):
    sources = crops.roll(1, 0)
    for row in range(3):
        alone = swapper.swap(sources[row : row + 1], crops[row : row + 1])
        assert torch.equal(alone.image[0], swap.image[row])
        assert torch.equal(alone.mask[0], swap.mask[row])


def test_a_failing_row_leaves_the_others_alone(swapper, swap, crops, caplog):
    broken = crops.clone()
    broken[1] = torch.nan
    with caplog.at_level(logging.WARNING):
        result = swapper.swap(broken.roll(1, 0), crops)
    # Row 2 takes its source from the broken picture: NaN is no face to the landmarker or an error, never a swap.
    assert result.status[2] is not Status.OK
    assert torch.equal(result.image[2], crops[2])
    assert torch.equal(result.image[1], swap.image[1])


def test_an_exception_is_a_failed_row_with_a_log(swapper, crops, caplog, monkeypatch):
    def fail(*args):
        raise RuntimeError("thrown on purpose")

    monkeypatch.setattr("baselines.faceswap.swapper.swap_face", fail)
    with caplog.at_level(logging.WARNING):
        result = swapper.swap(crops[:1], crops[1:2])
    assert result.status == (Status.FAILED,)
    assert not result.mask.any()
    assert torch.equal(result.image, crops[1:2])
    assert "thrown on purpose" in caplog.text


def test_the_same_input_gives_the_same_bits(swapper, swap, crops):
    # OpenCV leaves memory as it finds it in some calls, so the heap is stirred in between.
    rng = np.random.default_rng(0)
    for _ in range(4):
        held = [np.full(int(size), 255, np.uint8) for size in rng.integers(1, 300_000, 40)]
        del held
        again = swapper.swap(crops[2:3], crops[:1])
        assert torch.equal(again.image[0], swap.image[0])
        assert torch.equal(again.mask[0], swap.mask[0])


def test_cost_counts_the_landmarker(swapper):
    cost = swapper.cost()
    assert cost.params_trainable == 0
    assert 1_000_000 < cost.params_frozen < 2_000_000
    assert cost.macs is None
