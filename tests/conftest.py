"""Fixtures shared by all tests: portraits of people who do not exist, and the command line in a child process."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

from hifibench.records import Frame

# Time says nothing on a machine that does something else besides.
settings.register_profile("hifibench", deadline=None)
settings.load_profile("hifibench")
# How wide texts are is for each test to say; pytest-xdist tells its workers the width of its own terminal.
os.environ.pop("COLUMNS", None)

Completed = subprocess.CompletedProcess[str]


@pytest.fixture(autouse=True, scope="module")
def _memory_given_back() -> Iterator[None]:
    """After every file freed memory goes back to the system: two workers that each keep their peak fill a machine."""
    yield
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@pytest.fixture(scope="session")
def portrait() -> Callable[..., Frame]:
    """``portrait(seed, view=0)`` gives a 512x512 RGB frame, made once and cached."""
    from hifibench.data import portraits

    def load(seed: int, view: int = 0) -> Frame:
        return portraits.load(portraits.uri(seed, view))

    return load


@pytest.fixture
def cli(tmp_path: Path) -> Callable[..., Completed]:
    """``cli("run", "demo", …, expect=0, env={…})`` runs a command in the test's own folder and checks its exit code."""

    def call(*words: str | Path, expect: int = 0, env: Mapping[str, str] | None = None) -> Completed:
        done = subprocess.run(
            [sys.executable, "-m", "hifibench", *map(str, words)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=900,
            env={**os.environ, "COLUMNS": "200", **(env or {})},
        )
        assert done.returncode == expect, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return call


@pytest.fixture
def empty_cache(tmp_path: Path) -> Mapping[str, str]:
    """An environment whose cache holds the asset files and nothing else: no portrait, no observation."""
    from hifibench import assets

    assets.path("scrfd-500m")
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "assets").symlink_to(assets.cache_root() / "assets")
    return {"HIFIBENCH_CACHE": str(cache)}
