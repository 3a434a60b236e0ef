"""What became of the images of a prepared set, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hifibench.data.face_crops import Reason
from hifibench.data.originals import Person

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.table import Table

_MOST_NAMES = 10


@dataclass(frozen=True)
class Report:
    """What was kept and dropped of a whole set, and how quickly this run went.

    Attributes:
        kept: images kept.
        dropped: reason -> images dropped for it; all reasons, in the order in which they are looked at.
        people: identities with at least one kept image.
        single: identities with exactly one, sorted: they give no pair of one identity.
        lost: identities all of whose images were dropped, sorted.
        empty: identity folders without an image, sorted.
        prepared: images that this run worked on; the others were done before.
        seconds: that it took.
    """

    kept: int
    dropped: Mapping[str, int]
    people: int
    single: tuple[str, ...]
    lost: tuple[str, ...]
    empty: tuple[str, ...]
    prepared: int
    seconds: float

    @property
    def counts(self) -> dict[str, Any]:
        """What of it is a property of the set and not of the run; plain data for ``prepared.json``."""
        return {
            "kept": self.kept,
            "dropped": dict(self.dropped),
            "identities": self.people,
            "identities_with_one_image": len(self.single),
            "identities_without_image": len(self.lost) + len(self.empty),
        }

    def table(self) -> Table:
        """Images kept and dropped, for the terminal."""
        from rich.table import Table

        total = self.kept + sum(self.dropped.values())
        table = Table("images", "number", "share", box=None, pad_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        rows = {"kept": self.kept} | {f"dropped: {reason}": number for reason, number in self.dropped.items() if number}
        for name, number in rows.items():
            table.add_row(name, str(number), f"{100 * number / total:.1f} %" if total else "")
        return table

    def notes(self) -> list[str]:
        """What else there is to know, a sentence each."""
        speed = f", {self.prepared / self.seconds:.1f} images/s" if self.prepared and self.seconds else ""
        notes = [f"{self.people} people; {self.prepared} images prepared now in {self.seconds:.0f} s{speed}."]
        for names, what in (
            (self.single, "with a single image, who give no pair of one identity"),
            (self.lost, "without any image kept"),
            (self.empty, "whose folder holds no image"),
        ):
            if names:
                notes.append(f"{len(names)} people {what}: {_some(names)}.")
        if self.people == len(self.single):
            notes.append("Nobody has two images: training on pairs of one identity will refuse this set.")
        return notes


def summarise(people: Sequence[Person], kept: pa.Table, dropped: pa.Table, prepared: int, seconds: float) -> Report:
    """The report of a merged set.

    Args:
        people: everyone who was asked for.
        kept: the index.
        dropped: the dropped images.
        prepared: images that this run worked on.
        seconds: that it took.
    """
    images = Counter(kept["identity"].to_pylist())
    reasons = Counter(dropped["reason"].to_pylist())
    return Report(
        kept=len(kept),
        dropped={reason.value: reasons[reason.value] for reason in Reason},
        people=len(images),
        single=tuple(sorted(identity for identity, number in images.items() if number == 1)),
        lost=tuple(person.identity for person in people if person.originals and person.identity not in images),
        empty=tuple(person.identity for person in people if not person.originals),
        prepared=prepared,
        seconds=seconds,
    )


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
