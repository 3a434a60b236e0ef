"""The comparison of two runs as one HTML file that needs nothing beside it: no network, no script, no other file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports import printed
from reports.comparison import formats as said
from reports.comparison import pictures
from reports.comparison.pictures import Album
from reports.comparison.records import Compared, Comparison, Verdict, count
from reports.html import template
from reports.records import Metric, Run
from reports.tables import number

NAMES = frozenset({"compare.json", "compare.md", "index.html", "moved.png"})
"""Files of a comparison."""


@dataclass(frozen=True)
class Whisker:
    """A difference and its interval on a scale whose middle is 0, from 0 (left) to 100 (right)."""

    dot: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """One comparison as printed.

    Attributes:
        one: the numbers.
        title: of the metric, with unit and arrow.
        words: its protocol.
        a: number of the first run.
        b: number of the second.
        change: the difference.
        interval: of the difference; empty where there is none.
        verdict: with its mark.
        why: what stands behind it.
        at: where to draw it; ``None`` where there is no interval.
    """

    one: Comparison
    title: str
    words: str
    a: str
    b: str
    change: str
    interval: str
    verdict: str
    why: str
    at: Whisker | None


def files(made: Compared, a: Run, b: Run) -> dict[str, str | bytes]:
    """The files of a comparison by their names, `NAMES`; ``moved.png`` only where there are pictures.

    Args:
        made: the comparison.
        a: the run to start from, whose pictures are looked for.
        b: the other.
    """
    found = pictures.album(made, a, b)
    written: dict[str, str | bytes] = {"compare.json": said.as_json(made), "compare.md": said.markdown(made)}
    if (drawn := pictures.png(found)) is not None:
        written["moved.png"] = drawn
    return {**written, "index.html": render(made, found)}


def render(made: Compared, found: Album) -> str:
    """The page.

    Args:
        made: the comparison.
        found: the pairs that moved most, with their pictures.
    """
    scales = _scales(made)
    lines = {method.label: [_line(one, made.metric(one), scales) for one in made.of(method)] for method in made.methods}
    moved = {
        label: told for label, listed in lines.items() if (told := [line for line in listed if line.one.verdict.told])
    }
    return template("compare.html.j2").render(
        made=made,
        sides=(("A", said.side(made.a)), ("B", said.side(made.b))),
        paired=said.paired(made),
        verdicts=[verdict.value for verdict in Verdict],
        counts=[(method.label, said.card(method), list(count(made.of(method)).values())) for method in made.methods],
        lines=lines,
        moved=moved,
        blocks=[block for block in found.blocks if block.one.verdict.told],
        untold=[block for block in found.blocks if not block.one.verdict.told],
        album=found,
        roles=pictures.ROLES,
        address=pictures.address,
        caption=pictures.caption,
        differs=[(one.what, *said.short(one)) for one in made.differs],
        notes=list(said.notes(made)),
    )


def _line(one: Comparison, metric: Metric, scales: dict[str, float]) -> Line:
    column = printed.column(metric)
    return Line(
        one,
        column.heading,
        ", ".join(column.words),
        number(one.a, metric.decimals),
        number(one.b, metric.decimals),
        said.signed(one.difference, metric.decimals),
        said.interval(one, metric.decimals),
        said.verdict(one),
        "; ".join(filter(None, (one.reason, said.lost_and_won(one), said.p_values(one)))),
        _whisker(one, scales.get(metric.name, 0.0)),
    )


def _scales(made: Compared) -> dict[str, float]:
    """How far the intervals of each metric reach from 0, over all methods."""
    reach: dict[str, float] = {}
    for one in made.comparisons:
        reach[one.metric] = max(reach.get(one.metric, 0.0), *map(abs, _ends(one)), 0.0)
    return reach


def _ends(one: Comparison) -> Sequence[float]:
    return [value for value in (one.difference, one.low, one.high) if value is not None]


def _whisker(one: Comparison, reach: float) -> Whisker | None:
    ends = _ends(one)
    if len(ends) < 3 or not reach or one.verdict is Verdict.UNCHANGED:
        return None
    return Whisker(*(round(50 + 50 * value / reach, 2) for value in ends))
