"""The option that stores a new baseline of the hot paths."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--store-baseline", action="store_true", help="write tests/benchmarks/hot_paths.json from this run's ratios"
    )
