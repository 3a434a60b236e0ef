"""Scores single swaps by the harness's own experts and metrics, as a benchmark run scores a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench import registry
from hifibench.hififace.analysis.faces import AlignedPair
from hifibench.pipeline.observe import Beside, Look, Observer, Seen, face_of
from hifibench.pipeline.store import stack
from hifibench.records import Floats, Frame, Observed


class Column(NamedTuple):
    """A metric, and whom the swap is compared with in the source's place."""

    metric: str
    to: Literal["source", "target"] = "source"


class Judged(NamedTuple):
    """A swapped frame of a pair."""

    pair: AlignedPair
    frame: Frame


class Judge:
    """Experts for a fixed set of columns.

    Args:
        columns: name of the column -> what stands in it.
        device: where the experts run.
    """

    def __init__(self, columns: Mapping[str, Column], device: str = "cpu") -> None:
        self._metrics = {name: registry.metric(column.metric) for name, column in columns.items()}
        self._to = {name: column.to for name, column in columns.items()}
        self.observer = Observer(experts([column.metric for column in columns.values()]), device)

    def score(self, swaps: Sequence[Judged]) -> dict[str, NDArray[np.float64]]:
        """Every column for n swaps, ``(n,)`` each; NaN where the swapped frame shows no face."""
        import pandas as pd

        seen = self._stacked(self.observer.map(self._look, swaps))
        source = self._stacked([swap.pair.source.seen for swap in swaps])
        target = self._stacked([swap.pair.target.seen for swap in swaps])
        pairs = pd.DataFrame({"pair": [swap.pair.pair for swap in swaps]})
        of_source, of_target = Observed(pairs, seen, source, target, {}), Observed(pairs, seen, target, target, {})
        return {
            name: np.asarray(metric.compute(of_source if self._to[name] == "source" else of_target), np.float64)
            for name, metric in self._metrics.items()
        }

    def _look(self, swap: Judged) -> Seen:
        target = swap.pair.target
        return self.observer.look(
            Look(swap.frame, face_of(target.seen), {"comparison": Beside(target.frame, target.seen)})
        )

    def _stacked(self, seen: Sequence[Seen]) -> dict[str, dict[str, Floats]]:
        """Expert -> output -> rows; an expert that saw nothing gives rows of NaN, or no outputs if it never saw any."""
        stacked: dict[str, dict[str, Floats]] = {}
        for expert in self.observer.cards:
            rows = [one.get(expert, {}) for one in seen]
            like = next((row for row in rows if row), {})
            nothing = {output: np.full_like(value, np.nan) for output, value in like.items()}
            stacked[expert] = stack([row or nothing for row in rows])
        return stacked


def experts(metrics: Sequence[str]) -> tuple[str, ...]:
    """All experts that the metrics read, those that a comparison needs included, each once."""
    names = [expert for metric in metrics for expert in registry.metric(metric).needs]
    return tuple(dict.fromkeys(one for name in names for one in (*registry.experts.get(name).card.needs, name)))
