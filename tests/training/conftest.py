"""Fixtures of the training tests: one thread, and faces of 16 pixels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from tiny_training import write_faces


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums over several threads need not come out alike in two processes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def own_accelerator() -> Iterator[None]:
    """What accelerate keeps for the process is the first training's precision; here each test has its own."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared set of four people with 3, 3, 2 and 1 images."""
    return write_faces(tmp_path_factory.mktemp("faces"))
