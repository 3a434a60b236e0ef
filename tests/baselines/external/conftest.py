from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from baselines.external import external
from baselines.external.swapper import External
from hifibench.contracts import MethodKind
from hifibench.pipeline.swap import loaded

Start = Callable[..., External]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "mine"


@pytest.fixture
def start(tmp_path: Path, logs: Path) -> Iterator[Start]:
    """``start(table)`` gives a started method of the kind ``external``; it is stopped at the end."""
    with ExitStack() as stack:

        def begin(table: dict[str, Any], kind: MethodKind = external, device: str = "cpu") -> External:
            swapper = stack.enter_context(loaded(kind.make("mine", table, tmp_path), device, logs))
            assert isinstance(swapper, External)
            return swapper

        yield begin


@pytest.fixture
def no_children() -> Iterator[None]:
    """Nothing that a test starts may be left, dead or alive."""
    import psutil

    def children() -> list[psutil.Process]:
        return [one for one in psutil.Process(os.getpid()).children(recursive=True) if "python" in one.name()]

    before = children()
    yield
    assert [one for one in children() if one not in before] == []
