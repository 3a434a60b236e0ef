"""The pairs that a run kept to look at, and what of its files is gone: reports show what there is, and say so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hifibench.pipeline.pictures import Pictures
from hifibench.records import Manifest, Status
from reports.records import Example, Method
from reports.results.problems import printable

ROLES = ("source", "target")
KEPT = 8
"""Pairs whose source and target a run keeps under ``examples/``, where it has as many."""

_NAMED = 3
"""Methods that are named one by one."""

PICTURES_SINCE = 3
"""Schema of the first runs that keep small pictures of all pairs."""


class Examples(NamedTuple):
    """What there is to look at, and what of it is gone, one phrase each."""

    examples: tuple[Example, ...]
    missing: tuple[str, ...]


def find(folder: Path, manifest: Manifest | None, methods: Sequence[Method]) -> Examples:
    """The examples of a run folder, in the manifest's order; an image that cannot be read counts as gone."""
    pairs, kept = _pairs(folder, manifest)
    swapped = {method.name: _swapped(folder, method) for method in methods}
    gone = dict.fromkeys(swapped, 0)
    examples = []
    for pair in pairs:
        source, target = (inside(folder / "examples", f"{pair}-{role}.png") for role in ROLES)
        if source is None or target is None or not (readable(source) and readable(target)):
            continue
        swaps = {}
        for name, expected in swapped.items():
            path = inside(folder / "swaps", name, f"{pair}.png")
            if path is not None and readable(path):
                swaps[name] = path
            elif expected is None or pair in expected:
                gone[name] += 1
        examples.append(Example(pair, source, target, swaps))
    missing = []
    if len(examples) < kept:
        missing.append(f"examples: source or target of {kept - len(examples)} of {kept} pairs kept to look at")
    lacking = {printable(name): count for name, count in gone.items() if count}
    if len(lacking) > _NAMED:
        missing.append(f"swaps: frames of pairs kept to look at, of {len(lacking)} methods")
    else:
        among = f"of {len(examples)} pairs kept to look at"
        missing += [f"swaps/{name}: frames of {count} {among}" for name, count in lacking.items()]
    return Examples(tuple(examples), tuple(missing))


def files(folder: Path, schema: int, made_swaps: bool) -> Iterator[str]:
    """What is gone of the files that reports on single pairs take, one phrase each.

    Args:
        folder: of the run.
        schema: of its ``results.json``.
        made_swaps: whether any pair was swapped at all.
    """
    for name, what in (("manifest.json", "the images and pairs"), ("scores.parquet", "the scores of single pairs")):
        if not (folder / name).is_file():
            yield f"{name}: {what}"
    if made_swaps and not _any(Pictures(folder).swaps):
        older = "" if schema >= PICTURES_SINCE else " (the version that made this run kept none)"
        yield f"pictures: small pictures of the pairs{older}"


def _pairs(folder: Path, manifest: Manifest | None) -> tuple[list[str], int]:
    """The pairs of which there is a file, in order, and how many there should be."""
    there = {
        path.name.removesuffix(f"-{role}.png") for role in ROLES for path in (folder / "examples").glob(f"*-{role}.png")
    }
    if manifest is None:
        return sorted(there), len(there)
    order = {pair.pair: index for index, pair in enumerate(manifest.pairs)}
    # Which pairs are kept is the run's choice: only their number is known here.
    kept = max(len(there), min(KEPT, len(order)))
    return sorted(there, key=lambda pair: (order.get(pair, len(order)), pair)), kept


def _swapped(folder: Path, method: Method) -> set[str] | None:
    """The pairs that the method swapped, as far as its marks tell; ``None``: all of them."""
    if set(method.status) == {Status.OK}:
        return None
    pairs = set()
    root = inside(folder / "swaps", method.name)
    for mark in sorted(root.glob("chunk-*.json")) if root is not None else ():
        try:
            rows = json.loads(mark.read_text(encoding="utf-8"))["pairs"]
            pairs |= {row["pair"] for row in rows if row["status"] == Status.OK}
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return pairs


def inside(root: Path, *names: str) -> Path | None:
    """A path below ``root``; ``None`` where a name, which may come from anywhere, would lead out of it."""
    if any(name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name for name in names):
        return None
    return root.joinpath(*names)


def readable(path: Path) -> bool:
    """Whether an image is there and whole; its pixels are not decoded."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.verify()
    # Pillow tells of damage in many ways, a bomb of pixels among them.
    except Exception:
        return False
    return True


def _any(folder: Path) -> bool:
    return folder.is_dir() and any(folder.rglob("*.jpg"))
