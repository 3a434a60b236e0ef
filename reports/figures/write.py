"""All figures of a finished run, drawn from its folder alone, and their captions; one file beside this one an idea."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from hifibench.errors import HifibenchError
from hifibench.files import atomic_write
from reports.figures import ablation as figure_ablation
from reports.figures import drawing as figure_drawing
from reports.figures import extremes as figure_extremes
from reports.figures import figure as page
from reports.figures import grid as figure_grid
from reports.figures import parts as figure_parts
from reports.figures import speed as figure_speed
from reports.figures import tradeoff as figure_tradeoff
from reports.figures.drawing import Drawing, said
from reports.records import Run
from reports.tables import Table

CAPTIONS = "captions.md"
ENDINGS = ("png", "pdf", "svg")

_HEADING = re.compile(r"^## ([a-z0-9-]+): ", re.MULTILINE)
"""Of a caption; the name is that of the figure's files."""


def draw(run: Run, table: Table) -> Iterator[Drawing | str]:
    """The figures that the run has the data for, one by one; in place of those whose data is damaged, why."""
    kinds: tuple[Callable[[], Iterator[Drawing]], ...] = (
        lambda: figure_grid.draw(run),
        lambda: figure_extremes.draw(run),
        lambda: figure_ablation.draw(run),
        lambda: figure_tradeoff.draw(run),
        lambda: figure_speed.draw(run),
        lambda: figure_parts.draw(run, table),
    )
    for kind in kinds:
        try:
            yield from kind()
        except HifibenchError as error:
            yield str(error)


def write(run: Run, table: Table, folder: Path) -> list[Path]:
    """Write every figure as PNG, PDF and SVG, and ``captions.md`` with a paragraph for each, in which all are named.

    Args:
        run: the finished run.
        table: its numbers, for the choice of metrics in the parts.
        folder: where to.

    Returns:
        The files, the captions last; none where there is nothing to draw.

    Raises:
        MissingError: the folder cannot be written to.
    """
    about = figure_drawing.about(run)
    written: list[Path] = []
    captions: list[str] = []
    damaged: dict[str, None] = {}
    with page.style():
        for one in draw(run, table):
            if isinstance(one, str):
                damaged[one] = None
                continue
            written += page.save(one.figure, folder, one.name, about, generated=one.generated)
            captions.append(_section(one))
    if not captions and not damaged:
        return []
    lacking = [f"Not drawn: {said(why)}\n" for why in damaged]
    atomic_write(
        folder / CAPTIONS, "\n".join([f"# {said(run.results.title or run.results.suite)}\n", *captions, *lacking])
    )
    return [*written, folder / CAPTIONS]


def _section(one: Drawing) -> str:
    files = ", ".join(f"[{ending.upper()}]({one.name}.{ending})" for ending in ENDINGS)
    return f"## {one.name}: {said(one.title)}\n\n{one.caption}\n\n{files}\n"


def owned(folder: Path) -> set[str]:
    """The files in a folder that `write` made there: the captions, and those of the figures that they tell of."""
    try:
        named = _HEADING.findall((folder / CAPTIONS).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return set()
    return {CAPTIONS, *(f"{name}.{ending}" for name in named for ending in ENDINGS)}
