"""Source, target and what each method made of them, pair by pair (paper, Figs. 4, 5, 13 and 14)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.figures import drawing as words
from reports.figures import looks as figure_looks
from reports.figures import pictures as figure_pictures
from reports.figures.drawing import Drawing, said
from reports.figures.looks import TRUTH, Look
from reports.figures.pictures import Column
from reports.records import Example, Run

NAME = "qualitative"


def draw(run: Run) -> Iterator[Drawing]:
    """As many pages as it takes; none where the run kept no pairs, or no method made a swap of them.

    The pairs are those that the run kept before it knew any result: nobody has chosen them for their looks.
    """
    examples, seen = figure_pictures.looked_at(run)
    looks = [look for name, look in figure_looks.of(run).items() if any(name in one.swaps for one in examples)]
    # Of the reference rows only the true swap shows something that source and target do not.
    competing = [look for look in looks if not look.reference or look.name == TRUTH] or looks
    if not competing:
        return
    pages = list(
        figure_pictures.pages(
            ends(examples), columns(examples, competing), [str(k) for k in range(1, len(examples) + 1)]
        )
    )
    for index, figure in enumerate(pages, 1):
        place = f", page {index} of {len(pages)}" if len(pages) > 1 else ""
        caption = words.paragraph(
            f"Source, target and the swap by each method; {seen}{place}.",
            rule(examples),
            "Grey: no swap, or its image is gone."
            if any(look.name not in one.swaps for look in competing for one in examples)
            else "",
            words.meant(competing),
            words.origin(run),
        )
        name = NAME if len(pages) == 1 else f"{NAME}-{index}"
        yield Drawing(name, f"Qualitative comparison{place}", caption, figure, True)


def rule(examples: Sequence[Example]) -> str:
    """Which pairs the rows show, and who chose them."""
    listed = ", ".join(f"{row} {said(one.pair)}" for row, one in enumerate(examples, 1))
    return (
        f"Rows: the {len(examples)} pairs that the run keeps to look at, chosen from its manifest before any swap was "
        f"made, not by result ({listed})."
    )


def ends(examples: Sequence[Example]) -> list[Column]:
    """The columns of sources and targets."""
    return [
        Column("source", tuple(one.source for one in examples)),
        Column("target", tuple(one.target for one in examples)),
    ]


def columns(examples: Sequence[Example], looks: Sequence[Look]) -> list[Column]:
    """A column of swaps for each method."""
    return [Column(look.title, tuple(one.swaps.get(look.name) for one in examples)) for look in looks]
