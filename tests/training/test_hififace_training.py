from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args

import numpy as np
import pytest
import torch
from tiny_hififace import WEIGHTS, tiny_plan, with_teachers
from torch import Tensor, nn
from torch.nn import functional as F

from hifibench.contracts import Crop
from hifibench.faces import templates
from hifibench.faces.detect import Detector
from hifibench.faces.recrop import recrop
from hifibench.hififace.blocks import _fusible, norm_lrelu
from hifibench.hififace.config import Variant
from hifibench.hififace.extractor import ID_CROP, SidExtractor, TddfaModel
from hifibench.hififace.generator import Generated
from hifibench.hififace.identity import Coefficients, v_sid
from hifibench.hififace.losses import Weights, feathered, loss_seg
from hifibench.hififace.method import HifiFaceTraining
from hifibench.training.contract import Batch

VARIANTS = get_args(Variant)
CROP = Crop("ffhq", 128)


@pytest.fixture(scope="module")
def extractor() -> SidExtractor:
    from hifibench.experts.recognition import w600k_module

    return SidExtractor(TddfaModel(), w600k_module())


@pytest.fixture(scope="module")
def perceptual() -> nn.Module:
    from hifibench.experts.perceptual import lpips_module

    return lpips_module("alex")


@pytest.fixture(scope="module")
def batch(portrait: Callable[..., Any]) -> Batch:
    """A pair of two people and a pair of one."""
    detector = Detector()
    frames = [portrait(seed) for seed in (2_000_000_001, 2_000_000_002)]
    crops = [torch.from_numpy(templates.take(frame, detector.choose(frame), CROP)[0]) for frame in frames]
    one, other = (crop.contiguous() for crop in crops)
    mask = torch.zeros(2, 1, 128, 128)
    mask[..., 40:110, 30:98] = 1
    return Batch(torch.stack([one, other.flip(2)]), torch.stack([other, other]), torch.tensor([False, True]), mask)


@pytest.fixture
def method(extractor: SidExtractor, perceptual: nn.Module) -> HifiFaceTraining:
    return seeded("full", extractor, perceptual)


def seeded(variant: Variant, extractor: SidExtractor, perceptual: nn.Module, **changes: Any) -> HifiFaceTraining:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return with_teachers(tiny_plan(variant), extractor, perceptual, **changes)


def gradients(network: nn.Module) -> Iterator[tuple[str, float]]:
    for name, one in network.named_parameters():
        yield name, 0.0 if one.grad is None else float(one.grad.abs().sum())


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_reach_every_weight_in_its_own_turn_and_no_other(
    variant: Variant, extractor: SidExtractor, perceptual: nn.Module, batch: Batch
) -> None:
    method = seeded(variant, extractor, perceptual)
    for turn, other in (method.turns, method.turns[::-1]):
        for network in method.networks.values():
            network.zero_grad(set_to_none=True)
        method.losses(turn, batch, 0).total.backward()
        reached = dict(gradients(method.networks[turn]))
        assert all(value > 0 for value in reached.values()), [name for name, value in reached.items() if not value]
        assert all(np.isfinite(list(reached.values())))
        assert all(one.grad is None for one in method.networks[other].parameters())
    assert all(one.grad is None for one in [*extractor.parameters(), *perceptual.parameters()])


def drawn(method: HifiFaceTraining, source: Tensor, target: Tensor, pose_of: Tensor) -> tuple[Generated, Coefficients]:
    """G with the identity and shape of ``source`` and the expression and pose of ``pose_of``, step by step."""
    extractor = method._extractor
    of_source, of_target = (extractor.face_model(image, CROP).coefficients for image in (source, pose_of))
    c_fuse = Coefficients(of_source.identity, of_target.expression, of_target.pose)
    v_id = extractor.recogniser(recrop(source, CROP, ID_CROP))
    return method.networks["generator"](target, v_sid(c_fuse, v_id, method.config)), c_fuse


@torch.no_grad()
def test_losses_are_those_of_the_paper_computed_one_by_one(
    method: HifiFaceTraining, perceptual: nn.Module, batch: Batch
) -> None:
    losses = method.losses("generator", batch, 0)
    made, c_fuse = drawn(method, batch.source, batch.target, batch.target)
    extractor, low = method._extractor, Crop("ffhq", 32)
    v_s, v_r = (extractor.recogniser(recrop(image, CROP, ID_CROP)) for image in (batch.source, made.i_r))
    v_low = extractor.recogniser(recrop(made.i_low, low, ID_CROP))
    small = F.avg_pool2d(batch.target, 4)
    q_fuse = extractor.face_model.landmarks(c_fuse, extractor.face_model(batch.target, CROP).camera)
    q_r, q_low = extractor.landmarks(made.i_r, CROP), extractor.landmarks(made.i_low, low)
    back, _ = drawn(method, batch.target, made.i_r, made.i_r)
    expected = {
        "id": 2 - (v_s * v_r).sum(1).mean() - (v_s * v_low).sum(1).mean(),
        "shape": ((q_fuse - q_r).abs().sum((1, 2)) + (q_fuse - q_low).abs().sum((1, 2))).mean() / 68,
        "seg": (F.avg_pool2d(batch.mask, 4) - made.m_low).abs().mean() + (batch.mask - made.m_r).abs().mean(),
        # The second pair alone is of one person; the mean is over both.
        "rec": ((made.i_r - batch.target)[1].abs().mean() + (made.i_low - small)[1].abs().mean()) / 2,
        "lpips": perceptual(made.i_r, batch.target).mean(),
        "adv": -method.networks["discriminator"](made.i_r).sigmoid().log().mean(),
        "cyc": (batch.target - back.i_r).abs().mean(),
    }
    assert losses.parts.keys() == expected.keys()
    for name, value in expected.items():
        assert float(losses.parts[name]) == pytest.approx(float(value), rel=1e-4, abs=1e-6), name
    total = sum(WEIGHTS[name] * float(value) for name, value in expected.items())
    assert losses.total.item() == pytest.approx(total, rel=1e-4)
    inside = (made.m_r * batch.mask).sum() / batch.mask.sum()
    outside = (made.m_r * (1 - batch.mask)).sum() / (1 - batch.mask).sum()
    assert float(method.watch()["mask_in_face"]) == pytest.approx(float(inside), rel=1e-4)
    assert float(method.watch()["mask_off_face"]) == pytest.approx(float(outside), rel=1e-4)


def test_the_discriminators_losses_are_those_of_the_paper(method: HifiFaceTraining, batch: Batch) -> None:
    discriminator = method.networks["discriminator"]
    with torch.no_grad():
        made, _ = drawn(method, batch.source, batch.target, batch.target)
        real, fake = discriminator(batch.target), discriminator(made.i_r)
        expected = -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean()
    image = batch.target.clone().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(image).sum(), image)
    penalty = float(slope.flatten(1).norm(dim=1).square().mean() / 2)
    every = tiny_plan().method["r1_every"]
    for step in (0, 1, every):
        method.losses("generator", batch, step)
        losses = method.losses("discriminator", batch, step)
        assert float(losses.parts["adv_d"]) == pytest.approx(float(expected), rel=1e-4)
        if step == 1:
            assert "r1" not in losses.parts and losses.total.item() == pytest.approx(float(expected), rel=1e-4)
        else:  # what is left out in between is made up for
            assert float(losses.parts["r1"]) == pytest.approx(penalty, rel=1e-3)
            assert losses.total.item() == pytest.approx(float(expected) + every * penalty, rel=1e-3)


@pytest.mark.parametrize("every", [1, 2, 16])
def test_a_lazy_penalty_weighs_over_a_round_what_one_in_each_step_does(
    extractor: SidExtractor, perceptual: nn.Module, batch: Batch, every: int
) -> None:
    """Karras et al. (CVPR 2020), Appendix B: every k-th step, times k."""
    gamma = 1e8  # D's slopes are small before it has learned anything: with 1 the sum would round the penalty away
    method = seeded("full", extractor, perceptual, r1=gamma, r1_every=every)
    with torch.no_grad():
        made, _ = drawn(method, batch.source, batch.target, batch.target)
    extra = []
    for step in range(5 * every, 6 * every):
        method._generated = made
        losses = method.losses("discriminator", batch, step)
        extra.append(losses.total.item() - float(losses.parts["adv_d"]))
        assert ("r1" in losses.parts) == (step == 5 * every)
    image = batch.target.clone().requires_grad_()
    (slope,) = torch.autograd.grad(method.networks["discriminator"](image).sum(), image)
    expected = gamma * float(slope.flatten(1).square().sum(1).mean()) / 2
    assert expected > 0.01
    assert sum(extra) / every == pytest.approx(expected, rel=1e-2)


@torch.no_grad()
def test_a_cycle_now_and_then_weighs_as_much_as_one_in_each_step(
    extractor: SidExtractor, perceptual: nn.Module, batch: Batch
) -> None:
    method = seeded("full", extractor, perceptual, cyc_every=3)
    for step in range(4):
        losses = method.losses("generator", batch, step)
        assert ("cyc" in losses.parts) == (step in (0, 3))
        weights = WEIGHTS | {"cyc": 3 * WEIGHTS["cyc"]}
        total = sum(weights[name] * float(value) for name, value in losses.parts.items())
        assert losses.total.item() == pytest.approx(total, rel=1e-4)


def test_rec_is_zero_where_no_pair_is_of_one_person(method: HifiFaceTraining, batch: Batch) -> None:
    for same, zero in (([False, False], True), ([False, True], False)):
        losses = method.losses("generator", batch._replace(same=torch.tensor(same)), 0)
        assert (float(losses.parts["rec"]) == 0) == zero


@torch.no_grad()
def test_masks_are_soft_after_the_first_steps(extractor: SidExtractor, perceptual: nn.Module, batch: Batch) -> None:
    method = seeded("full", extractor, perceptual, feather=1 / 16, first_steps=2)
    made, _ = drawn(method, batch.source, batch.target, batch.target)
    soft = feathered(batch.mask, round(batch.mask.shape[-1] / 16))
    assert not torch.equal(soft, batch.mask)
    for step, mask in ((1, batch.mask), (2, soft)):
        found = method.losses("generator", batch, step).parts["seg"]
        torch.testing.assert_close(found, loss_seg(mask, made.m_low, made.m_r))


def test_the_first_steps_have_weights_of_their_own(
    extractor: SidExtractor, perceptual: nn.Module, batch: Batch
) -> None:
    alone = Weights(shape=0, id=0, seg=3, rec=0, cyc=0, lpips=0, adv=0)
    method = seeded("full", extractor, perceptual, first_weights=alone, first_steps=2)
    for step in (0, 1, 2):
        losses = method.losses("generator", batch, step)
        expected = sum((alone._asdict() if step < 2 else WEIGHTS)[name] * losses.parts[name] for name in WEIGHTS)
        assert losses.total.item() == pytest.approx(float(expected), rel=1e-4)


def test_the_discriminator_answers_the_generator(method: HifiFaceTraining, batch: Batch) -> None:
    with pytest.raises(RuntimeError, match="after the generator's"):
        method.losses("discriminator", batch, 0)


def test_a_swap_for_the_grid_is_that_of_the_losses(method: HifiFaceTraining, batch: Batch) -> None:
    swapped = method.swap(batch.source, batch.target)
    with torch.no_grad():
        made, _ = drawn(method, batch.source, batch.target, batch.target)
    torch.testing.assert_close(swapped, made.i_r, rtol=0, atol=1e-5)
    assert not swapped.requires_grad


@pytest.mark.parametrize("rows", [1, 3])
def test_the_norm_that_can_be_fused_equals_the_plain_one(rows: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 8, 12, 12, generator=generator) * 5 + 2
    scale, shift = (torch.randn(rows, 8, 1, 1, generator=generator) for _ in range(2))
    weight = torch.randn(x.shape, generator=generator)
    found = []
    for function in (norm_lrelu, _fusible):
        given = [one.clone().requires_grad_() for one in (x, scale, shift)]
        value = function(*given)
        found.append([value.detach(), *torch.autograd.grad((value * weight).sum(), given)])
    for plain, fused in zip(*found, strict=True):
        torch.testing.assert_close(fused, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("teacher", ["id", "shape", "lpips"])
def test_teachers_point_the_same_way_in_bfloat16(
    extractor: SidExtractor, perceptual: nn.Module, batch: Batch, teacher: str
) -> None:
    with torch.no_grad():
        v_source, q_source = extractor.identity(batch.source, CROP), extractor.landmarks(batch.source, CROP)

    def slope(bf16: bool) -> Tensor:
        image = batch.target.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = {
                "id": lambda: -F.cosine_similarity(v_source, extractor.identity(image, CROP)).sum(),
                "shape": lambda: (extractor.landmarks(image, CROP) - q_source).abs().sum(),
                "lpips": lambda: perceptual(image, batch.source).sum(),
            }[teacher]()
        (found,) = torch.autograd.grad(loss, image)
        return found.flatten(1).float()

    assert float(F.cosine_similarity(slope(True), slope(False)).min()) > 0.9
