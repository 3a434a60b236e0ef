r"""What the tables share in LaTeX: ``table*`` environments that fit a page.

Only the package ``booktabs`` is needed. A table that is wider than the text of a plain article is cut between columns,
one that is longer than a page between rows, and its caption is repeated; the widths are estimated from the letters.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

from reports.grids import fit
from reports.latex_letters import latex_escape, latex_running, printed
from reports.notes import Note

T = TypeVar("T")

TEXT_WIDTH_PT = 345.0
"""Width of the text of LaTeX's ``article`` at 10 pt: the narrowest page that a table over all columns stands on."""

PAGE_LINES = 42
"""Lines of a table on one page, with those of its headings, its caption and what stands below it."""

LINE_LETTERS = 70
"""About as many letters stand in a line of running text."""

NOTE_LETTERS = 12 * LINE_LETTERS
"""Longer footnotes do not stand below a table but before it, where they may go on on the next page."""

LABEL_LETTERS = 24
"""Longer labels of rows are folded."""

HEADING_LETTERS = 15
"""Longer headings of columns are folded."""

PREAMBLE = (
    "% Needs \\usepackage{booktabs}.\n"
    "\\providecommand{\\hifibenchstack}[2]{\\begin{tabular}[t]{@{}#1@{}}#2\\end{tabular}}\n"
)
"""Stands before the tables of a file: what they need, and lines one below the other in a cell."""

_GAP_PT = 6.0
# Small sizes of Computer Modern are wider than its letters at 10 pt, in proportion.
_PLAIN_PT, _SMALL_PT = 8.0 * 1.0625, 7.0 * 1.139
_BOLD = 1.16
_OTHER = 800
_WIDTHS = {
    letter: thousandths
    for thousandths, letters in (
        (280, "!',.:;[]`ilfj"), (335, "- "), (361, "I"), (390, "()tr"), (444, "cezs"), (500, "\"$*/0123456789^agoJ"),
        (540, "kqvxybdhnpuS{}\\?|_"), (620, "ZL"), (700, "FEPBCTwR"), (790, "AHNUVXYDG&+=@KOQ<>"), (920, "#%mM"),
        (1030, "W"),
    )
    for letter in letters
}  # fmt: skip
"""Widths of letters in Computer Modern Roman at 10 pt, in thousandths of its size, each of the widest of its group."""


class Words(NamedTuple):
    """A line of a cell as plain text, and how it is set."""

    text: str
    style: Literal["", "bold", "italic"] = ""
    small: bool = False


Lines = Sequence[Words]
"""A cell: one line below the other."""


@dataclass(frozen=True)
class TexRow:
    """A row of a table.

    Attributes:
        label: what stands at its left.
        cells: one per column.
        rule: whether a line is drawn above it.
        spans: the label is a heading for the rows below it, and there are no cells.
    """

    label: Lines
    cells: tuple[Lines, ...] = ()
    rule: bool = False
    spans: bool = False


@dataclass(frozen=True)
class Block:
    """Columns that are not to be parted, with a heading of their own above them if ``title`` is not empty."""

    headings: tuple[Lines, ...]
    title: str = ""


def latex_row(cells: Iterable[str]) -> str:
    """One row of a LaTeX table."""
    return " & ".join(cells) + r" \\"


def latex_notes(notes: Iterable[Note]) -> list[str]:
    """Footnotes as a paragraph of running text, which may go on on the next page; alarms in bold."""
    said = list(map(_note, notes))
    return [r"\begingroup\footnotesize\sloppy\noindent", *said, r"\par\endgroup"] if said else []


def _note(note: Note) -> str:
    return rf"\textbf{{{latex_running(note.text)}}}" if note.alarm else latex_running(note.text)


def latex_floats(
    caption: str, corner: str, blocks: Sequence[Block], rows: Sequence[TexRow], below: Iterable[Note] = ()
) -> list[str]:
    """One ``table*`` environment, or several where one would not fit a page.

    Args:
        caption: as plain text.
        corner: heading of the labels.
        blocks: of columns.
        rows: with as many cells as the blocks have columns.
        below: footnotes that stand below the first environment.
    """
    labels = [_folded(row.label, LABEL_LETTERS) for row in rows]
    listed = [one for one, row in zip(labels, rows, strict=True) if not row.spans]
    room = max(map(_width, [[Words(corner)], *listed]))
    folded = [_Placed.of(block, sum(len(one.headings) for one in blocks[:at])) for at, block in enumerate(blocks)]
    widths = [block.width([row for row in rows if not row.spans]) for block in folded]
    notes, lines = list(below), []
    said = " ".join(map(_note, notes))
    if len(said) > NOTE_LETTERS:
        lines, said = [*latex_notes(notes), ""], ""
    high = max(len(heading) for block in folded for heading in block.headings)
    height = PAGE_LINES - high - len(printed(caption)) // LINE_LETTERS - len(said) // LINE_LETTERS
    first = True
    for part in _balanced(folded, widths, TEXT_WIDTH_PT - room):
        for piece in _pages(list(zip(labels, rows, strict=True)), height):
            again = "" if first else " (continued)"
            lines += [*_float(f"{caption}{again}.", corner, part, piece, said if first else ""), ""]
            first = False
    return lines


@dataclass(frozen=True)
class _Placed:
    """A block whose headings are folded, and where its first cell stands in a row."""

    start: int
    headings: tuple[Lines, ...]
    title: Lines

    @classmethod
    def of(cls, block: Block, start: int) -> _Placed:
        title = _folded([Words(block.title)], HEADING_LETTERS * len(block.headings)) if block.title else []
        return cls(start, tuple(_folded(one, HEADING_LETTERS) for one in block.headings), title)

    def cells(self, row: TexRow) -> tuple[Lines, ...]:
        return row.cells[self.start : self.start + len(self.headings)]

    def width(self, rows: Sequence[TexRow]) -> float:
        columns = [
            max(_width(heading), *(_width(self.cells(row)[at]) for row in rows), 0.0) + _GAP_PT
            for at, heading in enumerate(self.headings)
        ]
        return max(sum(columns), _width(self.title) + _GAP_PT)


def _float(
    caption: str, corner: str, part: Sequence[_Placed], rows: Sequence[tuple[Lines, TexRow]], notes: str
) -> Iterator[str]:
    count = sum(len(block.headings) for block in part)
    yield from (r"\begin{table*}[htbp]", r"\centering\sloppy", rf"\caption{{{latex_running(caption)}}}\par\smallskip")
    yield r"\footnotesize\setlength{\tabcolsep}{3pt}"
    yield from (rf"\begin{{tabular}}{{@{{}}l{'r' * count}@{{}}}}", r"\toprule")
    if any(block.title for block in part):
        titles = (rf"\multicolumn{{{len(block.headings)}}}{{c}}{{{_heading(block.title, 'c')}}}" for block in part)
        yield latex_row(["", *titles])
        ends = [1 + sum(len(block.headings) for block in part[: at + 1]) for at in range(len(part))]
        spans = [(end - len(block.headings) + 1, end) for end, block in zip(ends, part, strict=True) if block.title]
        yield "".join(rf"\cmidrule(lr){{{start}-{end}}}" for start, end in spans)
    yield latex_row([latex_escape(corner), *(_heading(one, "r") for block in part for one in block.headings)])
    yield r"\midrule"
    for index, (label, row) in enumerate(rows):
        if row.rule and index:
            yield r"\midrule"
        elif index and any(len(cell) > 1 for cell in row.cells):
            yield r"\addlinespace[2pt]"
        if row.spans:
            yield rf"\multicolumn{{{1 + count}}}{{@{{}}l@{{}}}}{{{_set(label, 'l')}}} \\"
            continue
        yield latex_row([_set(label, "l"), *(_set(cell, "r") for block in part for cell in block.cells(row))])
    yield from (r"\bottomrule", r"\end{tabular}")
    if notes:
        yield rf"\par\smallskip\parbox{{\linewidth}}{{\footnotesize\sloppy {notes}}}"
    yield r"\end{table*}"


def _balanced(items: Sequence[T], sizes: Sequence[float], room: float) -> Sequence[Sequence[T]]:
    """Cut into as few parts as fit, no part much smaller than the others."""
    parts = list(fit(items, sizes, room))
    step = room / 50
    while room > step and len(smaller := list(fit(items, sizes, room - step))) == len(parts):
        parts, room = smaller, room - step
    return parts


def _pages(rows: Sequence[tuple[Lines, TexRow]], height: int) -> Sequence[Sequence[tuple[Lines, TexRow]]]:
    heights = [max(len(label), *(len(cell) for cell in row.cells), 1) for label, row in rows]
    return _balanced(rows, heights, height)


def _set(lines: Lines, align: Literal["l", "r"]) -> str:
    """A cell; its lines stand below each other, the first on the line of its row."""
    said = [_line(one) for one in lines]
    return "".join(said) if len(said) < 2 else rf"\hifibenchstack{{{align}}}{{" + r"\\".join(said) + "}"


def _heading(lines: Lines, align: Literal["c", "r"]) -> str:
    """A heading; the last of its lines stands on the line of its row."""
    said = [_line(one) for one in lines]
    return "".join(said) if len(said) < 2 else rf"\shortstack[{align}]{{" + r"\\".join(said) + "}"


def _line(words: Words) -> str:
    text = latex_escape(words.text)
    text = {"bold": rf"\textbf{{{text}}}", "italic": rf"\textit{{{text}}}", "": text}[words.style]
    return rf"{{\scriptsize {text}}}" if words.small else text


def _folded(lines: Lines, letters: int) -> list[Words]:
    return [
        Words(piece, one.style, one.small)
        for one in lines
        for piece in (textwrap.wrap(printed(one.text), round(letters * (1.1 if one.small else 1))) or [""])
    ]


def _width(lines: Iterable[Words]) -> float:
    """Estimated width of the widest line, in points."""
    return max((_line_width(one) for one in lines), default=0.0)


def _line_width(words: Words) -> float:
    thousandths = sum(_WIDTHS.get(letter, _OTHER) for letter in printed(words.text))
    size = _SMALL_PT if words.small else _PLAIN_PT
    return thousandths / 1000 * size * (_BOLD if words.style == "bold" else 1.0)
