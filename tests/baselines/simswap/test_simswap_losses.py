"""SimSwap's losses in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from baselines.simswap import losses

EYE = torch.eye(512)


def features(*values: float, logit: float = 0.0, grad: bool = False) -> list[Tensor]:
    """A scale's layers, each constant and each of another shape, last its logits."""
    layers = [torch.full((2, 3 + i, 4 - i, 4 - i), float(value)) for i, value in enumerate(values)]
    return [layer.requires_grad_(grad) for layer in (*layers, torch.full((2, 1, 2, 2), logit))]


def test_the_papers_weights_are_the_defaults() -> None:
    assert losses.Weights()._asdict() == {"id": 10, "rec": 10, "adv": 1, "wfm": 10}


@pytest.mark.parametrize(("v_r", "expected"), [(EYE[:1], 0.0), (3 * EYE[:1], 0.0), (EYE[1:2], 1.0), (-EYE[:1], 2.0)])
def test_identity_is_one_minus_the_cosine(v_r: Tensor, expected: float) -> None:
    assert losses.loss_id(v_r, EYE[:1]).item() == pytest.approx(expected, abs=1e-6)


def test_identity_is_the_mean_over_the_batch() -> None:
    assert losses.loss_id(EYE[:2], EYE[[0, 2]]).item() == pytest.approx(0.5)


def test_reconstruction_counts_pairs_of_one_person_alone() -> None:
    i_t = torch.zeros(4, 3, 2, 2)
    i_r = i_t + torch.tensor([0.1, 0.2, 0.4, 0.8])[:, None, None, None]
    assert losses.loss_rec(i_r, i_t, torch.tensor([True, False, True, False])).item() == pytest.approx(0.5 / 4)
    assert losses.loss_rec(i_r, i_t, torch.zeros(4, dtype=torch.bool)).item() == 0


def test_weak_feature_matching_leaves_out_first_layers_and_logits_and_sums_the_rest() -> None:
    d_t = [features(0, 0, 0, 0), features(0, 0, 0, 0)]
    d_r = [features(9, 1, -2, 4, logit=7), features(9, 0.5, 1, 2, logit=7)]
    assert losses.loss_wfm(d_r, d_t, 1).item() == pytest.approx(1 + 2 + 4 + 0.5 + 1 + 2)
    assert losses.loss_wfm(d_r, d_t, 3).item() == pytest.approx(4 + 2)


def test_weak_feature_matching_pulls_at_the_swap_alone() -> None:
    d_r, d_t = [features(1, 1, grad=True)], [features(0, 0, grad=True)]
    losses.loss_wfm(d_r, d_t, 1).backward()
    assert d_r[0][1].grad is not None
    torch.testing.assert_close(d_r[0][1].grad, torch.full_like(d_r[0][1], 1 / d_r[0][1].numel()))
    assert d_r[0][0].grad is None and d_t[0][1].grad is None


def test_the_hinge_of_both_sides_is_the_mean_over_the_scales() -> None:
    real, fake = [features(logit=0.5), features(logit=2.0)], [features(logit=0.5), features(logit=-3.0)]
    assert losses.loss_adv_d(real, fake).item() == pytest.approx(((0.5 + 1.5) + (0 + 0)) / 2)
    assert losses.loss_adv_g(fake).item() == pytest.approx((-0.5 + 3) / 2)


def test_the_gradient_penalty_of_a_linear_discriminator_is_known() -> None:
    rng = torch.Generator().manual_seed(0)
    slopes = [torch.randn(3, 4, 4, generator=rng).requires_grad_() for _ in range(2)]
    i = torch.rand(2, 3, 4, 4, generator=rng).requires_grad_()
    penalty = losses.loss_gp([[i, (slope * i).sum((1, 2, 3))] for slope in slopes], i)
    expected = sum((slope.detach().norm() - 1) ** 2 for slope in slopes) / 2
    assert penalty.item() == pytest.approx(float(expected), rel=1e-5)
    penalty.backward()
    norm = slopes[0].detach().norm()
    torch.testing.assert_close(slopes[0].grad, (norm - 1) * slopes[0].detach() / norm)


def test_points_between_lie_on_the_lines_each_at_a_place_of_its_own() -> None:
    torch.manual_seed(0)
    i = losses.between(torch.ones(64, 3, 2, 2), torch.zeros(64, 3, 2, 2).bfloat16())
    places = i.detach()[:, 0, 0, 0]
    assert i.requires_grad and i.is_leaf and i.dtype == torch.float32
    assert torch.equal(i.detach(), places[:, None, None, None].expand_as(i))
    assert 0 <= places.min() < 0.2 and 0.8 < places.max() <= 1
