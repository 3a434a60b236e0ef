"""Weights that fit by name and shape, and are none all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hifibench.errors import UsageError
from hifibench.experts import checkpoint

FILE = Path("weights.pth")


def weights(**changes: Tensor) -> dict[str, Tensor]:
    return {"weight": torch.ones(2, 3), "bias": torch.zeros(2), **changes}


def test_whatever_fits_becomes_a_frozen_network_in_single_precision() -> None:
    network = checkpoint.fill(nn.Linear(3, 2), weights(weight=torch.ones(2, 3, dtype=torch.float64)), FILE, "it")
    assert network.weight.dtype == torch.float32 and not network.weight.requires_grad and not network.training


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_finite_number_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match=r"weights\.pth: bias holds something else than finite numbers"):
        checkpoint.fill(nn.Linear(3, 2), weights(bias=torch.tensor([0.0, value])), FILE, "it")


@pytest.mark.parametrize(
    ("bias", "message"),
    [
        (torch.zeros(2, dtype=torch.complex64), "bias holds torch.complex64 in the layout torch.strided"),
        (torch.zeros(2).to_sparse(), "bias holds torch.float32 in the layout torch.sparse_coo"),
    ],
)
def test_tensors_of_another_kind_are_refused(bias: Tensor, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace(".", r"\.")):
        checkpoint.fill(nn.Linear(3, 2), weights(bias=bias), FILE, "it")
