"""Originals of training faces that a GPU renders ahead, in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hifibench.data.originals import Original, PortraitSource, Read
from hifibench.errors import UsageError
from hifibench.records import Frame


class _Ahead:
    """What is under way: names still to come, and their frames."""

    def __init__(self) -> None:
        self.names: deque[str] = deque()
        self.frames: Iterator[Frame] = iter(())


@dataclass(frozen=True)
class DevicePortraitSource(PortraitSource):
    """Generated portraits from the torch port of the generator (`hifibench.data.fast_portraits`).

    For one process that reads the portraits in their order; a jump begins anew from where it lands. Pixels may differ
    by rounding from those of `PortraitSource`, so a set is of one kind or of the other.

    Attributes:
        device: as torch names it.
    """

    device: str = "cuda"
    _ahead: _Ahead = field(default_factory=_Ahead, repr=False, compare=False)

    @property
    def settings(self) -> Mapping[str, str]:
        """See `hifibench.data.originals.Source.settings`."""
        return {**super().settings, "renderer": "torch"}

    def read(self, original: Original) -> Read:
        """See `hifibench.data.originals.Source.read`."""
        ahead = self._ahead
        if not ahead.names or ahead.names[0] != original.source:
            self._begin(original.source)
        ahead.names.popleft()
        return Read(next(ahead.frames), "")

    def _begin(self, first: str) -> None:
        from hifibench.data.fast_portraits import frames

        names = [original.source for person in self.people() for original in person.originals]
        if first not in names:
            raise UsageError(f"{first} is none of the portraits of this set.")
        left = names[names.index(first) :]
        self._ahead.names, self._ahead.frames = deque(left), frames(left, self.device)
