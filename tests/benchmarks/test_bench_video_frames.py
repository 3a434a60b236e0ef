"""Ten frames of a video against decoding all of it. Run with ``tox -e benchmarks``.

The video is as those of FaceForensics++: 300 frames of 1280x720, H.264, a key frame every 250 frames. *Decoding* is
FFmpeg with its threads, from the first frame to the last, without turning any picture into RGB.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import clip
from mini_release import encode
from pytest_benchmark.fixture import BenchmarkFixture

from hifibench.data.video import Video, evenly
from hifibench.records import Frame

FRAMES, SAMPLED, ROUNDS = 300, 10, 7
SHARE = 1.5


def pictures() -> Iterator[Frame]:
    """Detail that moves, 1280x720, so that the decoder has something to do."""
    rng = np.random.default_rng(0)
    detail = cv2.GaussianBlur(rng.integers(0, 256, (360, 360, 3), np.uint8), (0, 0), 3)
    stretched = cv2.normalize(detail, None, 0, 255, cv2.NORM_MINMAX)
    for frame in clip(np.asarray(stretched, np.uint8), FRAMES, 0, 720):
        yield np.concatenate([frame[:, :280], frame, frame[:, :280]], axis=1)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("video") / "clip.mp4", pictures(), crf=23, gop=250)


def decode(path: Path) -> None:
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        assert sum(1 for _ in container.decode(video=0)) == FRAMES


def sample(path: Path) -> None:
    video = Video(path)
    for index in evenly(FRAMES, SAMPLED):
        assert video.frame(index).shape == (720, 1280, 3)
    video.close()


def seconds(function: Callable[[Path], None], path: Path) -> float:
    begin = time.perf_counter()
    function(path)
    return time.perf_counter() - begin


def test_ten_frames_of_three_hundred(benchmark: BenchmarkFixture, video: Path) -> None:
    plain: list[float] = []
    taken: list[float] = []

    def both() -> None:
        # In turns, so that whatever else the machine does falls on both.
        plain.append(seconds(decode, video))
        taken.append(seconds(sample, video))

    benchmark.pedantic(both, rounds=ROUNDS, warmup_rounds=1)
    share = statistics.median(taken[1:]) / statistics.median(plain[1:])
    benchmark.extra_info.update(
        decode_s=statistics.median(plain[1:]), sample_s=statistics.median(taken[1:]), share=share
    )
    print(f"\ndecoding {min(plain):.3f} s, {SAMPLED} frames {min(taken):.3f} s at best; {share:.2f} of the time")
    assert share <= SHARE
