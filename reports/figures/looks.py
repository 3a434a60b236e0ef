"""How each method looks in all figures of a run: one colour, one mark, one name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from reports.figures.figure import NEUTRAL, plain, shorten
from reports.paper import published
from reports.records import Run

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
"""Okabe and Ito's, which the colour-blind tell apart too; the pale yellow, of which white paper leaves little, last."""

MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""Marks of matplotlib; those behind the first serve where there are more methods than colours."""

EDGE = "#333333"
"""Of marks and bars, so that pale ones stand out from the paper."""

LETTERS = 26
"""Of a name in a figure, at most."""

TRUTH = "truth"
"""The reference row that is the true swap."""


@dataclass(frozen=True)
class Look:
    """A method in the figures.

    Attributes:
        name: in the run.
        title: as the paper names it, else ``name``; no two methods of a run have the same.
        colour: of its marks and bars.
        mark: matplotlib's.
        reference: it bounds the scale and does not compete; its marks are hollow.
    """

    name: str
    title: str
    colour: str
    mark: str
    reference: bool

    @property
    def label(self) -> str:
        """The title, cut to `LETTERS`, as matplotlib prints it."""
        return plain(shorten(self.title, LETTERS))

    @property
    def face(self) -> str:
        """Colour within the mark or bar."""
        return "white" if self.reference else self.colour

    @property
    def edge(self) -> str:
        """Colour of its outline."""
        return self.colour if self.reference else EDGE


def of(run: Run) -> Mapping[str, Look]:
    """Name -> look: methods in the run's order, then reference rows.

    Looks hang on the place among the methods alone, so that a method has the same in all figures of a run, whatever
    else a figure shows.
    """
    methods = [method.name for method in run.results.methods if method.kind == "method"]
    references = [method.name for method in run.results.methods if method.kind == "reference"]
    titles = _titles((*methods, *references))
    looks = {}
    for index, name in enumerate(methods):
        mark = MARKS[index // len(COLOURS) % len(MARKS)]
        looks[name] = Look(name, titles[name], COLOURS[index % len(COLOURS)], mark, False)
    for name in references:
        looks[name] = Look(name, titles[name], NEUTRAL, MARKS[0], True)
    return looks


def by_title(run: Run, title: str) -> str | None:
    """The run's first method that is the paper's method of this name; ``None`` if it has none."""
    names = (method.name for method in run.results.methods)
    return next((name for name in names if (one := published.named(name)) is not None and one.title == title), None)


def _titles(names: tuple[str, ...]) -> Mapping[str, str]:
    known = {name: one.title if (one := published.named(name)) is not None else name for name in names}
    shared = Counter(known.values())
    return {name: title if shared[title] == 1 else f"{title} ({name})" for name, title in known.items()}
