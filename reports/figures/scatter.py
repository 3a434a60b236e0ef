"""Methods as points with intervals and names, in one panel of a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.figures.figure import NEUTRAL, SMALL
from reports.figures.labels import Point, place
from reports.figures.looks import EDGE, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_PT2 = 26.0
"""Area of a mark."""

_LARGE_PT2 = 1.5 * SIZE_PT2

Ends = tuple[float, float] | None


@dataclass(frozen=True)
class Spot:
    """A method in a panel.

    Attributes:
        look: of the method.
        x: where it stands.
        y: likewise.
        x_ends: interval along the first axis, if there is one.
        y_ends: interval along the second.
        text: its name, as matplotlib prints it.
        size_pt2: area of the mark.
        mark: in place of the look's.
        hollow: nothing within the mark.
    """

    look: Look
    x: float
    y: float
    x_ends: Ends
    y_ends: Ends
    text: str
    size_pt2: float = SIZE_PT2
    mark: str = ""
    hollow: bool = False


def draw(axes: Axes, spots: Sequence[Spot]) -> None:
    """Draw intervals, marks and names; marks that are far along the first axis must be within its limits by now.

    The artists bear the methods' names as labels: ``NAME`` the mark, ``x NAME`` and ``y NAME`` the intervals.
    """
    segments = []
    for order, spot in enumerate(spots):
        name, above = spot.look.name, order / 100
        for way, ends in (("x", spot.x_ends), ("y", spot.y_ends)):
            if ends is None:
                continue
            across, up = (ends, (spot.y, spot.y)) if way == "x" else ((spot.x, spot.x), ends)
            axes.plot(across, up, color=spot.look.colour, linewidth=0.8, zorder=2 + above, label=f"{way} {name}")
            if spot.size_pt2 > _LARGE_PT2:
                # A thin line over the mark too, since large marks hide short intervals.
                axes.plot(across, up, color=EDGE, linewidth=0.4, zorder=4 + above)
            segments.append(tuple(zip(across, up, strict=True)))
        axes.scatter(
            [spot.x],
            [spot.y],
            s=spot.size_pt2,
            marker=spot.mark or spot.look.mark,
            facecolor="none" if spot.hollow else spot.look.face,
            edgecolor=spot.look.colour if spot.hollow else spot.look.edge,
            linewidth=1.0 if spot.hollow else 0.7,
            zorder=3 + above,
            label=name,
            clip_on=False,
        )
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.92", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=SMALL)
    axes.margins(y=0.1)
    axes.set_xlim(axes.get_xlim())
    axes.set_ylim(axes.get_ylim())
    names = [
        Point(spot.x, spot.y, spot.text, spot.size_pt2**0.5 / 2, NEUTRAL if spot.look.reference else "black")
        for spot in spots
    ]
    place(axes, names, segments)
