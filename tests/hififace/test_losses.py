from __future__ import annotations

import numpy as np
import pytest
import torch

from hifibench.hififace import losses
from hifibench.hififace.config import TDDFA, Config
from hifibench.hififace.discriminator import Discriminator
from hifibench.hififace.identity import Coefficients, fuse, interpolate, v_sid


def test_weights_are_the_papers() -> None:
    assert losses.Weights() == (0.5, 5, 100, 20, 1, 5, 1)


def test_shape_is_the_mean_over_landmarks_of_l1_distances() -> None:
    rng = np.random.default_rng(0)
    fuse_, r, low = rng.standard_normal((3, 2, 68, 3))
    expected = np.abs(fuse_ - r).sum(-1).mean() + np.abs(fuse_ - low).sum(-1).mean()
    found = losses.loss_shape(*(torch.from_numpy(q) for q in (fuse_, r, low)))
    assert float(found) == pytest.approx(expected)


def test_id_is_zero_for_the_same_four_for_opposite_and_free_of_length() -> None:
    v = torch.randn(4, 512, generator=torch.Generator().manual_seed(0))
    assert float(losses.loss_id(v, 3 * v, v / 2)) == pytest.approx(0, abs=1e-6)
    assert float(losses.loss_id(v, -v, -v)) == pytest.approx(4, abs=1e-6)
    assert float(losses.loss_id(v, v, -v)) == pytest.approx(2, abs=1e-6)


def test_seg_compares_each_mask_at_its_own_size() -> None:
    m_tar = torch.zeros(1, 1, 8, 8)
    m_tar[..., :4] = 1
    m_low = torch.zeros(1, 1, 2, 2)
    m_low[..., 0] = 1
    assert float(losses.loss_seg(m_tar, m_low, m_tar)) == 0
    assert float(losses.loss_seg(m_tar, 1 - m_low, m_tar)) == 1
    assert float(losses.loss_seg(m_tar, m_low, torch.zeros_like(m_tar))) == 0.5


def test_rec_counts_pairs_of_one_identity_only() -> None:
    i_t, i_r = torch.zeros(2, 3, 8, 8), torch.ones(2, 3, 8, 8)
    i_low = torch.zeros(2, 3, 2, 2)
    assert float(losses.loss_rec(i_r, i_low, i_t, torch.tensor([False, False]))) == 0
    assert float(losses.loss_rec(i_r, i_low, i_t, torch.tensor([True, False]))) == 0.5
    assert float(losses.loss_rec(i_r, i_low + 1, i_t, torch.tensor([True, True]))) == 2


def test_cyc_is_the_mean_absolute_difference() -> None:
    assert float(losses.loss_cyc(torch.full((1, 3, 4, 4), 0.75), torch.full((1, 3, 4, 4), 0.5))) == 0.25


def test_adversarial_losses_are_logs_of_sigmoids() -> None:
    real, fake = torch.tensor([2.0, -1.0]), torch.tensor([0.5, -3.0])
    sigmoid = torch.sigmoid
    torch.testing.assert_close(losses.loss_adv_g(fake), -sigmoid(fake).log().mean())
    torch.testing.assert_close(
        losses.loss_adv_d(real, fake), -sigmoid(real).log().mean() - (1 - sigmoid(fake)).log().mean()
    )
    # The log-D trick: where D is sure of a fake, G still gets a gradient.
    sure = torch.tensor([-20.0], requires_grad=True)
    losses.loss_adv_g(sure).backward()
    assert sure.grad is not None and float(sure.grad) == pytest.approx(-1, abs=1e-3)


def test_r1_of_a_linear_discriminator_is_half_its_squared_weight() -> None:
    weight = torch.randn(3, 5, 5, generator=torch.Generator().manual_seed(1))
    real = torch.rand(4, 3, 5, 5, requires_grad=True)
    penalty = losses.penalty_r1((real * weight).sum((1, 2, 3)), real)
    torch.testing.assert_close(penalty.detach(), 0.5 * weight.square().sum())


def test_r1_reaches_the_discriminators_weights() -> None:
    torch.manual_seed(0)
    network, real = Discriminator(Config(size=128, width=1 / 16)), torch.rand(2, 3, 128, 128, requires_grad=True)
    losses.penalty_r1(network(real), real).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for n, p in network.named_parameters() if "weight" in n)


def coefficients(value: float) -> Coefficients:
    return Coefficients(
        torch.full((2, 40), float(value)), torch.full((2, 10), float(value)), torch.full((2, 3), float(value))
    )


def test_c_fuse_takes_identity_from_the_source_and_the_rest_from_the_target() -> None:
    mixed = fuse(coefficients(1), coefficients(2))
    assert [float(part.mean()) for part in mixed] == [1, 2, 2]


def test_v_sid_is_c_fuse_then_v_id() -> None:
    v_id = torch.nn.functional.normalize(torch.randn(2, 512))
    config = Config(face_model=TDDFA)
    v = v_sid(fuse(coefficients(1), coefficients(2)), v_id, config)
    assert v.shape == (2, config.style_dim)
    torch.testing.assert_close(v[:, 53:].square().mean(1), torch.ones(2))
    torch.testing.assert_close(torch.nn.functional.normalize(v[:, 53:]), v_id)
    assert float(v[:, :40].mean()) == 1 and float(v[:, 40:50].mean()) == 2
    np.testing.assert_allclose(v[:, 50:53], np.full((2, 3), np.degrees(2) / 10), rtol=1e-6)
    assert torch.equal(v_sid(coefficients(0), v_id, Config(face_model=TDDFA, variant="n3d")), v[:, 53:])


def test_coefficients_of_another_face_model_are_refused() -> None:
    with pytest.raises(ValueError, match="was made for"):
        v_sid(coefficients(0), torch.zeros(2, 512), Config())


def test_interpolation_moves_identity_alone() -> None:
    between = interpolate(coefficients(1), coefficients(3), 0.5, 0.5)
    assert [float(part.mean()) for part in between] == [2, 3, 3]


def test_a_feathered_mask_rises_from_the_edge_inwards() -> None:
    mask = torch.zeros(1, 1, 32, 32)
    mask[..., 8:] = 1
    soft = losses.feathered(mask, ramp=4)
    assert torch.equal(soft[0, 0, 16], soft[0, 0, 3]), "the frame's edge is no edge of the mask"
    expected = [0.0] * 8 + [1 / 9, 3 / 9, 5 / 9, 7 / 9] + [1.0] * 20
    torch.testing.assert_close(soft[0, 0, 16], torch.tensor(expected))
    assert losses.feathered(mask, ramp=0) is mask
