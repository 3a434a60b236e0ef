"""A calibration as a page that needs nothing beside it, and as a table in the terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from hifibench.calibration.records import Calibration, Curve, Entry
from hifibench.files import atomic_write
from metrics.calibration import LEAST_RHO
from metrics.dose_response import LEVEL, PAIRS, POWER
from reports import grid, grids
from reports.html import template

MISSING = "—"
_WIDE, _HIGH = 200.0, 96.0
"""Of a plot, in the units of its SVG."""
_THUMBNAIL_PX = 112
_NAME = 23
"""Width of the names in a terminal; a longer one has its brackets on a line of their own."""
_WIDE_CONSOLE = 96
"""From as many columns on, a terminal shows what more pairs resolve, too."""
CROSS_TALK = 0.25
"""Share of a metric's way from floor to ceiling: a dose that it should ignore and that moves it further is marked."""


@dataclass(frozen=True)
class Plot:
    """One dose-response curve, ready to draw: positions in a box of `_WIDE` by `_HIGH`, y down.

    Attributes:
        line: points of the mean changes, the undamaged swap first, as SVG has them.
        whiskers: (x, y of the lower end, y of the upper end) of each interval.
        dots: (x, y) of each dose.
        zero: y of no change.
        top: the change at the upper edge; empty where it is none, which the line of no change says.
        bottom: the same of the lower edge.
        right: the amount at the right edge.
        falls: the last dose lies below no change.
    """

    line: str
    whiskers: tuple[tuple[float, float, float], ...]
    dots: tuple[tuple[float, float], ...]
    zero: float
    top: str
    bottom: str
    right: str
    falls: bool


@dataclass(frozen=True)
class Tile:
    """One picture of a strip: what stands under it, and its ``data:`` address (``None``: not there)."""

    words: str
    address: str | None


@dataclass(frozen=True)
class CrossTalk:
    """One cell of the matrix.

    Attributes:
        text: the largest change in % of the way from floor to ceiling.
        kind: ``judged``, ``expected``, ``ignores`` or ``moves``: the last should not.
    """

    text: str
    kind: str


def write(calibration: Calibration, folder: Path) -> Path:
    """Write ``calibration.html`` into a run folder, whose pictures it shows.

    Raises:
        MissingError: the folder cannot be written to.
        UsageError: a picture of the run cannot be read.
    """
    path = folder / "calibration.html"
    atomic_write(path, render(calibration, strips(calibration, folder)))
    return path


def render(calibration: Calibration, pictures: Mapping[str, Sequence[Tile]]) -> str:
    """The page.

    Args:
        calibration: what was found.
        pictures: series -> its strip of pictures.
    """
    return template("calibration.html.j2").render(
        calibration=calibration,
        pairs=PAIRS,
        number=number,
        parts=parts,
        interval=interval,
        unit=unit,
        plot=plot,
        cross_talk=cross_talk,
        pictures=pictures,
        series=_series(calibration),
        least_rho=LEAST_RHO,
        level=round(100 * LEVEL),
        power=round(100 * POWER),
        most=round(100 * CROSS_TALK),
    )


def strips(calibration: Calibration, folder: Path) -> dict[str, list[Tile]]:
    """Series -> the first pair that its largest dose changes, without damage and at each dose, from the run folder."""
    pairs = [pair["pair"] for pair in json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["pairs"]]

    def picture(method: str, pair: str) -> Path:
        return folder / "swaps" / method / f"{pair}.png"

    def tile(words: str, path: Path) -> Tile:
        return Tile(words, grid.thumbnail(path, _THUMBNAIL_PX) if path.is_file() else None)

    made = {}
    for curve in _series(calibration):
        methods = [f"dose-{curve.name}-{dose:g}" for dose in curve.doses]
        changed = (pair for pair in pairs if _differ(picture("truth", pair), picture(methods[-1], pair)))
        pair = next(changed, pairs[0])
        made[curve.name] = [
            tile("undamaged", picture("truth", pair)),
            *(tile(f"{dose:g}", picture(m, pair)) for dose, m in zip(curve.doses, methods, strict=True)),
        ]
    return made


def _differ(one: Path, other: Path) -> bool:
    """Whether two pictures are there and show different things."""
    from PIL import Image, ImageChops

    if not (one.is_file() and other.is_file()):
        return False
    with Image.open(one) as a, Image.open(other) as b:
        return ImageChops.difference(a.convert("RGB"), b.convert("RGB")).getbbox() is not None


def _series(calibration: Calibration) -> tuple[Curve, ...]:
    """One curve of each series, for its name and doses; every metric has the same series."""
    return calibration.metrics[0].series if calibration.metrics else ()


def show(calibration: Calibration, console: Console) -> None:
    """Print floor, ceiling, rho and resolution of every metric."""
    # Of more pairs the page tells too; they resolve less by the root of their number.
    told = PAIRS if console.width >= _WIDE_CONSOLE else PAIRS[:1]
    table = grids.empty(f"Calibration on {calibration.pairs} rendered pairs, seed {calibration.seed}")
    table.add_column("metric", overflow="fold", min_width=_NAME)
    for heading in ("floor", "ceiling", "ρ", *(f"resolves\nat {n:,}" for n in told)):
        table.add_column(heading, justify="right")
    for entry in sorted(calibration.metrics, key=lambda entry: entry.group):
        curve = entry.weakest
        name = Text(entry.name if len(entry.name) <= _NAME else entry.name.replace("[", "\n["), style="bold")
        name.append(" poor" if entry.poor else "", style="bold red")
        if curve is not None:
            name.append(f"\n  by {', '.join(one.name for one in entry.judged)}", style="not bold dim")
        rho = Text(MISSING if curve is None else number(curve.rho, 2))
        if curve is not None:
            rho.append(f"\n{interval(curve.rho_low, curve.rho_high, 2)}", style="not bold dim")
        table.add_row(
            name,
            f"{number(entry.floor.again, entry.decimals)}{unit(entry.unit)}",
            number(entry.ceiling, entry.decimals),
            rho,
            *(MISSING if curve is None else resolution(entry, curve, n) for n in told),
        )
    console.print(table)
    console.print()
    for entry in calibration.metrics:
        if entry.poor:
            console.print(Text(f"{entry.name} is poor: {entry.reason}.", style="red"))
    console.print(
        Text(
            "floor: of the true swap, rendered again; ceiling: of a swap without any of the property; ρ: Spearman's, "
            "value against dose within pairs, of the dose that the metric follows least; resolves: the smallest change "
            f"that so many pairs tell at level {LEVEL}, power {POWER}, in the metric's unit and in the dose's.",
            style="dim",
        )
    )


def resolution(entry: Entry, curve: Curve, n: int) -> str:
    """What n pairs resolve: in the metric's unit, then in the dose's."""
    found = curve.resolution[n]
    dose = "> largest" if found.dose is None else f"{found.dose:.2g} {curve.unit}"
    return f"{number(found.metric, entry.decimals)}\n{dose}"


def parts(name: str) -> list[str]:
    """A metric's name cut where a narrow page may break it.

    Example:
        >>> parts("pose[mediapipe,yaw]")
        ['pose[', 'mediapipe,', 'yaw]']
    """
    return re.findall(r"[^\[,]*[\[,]?", name)[:-1]


def number(value: float | None, decimals: int) -> str:
    """A number of a table."""
    return MISSING if value is None else f"{value:.{decimals}f}"


def interval(low: float | None, high: float | None, decimals: int) -> str:
    """Both ends of an interval, or nothing."""
    return "" if low is None or high is None else f"{low:.{decimals}f} to {high:.{decimals}f}"


def unit(of: str) -> str:
    """A unit after a number."""
    return f" {of}" if of else ""


def cross_talk(entry: Entry, curve: Curve) -> CrossTalk:
    """One cell: how far a dose moves a metric, and whether it should."""
    if curve.effect is None:
        return CrossTalk(MISSING, "none")
    kind = "ignores" if curve.effect <= CROSS_TALK else "moves"
    if curve.responds or curve.expected:
        kind = "judged" if curve.responds else "expected"
    return CrossTalk(f"{100 * curve.effect:.0f}", kind)


def plot(curve: Curve) -> Plot | None:
    """Where to draw a curve; ``None`` where there is nothing to draw."""
    doses = [
        (amount, mean, mean if low is None else low, mean if high is None else high)
        for amount, mean, low, high in zip(curve.amounts, curve.means, curve.low, curve.high, strict=True)
        if amount is not None and mean is not None
    ]
    if not doses:
        return None
    right = max(amount for amount, *_ in doses) or 1.0
    bottom, top = min(0.0, *(low for _, _, low, _ in doses)), max(0.0, *(high for *_, high in doses))
    height = (top - bottom) or 1.0

    def x(amount: float) -> float:
        return round(_WIDE * amount / right, 1)

    def y(change: float) -> float:
        return round(_HIGH * (top - change) / height, 1)

    dots = tuple((x(amount), y(mean)) for amount, mean, *_ in doses)
    return Plot(
        line=" ".join(f"{across},{down}" for across, down in ((0.0, y(0.0)), *dots)),
        whiskers=tuple((x(amount), y(low), y(high)) for amount, _, low, high in doses),
        dots=dots,
        zero=y(0.0),
        top=f"{top:+.3g}" if top else "",
        bottom=f"{bottom:+.3g}" if bottom else "",
        right=f"{right:.3g} {curve.unit}",
        falls=doses[-1][1] < 0,
    )
