from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from hifibench.contracts import Crop, SwapperCard
from hifibench.errors import MethodError, MissingError
from hifibench.pipeline.swap import Job, swap_jobs
from hifibench.records import Cost, Face, Frame, Status, Swap

FACE = Face(
    np.array([60, 50, 140, 160], np.float32),
    np.array([[80, 90], [120, 90], [100, 112], [84, 132], [116, 132]], np.float32),
    0.9,
)


def frame(seed: int, height: int = 200, width: int = 210) -> Frame:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def job(seed: int, **changes: object) -> Job:
    fields: dict[str, object] = {
        "source": frame(seed),
        "source_face": FACE,
        "target": frame(seed + 100),
        "target_face": FACE,
    }
    return Job(**{**fields, **changes})  # type: ignore[arg-type]


class Fake:
    """A swapper whose behaviour the test gives."""

    def __init__(self, function, template: str = "ffhq", size: int = 64) -> None:  # type: ignore[no-untyped-def]
        self.card = SwapperCard("fake", "", source=Crop("arcface", 112), target=Crop(template, size))
        self._function = function
        self.batches: list[int] = []

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        self.batches.append(len(target))
        result = self._function(source, target)
        return result if isinstance(result, Swap) else Swap(result, None, (Status.OK,) * len(target))

    def cost(self) -> Cost:
        return Cost(0, 0, None)


def test_a_white_face_lands_on_the_face_and_nowhere_else() -> None:
    (done,) = swap_jobs(Fake(lambda s, t: torch.ones_like(t)), [job(0)])
    assert done.status is Status.OK and done.frame is not None
    assert done.frame[112, 100].tolist() == [255, 255, 255]
    target = job(0).target
    np.testing.assert_array_equal(done.frame[:5], target[:5])
    np.testing.assert_array_equal(done.frame[:, -5:], target[:, -5:])


def test_one_call_serves_all_pairs_of_crops() -> None:
    fake = Fake(lambda s, t: t)
    assert [done.status for done in swap_jobs(fake, [job(i) for i in range(5)])] == [Status.OK] * 5
    assert fake.batches == [5]


def test_whole_frames_come_one_by_one_and_go_back_exactly() -> None:
    fake = Fake(lambda s, t: t, "frame", 0)
    jobs = [job(0), job(1, target=frame(7, 150, 180))]
    done = swap_jobs(fake, jobs)
    assert fake.batches == [1, 1]
    for result, one in zip(done, jobs, strict=True):
        np.testing.assert_array_equal(result.frame, one.target)


def test_a_mask_on_whole_frames_blends_pixel_by_pixel() -> None:
    def left_half(source: Tensor, target: Tensor) -> Swap:
        mask = torch.zeros_like(target[:, :1])
        mask[..., : mask.shape[-1] // 2] = 1
        return Swap(torch.ones_like(target), mask, (Status.OK,))

    (done,) = swap_jobs(Fake(left_half, "frame", 0), [job(0)])
    assert done.frame is not None
    assert (done.frame[:, :105] == 255).all()
    np.testing.assert_array_equal(done.frame[:, 105:], job(0).target[:, 105:])


def test_a_missing_face_never_reaches_the_swapper() -> None:
    fake = Fake(lambda s, t: t)
    done = swap_jobs(fake, [job(0, source_face=None), job(1), job(2, target_face=None)])
    assert [result.status for result in done] == [Status.NO_FACE_SOURCE, Status.OK, Status.NO_FACE_TARGET]
    assert fake.batches == [1]
    assert done[0].frame is None and np.isnan(done[0].seconds)


def test_a_pair_that_breaks_the_swapper_loses_only_itself() -> None:
    poison = job(3, source=np.zeros((200, 210, 3), np.uint8))

    def swap(source: Tensor, target: Tensor) -> Tensor:
        if any(float(row.max()) == 0 for row in source):
            raise RuntimeError("black source")
        return target

    done = swap_jobs(Fake(swap), [job(0), poison, job(1)])
    assert [result.status for result in done] == [Status.OK, Status.FAILED, Status.OK]
    assert done[1].message == "RuntimeError: black source"


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda s, t: t[:, :, ::2], "shape"),
        (lambda s, t: t[:, :1], "shape"),
        (lambda s, t: t * 255, r"expected \[0, 1\]"),
        (lambda s, t: t * 2 - 1, r"expected \[0, 1\]"),
        (lambda s, t: t * float("nan"), r"expected \[0, 1\]"),
        (lambda s, t: Swap(t, None, ()), "statuses"),
        (lambda s, t: Swap(t, None, ("ok",)), "the status 'ok'"),
        (lambda s, t: t.round().to(torch.uint8), "torch.uint8, expected torch.float32"),
        (lambda s, t: t.double(), "torch.float64"),
        (lambda s, t: Swap(t.numpy(), None, (Status.OK,)), "expected torch.float32"),
        (lambda s, t: Swap(t, t[:, :1] > 0.5, (Status.OK,)), "masks of type torch.bool"),
        (lambda s, t: None, "NoneType"),
        (lambda s, t: Swap(t, t[:, :, :3, :3], (Status.OK,) * len(t)), "masks"),
        (lambda s, t: Swap(t, t[:, :1] * 9, (Status.OK,) * len(t)), "mask values"),
    ],
)
def test_a_broken_contract_is_a_failure_that_says_why(function, message: str) -> None:  # type: ignore[no-untyped-def]
    import re

    (done,) = swap_jobs(Fake(function), [job(0)])
    assert done.status is Status.FAILED and done.frame is None
    assert re.search(message, done.message)


def test_a_face_that_gives_no_crop_loses_only_its_pair() -> None:
    flat = Face(FACE.box, np.full((5, 2), 100, np.float32), 0.9)
    done = swap_jobs(Fake(lambda s, t: t), [job(0), job(1, target_face=flat), job(2)])
    assert [result.status for result in done] == [Status.OK, Status.FAILED, Status.OK]
    assert "one spot" in done[1].message


def test_images_that_carry_gradients_are_taken() -> None:
    (done,) = swap_jobs(Fake(lambda s, t: t.clone().requires_grad_()), [job(0)])
    assert done.status is Status.OK


def test_what_is_missing_or_wrong_whatever_the_pair_is_an_error_of_the_method() -> None:
    def swap(source: Tensor, target: Tensor) -> Tensor:
        raise MissingError("weights.bin is not there")

    with pytest.raises(MethodError, match="weights") as missing:
        swap_jobs(Fake(swap), [job(0), job(1)])
    with pytest.raises(MethodError, match="Did you mean 'ffhq'") as wrong:
        swap_jobs(Fake(lambda s, t: t, "ffhqq"), [job(0)])
    assert (missing.value.exit_code, wrong.value.exit_code) == (3, 2)


def test_the_swappers_own_messages_are_kept() -> None:
    swap = lambda s, t: Swap(t, None, (Status.OK, Status.TIMED_OUT), ("", "took 9 s"))  # noqa: E731
    done = swap_jobs(Fake(swap), [job(0), job(1)])
    assert [(result.status, result.message) for result in done] == [(Status.OK, ""), (Status.TIMED_OUT, "took 9 s")]
    # Tried again one by one, since a batch that breaks the contract may be one pair's fault.
    long = lambda s, t: Swap(t, None, (Status.FAILED,) * len(t), ("why", "why else"))  # noqa: E731
    assert swap_jobs(Fake(long), [job(0)])[0].message == "ValueError: returned 2 messages for 1 pairs"


def test_the_swappers_own_status_is_kept() -> None:
    swap = lambda s, t: Swap(t, None, (Status.OK, Status.NO_FACE_SOURCE))  # noqa: E731
    done = swap_jobs(Fake(swap), [job(0), job(1)])
    assert [result.status for result in done] == [Status.OK, Status.NO_FACE_SOURCE]
    assert done[1].frame is None


def test_source_and_target_are_not_exchanged() -> None:
    seen: dict[str, tuple[int, ...]] = {}

    def swap(source: Tensor, target: Tensor) -> Tensor:
        seen["source"], seen["target"] = tuple(source.shape[1:]), tuple(target.shape[1:])
        seen["red"] = (
            int(source[0, 0].mean() > source[0, 2].mean()),
            int(target[0, 2].mean() > target[0, 0].mean()),
        )
        return target

    red, blue = np.zeros((200, 210, 3), np.uint8), np.zeros((200, 210, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    swap_jobs(Fake(swap), [job(0, source=red, target=blue)])
    assert seen == {"source": (3, 112, 112), "target": (3, 64, 64), "red": (1, 1)}
