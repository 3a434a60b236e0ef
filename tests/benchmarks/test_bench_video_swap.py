"""Swapping through a video: its memory must not grow with its length. Run with ``tox -e benchmarks``.

Goal: from 60 to 1,200 frames of 256 pixels, with sound, the peak of resident memory grows by at most 30 MB. To keep the
frames would take 224 MB; what the allocator holds differs by some 15 MB from run to run, without any trend (713, 722,
713, 727, 719 MB for 60, 300, 600, 1,200, 1,800 frames).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from hifibench.data import images
from hifibench.records import Frame

GROWTH_LIMIT_MB = 30
SHORT, LONG, SIDE = 60, 1200, 256

_CHILD = """
import json, resource, sys, time
from pathlib import Path
from hifibench.commands_swap import swap_video
source, target, out = map(Path, sys.argv[1:])
begin = time.perf_counter()
swap_video(source, target, out, "source-paste", "cpu", quiet=True)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
Path(out.with_suffix(".json")).write_text(json.dumps({"seconds": time.perf_counter() - begin, "peak_mb": peak}))
"""


def film(path: Path, face: Frame, count: int) -> Path:
    """A face that wanders to and fro, H.264 with AAC."""
    base = Fraction(1, 25)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = SIDE
        stream.pix_fmt, stream.time_base = "yuv420p", base
        stream.codec_context.time_base = base
        sound = container.add_stream("aac", rate=44100)
        small = face[::2, ::2]
        for number in range(count):
            frame = np.roll(small, round(20 * np.sin(number / 10)), axis=1)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            picture.pts, picture.time_base = number, base
            container.mux(stream.encode(picture))
            second = np.random.default_rng(number).integers(-4000, 4000, (1, 2 * 1764)).astype(np.int16)
            heard = av.AudioFrame.from_ndarray(second, format="s16", layout="stereo")
            heard.sample_rate, heard.pts = 44100, number * 1764
            container.mux(sound.encode(heard))
        container.mux(stream.encode())
        container.mux(sound.encode())
    return path


def swapped(source: Path, target: Path, out: Path) -> dict[str, float]:
    """Seconds and peak memory of a process that swaps one video."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, source, target, out], env={**os.environ}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    measured: dict[str, float] = json.loads(out.with_suffix(".json").read_text())
    return measured


def test_memory_is_constant_over_length(benchmark: Any, tmp_path: Path, portrait: Callable[..., Frame]) -> None:
    source = tmp_path / "source.png"
    images.save_png(source, portrait(5))
    short = film(tmp_path / "short.mp4", portrait(3), SHORT)
    long = film(tmp_path / "long.mp4", portrait(3), LONG)
    brief = swapped(source, short, tmp_path / "short-out.mp4")
    lengthy = benchmark.pedantic(swapped, (source, long, tmp_path / "long-out.mp4"), rounds=1)
    growth = lengthy["peak_mb"] - brief["peak_mb"]
    per_frame = (lengthy["seconds"] - brief["seconds"]) / (LONG - SHORT)
    benchmark.extra_info.update(
        peak_short_mb=round(brief["peak_mb"], 1),
        growth_mb=round(growth, 1),
        seconds_per_frame=round(per_frame, 4),
    )
    told = f"{growth:+.1f} MB from {SHORT} to {LONG} frames, {per_frame * 1e3:.0f} ms a frame"
    print(f"\n{brief['peak_mb']:.0f} MB, {told}")
    assert growth <= GROWTH_LIMIT_MB
