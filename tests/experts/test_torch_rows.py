"""Rows of torch networks: alone on a processor, in batches that change no bit of them where that holds."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hifibench.errors import MissingError
from hifibench.experts.torch_rows import exact, run_rows

ROWS = np.random.default_rng(1).standard_normal((11, 3, 4, 4)).astype(np.float32)


class Made(nn.Module):
    """A network of one function, which keeps the sizes of the batches it was given."""

    def __init__(self, function: Callable[[Tensor], Tensor | tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.function = function
        self.sizes: list[int] = []

    def forward(self, rows: Tensor) -> Tensor | tuple[Tensor, ...]:
        self.sizes.append(len(rows))
        return self.function(rows)


def two(rows: Tensor) -> tuple[Tensor, Tensor]:
    return rows.flatten(1).sum(1, keepdim=True), rows * 2


def test_on_a_processor_each_row_goes_by_itself_and_is_what_the_network_alone_makes_of_it() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(32, 5)).eval()
    (made,) = run_rows(network, ROWS, "cpu")
    with torch.inference_mode():
        alone = np.concatenate([network(torch.from_numpy(row[None])).numpy() for row in ROWS])
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made, alone)
    counted = Made(two)
    run_rows(counted, ROWS, "cpu")
    assert counted.sizes == [1] * 11


def test_batches_are_always_whole_and_the_network_is_tried_once() -> None:
    network = Made(two)
    sums, doubled = run_rows(network, ROWS, "cpu", batch=4)
    np.testing.assert_array_equal(doubled, ROWS * 2)
    np.testing.assert_array_equal(sums, run_rows(Made(two), ROWS, "cpu")[0])
    tried = len(network.sizes) - 3
    assert set(network.sizes) == {4}
    run_rows(network, ROWS[:1], "cpu", batch=4)
    assert len(network.sizes) == tried + 4


@pytest.mark.parametrize(
    "function",
    [
        lambda rows: rows - rows.mean(0),
        lambda rows: rows + torch.arange(len(rows), device=rows.device).reshape(-1, 1, 1, 1),
        lambda rows: (rows * 1, rows + rows.flip(0)),
        lambda rows: torch.where(rows.flatten(1).any(1).all(), rows, -rows),
    ],
    ids=["beside others", "at other places", "in the second output", "beside zeros"],
)
def test_where_rows_depend_on_their_company_they_go_alone_and_the_log_says_so(
    function: Callable[[Tensor], Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        made = run_rows(Made(function), ROWS, "cpu", batch=4)
    for batched, alone in zip(made, run_rows(Made(function), ROWS, "cpu"), strict=True):
        np.testing.assert_array_equal(batched, alone)
    assert "row by row" in caplog.text


def test_a_batch_that_does_not_fit_is_halved_and_said(caplog: pytest.LogCaptureFixture) -> None:
    def small(rows: Tensor) -> Tensor:
        if len(rows) > 2:
            raise torch.cuda.OutOfMemoryError("too much")
        return rows * 3

    network = Made(small)
    with caplog.at_level(logging.WARNING):
        (made,) = run_rows(network, ROWS, "cpu", batch=8)
    np.testing.assert_array_equal(made, ROWS * 3)
    assert network.sizes[:2] == [8, 4]
    assert set(network.sizes[2:]) == {2}
    assert "4 crops a time do not fit into the GPU's memory; trying 2" in caplog.text


def test_memory_that_is_gone_later_is_told() -> None:
    full = False

    def later(rows: Tensor) -> Tensor:
        if full:
            raise torch.cuda.OutOfMemoryError("too much")
        return rows

    network = Made(later)
    run_rows(network, ROWS, "cpu", batch=4)
    full = True
    with pytest.raises(MissingError, match="4 crops a time do not fit into what is left of the memory of cpu"):
        run_rows(network, ROWS, "cpu", batch=4)


def test_on_a_gpu_products_are_exact_within_the_block_and_settings_come_back() -> None:
    def settings() -> tuple[bool, ...]:
        cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
        return cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32

    before = settings()
    with exact("cpu"):
        assert settings() == before
    with pytest.raises(ValueError, match="inside"), exact("cuda:0"):
        assert settings() == (True, False, False, False)
        raise ValueError("inside")
    assert settings() == before
