"""Planning a thousand pairs of frames. Run with ``tox -e benchmarks``.

100 pairs of 100 videos, 10 frames of each, in a folder that ``hifibench data verify ffpp`` has seen; with the search
for the first face in each of 100 videos, and again when that is known too.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from clips import clip
from mini_release import encode
from pytest_benchmark.fixture import BenchmarkFixture

from hifibench import data
from hifibench.data.ffpp_verify import verify
from hifibench.records import Frame
from hifibench.suite import FfppData

VIDEOS, PEOPLE, LENGTH = 100, 4, 24
SECONDS = 30.0


@pytest.fixture
def root(tmp_path: Path, portrait: Callable[..., Frame]) -> Path:
    """Videos of four people under a hundred names, at 512 pixels."""
    folder = tmp_path / "ffpp"
    clips = [encode(tmp_path / f"{one}.mp4", clip(portrait(one), LENGTH, one, 512), crf=23) for one in range(PEOPLE)]
    for number in range(VIDEOS):
        path = folder / f"original_sequences/youtube/c23/videos/{number:03d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        # A byte of its own behind the last box: players pass it over, and no two videos have one content.
        path.write_bytes(clips[number % PEOPLE].read_bytes() + b"\0\0\0\x0cfree" + number.to_bytes(4, "big"))
        for method in ("FaceSwap", "FaceShifter"):
            swap = folder / f"manipulated_sequences/{method}/c23/videos/{number:03d}_{number ^ 1:03d}.mp4"
            swap.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, swap)
    return folder


def test_a_thousand_pairs(
    benchmark: BenchmarkFixture, root: Path, empty_cache: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIFIBENCH_CACHE", empty_cache["HIFIBENCH_CACHE"])
    begin = time.perf_counter()
    assert verify(root).problems == ()
    verified = time.perf_counter() - begin
    described = FfppData(kind="ffpp", root=root)
    made = benchmark.pedantic(data.plan, (described, 0, None), rounds=1)
    assert len(made.pairs) == 10 * VIDEOS and len({ref.content for ref in made.images}) == VIDEOS
    begin = time.perf_counter()
    assert data.plan(described, 0, None) == made
    again = time.perf_counter() - begin
    first = benchmark.stats.stats.max
    benchmark.extra_info.update(verify_s=verified, plan_s=first, again_s=again)
    print(f"\nverify {verified:.1f} s, plan {first:.1f} s, again {again:.2f} s for {len(made.pairs)} pairs")
    assert first <= SECONDS
