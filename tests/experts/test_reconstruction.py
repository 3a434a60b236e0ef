import numpy as np
import pytest
import torch

from hifibench import assets
from hifibench.experts.landmarker import Landmarker
from hifibench.experts.reconstruction import CARD, Tddfa, tddfa_module
from hifibench.faces import align, templates
from hifibench.faces.detect import Detector
from hifibench.faces.morphable import load_tddfa, project
from hifibench.unpickle import load_arrays

SEEDS = (21, 22, 23, 24)


@pytest.fixture(scope="module")
def expert() -> Tddfa:
    return Tddfa()


@pytest.fixture(scope="module")
def given(portrait, crops) -> np.ndarray:
    return crops(CARD, [portrait(seed) for seed in SEEDS])


def test_outputs_are_what_the_card_says(expert: Tddfa, given: np.ndarray) -> None:
    seen = expert.observe(given)
    shapes = {"identity": (40,), "expression": (10,), "pose_deg": (3,), "landmarks": (68, 3)}
    assert set(seen) == set(CARD.outputs) == set(shapes)
    for name, values in seen.items():
        assert values.shape == (len(SEEDS), *shapes[name])
        assert values.dtype == np.float32
        assert CARD.outputs[name].startswith(str(shapes[name]))


def test_coefficients_are_in_standard_deviations(expert: Tddfa, given: np.ndarray) -> None:
    seen, raw = expert.observe(given), expert.coefficients(given)
    statistics = load_arrays(assets.path("tddfa-param-stats"))
    mean, std = statistics["mean"], statistics["std"]
    np.testing.assert_allclose(seen["identity"] * std[12:52] + mean[12:52], raw.identity, rtol=1e-4, atol=1)
    np.testing.assert_allclose(seen["expression"] * std[52:] + mean[52:], raw.expression, rtol=1e-4, atol=1e-3)
    assert 0.1 < np.abs(seen["identity"]).mean() < 2


def test_landmarks_lie_where_mediapipe_sees_them(expert: Tddfa, portrait) -> None:
    mediapipe, detector = Landmarker(), Detector()
    # Eye corners, nose tip, mouth corners, chin.
    ibug, mesh = [36, 39, 42, 45, 30, 48, 54, 8], [33, 133, 362, 263, 4, 61, 291, 152]
    for seed in SEEDS:
        frame = portrait(seed)
        face = detector.choose(frame)
        points = []
        for one, index in ((expert, ibug), (mediapipe, mesh)):
            crop, matrix = templates.take(frame, face, one.card.crop)
            landmarks = one.observe(crop[None])["landmarks"][0, index, :2]
            points.append(align.apply(align.invert(matrix), landmarks))
        between_eyes = np.linalg.norm(points[1][0] - points[1][3])
        assert np.linalg.norm(points[0] - points[1], axis=1).mean() < 0.1 * between_eyes


def test_mirrored_crops_give_mirrored_landmarks_without_a_shift(expert: Tddfa, given: np.ndarray) -> None:
    left, right = [36, 39, 31, 48, 0], [45, 42, 35, 54, 16]
    plain = expert.observe(given)["landmarks"]
    mirrored = expert.observe(np.ascontiguousarray(given[..., ::-1]))["landmarks"]
    sums = mirrored[:, left + right, 0] + plain[:, right + left, 0]
    assert sums.mean() == pytest.approx(CARD.crop.size - 1, abs=0.7)


def test_a_row_depends_on_its_crop_alone(expert: Tddfa, given: np.ndarray) -> None:
    together, reversed_ = expert.observe(given), expert.observe(given[::-1])
    for name, values in together.items():
        np.testing.assert_array_equal(reversed_[name][::-1], values)
        np.testing.assert_array_equal(expert.observe(given[1:2])[name][0], values[1])
    assert expert.observe(given[:0])["landmarks"].shape == (0, 68, 3)


def test_channel_order_matters(expert: Tddfa, given: np.ndarray) -> None:
    swapped = expert.observe(np.ascontiguousarray(given[:, ::-1]))
    assert np.abs(swapped["identity"] - expert.observe(given)["identity"]).max() > 0.1


def test_module_agrees_with_the_expert(expert: Tddfa, given: np.ndarray) -> None:
    expected, module = expert.coefficients(given), tddfa_module("cpu")
    for ours, theirs in zip(module(torch.tensor(given)), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


def test_gradient_flows_from_the_landmarks_to_the_picture(given: np.ndarray) -> None:
    module, model = tddfa_module("cpu"), load_tddfa().only_keypoints().to_torch()
    image = torch.tensor(given, requires_grad=True)
    camera, identity, expression = module(image)
    project(model.shape(identity, expression), camera).square().mean().backward()
    assert (image.grad.abs().amax(dim=(1, 2, 3)) > 0).all()
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_module_gives_float32_under_autocast(given: np.ndarray) -> None:
    module = tddfa_module("cpu")
    with torch.autocast("cpu", torch.bfloat16):
        rounded = module(torch.tensor(given))
    assert {part.dtype for part in rounded} == {torch.float32}
    exact = module(torch.tensor(given))
    assert torch.cosine_similarity(rounded.identity, exact.identity).min() > 0.99


def test_bad_crops_are_refused(expert: Tddfa) -> None:
    with pytest.raises(ValueError, match=r"3ddfa takes crops of shape \(B, 3, 120, 120\); given \(1, 3, 112, 112\)"):
        expert.observe(np.zeros((1, 3, 112, 112), np.float32))
