"""Hair by seed: style and colour, as a shell over the scalp that ends at a ragged hairline."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.heads import geometry, marks
from hifibench.heads.person import hair_colour, melanin_of

Floats = NDArray[np.float32]

STYLES = ("bald", "cropped", "short", "fringe", "long")
_SHARES = (0.06, 0.12, 0.36, 0.18, 0.28)

# Hairline: azimuth (degrees) -> the least elevation at which hair grows; the ear lies between 78 and 112.
_SHORT = (
    (0, 31), (28, 33), (48, 27), (62, 12), (70, -8), (76, -14), (82, 3), (106, 3), (116, -22), (140, -33), (180, -35),
)  # fmt: skip
_LONG = ((0, 31), (28, 33), (48, 27), (60, 14), (68, 2), (74, -60), (180, -60))


class Hair(NamedTuple):
    """A style."""

    style: str
    colour: Floats
    """``(3,)`` linear RGB."""
    line: Floats
    """``(361,)`` least elevation in degrees for azimuths -180 to 180."""
    top_mm: float
    side_mm: float
    length_mm: float
    """How far long hair falls below the middle of the head."""
    wave: float
    ragged: float
    """Degrees by which strands reach over the hairline."""
    offset: Floats
    """``(3,)`` where in the noise its strands are looked up."""


class Shell(NamedTuple):
    """Triangles of hair."""

    points: Floats
    """``(n, 3)`` mm in the head frame."""
    grid: Floats
    """``(n, 2)`` azimuth and elevation in degrees."""
    flow: Floats
    """``(n, 3)`` unit vectors along the strands."""
    faces: NDArray[np.int32]


def make(seed: int) -> Hair:
    """The hair of a person's seed."""
    rng = np.random.default_rng((seed, 21))
    style = STYLES[rng.choice(len(STYLES), p=_SHARES)]
    colour = hair_colour(np.random.default_rng((seed, 20)), melanin_of(seed))  # as brows and stubble
    turns = np.abs(np.arange(-180, 181))
    knots = np.array(_LONG if style == "long" else _SHORT, np.float64)
    line = np.interp(turns, knots[:, 0], knots[:, 1])
    front = np.clip(1 - turns / 60, 0, 1)
    line += front * rng.uniform(-3, 9)  # how high the forehead is
    line += rng.uniform(0, 8) * np.exp(-(((turns - 34) / 13) ** 2))  # receding above the temples
    line -= rng.uniform(0, 4) * np.exp(-((turns / 7) ** 2))  # peak in the middle
    if style == "fringe":
        bent = rng.uniform(9, 18) + 3 * np.sin(np.radians(np.arange(-180, 181) * 2.5 + rng.uniform(0, 360)))
        line = np.where(turns < 52, np.minimum(line, bent), line)
    top, side = {
        "bald": (0, 0),
        "cropped": (2.5, 1.5),
        "short": (rng.uniform(8, 30), rng.uniform(3, 9)),
        "fringe": (rng.uniform(10, 22), rng.uniform(5, 12)),
        "long": (rng.uniform(10, 24), rng.uniform(10, 24)),
    }[style]
    return Hair(
        style,
        colour.astype(np.float32),
        line.astype(np.float32),
        float(top),
        float(side),
        float(rng.uniform(90, 230)),
        float(rng.uniform(0, 1)),
        float(rng.uniform(1.5, 4.0)),
        rng.uniform(0, 64, 3).astype(np.float32),
    )


def shell(hair: Hair, head: Floats) -> Shell | None:
    """The hair's surface over somebody's head; nothing where there is no hair.

    Args:
        hair: the style.
        head: ``(n, 3)`` vertices of the head, mm in the head frame.
    """
    if hair.style == "bald":
        return None
    model = geometry.load()
    scalp = geometry.at_marks(head, model.hair_faces, model.hair_weights)
    rises, turns = np.meshgrid(marks.HAIR_RISES, marks.HAIR_TURNS, indexing="ij")
    line = np.interp(turns, np.arange(-180, 181), hair.line)
    lifted = 4 if hair.style in ("long", "fringe") else 1
    grown = np.clip((rises - line + lifted) / 24, 0, 1)
    up = np.clip((rises - 10) / 45, 0, 1)
    thick = 1.2 + (hair.side_mm + (hair.top_mm - hair.side_mm) * up) * np.sqrt(grown)
    waves = np.sin(np.radians(turns * 5) + hair.offset[0]) * np.sin(np.radians(rises * 6) + hair.offset[1])
    thick = thick * (1 + 0.22 * hair.wave * waves)
    outwards = marks.hair_directions()
    points = scalp + outwards * thick[..., None]
    if hair.style == "long":
        points = _fallen(points, rises, hair)
    flow = np.gradient(points, axis=0)
    flow /= np.linalg.norm(flow, axis=-1, keepdims=True) + 1e-6
    return Shell(
        points.reshape(-1, 3).astype(np.float32),
        np.stack([turns, rises], -1).reshape(-1, 2).astype(np.float32),
        flow.reshape(-1, 3).astype(np.float32),
        _triangles(),
    )


def _fallen(points: NDArray[np.float64], rises: NDArray[np.float64], hair: Hair) -> NDArray[np.float64]:
    """Hair from the middle of the head on hangs down instead of following the neck."""
    start = int(np.searchsorted(-marks.HAIR_RISES, 0.0))
    share = np.clip(-rises / 40, 0, 1)[start:, :, None]
    hung = points[start][None] + share * (0.0, -hair.length_mm, 0.0)
    hung = hung + 0.10 * np.sin(share * 3.0) * (points[start] - np.array(marks.HAIR_CENTRE))[None] * (1.0, 0.0, 0.6)
    waves = np.sin(share * 16 + np.radians(marks.HAIR_TURNS * 4)[None, :, None])
    hung = hung + 5 * hair.wave * waves * share * (1.0, 0.0, 0.4)
    out = points.copy()
    out[start:] = hung
    return out


@cache
def _triangles() -> NDArray[np.int32]:
    rows, columns = len(marks.HAIR_RISES), len(marks.HAIR_TURNS)
    at = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    a, b, c, d = at[:-1, :-1], at[:-1, 1:], at[1:, :-1], at[1:, 1:]
    # Counter-clockwise from outside: azimuth grows to the image's right, elevation falls along the rows.
    return np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
