"""Reads a finished run folder into frozen records; everything else in `reports` works on those.

A report takes nothing but what the run wrote, so that it can be made again years later, on another machine, and without
any of the networks that took part. The layout of the folder is described in `hifibench.pipeline.store`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hifibench.errors import MissingError, UsageError, first_line
from hifibench.records import Manifest, Status
from hifibench.throughput import records as throughput
from reports import examples
from reports.records import Results, Run, Timing
from reports.results import file as results_file
from reports.results.problems import pointer, unwritable

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


def run(folder: Path) -> Run:
    """Read the run in ``folder``.

    Raises:
        MissingError: the run is not finished.
        UsageError: there is no such folder, it holds no run, its ``results.json`` does not fit the schema of its
            version or contradicts itself, a file in it is damaged, or its files belong to different runs. Images that
            are gone or cannot be read are no error: see `reports.records.Run.missing`.
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
    schema, results = _results(folder / "results.json")
    manifest = _manifest(folder, results.manifest)
    looked_at = examples.find(folder, manifest, results.methods)
    swapped = any(method.status.get(Status.OK) for method in results.methods)
    return Run(
        folder=folder,
        results=results,
        timing=_timing(folder),
        provenance=_parse(folder / "run.json") if (folder / "run.json").is_file() else {},
        examples=looked_at.examples,
        videos=_videos(manifest),
        schema=schema,
        missing=(*examples.files(folder, schema, swapped), *looked_at.missing),
        throughput=_throughput(folder),
    )


def scores(folder: Path) -> pd.DataFrame:
    """The scores of single pairs: ``method``, ``pair``, ``metric`` (text) and ``value`` (float64, NaN: not scored).

    Raises:
        MissingError: the file is gone.
        UsageError: it is damaged, or has other columns.
    """
    return _table(folder / "scores.parquet", ("method", "pair", "metric"), ("value",))


def levels(folder: Path) -> pd.DataFrame:
    """The part of each split that a pair is in: ``pair``, ``split``, ``level`` (text); a pair in none has no row.

    Raises:
        MissingError: the file is gone, or the run is older than it.
        UsageError: it is damaged, or has other columns.
    """
    return _table(folder / "splits.parquet", ("pair", "split", "level"))


def _table(path: Path, texts: Sequence[str], numbers: Sequence[str] = ()) -> pd.DataFrame:
    import pandas as pd
    from pyarrow import ArrowException

    try:
        table = pd.read_parquet(path)
        lacking = [name for name in (*texts, *numbers) if name not in table]
        if lacking:
            raise ValueError(f"it has no column {', '.join(lacking)}")
        if table[list(texts)].isna().any(axis=None):
            raise ValueError(f"a name is null in {', '.join(texts)}")
        # Numbers written by others may be whole, or null for what is not scored.
        return table.assign(
            **{name: table[name].astype(str) for name in texts},
            **{name: pd.to_numeric(table[name]).astype("float64") for name in numbers},
        )
    except FileNotFoundError as error:
        raise MissingError(f"{path} is missing. Run the same command again: it makes only what is missing.") from error
    except (ArrowException, OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"{path} is damaged ({first_line(error)}). Delete it and run the same command again."
        ) from error


def _results(path: Path) -> tuple[int, Results]:
    """Version of the file, and what it holds."""
    file = results_file.load(path)
    if file.problems:
        raise UsageError(
            f"{results_file.refusal(path, file, shown=3)}\n'hifibench validate {path}' lists them. Delete the file and "
            "run the same command again: what is done is kept."
        )
    return file.schema, _typed(Results, path, file.raw)


def _timing(folder: Path) -> Timing:
    path = folder / "timing.json"
    return _typed(Timing, path, _parse(path)) if path.is_file() else Timing()


def _throughput(folder: Path) -> throughput.Throughput | None:
    path = folder / throughput.FILE
    return throughput.parse(_parse(path), path) if path.is_file() else None


def _typed(kind: type[T], path: Path, raw: dict[str, Any]) -> T:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = pointer(*first["loc"])
        raise UsageError(
            f"{path} does not read at {where}: {first['msg']}. Delete it and run the same command again."
        ) from error


def _manifest(folder: Path, expected: str) -> Manifest | None:
    path = folder / "manifest.json"
    if not path.is_file():
        return None
    raw = _parse(path)
    try:
        manifest = Manifest.from_json(json.dumps(raw))
        made_from = manifest.hash
        for pair in manifest.pairs:
            manifest.image(pair.target)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"{path} is no manifest: {error}. Delete it and run the same command again.") from error
    if made_from != expected:
        raise UsageError(
            f"{path} has the hash {made_from[:12]}, but results.json was made from {expected[:12]}: the folder "
            "mixes two runs. Run again into an empty folder."
        )
    return manifest


def _videos(manifest: Manifest | None) -> dict[str, str]:
    return {} if manifest is None else {pair.pair: manifest.image(pair.target).video for pair in manifest.pairs}


def _parse(path: Path) -> dict[str, Any]:
    raw = results_file.parse(path)
    for problem in unwritable(raw):
        raise UsageError(f"{path} is damaged at {problem}. Delete it and run the same command again.")
    return raw
