"""A run folder of any size in which all was observed and nothing scored, with made-up observations.

Many pairs over a thousand images. Swaps share a few files (hard links), so that a hundred thousand of them take seconds
to write and little of the disk.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hifibench import registry
from hifibench.arrays import write_arrays
from hifibench.contracts import ExpertCard
from hifibench.faces.detect import Detector
from hifibench.pipeline.observe import COMPARING, DETECTOR
from hifibench.pipeline.store import CHUNK, RunFolder, chunks
from hifibench.records import Floats, ImageRef, Manifest, Pair
from hifibench.suite import Suite, load

PEOPLE = 500
"""Each with a photograph that gives the face and one that receives it."""
POOL = 24
"""Chunks of swaps that differ; of one of them nothing was seen."""
FAILED = 0.02
"""Share of the swaps that show no face."""

_SHAPE = re.compile(r"\(([\d, ]*)\)")
_FACE = {"box": (4,), "landmarks": (5, 2), "score": (1,)}


def write(
    root: Path, pairs: int, methods: Sequence[str] = ("faceswap", "simswap"), seed: int = 0, suite: str = "demo"
) -> tuple[RunFolder, Suite, Manifest]:
    """Write the observations that a run would have left.

    Args:
        root: the run folder.
        pairs: of the run; at most ``PEOPLE * (PEOPLE - 1)``.
        methods: that were observed; names of real ones.
        seed: of all numbers. The pairs are the same under every seed.
        suite: whose metrics are to be scored.

    Returns:
        What `hifibench.pipeline.score.score` takes.
    """
    folder, plan = RunFolder(root), manifest(pairs)
    terms = load(suite).model_copy(update={"methods": tuple(methods)})
    rng = np.random.default_rng(seed)
    cards = {DETECTOR: Detector.card, **{name: registry.experts.get(name).card for name in terms.experts()}}
    for name, card in cards.items():
        if card.role not in COMPARING:
            for index, images in enumerate(chunks(plan.images)):
                write_arrays(folder.observations("images", name, index), _made(rng, card, len(images)))
    for method in methods:
        for name, card in cards.items():
            _swaps(folder, method, name, card, pairs, rng)
        for index, part in enumerate(chunks(plan.pairs)):
            _mark(folder.swap_chunk(method, index), part)
    return folder, terms, plan


def manifest(pairs: int) -> Manifest:
    """Everybody's face goes to the neighbour, then to the neighbour's neighbour, and so on."""
    names = [f"p{person:06d}" for person in range(PEOPLE)]
    source, target = ([f"{name}_v{view}" for name in names] for view in (0, 1))
    images = [
        ImageRef(image, f"portrait:seed={person};view={view}", names[person], image if view == 0 else names[person])
        for view, of in enumerate((source, target))
        for person, image in enumerate(of)
    ]
    made = []
    for index in range(pairs):
        lap, person = divmod(index, PEOPLE)
        giver = (person + lap + 1) % PEOPLE
        made.append(Pair(f"{names[person]}_{names[giver]}", source[giver], target[person]))
    return Manifest(tuple(images), tuple(made), {"frames": tuple(target), "sources": tuple(source)}, "made up")


def _swaps(folder: RunFolder, method: str, name: str, card: ExpertCard, pairs: int, rng: np.random.Generator) -> None:
    pool = [folder.root / "pool" / method / name / f"{index}.npz" for index in range(POOL)]
    for index, path in enumerate(pool):
        made = _made(rng, card, CHUNK)
        write_arrays(path, {"rows": made["rows"]} if index == 3 and name != DETECTOR else made)
    whole, rest = divmod(pairs, CHUNK)
    folder.observations(method, name, 0).parent.mkdir(parents=True, exist_ok=True)
    for index in range(whole):
        os.link(pool[index % POOL], folder.observations(method, name, index))
    if rest:
        write_arrays(folder.observations(method, name, whole), _made(rng, card, rest))


def _made(rng: np.random.Generator, card: ExpertCard, rows: int) -> Mapping[str, Floats]:
    shapes: dict[str, tuple[int, ...]] = dict(_FACE)
    if card.name != Detector.card.name:
        shapes = {output: _shape(text) for output, text in card.outputs.items()}
        if card.role not in COMPARING:
            shapes["matrix"] = (2, 3)
    unseen = rng.random(rows) < FAILED
    arrays = {}
    for output, shape in shapes.items():
        values = rng.normal(0, 1, (rows, *shape)).astype(np.float32)
        if output == "embedding":
            values /= np.linalg.norm(values, axis=1, keepdims=True)
        elif output in ("colours", "blendshapes", "background_l1", "background_ssim"):
            values = (1 / (1 + np.exp(-values))).astype(np.float32)
        values[unseen] = np.nan
        arrays[output] = values
    return {**arrays, "rows": np.array(rows)}


def _shape(text: str) -> tuple[int, ...]:
    """``(478, 3) pixels of the crop`` -> (478, 3)."""
    found = _SHAPE.match(text)
    assert found, text
    return tuple(int(size) for size in found[1].split(",") if size.strip())


def _mark(path: Path, part: Sequence[Pair]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"pair": pair.pair, "status": "ok", "message": "", "content": "made up"} for pair in part]
    path.write_text(json.dumps({"card": "made up", "pairs": rows}))
