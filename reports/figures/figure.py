"""What all figures share: size, letters, colours, pictures in rows, and files that say where they come from."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hifibench.data.images import DIGITAL_SOURCE_TYPE, save_png
from hifibench.files import atomic_path, atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 7.0
"""A page's two columns."""
DPI = 200
SMALL, TINY = 7, 6
"""Sizes of letters in points beside the style's 8."""

# Okabe and Ito's colours, which the colour-blind tell apart too.
SOURCE, TARGET, NEUTRAL = "#D55E00", "#0072B2", "#555555"

MAP = "magma"
"""Colours of maps: evenly brightening, also in grey and to the colour-blind."""

_STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "mathtext.fontset": "dejavusans",
    # Letters stay letters: words can be found, copied, changed and read aloud. The PDF brings its font along and looks
    # the same everywhere; the SVG names it and takes the nearest one where it is not installed.
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "hifibench",  # the same figure gets the same names of its parts
}


@contextmanager
def style() -> Iterator[None]:
    """The house style, for as long as the block lasts: settings of a caller's own matplotlib are left alone."""
    import matplotlib

    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # Names may be in scripts that the font lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def empty(height: float) -> Figure:
    """An empty page of `WIDTH_IN` by ``height`` inches, unknown to pyplot, whose state is global."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height), dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


@dataclass(frozen=True)
class Sheet:
    """A page of square cells in inches, from the top left: names of rows, then columns of pictures.

    Attributes:
        columns: pictures in a row; parts of one are room between groups of columns.
        rows: of pictures.
        top: height above the pictures, for titles.
        bottom: height below them.
        below: height below each picture, for a line of words.
        left: width of the rows' names.
        gap: between pictures.
    """

    columns: float
    rows: int
    top: float = 0.25
    bottom: float = 0.05
    below: float = 0.0
    left: float = 0.26
    gap: float = 0.04

    @property
    def side(self) -> float:
        """Of a picture."""
        return (WIDTH_IN - self.left) / self.columns - self.gap

    @property
    def step(self) -> float:
        """From one row's top to the next."""
        return self.side + self.gap + self.below

    @property
    def height(self) -> float:
        """Of the page."""
        return self.top + self.rows * self.step + self.bottom

    def figure(self) -> Figure:
        """An empty page."""
        return empty(self.height)

    def x(self, column: float) -> float:
        """Left edge of a column, as a share of the page."""
        return (self.left + column * (self.side + self.gap)) / WIDTH_IN

    def y(self, inches: float) -> float:
        """A distance from the top, as a share of the page from the bottom."""
        return 1 - inches / self.height

    def cell(self, figure: Figure, row: int, column: float) -> Axes:
        """Axes for one picture, without ticks."""
        top = self.top + row * self.step
        axes = self.axes(figure, column, column + 1, top, self.side)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        return axes

    def axes(self, figure: Figure, first: float, last: float, top: float, height: float) -> Axes:
        """Axes over the columns ``first`` to ``last``, ``top`` inches from the page's top."""
        left, right = self.x(first), self.x(last) - self.gap / WIDTH_IN
        return figure.add_axes((left, self.y(top + height), right - left, height / self.height))

    def name_rows(self, figure: Figure, names: Sequence[str]) -> None:
        """Write the rows' names, which are the user's, upwards on the left, in two lines where one is too short."""
        most = int(self.side * 72 / (0.62 * TINY))
        for row, name in enumerate(names):
            middle = self.y(self.top + row * self.step + self.side / 2)
            x = (self.left - 0.05) / WIDTH_IN
            words = plain(_lines(tidy(name), most))
            figure.text(x, middle, words, rotation=90, ha="right", va="center", fontsize=TINY, color=NEUTRAL)

    def title(self, figure: Figure, column: float, text: str, above: float = 0.05, **words: Any) -> None:
        """Write a column's title, ``above`` inches over the pictures."""
        middle = self.x(column) + self.side / 2 / WIDTH_IN
        figure.text(middle, self.y(self.top - above), text, ha="center", va="bottom", **words)

    def under(self, figure: Figure, row: int, column: float, text: str) -> None:
        """Write a line under a picture."""
        middle = self.x(column) + self.side / 2 / WIDTH_IN
        y = self.y(self.top + row * self.step + self.side + 0.03)
        figure.text(middle, y, text, ha="center", va="top", fontsize=TINY, color="black")


def tidy(text: str) -> str:
    """Words from outside in one line, without control letters, which no XML may hold."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def plain(text: str) -> str:
    """Words from outside, line by line, as matplotlib prints them as they stand: no mathematics between dollars."""
    return "\n".join(tidy(line).replace("$", r"\$") for line in text.split("\n"))


def shorten(text: str, most: int) -> str:
    """At most ``most`` letters of a name, with an ellipsis where some are left out."""
    text = tidy(text)
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _lines(name: str, most: int) -> str:
    """A name in one line of at most ``most`` letters, or in two, broken after the underscore nearest the middle."""
    if len(name) <= most:
        return name
    breaks = [at for at, letter in enumerate(name, 1) if letter == "_"]
    at = min(breaks, key=lambda at: abs(at - len(name) / 2), default=most)
    return "\n".join(part if len(part) <= most else part[: most - 1] + "…" for part in (name[:at], name[at:]))


def show_picture(axes: Axes, picture: NDArray[np.uint8]) -> None:
    """An RGB picture, smoothly enlarged."""
    axes.imshow(picture, interpolation="bicubic", aspect="auto")


def show_map(axes: Axes, values: NDArray[np.floating], low: float, high: float, colours: str = MAP) -> Any:
    """A map, every value one square; returns what a colour bar needs."""
    return axes.imshow(values, vmin=low, vmax=high, cmap=colours, interpolation="nearest", aspect="auto")


def save(figure: Figure, folder: Path, name: str, about: Mapping[str, str], *, generated: bool) -> list[Path]:
    """Write ``NAME.png`` (200 dpi), ``NAME.pdf`` and ``NAME.svg``, atomically, with ``about`` as text in all three.

    The same figure gives the same bytes: no date is written.

    Args:
        figure: to write.
        folder: where to.
        name: of the files.
        about: how the data came about.
        generated: the figure shows generated faces, and is marked so with the IPTC digital source type: in an XMP
            packet (PNG), in RDF (SVG), among the keywords (PDF).

    Raises:
        MissingError: the folder cannot be written to.
    """
    png, pdf, svg = (folder / f"{name}.{ending}" for ending in ("png", "pdf", "svg"))
    words = {f"hifibench:{key}": tidy(value) for key, value in about.items() if value}
    keywords = "; ".join(f"{key}={value}" for key, value in words.items())
    title = f"hifibench {name}"
    with style():
        if generated:
            figure.canvas.draw()
            pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]
            save_png(png, pixels, words)
        else:
            with atomic_path(png) as temporary:
                figure.savefig(temporary, format="png", dpi=DPI, metadata=dict(words))
        mark = f"; DigitalSourceType={DIGITAL_SOURCE_TYPE}" if generated else ""
        about_pdf = {"Title": title, "Keywords": keywords + mark, "CreationDate": None}
        atomic_write(pdf, _page(figure, "pdf", about_pdf))
        about_svg = {"Title": title, "Source": keywords, "Creator": "hifibench", "Date": None, "Type": None}
        atomic_write(svg, _self_contained(_page(figure, "svg", about_svg).decode(), generated))
    return [png, pdf, svg]


def _page(figure: Figure, kind: str, about: Mapping[str, str | None]) -> bytes:
    page = io.BytesIO()
    figure.savefig(page, format=kind, dpi=DPI, metadata=dict(about))
    return page.getvalue()


def _self_contained(svg: str, generated: bool) -> str:
    """An SVG without the address of its grammar, which readers may fetch, and with the mark of generated faces."""
    svg = re.sub(r"<!DOCTYPE[^>]*>\s*", "", svg, count=1)
    mark = (
        '<rdf:Description xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" rdf:about="" '
        f'Iptc4xmpExt:DigitalSourceType="{DIGITAL_SOURCE_TYPE}"/>'
    )
    return svg.replace("</rdf:RDF>", f"{mark}</rdf:RDF>", 1) if generated else svg
