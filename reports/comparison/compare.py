"""Holds two runs against each other, metric by metric: paired difference, interval, verdict, and the pairs that moved.

What the verdicts mean, and what they rest on: docs/compare.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from hifibench.errors import UsageError
from metrics.statistics import holm
from reports.comparison.differs import differs
from reports.comparison.numbers import Numbers, paired, unpaired
from reports.comparison.pairs import Brought, Values, contradicts, draws_of, is_mean, together, values
from reports.comparison.records import MOST_MOVED, Compared, Comparison, MethodPair, PairMove, Side, Verdict
from reports.comparison.verdict import Entry, incomparable, of_pairs, of_sets
from reports.records import Metric, Result, Run


def build(
    a: Run, b: Run, methods: Sequence[tuple[str, str]] | None = None, *, other_manifest: bool = False
) -> Compared:
    """Hold run ``b`` against run ``a``.

    Args:
        a: the run to start from.
        b: is it better or worse?
        methods: of each comparison the method of ``a`` and that of ``b``; those of both runs where left out.
        other_manifest: allow runs of different images and pairs.

    Raises:
        UsageError: both are one run, they are of different manifests, have no method or metric in common, or nothing
            was scored both times; ``scores.parquet`` is damaged.
        MissingError: ``scores.parquet`` or ``manifest.json`` is gone.
    """
    if a.folder.resolve() == b.folder.resolve():
        raise UsageError(f"{a.folder} and {b.folder} are one folder: name two runs.")
    rows, metrics = _methods(a, b, methods), _metrics(a, b)
    brought = together(a, b, other_manifest)
    names = [metric.name for metric in metrics]
    all_a = values(a, [row.a for row in rows], names, brought.all_a)
    all_b = values(b, [row.b for row in rows], names, brought.all_b)
    tables = all_a[brought.rows_a], all_b[brought.rows_b]
    seed, draws = a.results.seed, draws_of(a)
    if brought.pairing == "unpaired":
        numbers = unpaired(*tables, brought.videos_a, brought.videos_b, seed, draws)
    else:
        rate = np.array([metric.rate for _ in rows for metric in metrics], np.bool_)
        numbers = paired(*tables, brought.videos_a, rate, seed, draws)
    compared = []
    for column, sides in enumerate(_entries(a, b, rows, metrics)):
        columns = all_a[:, column], all_b[:, column]
        whole = not all(is_mean(of, side.metric, side.score) for of, side in zip(columns, sides, strict=True))
        method, stray = rows[column // len(metrics)], _stray(sides, columns)
        compared.append(_comparison(method, *sides, numbers, column, whole, stray, brought, tables))
    if not any(one.n_both or (one.n_both is None and one.n_a and one.n_b) for one in compared):
        raise UsageError(
            f"Nothing was scored in both {a.folder} and {b.folder}: every value of their common methods and metrics is "
            "missing in one of them. The reports of the runs say why."
        )
    return Compared(
        a=_side(a),
        b=_side(b),
        pairing=brought.pairing,
        n_common=0 if brought.pairing == "unpaired" else len(brought.rows_a),
        seed=seed,
        draws=draws,
        methods=rows,
        metrics=metrics,
        comparisons=_corrected(compared),
        differs=differs(a, b, rows),
        cautions=tuple(_cautions(a, b, brought)),
        left_out=tuple(_left_out(a, b, rows)),
    )


def _methods(a: Run, b: Run, chosen: Sequence[tuple[str, str]] | None) -> tuple[MethodPair, ...]:
    first, second = ({method.name: method for method in run.results.methods} for run in (a, b))
    if chosen is None:
        chosen = [(name, name) for name in first if name in second]
    if not chosen:
        raise UsageError(
            f"The runs have no method in common: {a.folder} has {', '.join(first)}; {b.folder} has "
            f"{', '.join(second)}. Say which to hold against which with --methods A=B."
        )
    return tuple(MethodPair(one, other, first[one].card, second[other].card) for one, other in chosen)


def _metrics(a: Run, b: Run) -> tuple[Metric, ...]:
    theirs = {metric.name for metric in b.results.metrics}
    common = tuple(metric for metric in a.results.metrics if metric.name in theirs)
    if not common:
        raise UsageError(
            f"The runs have no metric in common: {a.folder} has {', '.join(m.name for m in a.results.metrics)}; "
            f"{b.folder} has {', '.join(m.name for m in b.results.metrics)}. Score one with the suite of the other."
        )
    return common


def _entries(a: Run, b: Run, rows: Sequence[MethodPair], metrics: Sequence[Metric]) -> Iterator[tuple[Entry, Entry]]:
    """Both sides of every comparison, in the order of the columns."""
    first, second = ({(score.method, score.metric): score for score in run.results.scores} for run in (a, b))
    theirs = {metric.name: metric for metric in b.results.metrics}

    def entry(run: Run, scores: Mapping[tuple[str, str], Result], method: str, metric: Metric) -> Entry:
        score = scores.get((method, metric.name))
        return Entry(run, method, metric, score or Result(method, metric.name, None, None, None, 0, 0))

    for row in rows:
        for metric in metrics:
            yield entry(a, first, row.a, metric), entry(b, second, row.b, theirs[metric.name])


def _stray(sides: Sequence[Entry], columns: Sequence[Values]) -> str:
    """Why the values of the pairs cannot be those that a number was made of; empty where they can."""
    runs = [
        name
        for name, side, column in zip("AB", sides, columns, strict=True)
        if contradicts(column, side.metric, side.score, side.run.schema)
    ]
    told = " and ".join(f"results.json and scores.parquet of {name}" for name in runs)
    return f"{told} contradict each other: the number is not the mean of its pairs" if runs else ""


def _comparison(
    method: MethodPair,
    one: Entry,
    other: Entry,
    numbers: Numbers,
    column: int,
    whole: bool,
    stray: str,
    brought: Brought,
    tables: tuple[Values, Values],
) -> Comparison:
    """One column, and what may be said of it."""
    paired = brought.pairing != "unpaired"
    made = Comparison(
        method=method,
        metric=one.metric.name,
        a=one.score.value,
        b=other.score.value,
        n_a=int(numbers.n_a[column]),
        n_b=int(numbers.n_b[column]),
        n_both=int(numbers.n_both[column]) if paired else None,
        newly_failed=int(numbers.lost[column]) if paired else None,
        newly_scored=int(numbers.won[column]) if paired else None,
        of_set=whole,
    )
    if why := incomparable(one, other) or stray:
        return replace(made, verdict=Verdict.INCOMPARABLE, reason=why)
    if made.n_both == 0 and not whole:
        return replace(made, verdict=Verdict.INCOMPARABLE, reason="no pair was scored both times")
    if paired:
        made = _with_pairs(made, one.metric, numbers.apart[:, column], brought, [table[:, column] for table in tables])
    if whole:
        return of_sets(made, one, other)
    made = replace(
        made,
        difference=_known(numbers.difference[column]),
        low=_known(numbers.low[column]),
        high=_known(numbers.high[column]),
        p=_known(numbers.p[column]),
        mcnemar=numbers.rates[column],
    )
    return of_pairs(made, one.metric, float(numbers.exact[column]))


def _with_pairs(
    made: Comparison, metric: Metric, apart: Values, brought: Brought, columns: Sequence[Values]
) -> Comparison:
    """Which pairs moved most, and which are no longer scored."""
    size = np.where(np.isfinite(apart), np.abs(apart), 0.0)
    # Of equal ones the first, whatever the sorting.
    largest = np.argsort(-size, kind="stable")[:MOST_MOVED]
    largest = largest[size[largest] > 0]
    if not made.of_set:
        worse = apart[largest] * (-1 if metric.direction == "up" else 1)
        largest = largest[np.argsort(-worse, kind="stable")]
    first, second = columns
    names = brought.all_a[brought.rows_a]
    lost = np.flatnonzero(np.isfinite(first) & np.isnan(second))[:MOST_MOVED]
    return replace(
        made,
        moved=tuple(PairMove(str(names[i]), float(first[i]), float(second[i]), float(apart[i])) for i in largest),
        lost=tuple(str(names[i]) for i in lost),
    )


def _corrected(compared: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """With Holm's correction, over all that were tested."""
    tested = {index: one.p for index, one in enumerate(compared) if one.p is not None}
    adjusted = dict(zip(tested, holm(list(tested.values())).tolist(), strict=True))
    return tuple(replace(one, p_holm=adjusted.get(index)) for index, one in enumerate(compared))


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _side(run: Run) -> Side:
    results, said = run.results, run.provenance
    told = {key: str(said[key]) for key in ("run_id", "created", "hifibench", "commit") if said.get(key)}
    return Side(str(run.folder), results.title, results.suite, results.manifest, results.n_pairs, results.seed, **told)


def _cautions(a: Run, b: Run, brought: Brought) -> Iterator[str]:
    if brought.pairing == "common pairs":
        yield (
            f"The runs are of different manifests: only the {len(brought.rows_a)} pairs that have the same name, "
            f"source and target in both were paired, of {a.results.n_pairs} in A and {b.results.n_pairs} in B. The "
            "numbers of A and B are over all pairs of each."
        )
    if brought.pairing == "unpaired":
        yield (
            "The runs are of different manifests and share no pair: these are differences of means over different "
            "images, with two-sample intervals. They tell the images apart as well as the methods."
        )
    if not brought.same_galleries:
        yield (
            "The galleries of the runs differ: numbers that search them or hold swaps against their frames (ID "
            "retrieval, forgery detection, FID, KID) depend on them."
        )
    changed = [name for name, run in zip("AB", (a, b), strict=True) if str(run.provenance.get("commit")).endswith("+")]
    if changed:
        yield (
            f"{' and '.join(changed)} {'was' if len(changed) == 1 else 'were'} made by a working tree with changes of "
            "its own, so that the commit does not tell the code."
        )


def _left_out(a: Run, b: Run, rows: Sequence[MethodPair]) -> Iterator[str]:
    for one, run, other in (("A", a, b), ("B", b, a)):
        compared = {row.a if run is a else row.b for row in rows}
        methods = [method.name for method in run.results.methods if method.name not in compared]
        theirs = {metric.name for metric in other.results.metrics}
        metrics = [metric.name for metric in run.results.metrics if metric.name not in theirs]
        for what, names in (("methods", methods), ("metrics", metrics)):
            if names:
                yield f"{what} of {one} that were not compared: {', '.join(names)}"
