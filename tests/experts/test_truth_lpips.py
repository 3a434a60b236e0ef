from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hifibench.experts.perceptual import lpips_module
from hifibench.experts.truth_lpips import CARD, truth_lpips
from hifibench.experts.truth_pixels import changed_region
from hifibench.faces.align import chw
from hifibench.heads.labels import LABELS
from hifibench.records import Frame

SIZE = 128


@pytest.fixture(scope="module")
def expert() -> Any:
    return truth_lpips.load("cpu")


def noise(seed: int) -> Frame:
    coarse = np.random.default_rng(seed).integers(40, 200, (16, 16, 3), np.uint8)
    return coarse.repeat(8, 0).repeat(8, 1)


def parsing(radius: float = 25.0) -> np.ndarray:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    labels = np.full((SIZE, SIZE), LABELS.index("background"), np.uint8)
    labels[np.hypot(rows - 60, columns - 64) <= radius] = LABELS.index("skin")
    return labels


def seen(labels: np.ndarray | None = None) -> Any:
    return {"exact": {"parsing": parsing() if labels is None else labels}}


def test_the_true_swap_itself_has_no_distance(expert) -> None:
    assert expert.compare(noise(0), noise(0), seen()) == {"truth_lpips": 0}


def test_over_the_whole_frame_it_is_the_mean_of_the_map_that_training_uses(expert) -> None:
    import torch

    everywhere = np.full((SIZE, SIZE), LABELS.index("skin"), np.uint8)
    swap, true = noise(1), noise(2)
    with torch.inference_mode():
        network: Any = lpips_module("alex")
        network.network.spatial = True
        [[distances]] = network.network(
            *(torch.from_numpy(chw(frame))[None] for frame in (swap, true)), normalize=True
        ).numpy()
    got = expert.compare(swap, true, seen(everywhere))["truth_lpips"]
    assert (got.shape, got.dtype) == ((), np.float32)
    assert got == pytest.approx(distances.mean(), rel=1e-4)
    region = changed_region(parsing())
    assert abs(distances[region].mean() / distances.mean() - 1) > 0.01
    assert expert.compare(swap, true, seen())["truth_lpips"] == pytest.approx(distances[region].mean(), rel=1e-4)


def test_a_change_far_from_the_face_weighs_less_than_one_in_it(expert) -> None:
    true = noise(0)
    face, corner = true.copy(), true.copy()
    face[50:70, 54:74] = 255 - face[50:70, 54:74]
    corner[108:, 108:] = 255 - corner[108:, 108:]
    inside, outside = (float(expert.compare(swap, true, seen())["truth_lpips"]) for swap in (face, corner))
    assert inside > 10 * outside


@pytest.mark.parametrize("view", [{}, {"exact": {}}, seen(np.zeros((SIZE, SIZE), np.uint8))])
def test_without_a_known_head_there_is_no_value(expert, view: Any) -> None:
    assert np.isnan(expert.compare(noise(0), noise(1), view)["truth_lpips"])


def test_frames_of_different_size_are_refused(expert) -> None:
    with pytest.raises(ValueError, match=r"truth-lpips compares frames of one size; given \(128, 128, 3\) and \(64,"):
        expert.compare(noise(0), noise(0)[:64], seen())


def test_the_card_says_what_it_compares() -> None:
    assert (CARD.role, CARD.crop.template, CARD.needs) == ("truth", "frame", ("exact",))
    assert {*CARD.outputs} == {"truth_lpips"}
