"""Tables of a run with a row per pair and more, written some rows at a time: names repeat in them a lot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hifibench.files import atomic_path
from hifibench.pipeline.store import RunFolder

if TYPE_CHECKING:
    import pyarrow as pa

    from hifibench.pipeline.values import Values

GROUP = 2**14
"""Rows that are gathered before they are written: 1 MB."""
OWN = ("pair", "value")
"""Columns whose rows differ: a dictionary of them would be as long as they are."""


def write_scores(folder: RunFolder, pairs: list[str], values: Values) -> None:
    """Write ``scores.parquet``: ``method``, ``pair``, ``metric``, ``value``, method by method.

    Args:
        folder: of the run.
        pairs: names of the pairs.
        values: of all methods and metrics.
    """
    import pandas as pd
    import pyarrow as pa

    names = pa.array(pairs, pa.large_string())

    def columns() -> Iterator[list[pa.Array]]:
        for method, metric, row in values.lines():
            for start in range(0, len(names), GROUP):
                some, numbers = names.slice(start, GROUP), pa.array(row[start : start + GROUP])
                yield [_same(method, len(some)), some, _same(metric, len(some)), numbers]

    like = pd.DataFrame({"method": [""], "pair": [""], "metric": [""], "value": [0.0]})
    _write(folder, "scores.parquet", like, columns())


def write_levels(
    folder: RunFolder, pairs: list[str], parts: Iterable[tuple[str, NDArray[np.str_], NDArray[np.bool_]]]
) -> None:
    """Write ``splits.parquet``: which part of each split a pair is in; a pair that is in none has no row.

    Args:
        folder: of the run.
        pairs: names of the pairs.
        parts: printed name of each split, the part of each pair, and whether it is in one.
    """
    import pandas as pd
    import pyarrow as pa

    names = pa.array(pairs, pa.large_string())

    def columns(split: str, labels: NDArray[np.str_], inside: NDArray[np.bool_]) -> list[pa.Array]:
        here = pa.array(labels[inside].tolist(), pa.large_string())
        return [names.filter(pa.array(inside)), _same(split, len(here)), here]

    like = pd.DataFrame({"pair": [""], "split": [""], "level": [""]})
    _write(folder, "splits.parquet", like, (columns(*part) for part in parts))


def release() -> None:
    """Give back the memory of tables that are gone: Arrow keeps it for the next ones."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def _same(text: str, rows: int) -> pa.Array:
    import pyarrow as pa

    return pa.repeat(pa.scalar(text, pa.large_string()), rows)


def _write(folder: RunFolder, name: str, like: Any, parts: Iterable[list[pa.Array]]) -> None:
    """Write columns part by part, read back with the types of the data frame ``like``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.Schema.from_pandas(like, preserve_index=False)
    waiting: list[pa.Table] = []

    def flush(writer: pq.ParquetWriter) -> None:
        table = pa.concat_tables(waiting) if waiting else schema.empty_table()
        writer.write_table(table, row_group_size=max(1, len(table)))
        waiting.clear()
        release()

    repeating = [column for column in schema.names if column not in OWN]
    with (
        atomic_path(folder[name]) as temporary,
        pq.ParquetWriter(temporary, schema, use_dictionary=repeating) as writer,
    ):
        for part in parts:
            waiting.append(pa.table(part, schema=schema))
            if sum(map(len, waiting)) >= GROUP:
                flush(writer)
        if waiting or not temporary.stat().st_size:
            flush(writer)
