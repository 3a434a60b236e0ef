"""Pairs that are scored together, where a metric allows it: so few that memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hifibench.records import Manifest

BLOCK = 1024
"""Pairs of a block."""

Rows = NDArray[np.int64]
"""Places of pairs, or of images, in the manifest."""


def cut(manifest: Manifest, whole_clips: bool) -> Iterator[Rows]:
    """All pairs, some at a time, in ascending order within each block; the same for every method.

    Args:
        manifest: of the run.
        whole_clips: keep together what has one source (its video) and one target video.

    Yields:
        At most `BLOCK` rows; more only where a clip has more.
    """
    rows = np.arange(len(manifest.pairs))
    if not whole_clips:
        yield from np.split(rows, range(BLOCK, len(rows), BLOCK))
        return
    videos: dict[str, int] = {}
    source, target = (
        np.array([videos.setdefault(manifest.image(name).video, len(videos)) for name in names], np.int64)
        for names in ([pair.source for pair in manifest.pairs], [pair.target for pair in manifest.pairs])
    )
    _, first, clip, sizes = np.unique(
        source * len(videos) + target, return_index=True, return_inverse=True, return_counts=True
    )
    # Clip after clip, in the order in which they begin, until a block is full.
    block, number, filled = np.zeros(len(sizes), np.int64), 0, 0
    for one in np.argsort(first):
        if filled and filled + sizes[one] > BLOCK:
            number, filled = number + 1, 0
        filled += sizes[one]
        block[one] = number
    of_row = block[clip]
    order = np.argsort(of_row, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(of_row[order])) + 1)
