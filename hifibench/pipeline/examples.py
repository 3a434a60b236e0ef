"""Whole frames of a few pairs, kept beside the results so that a report needs nothing but the run folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from hifibench.data import Loader
from hifibench.data.images import save_png
from hifibench.pipeline.store import RunFolder
from hifibench.records import ImageRef, Manifest, Pair

EXAMPLES = 8
"""Pairs whose source and target frames are kept in the run folder, for the report's grid."""


def exemplary(manifest: Manifest) -> list[Pair]:
    """The pairs to show: the first of each target's video, then the second of each, and so on; at most `EXAMPLES`."""
    seen: Counter[str] = Counter()
    ranked = []
    for number, pair in enumerate(manifest.pairs):
        video = manifest.image(pair.target).video
        ranked.append((seen[video], number, pair))
        seen[video] += 1
    return [pair for _, _, pair in sorted(ranked, key=lambda one: one[:2])[:EXAMPLES]]


def keep(
    folder: RunFolder, manifest: Manifest, load: Loader, made: Callable[[ImageRef], Mapping[str, str] | None]
) -> None:
    """Keep the frames of the exemplary pairs, those that are not there yet.

    Args:
        folder: of the run.
        manifest: all images and pairs.
        load: gives an original image.
        made: how an original image was generated; ``None`` for photographs.
    """
    for pair in exemplary(manifest):
        for side, name in (("source", pair.source), ("target", pair.target)):
            path = folder["examples"] / f"{pair.pair}-{side}.png"
            if not path.exists():
                ref = manifest.image(name)
                save_png(path, load(ref), made(ref))
