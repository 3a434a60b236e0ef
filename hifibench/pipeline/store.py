"""The run folder: where each stage writes and the next one reads. Every write is atomic.

```
run.json              suite, seed, versions, commit, environment, licences, manifest hash
manifest.json         the images and pairs
pairs.parquet         the pairs with their people, for analysis
swaps/<method>/       one full frame per pair, <chunk>.json when a chunk is done, cost.json
observations/<of>/<expert>/<chunk>.npz    what each expert saw, <of> being `images` or a method
timing/<method>/<chunk>.json              seconds per swap
logs/<method>/        what a method that runs elsewhere said
pictures/             small ones of all pairs, for the page (`hifibench.pipeline.pictures`)
scores.parquet        one row per method x pair x metric
splits.parquet        which part of each split a pair is in
results.json          aggregates: the same for the same suite, seed and machine, so it holds no time and no date
timing.json           milliseconds and the hardware they were measured on
report/               tables, figures, page (`reports.write`)
```

Work is cut into chunks of `CHUNK` consecutive pairs (or images) of the manifest, whatever the number of processes:
a chunk is done whole or not at all, so batches are the same in an interrupted, a resumed and a shared run.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hifibench.errors import UsageError
from hifibench.files import TEMPORARY, atomic_write
from hifibench.records import Floats

CHUNK = 16
"""Pairs or images per unit of work."""

T = TypeVar("T")

_log = logging.getLogger("hifibench")


def chunks(items: Sequence[T]) -> list[Sequence[T]]:
    """Consecutive runs of `CHUNK` items; the last may be shorter."""
    return [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]


@dataclass(frozen=True)
class Shard:
    """Share ``index`` of ``count`` of a run's chunks, from 1."""

    index: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``2/4`` -> the second of four shares.

        Raises:
            UsageError: the text has another form or names a share that does not exist.
        """
        first, slash, second = text.partition("/")
        if not (slash and first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second)):
            raise UsageError(f"--shard {text!r} is no share; expected i/n with 1 <= i <= n, such as 1/2 and 2/2.")
        return cls(int(first), int(second))

    def owns(self, chunk: int) -> bool:
        """Whether this share does that chunk."""
        return chunk % self.count == self.index - 1


class RunFolder:
    """Paths of one run, and atomic reading and writing of what lies there."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def swap_image(self, method: str, pair: str) -> Path:
        """The swapped frame of one pair."""
        return self.root / "swaps" / method / f"{pair}.png"

    def swap_chunk(self, method: str, chunk: int) -> Path:
        """The mark of a finished chunk of swaps: card, status, content hash and message of every pair."""
        return self.root / "swaps" / method / f"chunk-{chunk:05d}.json"

    def cost(self, method: str) -> Path:
        """Parameters and multiply-accumulates of a method."""
        return self.root / "swaps" / method / "cost.json"

    def timing_chunk(self, method: str, chunk: int) -> Path:
        """Seconds per swap of one chunk."""
        return self.root / "timing" / method / f"chunk-{chunk:05d}.json"

    def logs(self, method: str) -> Path:
        """Folder for what a method that runs elsewhere has to say."""
        return self.root / "logs" / method

    def observations(self, of: str, expert: str, chunk: int) -> Path:
        """What one expert saw in a chunk of images or of a method's swaps."""
        return self.root / "observations" / of / expert / f"chunk-{chunk:05d}.npz"

    def __getitem__(self, name: str) -> Path:
        """A file at the top of the run folder."""
        return self.root / name


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, atomically."""
    atomic_write(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any | None:
    """The JSON in ``path``; ``None`` where there is no such file or it is damaged (then it is made again)."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return None


def write_once(path: Path, text: str) -> None:
    """Write ``text`` unless ``path`` exists already; of several processes the first one's text stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=TEMPORARY) as folder:
        whole = Path(folder) / path.name
        atomic_write(whole, text)
        # A hard link is the one way to create a file whole and only if it is not there yet; a file system without
        # them lets the last writer win, which differs in nothing but the date of the run.
        with contextlib.suppress(FileExistsError):
            try:
                os.link(whole, path)
            except FileExistsError:
                raise
            except OSError:
                if not path.exists():
                    whole.replace(path)


def sweep(root: Path, older_than_s: float = 3600.0) -> None:
    """Remove the temporary files and folders that a killed process left behind; no other hidden file is touched."""
    limit = time.time() - older_than_s
    for path in list(root.rglob(f"{TEMPORARY}*")):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime >= limit:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def stack(rows: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """Per-image outputs -> arrays with a leading axis over the images."""
    names = sorted({name for row in rows for name in row})
    return {name: np.stack([row[name] for row in rows]) for name in names}
