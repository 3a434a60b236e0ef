"""Generated portraits by seed and view: made when first asked for, then kept as PNG in the cache.

A portrait is named ``portrait:seed=<seed>;view=<view>``. The seed is the person; view 0 is the face as the generator
gives it, further views are moved in pose, expression and light (`hifibench.data.views`).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from hifibench import assets
from hifibench.data import generator, images, kept, partners, style_space, views
from hifibench.data.generator import Generator
from hifibench.data.seeds import SPLITS, parse, split_of, uri
from hifibench.data.views import THRESHOLD, Acceptance
from hifibench.experts.recognition import W600K
from hifibench.records import Frame, Manifest

__all__ = [
    "ASSETS",
    "SIZE",
    "SPLITS",
    "Generator",
    "acceptance",
    "cached_path",
    "load",
    "load_many",
    "parse",
    "plan",
    "split_of",
    "uri",
    "version",
]

SIZE = 512
"""Side of a portrait in pixels."""

ASSETS = (*generator.ASSETS, *views.ASSETS)
"""Files that making a portrait may open."""

_log = logging.getLogger(__name__)


@cache
def version() -> str:
    """SHA-256 over all that decides a portrait's pixels; entries of the cache under another version are left alone."""
    parts = {"generator": generator.fingerprint(), "views": views.fingerprint()}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def cached_path(seed: int, view: int) -> Path:
    """Where a portrait is kept; a folder holds those of a thousand seeds."""
    return _folder(seed) / f"{seed:010d}-{view}.png"


def load(uri: str) -> Frame:
    """A portrait, from the cache or made now.

    Threads and processes may ask at once: one of them makes the portrait, the others wait for it. An entry of the
    cache that cannot be read is reported to the log and made again.

    Args:
        uri: ``portrait:seed=<seed>;view=<view>``.

    Returns:
        ``(512, 512, 3)`` uint8 RGB.

    Raises:
        UsageError: the name is malformed.
        MissingError: a network is absent, or the cache cannot be written to.
    """
    seed, view = parse(uri)
    frame = _kept(seed, view)
    if frame is None:
        with kept.sole_maker(_folder(seed) / f"{seed:010d}.lock", "Portraits"):
            frame = _kept_or_made(seed, view)
    return frame


def load_many(uris: Sequence[str], progress: Callable[[int, int], None] | None = None) -> Iterator[Frame]:
    """Portraits one after the other, each as `load` gives it.

    Args:
        uris: names of portraits.
        progress: called after each with the number done and the number of all.

    Yields:
        ``(512, 512, 3)`` uint8 RGB, in the order of ``uris``.

    Raises:
        UsageError, MissingError: as `load`.
    """
    for done, name in enumerate(uris, 1):
        frame = load(name)
        if progress is not None:
            progress(done, len(uris))
        yield frame


def acceptance(uris: Iterable[str]) -> Acceptance:
    """How many moved faces were tried for these portraits and how many kept, as noted in the cached files.

    View 0 is never moved; portraits that were not made yet are not counted.
    """
    total = Acceptance()
    for name in uris:
        seed, view = parse(name)
        path = cached_path(seed, view)
        if view and path.exists():
            total += Acceptance.from_provenance(_provenance(path))
    return total


def plan(identities: int, views: int, pairs: int, split: str, seed: int) -> Manifest:
    """Who is swapped with whom; see `hifibench.data.partners.plan`."""
    return partners.plan(identities, views, pairs, split, seed, origin=_origin(split))


def _origin(split: str) -> str:
    return (
        f"portraits: {generator.NAME}, psi {generator.PSI}; split {split}; views moved along directions "
        f"{style_space.fingerprint()[:12]}, kept from a {W600K.name} cosine of {THRESHOLD}; version {version()[:12]}"
    )


def _folder(seed: int) -> Path:
    return assets.cache_root() / "portraits" / version()[:12] / f"{seed // 1000:07d}"


def _kept(seed: int, view: int) -> Frame | None:
    return kept.read(cached_path(seed, view), SIZE, "portrait")


def _kept_or_made(seed: int, view: int) -> Frame:
    frame = _kept(seed, view)
    if frame is not None:
        return frame
    network = generator.shared()
    [style] = network.styles([seed])
    note = {"generator": generator.NAME, "seed": str(seed), "view": str(view)}
    if view == 0:
        [frame] = network.render(style[None])
    else:
        moved = views.make(seed, view, style, _kept_or_made(seed, 0), lambda moved: network.render(moved[None])[0])
        frame, note = moved.frame, note | moved.acceptance.to_provenance()
    images.save_png(cached_path(seed, view), frame, note)
    return frame


def _provenance(path: Path) -> dict[str, str]:
    from PIL import Image

    try:
        with Image.open(path) as image:  # the words stand before the pixels, which are not read
            return {str(key): value for key, value in image.info.items() if isinstance(value, str)}
    except OSError:
        return {}  # a broken entry is made again by the next `load`
