"""Names beside points, so that no name lies on another, on a point or on an interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reports.figures.figure import NEUTRAL, TINY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_RINGS_PT = (1.5, 4.0, 8.0, 13.0, 19.0, 26.0, 34.0, 44.0)
"""How far a name's edge is from the mark's, nearest first."""
_DIRECTIONS = 16
_LINE_FROM_PT = 5.0
"""From this distance on a thin line joins name and point."""
_ROUNDS = 3
_PAD_PT = 0.8


@dataclass(frozen=True)
class Point:
    """A point with a name.

    Attributes:
        x: in the unit of the axis.
        y: likewise.
        text: the name, as matplotlib prints it.
        radius_pt: of the mark, in points.
        colour: of the name.
    """

    x: float
    y: float
    text: str
    radius_pt: float = 3.0
    colour: str = "black"


def place(axes: Axes, points: Sequence[Point], segments: Sequence[Sequence[tuple[float, float]]] = ()) -> None:
    """Write the name of every point near it, where it hides least; the limits of the axes must stand.

    Every name tries places around its point, near ones first, and takes the one with the least overlap with other
    names, marks, ``segments`` and what lies outside of the axes; three rounds, since names make room for one another.

    Args:
        axes: where the points are.
        points: to name.
        segments: lines that names are to keep off, each as two points in the units of the axes.
    """
    figure = axes.figure
    to_pt = 72 / figure.dpi
    sizes = [_size(axes, point.text) * to_pt for point in points]
    at = axes.transData.transform([(point.x, point.y) for point in points]) * to_pt if points else np.empty((0, 2))
    corners = np.asarray(axes.get_window_extent().extents) * to_pt
    lines = [axes.transData.transform(line) * to_pt for line in segments]
    marks = np.array(
        [(*(xy - point.radius_pt), *(xy + point.radius_pt)) for xy, point in zip(at, points, strict=True)]
        + [(*(line.min(axis=0) - 0.5), *(line.max(axis=0) + 0.5)) for line in lines]
    )
    taken: dict[int, NDArray[np.float64]] = {}
    offsets: dict[int, NDArray[np.float64]] = {}
    for _ in range(_ROUNDS):
        for index, point in enumerate(points):
            places = _places(sizes[index], point.radius_pt)
            centres = at[index] + places
            half = sizes[index] / 2 + _PAD_PT
            boxes = np.hstack([centres - half, centres + half])
            others = [box for other, box in taken.items() if other != index]
            hidden = _overlap(boxes, np.vstack([marks, *others]))
            size = np.prod(2 * half)
            outside = size - _overlap(boxes, corners[None])
            # Other names weigh most; among places that are alike, the nearest comes first.
            cost = hidden + 3 * (_overlap(boxes, np.vstack(others)) if others else 0) + 4 * outside
            best = int(np.argmin(np.round(cost, 3)))
            taken[index], offsets[index] = boxes[best], places[best]
    for index, point in enumerate(points):
        dx, dy = offsets[index]
        far = _gap(sizes[index], offsets[index]) - point.radius_pt > _LINE_FROM_PT
        join = {"arrowstyle": "-", "color": NEUTRAL, "linewidth": 0.4, "shrinkA": 0, "shrinkB": point.radius_pt}
        axes.annotate(
            point.text,
            (point.x, point.y),
            (float(dx), float(dy)),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=TINY,
            color=point.colour,
            arrowprops=join if far else None,
            annotation_clip=False,
        )


def _size(axes: Axes, text: str) -> NDArray[np.float64]:
    """Width and height in pixels."""
    written = axes.text(0, 0, text, fontsize=TINY)
    box = written.get_window_extent()
    written.remove()
    return np.array([box.width, box.height])


def _places(size: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Centres of a name around its point, in points: right, left, above, below, then between; near rings first."""
    order = sorted(range(_DIRECTIONS), key=lambda k: (k % 4 != 0, k % 2 != 0, k % 8 != 0, k))
    found = []
    for ring in _RINGS_PT:
        for k in order:
            angle = 2 * math.pi * k / _DIRECTIONS
            way = np.array([math.cos(angle), math.sin(angle)])
            # As far out as puts the edge of the name on the ring.
            found.append(way * (radius + ring) + np.sign(np.round(way, 6)) * size / 2 * np.minimum(1, 2 * abs(way)))
    return np.array(found)


def _overlap(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n,)`` area that each of ``(n, 4)`` boxes (left, bottom, right, top) shares with ``(m, 4)`` others."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared: NDArray[np.float64] = np.prod(np.clip(high - low, 0, None), axis=2).sum(axis=1)
    return shared


def _gap(size: NDArray[np.float64], offset: NDArray[np.float64]) -> float:
    """From the point to the nearest edge of its name."""
    return float(np.linalg.norm(np.clip(np.abs(offset) - size / 2, 0, None)))
