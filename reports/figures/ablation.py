"""HifiFace beside its ablations, pair by pair: without the 3D face model (paper, Fig. 7), without fusion (Fig. 8)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from reports.figures import drawing as words
from reports.figures import grid as figure_grid
from reports.figures import looks as figure_looks
from reports.figures import metrics as figure_metrics
from reports.figures import pictures as figure_pictures
from reports.figures import shape_study
from reports.figures.drawing import Drawing, said
from reports.figures.looks import Look
from reports.figures.pictures import Column
from reports.records import Example, Metric, Run
from reports.tables import MISSING, number

FULL, N3D = "hififace", "hififace-n3d"
FUSION = ("hififace-bare", "hififace-blend", "hififace-concat")
"""Neither fusion, image-level fusion alone, and features concatenated in place of fused."""
REFERENCE = "target-copy"

Values = Mapping[str, Mapping[str, float]]


def draw(run: Run) -> Iterator[Drawing]:
    """``n3d`` and ``ablation``; without the methods or the pictures that one takes, that one is left out.

    Raises:
        MissingError: the scores of single pairs are gone.
        UsageError: they are damaged.
    """
    examples, seen = figure_pictures.looked_at(run)
    looks = figure_looks.of(run)
    swapped = {name for one in examples for name in one.swaps}
    if not {FULL} <= swapped:
        return
    if N3D in swapped:
        yield from _n3d(run, examples, seen, looks)
    if listed := [name for name in FUSION if name in swapped]:
        yield from _fusion(run, examples, seen, [looks[name] for name in (*listed, FULL)])


def _n3d(run: Run, examples: Sequence[Example], seen: str, looks: Mapping[str, Look]) -> Iterator[Drawing]:
    shape = figure_metrics.choose(run, "shape")
    table = _values(run, shape)
    source, target = figure_grid.ends(examples)
    if shape is not None:
        target = Column(target.title, target.pictures, tuple(_said(table, REFERENCE, one, shape) for one in examples))
    columns = []
    for column, name, other in zip(
        figure_grid.columns(examples, [looks[N3D], looks[FULL]]), (N3D, FULL), (FULL, N3D), strict=True
    ):
        if shape is not None:
            under = tuple(_said(table, name, one, shape) for one in examples)
            # Numbers that print alike are alike.
            against = [_said(table, other, one, shape) for one in examples]
            nearer = (
                _value(table, name, one) < _value(table, other, one) and mine != theirs
                for one, mine, theirs in zip(examples, under, against, strict=True)
            )
            column = Column(column.title, column.pictures, under, frozenset(k for k, won in enumerate(nearer) if won))
        columns.append(column)
    below = ""
    if shape is not None:
        below = (
            f"Below each swap its {words.measured(shape)}, the lower of the two in bold"
            + (f"; below the target that of the target itself ({REFERENCE})" if REFERENCE in table else "")
            + "."
        )
    yield from _pages(run, "n3d", "Without the 3D face model", (source, target), columns, examples, seen, below,
                      [looks[N3D], looks[FULL]], [shape] if shape else [])  # fmt: skip


def _fusion(run: Run, examples: Sequence[Example], seen: str, looks: Sequence[Look]) -> Iterator[Drawing]:
    source, target = figure_grid.ends(examples)
    metrics = figure_metrics.chosen(run, ("id_cosine", "background"))
    tables = [_values(run, metric) for metric in metrics]
    columns = []
    for column, look in zip(figure_grid.columns(examples, looks), looks, strict=True):
        under = tuple(
            "\n".join(
                f"{short} {_said(table, look.name, one, metric)}"
                for metric, table, short in zip(metrics, tables, map(_short, metrics), strict=True)
            )
            for one in examples
        )
        title = f"{column.title} (full)" if look.name == FULL else column.title
        columns.append(Column(title, column.pictures, under if metrics else ()))
    told = "; ".join(f"{_short(metric)}: {words.measured(metric)}" for metric in metrics)
    below = f"Below each swap: {told}." if told else ""
    yield from _pages(run, "ablation", "Ablations of the fusion", (target, source), columns, examples, seen, below,
                      looks, metrics)  # fmt: skip


def _pages(
    run: Run,
    name: str,
    title: str,
    fixed: Sequence[Column],
    columns: Sequence[Column],
    examples: Sequence[Example],
    seen: str,
    below: str,
    looks: Sequence[Look],
    metrics: Sequence[Metric],
) -> Iterator[Drawing]:
    pages = list(figure_pictures.pages(fixed, columns, [str(row) for row in range(1, len(examples) + 1)]))
    for index, figure in enumerate(pages, 1):
        place = f", page {index} of {len(pages)}" if len(pages) > 1 else ""
        caption = words.paragraph(
            f"{', '.join(said(one.title) for one in (*fixed, *columns))}; {seen}{place}.",
            below,
            f"Values of single pairs, without interval; {MISSING}: not scored." if below else "",
            figure_grid.rule(examples),
            words.dagger(run, [m.name for m in run.results.methods
                               if m.name in {look.name for look in looks} and words.flattered(m, metrics)]),
            words.poor(metrics),
            words.meant(looks),
            words.origin(run),
        )  # fmt: skip
        yield Drawing(name if len(pages) == 1 else f"{name}-{index}", f"{title}{place}", caption, figure, True)


def _short(metric: Metric) -> str:
    return "id" if metric.name.startswith("id_") else "background"


def _values(run: Run, metric: Metric | None) -> Values:
    if metric is None:
        return {}
    table = shape_study.values(run.folder, metric.name)
    return {
        str(name): dict(zip(map(str, column.index), column.to_numpy(np.float64).tolist(), strict=True))
        for name, column in table.items()
    }


def _value(table: Values, method: str, example: Example) -> float:
    """NaN where there is none: compares as not lower."""
    return table.get(method, {}).get(example.pair, math.nan)


def _said(table: Values, method: str, example: Example, metric: Metric) -> str:
    value = _value(table, method, example)
    if method == REFERENCE and not math.isfinite(value):
        return ""
    if not math.isfinite(value):
        return MISSING
    return f"{number(value, metric.decimals)} {metric.unit}".strip()
