"""Finished runs to report on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import finished_run
import pytest


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """``make_run(results=None, examples=2, name="run")`` writes a run folder and returns it."""

    def make(results: dict[str, Any] | None = None, examples: int = 2, name: str = "run") -> Path:
        pictures = [finished_run.picture(index) for index in range(examples + 1)] if examples else []
        return finished_run.write(tmp_path / name, results or finished_run.results(), pictures)

    return make
