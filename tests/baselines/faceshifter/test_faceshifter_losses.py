from __future__ import annotations

import math

import pytest
import torch

from baselines.faceshifter import losses
from baselines.faceshifter.occlusions import occlude


def test_l_adv_is_the_hinge_over_scales() -> None:
    real = [torch.tensor([[[[0.5, 3.0]]]]), torch.tensor([[[[-1.0]]]])]
    fake = [torch.tensor([[[[0.5, -3.0]]]]), torch.tensor([[[[2.0]]]])]
    assert float(losses.loss_adv_g(fake)) == pytest.approx((1.25 - 2.0) / 2)
    # max(0, 1 - real): 0.5, 0 | 2; max(0, 1 + fake): 1.5, 0 | 3.
    assert float(losses.loss_adv_d(real, fake)) == pytest.approx(((0.25 + 0.75) + (2 + 3)) / 2)


def test_l_id_is_one_minus_the_cosine_whatever_the_lengths() -> None:
    z_source = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    z_swap = torch.tensor([[5.0, 0.0], [1.0, 1.0]])
    expected = (0 + 1 - math.sqrt(0.5)) / 2
    assert float(losses.loss_id(z_swap, z_source)) == pytest.approx(expected, abs=1e-6)
    assert float(losses.loss_hear_id(z_swap, z_source)) == pytest.approx(expected, abs=1e-6)


def test_l_att_is_half_the_squared_difference_summed_over_levels() -> None:
    one = [torch.zeros(2, 3, 2, 2), torch.zeros(2, 1, 4, 4)]
    other = [torch.full((2, 3, 2, 2), 2.0), torch.full((2, 1, 4, 4), -3.0)]
    assert float(losses.loss_att(one, other)) == pytest.approx(0.5 * (4 + 9))
    assert float(losses.loss_att(other, one)) == pytest.approx(0.5 * (4 + 9))


def test_l_rec_is_half_the_squared_difference_where_source_and_target_are_one() -> None:
    x_t, y = torch.zeros(4, 3, 2, 2), torch.stack([torch.full((3, 2, 2), float(i)) for i in range(4)])
    same = torch.tensor([False, True, False, True])
    assert float(losses.loss_rec(y, x_t, same)) == pytest.approx(0.5 * (1 + 9) / 4)
    assert float(losses.loss_hear_rec(y, x_t, same)) == pytest.approx(0.5 * (1 + 9) / 4)
    assert float(losses.loss_rec(y, x_t, torch.zeros(4, dtype=torch.bool))) == 0


def test_l_chg_is_the_mean_absolute_change() -> None:
    y_hat = torch.tensor([[[[0.0, 1.0], [2.0, -1.0]]]])
    assert float(losses.loss_hear_chg(y_hat, torch.zeros_like(y_hat))) == pytest.approx(1.0)


def test_weights_are_the_papers() -> None:
    """lambda_att = lambda_rec = 10, lambda_id = 5; HEAR-Net's losses are summed as they are."""
    assert losses.Weights() == losses.Weights(adv=1, att=10, id=5, rec=10, hear_id=1, hear_chg=1, hear_rec=1)


def test_losses_are_taken_in_float32() -> None:
    y, x_t = torch.full((1, 3, 8, 8), 1.0), torch.full((1, 3, 8, 8), 1.0 - 2**-10)
    small = losses.loss_rec(y.bfloat16(), x_t, torch.tensor([True]))
    assert small.dtype == torch.float32 and float(small) == pytest.approx(0.5 * 2**-20, rel=1e-3)


def test_occlusions_leave_everything_else_as_it_was() -> None:
    torch.manual_seed(0)
    x_t = torch.rand(32, 3, 64, 64) * 2 - 1
    occluded, mask = occlude(x_t, 0.5)
    covered = mask.amax((1, 2, 3)) > 0.5
    assert 8 <= int(covered.sum()) <= 24
    torch.testing.assert_close(
        occluded[~covered & (mask.sum((1, 2, 3)) == 0)], x_t[~covered & (mask.sum((1, 2, 3)) == 0)]
    )
    torch.testing.assert_close(occluded * (mask == 0), x_t * (mask == 0))
    changed = ((occluded - x_t).abs().amax(1, keepdim=True) > 1e-3).float()
    assert float((changed * (mask > 0.5)).sum() / (mask > 0.5).sum()) > 0.95
    assert float(occluded.abs().max()) <= 1
    share = mask[covered].mean((1, 2, 3))
    assert float(share.min()) > 0.005 and float(share.max()) < 0.3


def test_occlusions_are_none_or_all_at_the_ends_and_repeat_with_the_seed() -> None:
    x_t = torch.rand(16, 3, 64, 64) * 2 - 1
    torch.testing.assert_close(occlude(x_t, 0.0)[0], x_t)
    made = []
    for _ in range(2):
        torch.manual_seed(3)
        made.append(occlude(x_t, 1.0))
    assert bool((made[0][1].amax((1, 2, 3)) > 0.5).all())
    torch.testing.assert_close(made[0][0], made[1][0], rtol=0, atol=0)
