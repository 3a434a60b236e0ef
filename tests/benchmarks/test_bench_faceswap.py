"""The classical face swap on a crop of 512 pixels: the whole of it, and the warp alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baselines.faceswap import CARD, faceswap
from baselines.faceswap.mesh import Mesh
from baselines.faceswap.regions import Regions
from baselines.faceswap.texture import draw
from hifibench import assets
from hifibench.faces import templates
from hifibench.faces.detect import Detector
from hifibench.records import Status

SWAP_LIMIT_S = 0.15
WARP_LIMIT_S = 0.06


@pytest.fixture(scope="module")
def crops(portrait):
    detector = Detector()
    frames = [portrait(seed) for seed in (3, 5)]
    return np.stack([templates.take(frame, detector.choose(frame), CARD.target)[0] for frame in frames])


def test_one_swap(benchmark, crops):
    swapper = faceswap.load("cpu")
    source, target = torch.from_numpy(crops).split(1)
    swap = benchmark.pedantic(swapper.swap, (source, target), rounds=15, warmup_rounds=3)
    assert swap.status == (Status.OK,)
    assert benchmark.stats.stats.min <= SWAP_LIMIT_S


def test_the_warp_over_a_whole_crop(benchmark, crops):
    mesh = Mesh.load(assets.path("mediapipe-face-landmarker"))
    # The canonical head as it lies in a crop, turned so far that the mirrored texture is needed too.
    place = 17 * mesh.canonical * (1, -1, -1) + (256, 290, 0)
    turn = np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]])
    turned = 17 * mesh.canonical @ turn.T * (1, -1, -1) + (256, 290, 0)
    source, target = np.ascontiguousarray(crops.transpose(0, 2, 3, 1))
    arguments = (source, turned, target, place, place, mesh, Regions.of(mesh))
    drawn = benchmark.pedantic(draw, arguments, rounds=15, warmup_rounds=3)
    assert drawn.covered.sum() > 50_000
    assert benchmark.stats.stats.min <= WARP_LIMIT_S
