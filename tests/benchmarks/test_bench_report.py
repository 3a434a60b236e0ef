"""The report of a finished run: of the size of the demo within 20 s, of 10,000 pairs within 3 minutes and 200 MB."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import large_run
import pytest

from hifibench.records import Frame
from reports import parts, read, tables, write
from reports.page import page

PEOPLE = 40
SMALL, SMALL_LIMIT_S, SMALL_LIMIT_BYTES = 100, 20.0, 15_000_000
LARGE, LARGE_LIMIT_S, LARGE_LIMIT_BYTES = 10_000, 180.0, 200_000_000
OPEN_LIMIT_S = 2.0


@pytest.fixture(scope="module")
def faces(portrait: Callable[..., Frame]) -> list[Frame]:
    return [portrait(seed) for seed in range(PEOPLE)]


def test_a_report_of_a_hundred_pairs(benchmark: Any, faces: list[Frame], tmp_path: Path) -> None:
    run = large_run.write(tmp_path / "run", SMALL, faces=faces)
    benchmark.pedantic(write.write_all, (run,), rounds=2)
    size = (run / "report" / "index.html").stat().st_size
    print(f"report of {SMALL} pairs: {benchmark.stats.stats.max:.1f} s, page {size / 1e6:.1f} MB")
    assert size <= SMALL_LIMIT_BYTES
    assert benchmark.stats.stats.max <= SMALL_LIMIT_S


def test_the_page_of_ten_thousand_pairs(benchmark: Any, faces: list[Frame], tmp_path: Path) -> None:
    folder = large_run.write(tmp_path / "run", LARGE, faces=faces)

    def make() -> list[Path]:
        run = read.run(folder)
        table = tables.build(run)
        return page.write(run, table, None, None, parts.build(run, table), folder / "report")

    files = benchmark.pedantic(make, rounds=1)
    beside = sum(path.stat().st_size for path in files[:-1])
    opened = _opens(files[-1])
    print(
        f"page of {LARGE} pairs: {benchmark.stats.stats.max:.0f} s, {beside / 1e6:.0f} MB beside it, "
        f"opens in {opened:.2f} s"
    )
    assert beside <= LARGE_LIMIT_BYTES
    assert benchmark.stats.stats.max <= LARGE_LIMIT_S
    assert opened <= OPEN_LIMIT_S


def _opens(file: Path) -> float:
    """Seconds until a fresh browser has loaded the page and all that it reads."""
    from playwright.sync_api import sync_playwright

    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium to open the page in")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        tab = chromium.new_page()
        tab.goto("about:blank")
        begin = time.perf_counter()
        tab.goto(file.resolve().as_uri(), wait_until="load")
        seconds = time.perf_counter() - begin
        chromium.close()
    return seconds
