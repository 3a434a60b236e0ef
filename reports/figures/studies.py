"""Figures of the studies that look into a generator, drawn from what `hifibench.hififace.analysis` wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hifibench.errors import UsageError
from hifibench.hififace.analysis.study import Study, load
from hifibench.registry import did_you_mean
from reports.figures import figure as page
from reports.figures.figure import SMALL, SOURCE, TARGET, TINY, Sheet

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(folder: Path, name: str) -> list[Path]:
    """Draw a study that lies in a folder as ``NAME.png``, ``NAME.pdf`` and ``NAME.svg`` beside it.

    Args:
        folder: where the study was written.
        name: ``interpolation``, ``fusion``, ``masks`` or ``blending``.

    Raises:
        MissingError: the study was not made there, or the folder cannot be written to.
        UsageError: there is no such study, or its files are damaged.
    """
    if name not in _FIGURES:
        raise UsageError(f"There is no study {name!r}.{did_you_mean(name, list(_FIGURES))}")
    study = load(folder, name)
    with page.style():
        return page.save(_FIGURES[name](study), folder, name, study.about, generated=True)


def _interpolation(study: Study) -> Figure:
    """Fig. 11: rows of pairs, the seven columns between target and source, and what is measured below them."""
    swaps, table = study.arrays["swaps"], study.table
    rows, steps = swaps.shape[:2]
    chart, between = 0.85, 0.14
    sheet = Sheet(steps + 2, rows, top=0.72, bottom=2 * (chart + between) + 0.4)
    figure = sheet.figure()
    sheet.name_rows(figure, [str(name) for name in study.arrays["pair"]])
    for row in range(rows):
        page.show_picture(sheet.cell(figure, row, 0), study.arrays["target"][row])
        for step in range(steps):
            page.show_picture(sheet.cell(figure, row, step + 1), swaps[row, step])
        page.show_picture(sheet.cell(figure, row, steps + 1), study.arrays["source"][row])
    sheet.title(figure, 0, r"target $I_t$")
    sheet.title(figure, steps + 1, r"source $I_s$")
    weights = table.drop_duplicates("column").sort_values("column")
    for step, (a, c) in enumerate(zip(weights["a"], weights["c"], strict=True), 1):
        sheet.title(figure, step, f"$a$ = {a:.2f}\n$c$ = {c:.2f}", fontsize=SMALL)
    _span(figure, sheet, 1, 4, 0.52, r"3D identity  $\psi_{in} = a\psi_s + (1-a)\psi_t$", TARGET)
    _span(figure, sheet, 4, 7, 0.36, r"identity vector  $v_{in} = c\,v_s + (1-c)\,v_t$", SOURCE)
    top = sheet.height - sheet.bottom + between
    charts = (("cosine_{}", "cosine (EdgeFace)"), ("shape_{}_sd", "3D identity\ndistance (sd)"))
    for index, (column, label) in enumerate(charts):
        axes = sheet.axes(figure, 1, steps + 1, top + index * (chart + between), chart)
        _lines(axes, table, column, steps)
        axes.set_ylabel(label, fontsize=SMALL)
        if index == 0:
            axes.set_xticklabels([])
            for line, (end, colour) in enumerate((("source", SOURCE), ("target", TARGET))):
                y = sheet.y(top + chart / 2 + 0.14 * line)
                figure.text(sheet.x(steps + 1) + 0.01, y, f"to the {end}", color=colour, fontsize=SMALL)
    axes.set_xlabel("column: thin lines are pairs, thick ones their mean")
    return figure


def _lines(axes: Axes, table: pd.DataFrame, column: str, steps: int) -> None:
    for end, colour in (("source", SOURCE), ("target", TARGET)):
        values = table.pivot(index="column", columns="pair", values=column.format(end)).sort_index()
        axes.plot(values.index, values.to_numpy(), color=colour, linewidth=0.6, alpha=0.45)
        mean = values.mean(axis=1)
        axes.plot(values.index, mean, color=colour, linewidth=1.8, marker="o", markersize=3)
    axes.set_xlim(0.5, steps + 0.5)
    axes.set_xticks(range(1, steps + 1))
    axes.axvline(4, color="0.8", linewidth=0.6, zorder=0)
    axes.spines[["top", "right"]].set_visible(False)


def _span(figure: Figure, sheet: Sheet, first: int, last: int, above: float, text: str, colour: str) -> None:
    """A line over several columns with words on it."""
    from matplotlib.lines import Line2D

    left, right = sheet.x(first) + 0.004, sheet.x(last) + (sheet.side / page.WIDTH_IN) - 0.004
    y = sheet.y(sheet.top - above)
    figure.add_artist(Line2D([left, right], [y, y], color=colour, linewidth=1.0))
    figure.text((left + right) / 2, y + 0.02 / sheet.height, text, ha="center", va="bottom", fontsize=SMALL)


def _fusion(study: Study) -> Figure:
    """Fig. 10: rows of pairs, a column for each level with a colour scale that its rows share."""
    levels = sorted(name for name in study.arrays if name.startswith("sff_"))
    rows = len(study.arrays["pair"])
    sheet = Sheet(3 + len(levels), rows, bottom=0.44)
    figure = sheet.figure()
    sheet.name_rows(figure, [str(name) for name in study.arrays["pair"]])
    for column, (name, title) in enumerate(
        (("source", r"source $I_s$"), ("target", r"target $I_t$"), ("swap", r"swap $I_r$"))
    ):
        sheet.title(figure, column, title)
        for row in range(rows):
            page.show_picture(sheet.cell(figure, row, column), study.arrays[name][row])
    for column, level in enumerate(levels, 3):
        maps = study.arrays[level]
        sheet.title(figure, column, f"SFF-{level.removeprefix('sff_')} ({maps.shape[1]} px)", fontsize=SMALL)
        # A few bright pixels must not darken the rest.
        high = float(np.quantile(maps, 0.995)) or 1.0
        for row in range(rows):
            drawn = page.show_map(sheet.cell(figure, row, column), maps[row], 0, high)
        _colour_bar(figure, sheet, column, drawn, high)
    label = r"mean over channels of $|z(I_s, I_t) - z(I_t, I_t)|$, divided by the mean of $|z(I_t, I_t)|$"
    middle = (sheet.x(3) + sheet.x(3 + len(levels))) / 2
    figure.text(middle, 0.03 / sheet.height, label, ha="center", va="bottom", fontsize=SMALL)
    return figure


def _colour_bar(figure: Figure, sheet: Sheet, column: int, drawn: object, high: float) -> None:
    axes = sheet.axes(figure, column + 0.06, column + 0.94, sheet.height - sheet.bottom + 0.03, 0.07)
    bar = figure.colorbar(drawn, cax=axes, orientation="horizontal", extend="max", extendfrac=0.04)  # type: ignore[arg-type]
    bar.set_ticks([0, high / 2, high], labels=["0", f"{high / 2:.2g}", f"{high:.2g}"])
    bar.ax.tick_params(labelsize=TINY, length=2, pad=1)
    bar.outline.set_linewidth(0.4)


def _masks(study: Study) -> Figure:
    """Rows of pairs: source, target, M_tar, the masks that the variant has, I_out and the swap."""
    titles = {
        "source": r"source $I_s$",
        "target": r"target $I_t$",
        "m_tar": r"$M_{tar}$",
        "m_low": r"$M_{low}$",
        "m_r": r"$M_r$",
        "i_out": r"$I_{out}$",
        "swap": r"swap $I_r$",
    }
    names = [name for name in titles if name in study.arrays]
    rows = len(study.arrays["pair"])
    sheet = Sheet(len(names), rows, below=0.13, bottom=0.2)
    figure = sheet.figure()
    pairs = [str(name) for name in study.arrays["pair"]]
    sheet.name_rows(figure, pairs)
    numbers = study.table.set_index(["pair", "mask"])
    for column, name in enumerate(names):
        sheet.title(figure, column, titles[name])
        for row, pair in enumerate(pairs):
            axes = sheet.cell(figure, row, column)
            if not name.startswith("m_"):
                page.show_picture(axes, study.arrays[name][row])
                continue
            page.show_map(axes, study.arrays[name][row], 0, 1, "gray")
            if (pair, name) in numbers.index:
                inside, outside, iou = numbers.loc[(pair, name), ["in_face", "off_face", "iou"]]
                sheet.under(figure, row, column, f"{inside:.2f} · {outside:.3f} · {iou:.2f}")
    legend = r"under a mask: mean inside $M_{tar}$ · mean outside it · intersection over union with it at 0.5"
    figure.text(0.5, 0.03 / sheet.height, legend, ha="center", va="bottom", fontsize=SMALL)
    return figure


_BLEND_TITLES = {"blend-t": "Blend-T", "blend-dt": "Blend-DT", "blend-r": "Blend-R", "own": r"own ($M_r$)"}


def _blending(study: Study) -> Figure:
    """Fig. 9: rows of pairs: source, target, I_out and the four blends of it, with what is measured of each."""
    swaps = study.arrays["swaps"]
    rows, pairs = len(swaps), [str(name) for name in study.arrays["pair"]]
    sheet = Sheet(3 + swaps.shape[1], rows, below=0.24, bottom=0.2)
    figure = sheet.figure()
    sheet.name_rows(figure, pairs)
    numbers = study.table.set_index(["pair", "blend"])
    for column, (name, title) in enumerate(
        (("source", r"source $I_s$"), ("target", r"target $I_t$"), ("i_out", r"$I_{out}$"))
    ):
        sheet.title(figure, column, title)
        for row in range(rows):
            page.show_picture(sheet.cell(figure, row, column), study.arrays[name][row])
    for column, title in enumerate(_BLEND_TITLES.values(), 3):
        sheet.title(figure, column, title)
        for row in range(rows):
            page.show_picture(sheet.cell(figure, row, column), swaps[row, column - 3])
    for column, blend in ((1, "target"), *enumerate(_BLEND_TITLES, 3)):
        for row, pair in enumerate(pairs):
            identity, contour, background = numbers.loc[
                (pair, blend), ["cosine_source", "contour_error", "background_l1"]
            ]
            sheet.under(figure, row, column, f"id {identity:.2f} · jaw {contour:.1f} %\nbackground {background:.4f}")
    legend = "id: cosine to the source (EdgeFace) · jaw: contour error, % of the eyes' distance · background: L1"
    figure.text(0.5, 0.03 / sheet.height, legend, ha="center", va="bottom", fontsize=SMALL)
    return figure


_FIGURES: Mapping[str, Callable[[Study], Figure]] = {
    "interpolation": _interpolation,
    "fusion": _fusion,
    "masks": _masks,
    "blending": _blending,
}
