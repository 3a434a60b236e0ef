"""Many portraits at once, rendered in batches on a GPU: training data, not what an evaluation looks at.

The seeds, styles, steps and the rule of acceptance are those of `hifibench.data.portraits` and
`hifibench.data.views`; only the networks run in torch. A pixel may therefore differ by rounding from that of
`portraits.load` (on the CPU one value in 9,000 does, by one level; on CUDA not measured, see
`hifibench.data.generator_torch` on TF32), and a move whose likeness lies on the very threshold may be judged otherwise.
So nothing here reads or writes the cache of portraits.

The detector stays on the CPU, on as many threads as there are cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from hifibench.data import style_space, views
from hifibench.data.seeds import parse
from hifibench.experts.recognition import W600K, w600k_module
from hifibench.faces import templates
from hifibench.faces.detect import Detector
from hifibench.records import Floats, Frame

if TYPE_CHECKING:
    from hifibench.data.generator_torch import TorchGenerator

CHUNK = 64
"""Portraits that are under way together: their frames are kept in memory until all of them are done."""

Recognise = Callable[[Iterable[Frame]], list[Floats | None]]
"""Frames to ``(512,)`` unit vectors, ``None`` for a frame without a face."""


def frames(uris: Sequence[str], device: str, batch: int = 8) -> Iterator[Frame]:
    """Portraits one after the other, as `hifibench.data.portraits.load_many` gives them but for rounding.

    Args:
        uris: ``portrait:seed=<seed>;view=<view>``; views of one seed are made quickest if they stand together.
        device: as torch names it.
        batch: most images that the networks see at once.

    Yields:
        ``(512, 512, 3)`` uint8 RGB, in the order of ``uris``.

    Raises:
        UsageError: a name is malformed; before the first portrait is made.
        MissingError: an asset is absent.
    """
    wanted = [parse(uri) for uri in uris]
    return _frames(wanted, device, batch)


def _frames(wanted: Sequence[tuple[int, int]], device: str, batch: int) -> Iterator[Frame]:
    from hifibench.data.generator_torch import TorchGenerator

    network = TorchGenerator(device, batch=batch)
    with ThreadPoolExecutor() as threads:
        recognise = _recogniser(device, batch, threads)
        for start in range(0, len(wanted), CHUNK):
            yield from chunk(wanted[start : start + CHUNK], network, recognise)


def chunk(wanted: Sequence[tuple[int, int]], network: TorchGenerator, recognise: Recognise) -> list[Frame]:
    """What `hifibench.data.views.make` does for one view, for many of them attempt by attempt.

    Args:
        wanted: seeds and views.
        network: gives styles and frames.
        recognise: tells whether a moved face still shows the same person.

    Returns:
        ``(H, W, 3)`` uint8 RGB for each of ``wanted``: the first of at most `views.ATTEMPTS` moved faces that is alike
        enough, else the unmoved one.
    """
    seeds = list(dict.fromkeys(seed for seed, _ in wanted))
    styles = dict(zip(seeds, network.styles(seeds), strict=True))
    unmoved = dict(zip(seeds, network.render(np.stack(list(styles.values()))), strict=True))
    moved = list(dict.fromkeys(seed for seed, view in wanted if view))
    known = dict(zip(moved, recognise([unmoved[seed] for seed in moved]), strict=True))
    made = {(seed, view): unmoved[seed] for seed, view in wanted}
    left = [(seed, view) for seed, view in made if view and known[seed] is not None]
    directions = style_space.shipped().directions
    for attempt in range(1, views.ATTEMPTS + 1):
        if not left:
            break
        moves = [styles[seed] + views.steps(seed, view, attempt) @ directions for seed, view in left]
        rendered = network.render(np.stack(moves))
        seen = recognise(rendered)
        alike = [_alike(known[seed], face) for (seed, _), face in zip(left, seen, strict=True)]
        made |= {one: frame for one, frame, kept in zip(left, rendered, alike, strict=True) if kept}
        left = [one for one, kept in zip(left, alike, strict=True) if not kept]
    return [made[one] for one in wanted]


def _alike(known: Floats | None, seen: Floats | None) -> bool:
    return known is not None and seen is not None and float(known @ seen) >= views.THRESHOLD


def _recogniser(device: str, batch: int, threads: ThreadPoolExecutor) -> Recognise:
    """`views.embedding` for many frames: detection on threads, the recogniser in batches on the device."""
    import torch

    detector, module = Detector(), w600k_module(device)

    def crop(frame: Frame) -> Floats | None:
        face = detector.choose(frame)
        return None if face is None else templates.take(frame, face, W600K.crop)[0]

    @torch.inference_mode()
    def recognise(frames: Iterable[Frame]) -> list[Floats | None]:
        crops = list(threads.map(crop, frames))
        found = [(row, one) for row, one in enumerate(crops) if one is not None]
        embeddings: list[Floats | None] = [None] * len(crops)
        for start in range(0, len(found), batch):
            rows, given = zip(*found[start : start + batch], strict=True)
            for row, embedding in zip(rows, module(torch.from_numpy(np.stack(given)).to(device)).cpu(), strict=True):
                embeddings[row] = embedding.numpy()
        return embeddings

    return recognise
