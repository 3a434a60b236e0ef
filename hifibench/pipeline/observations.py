"""What the experts saw, read from the run folder when it is asked for: some pairs at a time, one output at a time.

Scoring a hundred thousand pairs so takes hardly more memory than scoring a thousand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hifibench import registry
from hifibench.arrays import DiskArray, read_arrays
from hifibench.contracts import Metric
from hifibench.errors import MissingError
from hifibench.pipeline import store
from hifibench.pipeline.blocks import Rows, cut
from hifibench.pipeline.looks import COMPARING, DETECTOR
from hifibench.pipeline.plan import pairs_table
from hifibench.pipeline.store import RunFolder
from hifibench.records import EXACT, Floats, Gallery, Manifest, Observed

if TYPE_CHECKING:
    import pandas as pd

LAID = 1024
"""Rows that are laid out on the disk at once."""
KEPT_BYTES = 2**24
"""An output up to this size is kept for the next metric that asks the same view for it: 16 MiB."""

COLUMN = "label:"
"""Begins the names of the columns of pairs that hold labels of the targets."""


@dataclass(frozen=True)
class Layout:
    """One output of an expert: its shape for one image, and its type."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.float32]


class Stored(Protocol):
    """Observations of n images, or of the swaps of n pairs."""

    def layout(self, expert: str) -> Mapping[str, Layout]:
        """The outputs of an expert; none where it saw nothing in any image."""
        ...

    def read(self, expert: str, name: str, rows: Rows) -> Floats:
        """Some rows of one output, ``(len(rows), …)``; NaN where nothing was seen.

        Raises:
            MissingError: a part is not there.
        """
        ...


class Chunks:
    """Observations as they lie in the run folder, chunk by chunk. Quick where rows stand together.

    Args:
        folder: of the run.
        of: ``images``, or a method.
        count: images, or pairs.
    """

    def __init__(self, folder: RunFolder, of: str, count: int) -> None:
        self._folder = folder
        self._of = of
        self.count = count
        self._layouts: dict[str, dict[str, Layout]] = {}

    def layout(self, expert: str) -> Mapping[str, Layout]:
        """See `Stored.layout`: that of the first chunk in which anything was seen."""
        if expert not in self._layouts:
            found: dict[str, Layout] = {}
            for chunk in range(-(-self.count // store.CHUNK)):
                arrays = self._arrays(expert, chunk)
                arrays.pop("rows", None)
                if arrays:
                    found = {name: Layout(array.shape[1:], array.dtype) for name, array in sorted(arrays.items())}
                    break
            self._layouts[expert] = found
        return self._layouts[expert]

    def read(self, expert: str, name: str, rows: Rows) -> Floats:
        """See `Stored.read`."""
        layout, size = self.layout(expert)[name], store.CHUNK
        found = np.full((len(rows), *layout.shape), np.nan, layout.dtype)
        chunk = rows // size
        ends = np.flatnonzero(np.diff(chunk, append=-1)) + 1
        start = 0
        for end in map(int, ends):
            number = int(chunk[start])
            part = self._arrays(expert, number, name).get(name)
            if part is not None:
                if len(part) != min(size, self.count - number * size):
                    raise self._missing(expert, number)
                found[start:end] = part[rows[start:end] - number * size]
            start = end
        return found

    def _arrays(self, expert: str, chunk: int, *names: str) -> dict[str, Floats]:
        arrays = read_arrays(self._folder.observations(self._of, expert, chunk), names or None)
        if arrays is None:
            raise self._missing(expert, chunk)
        return arrays

    def _missing(self, expert: str, chunk: int) -> MissingError:
        path = self._folder.observations(self._of, expert, chunk)
        return MissingError(f"{path} is missing or damaged: run the same command again, it makes only what is missing.")


class Joined:
    """The same with every output that was asked for laid out on the disk: quick for rows in any order."""

    def __init__(self, chunks: Chunks, scratch: Path) -> None:
        self._chunks = chunks
        self._scratch = scratch
        self._laid: dict[tuple[str, str], DiskArray] = {}

    def layout(self, expert: str) -> Mapping[str, Layout]:
        """See `Stored.layout`."""
        return self._chunks.layout(expert)

    def read(self, expert: str, name: str, rows: Rows) -> Floats:
        """See `Stored.read`."""
        key = expert, name
        if key not in self._laid:
            layout, count = self.layout(expert)[name], self._chunks.count
            laid = DiskArray(self._scratch, (count, *layout.shape), layout.dtype)
            for start in range(0, count, LAID):
                part = np.arange(start, min(start + LAID, count))
                laid[start : start + LAID] = self._chunks.read(expert, name, part)
            self._laid[key] = laid
        return self._laid[key][rows]


class Outputs(Mapping[str, Floats]):
    """Output name -> array ``(len(rows), …)`` of one expert, read when it is asked for."""

    def __init__(self, stored: Stored, expert: str, rows: Rows) -> None:
        self._stored = stored
        self._expert = expert
        self._rows = rows
        self._kept: dict[str, Floats] = {}

    def __getitem__(self, name: str) -> Floats:
        if name in self._kept:
            return self._kept[name]
        if name not in self:
            raise KeyError(name)
        array = self._stored.read(self._expert, name, self._rows)
        if array.nbytes <= KEPT_BYTES:
            self._kept[name] = array
        return array

    def __contains__(self, name: object) -> bool:
        return name in self._stored.layout(self._expert)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored.layout(self._expert))

    def __len__(self) -> int:
        return len(self._stored.layout(self._expert))


class View(Mapping[str, Outputs]):
    """Expert -> what it saw in some images, read when it is asked for.

    Args:
        stored: where it is read from.
        experts: that looked.
        rows: which images, in the order of the arrays.
    """

    def __init__(self, stored: Stored, experts: Sequence[str], rows: Rows) -> None:
        self._outputs = {expert: Outputs(stored, expert, rows) for expert in experts}

    def __getitem__(self, expert: str) -> Outputs:
        return self._outputs[expert]

    def __iter__(self) -> Iterator[str]:
        return iter(self._outputs)

    def __len__(self) -> int:
        return len(self._outputs)


class Observations:
    """The observations of one run.

    Args:
        folder: of the run. While this object lives, some of it is laid out there anew, under no name.
        manifest: images and pairs.
        experts: that the suite asks.
    """

    def __init__(self, folder: RunFolder, manifest: Manifest, experts: tuple[str, ...]) -> None:
        self._folder = folder
        self._manifest = manifest
        cards = {name: registry.experts.get(name).card for name in experts}
        # Who looked at the originals, and who at the swaps, is decided in `hifibench.pipeline.share.Share`.
        self._of_swaps = [DETECTOR, *(name for name, card in cards.items() if card.role != "facts")]
        self._single = [DETECTOR, *(name for name, card in cards.items() if card.role not in COMPARING)]
        self._images = Joined(Chunks(folder, "images", len(manifest.images)), folder.root)
        self._place = {ref.image: index for index, ref in enumerate(manifest.images)}
        targets = (manifest.image(pair.target) for pair in manifest.pairs)
        self._labels = sorted({label for ref in targets for label in ref.labels})
        self._known = all(pair.truth for pair in manifest.pairs)
        self._chunks: dict[str, Chunks] = {}
        self._blocks: dict[bool, list[Rows]] = {}
        self.all: Rows = np.arange(len(manifest.pairs))
        """The rows of all pairs."""
        self.galleries = {
            name: Gallery(
                identity=np.array([manifest.image(member).identity for member in members]),
                image=np.array(members),
                experts=self._of_images(members),
                video=np.array([manifest.image(member).video for member in members]),
            )
            for name, members in manifest.galleries.items()
        }

    def of(self, swap: Mapping[str, Outputs], rows: Rows, others: Mapping[str, View] | None = None) -> Observed:
        """What a metric may look at, for one method.

        Args:
            swap: what was seen in its swaps (`swaps`); nothing for who asks of the pairs alone.
            rows: the pairs, in ascending order.
            others: what was seen in the swaps of those it competes with.
        """
        pairs = [self._manifest.pairs[row] for row in rows]
        return Observed(
            self._table(rows),
            swap,
            self._of_images([pair.source for pair in pairs]),
            self._of_images([pair.target for pair in pairs]),
            self.galleries,
            self._of_images([pair.truth for pair in pairs]) if self._known else {},
            others or {},
        )

    def swaps(self, method: str, rows: Rows) -> View:
        """What the experts saw in some swaps of one method."""
        chunks = self._chunks.setdefault(method, Chunks(self._folder, method, len(self._manifest.pairs)))
        return View(chunks, self._of_swaps, rows)

    def swapped(self, method: str, metric: Metric) -> bool:
        """Whether a method made any swap that a metric could look at."""
        seen = self.swaps(method, self.all[:0])
        return all(seen.get(expert) for expert in (DETECTOR, *metric.needs) if expert != EXACT)

    def blocks(self, whole_clips: bool) -> list[Rows]:
        """See `hifibench.pipeline.blocks.cut`."""
        if whole_clips not in self._blocks:
            self._blocks[whole_clips] = list(cut(self._manifest, whole_clips))
        return self._blocks[whole_clips]

    def _of_images(self, names: Sequence[str]) -> View:
        return View(self._images, self._single, np.array([self._place[name] for name in names], np.int64))

    def _table(self, rows: Rows) -> pd.DataFrame:
        """`pairs_table` of some pairs, with the columns that it has of all."""
        pairs = tuple(self._manifest.pairs[row] for row in rows)
        images = {name: self._manifest.image(name) for pair in pairs for name in (pair.source, pair.target)}
        table: pd.DataFrame = pairs_table(Manifest(tuple(images.values()), pairs, {}, ""))
        if not self._labels:
            return table
        known = [column for column in table.columns if not column.startswith(COLUMN)]
        labels = [f"{COLUMN}{label}" for label in self._labels]
        for label in labels:
            if label not in table:
                table[label] = ""
        ordered: pd.DataFrame = table[[*known, *labels]]
        return ordered
