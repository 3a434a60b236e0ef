"""One number per method, metric and pair: computed some pairs at a time and kept on the disk meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hifibench.arrays import DiskArray
from hifibench.contracts import Metric, Whole
from hifibench.errors import UsageError
from hifibench.pipeline.blocks import Rows
from hifibench.pipeline.observations import Observations, View
from hifibench.pipeline.scores_file import release
from hifibench.profiling import NOTHING, Profile
from hifibench.records import Observed

Row = NDArray[np.float64]


class Values:
    """What metrics say of each pair; NaN until they have said something.

    Args:
        scratch: folder for the file that holds them.
        methods: of the run.
        metrics: printed names.
        pairs: number of pairs.
    """

    def __init__(self, scratch: Path, methods: Sequence[str], metrics: Sequence[str], pairs: int) -> None:
        self.methods = tuple(methods)
        self._line = {key: line for line, key in enumerate(dict.fromkeys(product(methods, metrics)))}
        self._table = DiskArray(scratch, (len(self._line), pairs))
        for line in range(len(self._table)):
            self._table[line] = np.nan

    def __getitem__(self, key: tuple[str, str]) -> Row:
        """The values of a method by a metric, ``(n,)``; a copy."""
        return self._table[self._line[key]]

    def put(self, key: tuple[str, str], values: Row, rows: Rows | slice = slice(None)) -> None:
        """Set values of a method by a metric, of all pairs or of some."""
        self._table[self._line[key], rows] = values

    def of_metric(self, metric: str, methods: Sequence[str]) -> dict[str, Row]:
        """Method -> its values by a metric."""
        return {method: self[method, metric] for method in methods}

    def lines(self) -> Iterator[tuple[str, str, Row]]:
        """Method, metric and values of every line, method by method."""
        for (method, metric), line in self._line.items():
            yield method, metric, self._table[line]

    def table(self, keys: Sequence[tuple[str, str]], where: NDArray[np.bool_] | slice = slice(None)) -> Row:
        """Several lines side by side, ``(pairs, len(keys))``, of all pairs or of some."""
        return np.stack([self[key][where] for key in keys], axis=1)

    def agree(self, metric: str) -> None:
        """Let a pair in which there is nothing to score for one method be none for all.

        That depends on the pair alone, but is not seen where a method gave no swap, or none with a face: the pair would
        count as failed there, and as the worst value.
        """
        nothing = np.any([np.isinf(self[method, metric]) for method in self.methods], axis=0)
        if nothing.any():
            for method in self.methods:
                row = self[method, metric]
                self.put((method, metric), np.where(nothing & np.isnan(row), np.inf, row))

    def largest(self, metric: str) -> float:
        """The largest value of the run, which a failed pair counts where there is no bound; NaN: there is none."""
        found = np.nan
        for method in self.methods:
            row = self[method, metric]
            found = np.fmax(found, np.max(row, where=np.isfinite(row), initial=-np.inf))
        return float(found) if np.isfinite(found) else np.nan


def measure(
    method: str,
    metrics: Sequence[Metric],
    observations: Observations,
    others: Mapping[str, View],
    values: Values,
    seed: int,
    draws: int,
    profile: Profile = NOTHING,
) -> dict[str, Whole]:
    """Compute metrics of one method: one value per pair into ``values``, and the numbers of all pairs as a whole.

    Args:
        method: that is measured.
        metrics: that may judge it.
        observations: of the run.
        others: what was seen in the swaps of the methods that it competes with.
        values: where the values of the pairs go.
        seed: of the numbers of the whole set.
        draws: of these.
        profile: where the time went; what a metric reads from the disk is in its time.

    Raises:
        UsageError: a metric cannot be computed of these observations, or does not give one value per pair.
    """

    def timed(metric: Metric, items: int) -> AbstractContextManager[None]:
        return profile.span("score", f"metric {metric.name}", items, method)

    def view(rows: Rows) -> Observed:
        return observations.of(observations.swaps(method, rows), rows, others)

    # Made once, since metrics may leave something on it for one another, and only where it is asked for.
    everything = cache(lambda: view(observations.all))
    measured = [metric for metric in metrics if observations.swapped(method, metric)]
    wholes = {}
    for metric in measured:
        with timed(metric, len(observations.all)):
            if metric.whole is not None:
                wholes[metric.name] = metric.whole(everything(), seed, draws)
            if _scope(metric) == "set":
                values.put((method, metric.name), _values(metric, everything()))
    if len(observations.blocks(False)) > 1:
        everything.cache_clear()
        release()
    refused = []
    for scope in ("pair", "clip"):
        left = [metric for metric in measured if _scope(metric) == scope]
        parts = observations.blocks(scope == "clip") if left else []
        for rows in parts:
            observed = everything() if len(parts) == 1 else view(rows)
            for metric in list(left):
                try:
                    with timed(metric, len(rows)):
                        values.put((method, metric.name), _values(metric, observed), rows)
                except UsageError:
                    # No verdict on the set: a block may hold no clip that is long enough, where others do.
                    left.remove(metric)
                    refused.append(metric)
    for metric in refused:
        with timed(metric, len(observations.all)):
            values.put((method, metric.name), _values(metric, everything()))
    return wholes


def _scope(metric: Metric) -> str:
    return "set" if metric.others else metric.scope


def _values(metric: Metric, observed: Observed) -> Row:
    values = np.asarray(metric.compute(observed), np.float64)
    if values.shape != (len(observed.pairs),):
        raise UsageError(f"{metric.name} returned shape {values.shape}, expected one value per pair.")
    return values
