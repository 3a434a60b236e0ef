"""Whether the files of a run folder belong to its ``results.json``: what contradicts it, and what is merely gone.

Deleted images and marks are no mistake, since a run may be slimmed down once it is finished: they are notes.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hifibench.errors import HifibenchError
from hifibench.pipeline.store import RunFolder, chunks
from hifibench.records import Status
from reports import read
from reports.examples import inside
from reports.results.problems import Problem, printable, said

if TYPE_CHECKING:
    import pandas as pd

    from reports.records import Metric, Result, Run

AGREE = 1e-7
"""How far, relative to it, a value may lie from the mean of its pairs: it is written with nine digits."""


class Findings(NamedTuple):
    """What a folder says: problems contradict ``results.json``, notes tell what is gone."""

    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def check(folder: Path) -> Findings:
    """Hold every file of a run folder against its ``results.json``.

    Raises:
        MissingError: the run is not finished.
        UsageError: it cannot be read (`reports.read.run`), as where ``manifest.json`` is another run's.
    """
    run = read.run(folder)
    found: list[Problem | str] = [f"not there: {phrase}" for phrase in run.missing]
    found += _provenance(run)
    found += _scores(run)
    found += _levels(run)
    found += _swaps(run)
    return Findings(
        tuple(one for one in found if isinstance(one, Problem)), tuple(one for one in found if isinstance(one, str))
    )


def _provenance(run: Run) -> Iterator[Problem | str]:
    """``run.json`` and the number of pairs."""
    if not run.provenance:
        yield "not there: run.json: versions, command and licences"
    elif (made_from := run.provenance.get("manifest")) not in (None, run.results.manifest):
        yield Problem("run.json /manifest", said(made_from), f"{run.results.manifest[:12]}…, as in results.json")
    if run.videos and len(run.videos) != run.results.n_pairs:
        yield Problem("manifest.json", f"{len(run.videos)} pairs", f"n_pairs of results.json, {run.results.n_pairs}")


def _scores(run: Run) -> Iterator[Problem | str]:
    """``scores.parquet``: every method, metric and pair once, and the same numbers as in ``results.json``."""
    file = "scores.parquet"
    if not (run.folder / file).is_file():
        return
    try:
        table = read.scores(run.folder)
    except HifibenchError as error:
        yield Problem(file, str(error), "a table of scores")
        return
    results = run.results
    twice = int(table.duplicated(["method", "metric", "pair"]).sum())
    if twice:
        yield Problem(file, f"{twice} rows of a method, metric and pair that stands there already", "each once")
        return
    pairs = set(run.videos) or set(table["pair"])
    rows = {key: part.set_index("pair")["value"] for key, part in table.groupby(["method", "metric"], sort=False)}
    metrics = {metric.name: metric for metric in results.metrics}
    for score in results.scores:
        values = rows.pop((score.method, score.metric), None)
        where = f"{file}, {said(score.method)} on {said(score.metric)}"
        if values is None:
            yield Problem(where, "no row", f"{len(pairs)}, one for each pair")
        elif set(values.index) != pairs:
            strange, lacking = len(set(values.index) - pairs), len(pairs - set(values.index))
            yield Problem(where, f"{lacking} pairs too few, {strange} that the run does not have", "each pair once")
        else:
            yield from _agree(where, values, score, metrics[score.metric])
    for method, metric in rows:
        yield Problem(f"{file}, {said(method)} on {said(metric)}", "rows", "none: results.json has no such score")


def _agree(where: str, values: pd.Series[float], score: Result, metric: Metric) -> Iterator[Problem]:
    """Whether the values of the pairs give the numbers of a score."""
    finite = [value for value in values if math.isfinite(value)]
    failed = int(values.isna().sum())
    if score.n != len(finite) + failed:
        yield Problem(where, f"{len(finite) + failed} pairs with something to score", f"n of results.json, {score.n}")
    # Where nobody was to judge it no pair has failed.
    if score.n_failed != failed and not (score.reason and not finite):
        yield Problem(where, f"{failed} pairs not scored", f"n_failed of results.json, {score.n_failed}")
    if metric.whole:
        return
    if (score.value is None) != (not finite):
        yield Problem(where, f"{len(finite)} values", f"what gives the value in results.json, {said(score.value)}")
    elif score.value is not None:
        mean = math.fsum(finite) / len(finite)
        if not math.isclose(mean, score.value, rel_tol=AGREE, abs_tol=1e-12):
            yield Problem(where, f"values with the mean {mean:.9g}", f"value of results.json, {score.value:.9g}")
    if metric.rate and set(finite) - {0.0, 100.0}:
        yield Problem(where, "values between 0 and 100", "0 or 100: it is a share of the pairs")


def _levels(run: Run) -> Iterator[Problem | str]:
    """``splits.parquet``: as many pairs in each part as ``results.json`` says."""
    file = "splits.parquet"
    if not run.results.splits:
        return
    if not (run.folder / file).is_file():
        yield f"not there: {file}: which part of the splits a pair is in (early versions wrote none)"
        return
    try:
        table = read.levels(run.folder)
    except HifibenchError as error:
        yield Problem(file, str(error), "a table of parts")
        return
    twice = int(table.duplicated(["pair", "split"]).sum())
    if twice:
        yield Problem(file, f"{twice} rows of a pair and split that stands there already", "each at most once")
    counts = Counter(zip(table["split"], table["level"], strict=True))
    for part in run.results.splits:
        there = counts.pop((part.split, part.level), 0)
        if there != part.n:
            where = f"{file}, {said(part.level)} of {said(part.split)}"
            yield Problem(where, f"{there} pairs", f"n of results.json, {part.n}")
    for split, level in counts:
        yield Problem(f"{file}, {said(level)} of {said(split)}", "rows", "none: results.json has no such part")


def _swaps(run: Run) -> Iterator[Problem | str]:
    """The marks of finished chunks say the same of every pair as ``results.json``; frames may be gone."""
    names = list(run.videos)
    if not names:
        return
    frames, marks = 0, 0
    for method in run.results.methods:
        root = inside(run.folder / "swaps", method.name)
        if root is None:
            yield Problem(f"methods, {said(method.name)}", "a name that is no folder's", "one that swaps can lie under")
            continue
        said_of, lost = _marks(run, method.name, names)
        marks += lost
        status = Counter(said_of.values())
        if not lost and status != Counter(method.status):
            yield Problem(
                f"swaps/{printable(method.name)}",
                _counted(status),
                f"status of results.json, {_counted(method.status)}",
            )
        there = {path.name for path in root.glob("*.png")}
        frames += sum(state == Status.OK and f"{pair}.png" not in there for pair, state in said_of.items())
    if marks:
        yield f"not there: swaps: {marks} marks of finished chunks; the command of the run would swap those pairs again"
    if frames:
        yield f"not there: swaps: {frames} swapped frames; they cannot be looked at anew or compressed"


def _marks(run: Run, method: str, names: Sequence[str]) -> tuple[dict[str, str], int]:
    """Pair -> status as the marks say, and how many marks are gone or damaged."""
    states: dict[str, str] = {}
    lost = 0
    for index, chunk in enumerate(chunks(names)):
        try:
            mark = json.loads(RunFolder(run.folder).swap_chunk(method, index).read_text(encoding="utf-8"))
            rows = {row["pair"]: str(row["status"]) for row in mark["pairs"]}
        except (OSError, ValueError, TypeError, KeyError):
            rows = {}
        lost += rows.keys() != set(chunk)
        states |= rows
    return states, lost


def _counted(status: Any) -> str:
    return ", ".join(f"{printable(str(name))}: {count}" for name, count in sorted(status.items())) or "no pairs"
