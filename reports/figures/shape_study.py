"""Sample by sample, which of two methods comes nearer to the source's face shape (paper, Fig. 6).

The paper claims that where source and target differ much in shape, HifiFace is nearer than FaceShifter on 95 % of the
samples. How much they differ is what the method `target-copy` scores: the shape error of the target itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hifibench.errors import UsageError
from hifibench.hififace.analysis.study import Study, load, save
from hifibench.registry import did_you_mean
from reports import read
from reports.figures import figure as page
from reports.figures.figure import NEUTRAL, SMALL, SOURCE, TARGET
from reports.records import Run

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from metrics.statistics import Interval

NAME, SHARES = "shape", "shape_shares"
SEED = 0
"""Of the bootstrap over videos."""
MANY = 1000
"""Samples from which on their dots are drawn small, and as pixels."""
_LETTERS = 36
REFERENCE = "target-copy"
GROUPS = {"all": 0.0, "top half": 0.5, "top quarter": 0.75}
"""Group -> quantile of the shape difference of source and target from which on a pair belongs to it."""


def compare(folder: Path, a: str, b: str, metric: str = "shape[3ddfa]") -> Study:
    """The samples of a finished run.

    Args:
        folder: of the run.
        a: a method of the run.
        b: another one.
        metric: a shape metric of the run, in whose unit all lengths are.

    Returns:
        A table with a row per pair that both methods and `REFERENCE` scored: ``pair``, ``video`` (of the target),
        ``source_target`` (shape difference of source and target), ``error_a``, ``error_b``, ``difference`` (a - b);
        sorted by the last.

    Raises:
        MissingError: the run is not finished.
        UsageError: the run lacks a method or the metric, its scores are damaged, or both methods are one.
    """
    run = read.run(folder)
    unit = _unit(run, metric)
    for method in (a, b):
        known = [one.name for one in run.results.methods]
        if method not in known:
            raise UsageError(f"The run in {folder} has no method {method!r}.{did_you_mean(method, known)}")
    if a == b:
        raise UsageError(f"--methods {a},{b}: name two different methods.")
    wide = values(folder, metric)
    if REFERENCE not in wide:
        raise UsageError(
            f"The run in {folder} lacks {REFERENCE}, which says how far source and target are apart in shape. Run the "
            f"suite again into the same folder with --methods {a},{b},{REFERENCE}."
        )
    table = wide[[REFERENCE, a, b]].set_axis(["source_target", "error_a", "error_b"], axis=1)
    failed = {name: int(wide[name].isna().sum()) for name in (a, b)}
    scored = table[np.isfinite(table).all(axis=1)].rename_axis("pair").reset_index()
    if scored.empty:
        raise UsageError(f"In the run in {folder}, no pair was scored for {a}, {b} and {REFERENCE} alike.")
    # Where the manifest is gone, nothing is known of videos, and every pair counts as one.
    scored.insert(1, "video", [run.videos.get(pair, pair) for pair in scored["pair"]])
    scored["difference"] = scored["error_a"] - scored["error_b"]
    about = {
        "study": NAME,
        "a": a,
        "b": b,
        "metric": metric,
        "unit": unit,
        "left_out": f"{len(table) - len(scored)} of {len(table)} pairs; {a} failed on {failed[a]}, {b} on {failed[b]}",
        "suite": run.results.suite,
        "manifest": run.results.manifest,
        "run": str(run.provenance.get("run_id", "")),
        "hifibench": str(run.provenance.get("hifibench", "")),
    }
    ordered = scored.sort_values(["difference", "pair"], ignore_index=True)
    return Study(NAME, ordered, {}, about)


class Share(NamedTuple):
    """On how many samples of a group method a is strictly nearer to the source's shape than b.

    Attributes:
        group: one of `GROUPS`.
        least: shape difference of source and target from which on a pair belongs to it.
        n: samples.
        lower: those on which a has the lower error.
        share: ``lower / n`` in [0, 1].
        low: lower end of the 95 % interval: a bootstrap over the targets' videos; Wilson's where no two samples share
            a video, and for shares of 0 and 1 with the videos as trials.
        high: upper end of it.
    """

    group: str
    least: float
    n: int
    lower: int
    share: float
    low: float
    high: float


def shares(study: Study) -> list[Share]:
    """The share of every group, in the order of `GROUPS`."""
    found = []
    apart: NDArray[np.float64] = study.table["source_target"].to_numpy(np.float64)
    difference: NDArray[np.float64] = study.table["difference"].to_numpy(np.float64)
    # Samples that do not say of which video they are count as one each. Numbers in the order of the table, since the
    # names of videos may be read back from a file as other things than text.
    videos = study.table["video" if "video" in study.table else "pair"].factorize()[0]
    for group, quantile in GROUPS.items():
        least = float(np.quantile(apart, quantile))
        chosen = apart >= least
        n, lower = int(chosen.sum()), int((difference[chosen] < 0).sum())
        ends = _interval(difference[chosen] < 0, videos[chosen])
        found.append(Share(group, least, n, lower, lower / n, *ends))
    return found


def _interval(nearer: NDArray[np.bool_], videos: NDArray[np.int64]) -> Interval:
    from metrics.statistics import Interval, cluster_bootstrap, wilson

    n, lower, clusters = len(nearer), int(nearer.sum()), len(np.unique(videos))
    if clusters == n:
        return wilson(lower, n)
    if lower in (0, n):
        return wilson(clusters if lower else 0, clusters)
    low, high = cluster_bootstrap(nearer.astype(np.float64), videos, seed=SEED)
    return Interval(float(low), float(high))


def sentences(study: Study) -> list[str]:
    """What `shares` found, in words."""
    a, b, metric = (study.about[key] for key in ("a", "b", "metric"))
    lines = [
        f"{one.group}: {a} has the lower {metric} than {b} on {one.lower} of {one.n} samples, {percent(one)}"
        for one in shares(study)
    ]
    return [*lines, f"Left out: {study.about['left_out']}."]


def write(study: Study, folder: Path) -> list[Path]:
    """Write samples and shares, draw the figure from what was written; returns the files.

    Raises:
        MissingError: the folder cannot be written to.
    """
    import pandas as pd

    summary = Study(SHARES, pd.DataFrame(shares(study)), {}, study.about)
    return [*save(study, folder), *save(summary, folder), *draw(folder)]


def draw(folder: Path) -> list[Path]:
    """Draw the study that lies in a folder as ``shape.png``, ``shape.pdf`` and ``shape.svg`` beside it.

    Raises:
        MissingError: the study was not made there, or the folder cannot be written to.
        UsageError: its files are damaged.
    """
    study = load(folder, NAME)
    with page.style():
        return page.save(_figure(study), folder, NAME, study.about, generated=False)


def png(study: Study) -> bytes:
    """The figure as a PNG file."""
    import io

    out = io.BytesIO()
    with page.style():
        _figure(study).savefig(out, format="png", dpi=page.DPI)
    return out.getvalue()


def _unit(run: Run, metric: str) -> str:
    known = {one.name: one.unit for one in run.results.metrics if one.name.startswith("shape[")}
    if metric not in known:
        raise UsageError(
            f"The run in {run.folder} has no shape metric {metric!r}; it has {', '.join(known) or 'none'}. Score it "
            "with a suite that has one: what was swapped and observed is kept."
        )
    return known[metric]


def values(folder: Path, metric: str) -> pd.DataFrame:
    """The values of one metric in a finished run: a row per pair, a column per method; NaN where not scored.

    Raises:
        MissingError: the file of scores is gone.
        UsageError: it is damaged.
    """
    rows = read.scores(folder)
    chosen = rows[rows["metric"] == metric]
    try:
        return chosen.pivot(index="pair", columns="method", values="value")
    except ValueError as error:
        path = folder / "scores.parquet"
        raise UsageError(f"{path} is damaged ({error}). Delete it and run the same command again.") from error


def _figure(study: Study) -> Figure:
    table = study.table
    about = {**study.about, **{key: page.plain(page.shorten(study.about[key], _LETTERS)) for key in ("a", "b", "unit")}}
    unit = f" ({about['unit']})" if about["unit"] else ""
    height, names, under = 2.2, 0.5, 0.45
    total = height + names + under
    figure = page.empty(total)
    boxes = [(0.11, under / total, 0.36, height / total), (0.56, under / total, 0.43, height / total)]
    left, right = (figure.add_axes(box) for box in boxes)
    difference = table["difference"].to_numpy()
    colours = np.where(difference < 0, SOURCE, TARGET)
    edges = np.arange(0.5, len(table) + 1)
    for part, colour in ((np.minimum(difference, 0), SOURCE), (np.maximum(difference, 0), TARGET)):
        left.stairs(part, edges, fill=True, color=colour)
    left.set_xlabel("samples, sorted")
    left.set_ylabel(f"shape error of {about['a']}\nminus that of {about['b']}{unit}")
    many = len(table) > MANY
    right.scatter(table["source_target"], difference, s=2 if many else 8, c=colours, linewidths=0, rasterized=many)
    right.set_xlabel(f"shape difference of source and target{unit}")
    for axes in (left, right):
        axes.axhline(0, color="black", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    right.set_xlim(right.get_xlim())  # lines drawn to the edge must not move it
    for place, one in enumerate(shares(study)):
        _share(right, place, one)
    lower = f"{about['a']} nearer to the source's shape"
    figure.text(0.11, 1 - 0.08 / total, lower, color=SOURCE, va="top", fontsize=SMALL)
    figure.text(0.11, 1 - 0.22 / total, f"{about['b']} nearer, or alike", color=TARGET, va="top", fontsize=SMALL)
    return figure


def _share(axes: Axes, place: int, one: Share) -> None:
    """A group's share over the scatter, on a line from where the group begins to the right."""
    level, edge, across = 1.03 + 0.07 * place, axes.get_xlim()[1], axes.get_xaxis_transform()
    axes.plot([one.least, edge], [level, level], transform=across, color=NEUTRAL, linewidth=0.8, clip_on=False)
    words = f"{one.group}: {percent(one)}"
    axes.text(edge, level, words, transform=across, color=SOURCE, ha="right", va="bottom", fontsize=SMALL)
    if place:
        axes.axvline(one.least, color="0.8", linewidth=0.6, zorder=0)


def percent(one: Share) -> str:
    """Share and interval in words: ``87 % [79, 93]``."""
    return f"{100 * one.share:.0f} % [{100 * one.low:.0f}, {100 * one.high:.0f}]"
