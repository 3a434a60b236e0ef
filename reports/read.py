"""Reads a finished run folder into frozen records; everything else in `reports` works on those.

A report takes nothing but what the run wrote, so that it can be made again years later, on another machine, and without
any of the networks that took part. The layout of the folder is described in `hifibench.pipeline.store`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifibench.errors import MissingError, UsageError
from hifibench.records import Manifest
from reports.records import Example, Results, Run, Timing

if TYPE_CHECKING:
    from pydantic import ValidationError

SCHEMAS = (1, 2)
"""Versions of ``results.json`` that this package reads: the second has parts, reasons and calibrations besides."""


def run(folder: Path) -> Run:
    """Read the run in ``folder``.

    Raises:
        MissingError: the run is not finished.
        UsageError: there is no such folder, it holds no run, its schema is another version's, a file in it is damaged,
            or its files belong to different runs.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; expected the folder of a run, as 'hifibench run --out' made it.")
    if not (folder / "results.json").is_file():
        if (folder / "run.json").is_file():
            raise MissingError(
                f"The run in {folder} is not finished: it has no results.json yet. Run the same command again to "
                "finish it; what is done is kept."
            )
        raise UsageError(
            f"{folder} holds no run: neither run.json nor results.json is there. Name the folder that "
            "'hifibench run' printed at its end."
        )
    results = _results(folder)
    manifest = _manifest(folder, results.manifest)
    return Run(
        folder=folder,
        results=results,
        timing=_timing(folder),
        provenance=_object(folder / "run.json") if (folder / "run.json").is_file() else {},
        examples=_examples(folder, manifest, tuple(method.name for method in results.methods)),
        videos=_videos(manifest),
    )


def _object(path: Path) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is damaged: {error}. Delete it and run the same command again.") from error
    if not isinstance(raw, dict):
        raise UsageError(f"{path} holds a {type(raw).__name__}, expected a JSON object. Delete it and run again.")
    return raw


def _results(folder: Path) -> Results:
    from pydantic import TypeAdapter, ValidationError

    path = folder / "results.json"
    raw = _object(path)
    if raw.get("schema") not in SCHEMAS:
        raise UsageError(
            f"{path} has schema {raw.get('schema')!r}, expected {' or '.join(map(str, SCHEMAS))}. Make the report with "
            "the version of hifibench that made the run (run.json names it), or run again into another folder."
        )
    try:
        results = TypeAdapter(Results).validate_python(raw)
    except ValidationError as error:
        raise _unreadable(path, error) from error
    methods, metrics = {m.name for m in results.methods}, {m.name for m in results.metrics}
    for score in results.scores:
        if score.method not in methods or score.metric not in metrics:
            raise UsageError(
                f"{path} scores {score.method!r} on {score.metric!r}, but does not list both. "
                "Delete it and run the same command again."
            )
    return results


def _timing(folder: Path) -> Timing:
    from pydantic import TypeAdapter, ValidationError

    path = folder / "timing.json"
    if not path.is_file():
        return Timing()
    try:
        return TypeAdapter(Timing).validate_python(_object(path))
    except ValidationError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: ValidationError) -> UsageError:
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"])
    return UsageError(f"{path} does not read at {where!r}: {first['msg']}. Delete it and run the same command again.")


def _manifest(folder: Path, expected: str) -> Manifest | None:
    path = folder / "manifest.json"
    if not path.is_file():
        return None
    raw = _object(path)
    try:
        manifest = Manifest.from_json(json.dumps(raw))
    except (KeyError, TypeError) as error:
        raise UsageError(f"{path} is no manifest: {error}. Delete it and run the same command again.") from error
    if manifest.hash != expected:
        raise UsageError(
            f"{path} has the hash {manifest.hash[:12]}, but results.json was made from {expected[:12]}: the folder "
            "mixes two runs. Run again into an empty folder."
        )
    return manifest


def _videos(manifest: Manifest | None) -> dict[str, str]:
    return {} if manifest is None else {pair.pair: manifest.image(pair.target).video for pair in manifest.pairs}


def _examples(folder: Path, manifest: Manifest | None, methods: tuple[str, ...]) -> tuple[Example, ...]:
    ending = "-source.png"
    found = sorted(path.name.removesuffix(ending) for path in (folder / "examples").glob(f"*{ending}"))
    if manifest is not None:
        order = {pair.pair: index for index, pair in enumerate(manifest.pairs)}
        found.sort(key=lambda pair: order.get(pair, len(order)))
    examples = []
    for pair in found:
        source, target = (folder / "examples" / f"{pair}-{role}.png" for role in ("source", "target"))
        swaps = {method: folder / "swaps" / method / f"{pair}.png" for method in methods}
        if target.is_file():
            swaps = {method: path for method, path in swaps.items() if path.is_file()}
            examples.append(Example(pair, source, target, swaps))
    return tuple(examples)
