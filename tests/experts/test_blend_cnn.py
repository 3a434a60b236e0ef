from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch

from hifibench.contracts import Expert
from hifibench.data import seeds
from hifibench.experts.blend_cnn import CARD, EMBEDDING, SIZE, blend_cnn
from hifibench.forensics import network, shipped


@pytest.fixture(scope="module")
def detector() -> Expert:
    made = blend_cnn.load("cpu")
    assert isinstance(made, Expert)
    return made


def noise(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, 3, SIZE, SIZE), np.float32)


def test_outputs_are_those_of_the_card(detector: Expert) -> None:
    seen = detector.observe(noise(2))
    assert set(seen) == set(CARD.outputs)
    assert seen["fake"].shape == (2, 1) and seen["embedding"].shape == (2, EMBEDDING)
    assert all(array.dtype == np.float32 and np.isfinite(array).all() for array in seen.values())
    assert detector.observe(noise(0))["embedding"].shape == (0, EMBEDDING)


def test_a_row_depends_on_itself_alone(detector: Expert) -> None:
    crops = noise(3)
    together = detector.observe(crops)
    for name, array in detector.observe(crops[1:2]).items():
        np.testing.assert_array_equal(array[0], together[name][1])


def test_it_is_the_shipped_network(detector: Expert) -> None:
    crops = noise(2, 3)
    with torch.inference_mode():
        logit, features = network.load(shipped.NETWORK)(torch.from_numpy(crops))
    seen = detector.observe(crops)
    np.testing.assert_allclose(seen["fake"], logit.numpy(), atol=1e-4, rtol=1e-4)
    np.testing.assert_allclose(seen["embedding"], features.numpy(), atol=1e-4, rtol=1e-4)
    swapped = detector.observe(np.ascontiguousarray(crops[:, ::-1]))["fake"]
    assert np.abs(swapped - seen["fake"]).min() > 1e-4, "the order of the channels would not matter"


def test_other_crops_are_refused(detector: Expert) -> None:
    with pytest.raises(ValueError, match=r"blend-cnn takes crops of shape \(B, 3, 192, 192\); given"):
        detector.observe(np.zeros((1, 3, 128, 128), np.float32))
    with pytest.raises(ValueError, match="takes RGB in"):
        detector.observe(2 + noise(1))


def test_the_card_knows_the_weights_and_what_was_measured() -> None:
    assert CARD.weights == hashlib.sha256(shipped.NETWORK.read_bytes()).hexdigest()
    assert shipped.NETWORK.stat().st_size <= 3_000_000
    said = json.loads(shipped.note(shipped.NETWORK).read_text())
    assert set(said["auc"]) == {"self-blends", "re-encode", "source-paste", "faceswap"}
    assert f"faceswap {100 * said['auc']['faceswap']:.1f}" in CARD.limits
    assert said["settings"]["steps"] > 0 and said["hours"] > 0
    assert "research only" in CARD.licence and CARD.role == "forgery"


def test_re_encoding_is_no_forgery_and_a_paste_is_one() -> None:
    """What was measured when it was trained: the figures of the card keep to their purpose."""
    said = json.loads(shipped.note(shipped.NETWORK).read_text())["auc"]
    assert abs(said["re-encode"] - 0.5) < 0.08
    assert said["source-paste"] > 0.9 and said["self-blends"] > 0.9


def test_training_people_are_none_of_the_test() -> None:
    said = json.loads(shipped.note(shipped.NETWORK).read_text())
    assert "split train" in said["data"] and said["settings"]["people"] < len(seeds.SPLITS["train"])
