"""A release in small, made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mini_release import MiniRelease, mini_ffpp

from baselines.released import ready


@pytest.fixture(scope="session")
def mini_release(tmp_path_factory: pytest.TempPathFactory) -> MiniRelease:
    """FaceSwap and FaceShifter at c23 and c40, numbered frames; not to be written to."""
    return mini_ffpp(tmp_path_factory.mktemp("release"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache, as ``HIFIBENCH_CACHE``."""
    root = tmp_path / "cache"
    monkeypatch.setenv("HIFIBENCH_CACHE", str(root))
    ready._made.cache_clear()
    yield root
    ready._made.cache_clear()
