"""What the page knows of single pairs: how they ended, their scores, their parts, and what is no longer there."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hifibench.errors import MissingError
from hifibench.pipeline.pictures import Pictures
from hifibench.pipeline.store import read_json
from hifibench.records import Status
from reports import notes, read
from reports.examples import PICTURES_SINCE, inside
from reports.glossary import words
from reports.page.pictures import Kept, Tile
from reports.records import Metric, Run
from reports.tables import Table, calibrated

if TYPE_CHECKING:
    import pandas as pd

MESSAGE_CHARS = 300
"""How much of what a failed pair said is kept."""

INLINE_SCORES = 500_000
"""How many scores of single pairs stand inside of a page; more go beside it."""

LARGEST = float(np.finfo(np.float32).max)
"""Larger numbers of single pairs are cut to it: infinite means that there is nothing to score."""

Floats = NDArray[np.float32]
Codes = NDArray[np.uint16]
Flags = NDArray[np.uint8]


@dataclass(frozen=True)
class Division:
    """A split: ``of`` gives for each pair the number of its level, from 1; 0 where it is in none."""

    name: str
    title: str
    levels: tuple[str, ...]
    of: Codes


@dataclass(frozen=True)
class PairData:
    """All pairs of a run.

    Attributes:
        pairs: their names, in the manifest's order.
        methods: names, in the order of the tables.
        values: (method, metric) -> ``(pairs,)`` in the metric's unit; NaN: not scored, infinite: nothing to score.
        statuses: words for how a swap ended.
        ended: method -> ``(pairs,)``, the number of its status from 1; 0 where that is not known.
        messages: (method, pair) -> what a failed pair said.
        divisions: the splits.
        gone: sentences on what the run's folder no longer holds, pictures aside.
    """

    pairs: tuple[str, ...]
    methods: tuple[str, ...]
    values: Mapping[tuple[str, str], Floats]
    statuses: tuple[str, ...]
    ended: Mapping[str, Codes]
    messages: Mapping[tuple[str, str], str]
    divisions: tuple[Division, ...]
    gone: tuple[str, ...] = ()

    @property
    def small(self) -> bool:
        """Whether the scores may stand inside of a page."""
        return len(self.values) * len(self.pairs) <= INLINE_SCORES


def build(run: Run, table: Table) -> PairData:
    """Read what the run's folder knows of its pairs.

    Raises:
        UsageError: a file in it is damaged.
    """
    methods = tuple(row.name for row in table.rows)
    rows, levels = _there(read.scores, run.folder), _there(read.levels, run.folder)
    ended = {method: _ended(run.folder, method) for method in methods}
    pairs = _pairs(run, rows, ended)
    position = {pair: index for index, pair in enumerate(pairs)}
    statuses = tuple(dict.fromkeys([*Status, *(status for told in ended.values() for status, _ in told.values())]))
    return PairData(
        pairs=pairs,
        methods=methods,
        values={} if rows is None else _values(rows, pairs, methods, run.results.metrics),
        statuses=tuple(map(str, statuses)),
        ended={
            method: _codes({pair: statuses.index(status) for pair, (status, _) in told.items()}, position)
            for method, told in ended.items()
        },
        messages={
            (method, pair): message[:MESSAGE_CHARS]
            for method, told in ended.items()
            for pair, (_, message) in told.items()
            if message and pair in position
        },
        divisions=() if levels is None else _divisions(run, levels, position),
        gone=tuple(_gone(run, rows is None, levels is None)),
    )


def _gone(run: Run, scores: bool, levels: bool) -> Iterator[str]:
    old = run.schema < PICTURES_SINCE
    why = "the version of hifibench that made this run wrote none" if old else "splits.parquet is gone"
    if scores:
        yield "There are no numbers of single pairs: scores.parquet is gone."
    if levels and run.results.splits:
        yield f"Pairs cannot be chosen by part: {why}."


def lost(run: Run, data: PairData, kept: Kept, unreadable: int) -> list[str]:
    """Sentences on what can no longer be shown of the run."""
    said = list(data.gone)
    n = len(data.pairs)
    if not n:
        return [*said, "Nothing is left that names the pairs."]
    if not kept.tiles:
        none = "the version of hifibench that made this run kept none"
        gone = "the run's folder holds none in pictures/"
        return [*said, f"There are no pictures: {none if run.schema < PICTURES_SINCE else gone}."]
    for tile, what in ((Tile("sources"), "Source"), (Tile("targets"), "Target")):
        missing = n - int(kept.shown(tile).sum())
        if missing:
            said.append(f"{what} pictures of {missing} of {n} pairs are missing.")
    none_made = notes.absent(run)
    for method in data.methods:
        ended = data.ended[method]
        if method in none_made and not ended.any():
            continue
        # Where it is not known how a swap ended, its picture is expected.
        made = (ended == 0) | (ended == 1 + data.statuses.index(Status.OK))
        shown = kept.shown(Tile("swaps", method)) & made
        if made.any() and not shown.any():
            said.append(f"Method {method}: no picture of any swap is there.")
        elif not shown[made].all():
            said.append(f"Method {method}: pictures of {int((made & ~shown).sum())} of {made.sum()} swaps are missing.")
    if unreadable:
        said.append(f"{unreadable} {'picture' if unreadable == 1 else 'pictures'} could not be read.")
    return said


def as_json(data: PairData, run: Run, table: Table) -> dict[str, Any]:
    """All of it for the page's script: names as text, numbers of all pairs as base64 of little-endian arrays."""
    references = {row.name for row in table.rows if row.reference}
    index = {pair: position for position, pair in enumerate(data.pairs)}
    messages: dict[str, dict[int, str]] = {}
    for (method, pair), message in data.messages.items():
        messages.setdefault(method, {})[index[pair]] = message
    return {
        "pairs": data.pairs,
        "methods": [
            {
                "name": method,
                "reference": method in references,
                "ended": as_text(data.ended[method]) if data.ended[method].any() else None,
                "messages": messages.get(method, {}),
            }
            for method in data.methods
        ],
        "statuses": data.statuses,
        "metrics": [
            _metric(metric, [data.values.get((method, metric.name)) for method in data.methods])
            for metric in run.results.metrics
            if any((method, metric.name) in data.values for method in data.methods)
        ],
        "splits": [
            {"title": split.title, "levels": split.levels, "of": as_text(split.of)}
            for split in data.divisions
        ],
    }  # fmt: skip


def tiles(kept: Kept, methods: Sequence[str]) -> dict[str, Any]:
    """Where on a sheet which picture is, methods in the order of `PairData.methods`, and which are there."""
    at = {tile: index for index, tile in enumerate(kept.tiles)}
    return {
        "columns": kept.columns,
        "rows": kept.rows,
        "count": len(kept.tiles),
        "source": at.get(Tile("sources")),
        "target": at.get(Tile("targets")),
        "swaps": [at.get(Tile("swaps", method)) for method in methods],
        "masks": [at.get(Tile("masks", method)) for method in methods],
        "there": as_text(kept.there.astype(np.uint8)),
    }


def _metric(metric: Metric, values: Iterable[Floats | None]) -> dict[str, Any]:
    return {
        "name": metric.name,
        "title": metric.title,
        "words": words(metric.name),
        # Of a set's number the pairs have what it is computed from, in another unit and of unknown direction.
        "unit": "" if metric.whole else metric.unit,
        "direction": None if metric.whole else metric.direction,
        "decimals": metric.decimals,
        "rate": metric.rate,
        "whole": metric.whole,
        "group": metric.group or "other",
        "calibration": calibrated(metric),
        "values": [None if one is None else as_text(one) for one in values],
    }


def as_text(numbers: Floats | Codes | Flags) -> str:
    """Numbers as base64 of a little-endian array."""
    little = numbers.astype(numbers.dtype.newbyteorder("<"), copy=False)
    return base64.b64encode(np.ascontiguousarray(little).tobytes()).decode("ascii")


def _there(read_table: Callable[[Path], pd.DataFrame], folder: Path) -> pd.DataFrame | None:
    """A table of a run's folder; ``None`` where it is gone."""
    try:
        return read_table(folder)
    except MissingError:
        return None


def _ended(folder: Path, method: str) -> dict[str, tuple[str, str]]:
    """Pair -> how its swap ended, and what was said, from the marks of finished chunks."""
    found: dict[str, tuple[str, str]] = {}
    root = inside(folder / "swaps", method)
    for path in sorted(root.glob("chunk-*.json")) if root is not None else ():
        raw = read_json(path)
        listed = raw.get("pairs") if isinstance(raw, dict) else None
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict) and {"pair", "status"} <= entry.keys():
                found[str(entry["pair"])] = str(entry["status"]), str(entry.get("message") or "")
    return found


def _pairs(run: Run, rows: pd.DataFrame | None, ended: Mapping[str, Mapping[str, object]]) -> tuple[str, ...]:
    """All pairs: the manifest's, else those that something in the run's folder names."""
    if run.videos:
        return tuple(run.videos)
    named = [] if rows is None else [str(pair) for pair in rows["pair"].unique()]
    named += [pair for told in ended.values() for pair in told]
    named += sorted(path.stem for path in Pictures(run.folder).targets.glob("*.jpg"))
    return tuple(dict.fromkeys(named))


def _values(
    rows: pd.DataFrame, pairs: Sequence[str], methods: Sequence[str], metrics: Sequence[Metric]
) -> dict[tuple[str, str], Floats]:
    import pandas as pd

    where = [
        pd.Index(list(order)).get_indexer(pd.Index(rows[column]))
        for column, order in (("method", methods), ("metric", [metric.name for metric in metrics]), ("pair", pairs))
    ]
    known = (np.stack(where) >= 0).all(0)
    of_method, of_metric, of_pair = (index[known] for index in where)
    values = np.full((len(methods), len(metrics), len(pairs)), np.nan, np.float32)
    numbers = rows["value"].to_numpy(np.float64)[known]
    values[of_method, of_metric, of_pair] = np.where(np.isinf(numbers), numbers, numbers.clip(-LARGEST, LARGEST))
    there = np.zeros(values.shape[:2], np.bool_)
    there[of_method, of_metric] = True
    return {
        (methods[method], metrics[metric].name): values[method, metric]
        for method, metric in np.argwhere(there).tolist()
    }


def _divisions(run: Run, levels: pd.DataFrame, position: Mapping[str, int]) -> tuple[Division, ...]:
    found = []
    for split, chosen in levels.groupby("split", sort=False):
        listed = [part for part in run.results.splits if part.split == split]
        title = ", ".join([listed[0].title if listed else str(split).partition("[")[0], *words(str(split))])
        order = list(dict.fromkeys([*(part.level for part in listed), *map(str, chosen["level"].unique())]))
        of = {str(pair): order.index(level) for pair, level in zip(chosen["pair"], chosen["level"], strict=True)}
        found.append(Division(str(split), title, tuple(order), _codes(of, position)))
    return tuple(found)


def _codes(of: Mapping[str, int], position: Mapping[str, int]) -> Codes:
    """``(pairs,)``: the number from 1, and 0 for pairs that are not in ``of``."""
    codes = np.zeros(len(position), np.uint16)
    for pair, code in of.items():
        if pair in position:
            codes[position[pair]] = code + 1
    return codes
