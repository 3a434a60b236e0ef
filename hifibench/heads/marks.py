"""Points of the mean head that have names: 68 landmarks as in iBUG's scheme, and the points that hair grows over.

A mark is a triangle and three barycentric weights, so it follows every person and expression. The landmarks were
placed on the mean head by hand, as seen from the front (x, y in mm), except for eyes and mouth, which are looked for:

* 0-16 jaw: fixed points of the jaw's edge (they do not slide to the silhouette when the head turns);
* 17-26 brows: along the middle of the painted brow's default curve; 27-30 nose's bridge, 31-35 its base;
* 36-47 eyes: corners and lids at a third and two thirds, where the skin ends and the eyeball begins;
* 48-59 outer lips: along the painted border of the red; 60-67 inner lips: the edges of the opening when the jaw drops.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hifibench.faces import rasteriser

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

HAIR_CENTRE = (0.0, 20.0, -45.0)
"""The point that directions of hair are counted from, mm in the head frame."""
HAIR_TURNS = np.linspace(-180.0, 180.0, 73)
"""Columns of the hair's grid: azimuth in degrees, 0 to the front, positive to the image's right."""
HAIR_RISES = np.linspace(90.0, -40.0, 36)
"""Rows: elevation in degrees."""

_STEP = 0.1  # mm per pixel of the pictures that marks are read from
_SPAN = 300.0

# Jaw, from before the ear to the chin's middle: x, y, z of the mean head, moved onto its surface from the inside.
_JAW_CENTRE = np.array([0.0, -40.0, -25.0])
_JAW = (
    (74.0, 0.0, -14.0),
    (73.0, -20.0, -14.0),
    (70.0, -42.0, -15.0),
    (65.0, -62.0, -12.0),
    (56.0, -80.0, 0.0),
    (44.0, -94.0, 14.0),
    (30.0, -103.0, 28.0),
    (15.0, -108.0, 40.0),
    (0.0, -110.0, 46.0),
)
# Right half of the picture, from the middle outwards.
_BROW = ((11.0, 15.5), (21.0, 19.0), (32.0, 20.5), (42.0, 19.0), (51.0, 14.5))
_BRIDGE = ((0.0, 4.0), (0.0, -10.0), (0.0, -23.0), (0.0, -36.5))
_BASE = ((15.0, -41.5), (7.5, -44.0), (0.0, -46.5))
_UPPER_LIP = ((0.0, -61.6), (5.0, -60.4), (14.0, -63.4))
_LOWER_LIP = ((0.0, -80.0), (9.0, -78.6), (17.0, -74.6))
_CORNER = (24.5, -68.4)


def face_vertices(mean: Floats, parts: Ints, behind: Floats, ears: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Indices of the vertices that facts about shape are told of: the face's skin as seen from the front."""
    x, y, z = mean.T
    inside = (x / 68) ** 2 + ((y + 28) / 84) ** 2 < 1
    chosen = np.flatnonzero((parts == 0) & ~ears & inside & (behind < 1.5) & (z > -10))
    return chosen[:: max(1, len(chosen) // 600)]


def find(
    mean: Floats,
    expressions: Floats,
    names: tuple[str, ...],
    faces: Ints,
    parts: Ints,
    inner: NDArray[np.bool_],
) -> dict[str, NDArray[Any]]:
    """``landmark_faces`` (68,), ``landmark_weights`` (68, 3), and the same of the hair's grid ``(rows, columns)``."""
    seen = _Front(mean, faces, parts)
    edge = np.array([(-x, y, z) for x, y, z in _JAW] + list(_JAW[-2::-1])) - _JAW_CENTRE
    marks: list[tuple[int, Floats]] = list(zip(*_leaving(mean, faces, parts, _JAW_CENTRE, edge), strict=True))
    marks += [seen.skin(-x, y) for x, y in _BROW[::-1]] + [seen.skin(x, y) for x, y in _BROW]
    marks += [seen.skin(x, y) for x, y in _BRIDGE]
    marks += [seen.skin(-x, y) for x, y in _BASE] + [seen.skin(x, y) for x, y in _BASE[-2::-1]]
    for part in (3, 2):  # the eye at the picture's left is the person's right one
        marks += seen.eye(part)
    opened = _Front(mean + 0.4 * expressions[names.index("jawOpen")], faces, parts, inner=inner)
    right = [seen.skin(x, y) for x, y in _UPPER_LIP]
    left = [seen.skin(-x, y) for x, y in _UPPER_LIP[:0:-1]]
    marks += [seen.skin(-_CORNER[0], _CORNER[1]), *left, *right, seen.skin(*_CORNER)]
    marks += [seen.skin(x, y) for x, y in _LOWER_LIP[::-1]] + [seen.skin(-x, y) for x, y in _LOWER_LIP[1:]]
    marks += opened.mouth()
    hair_faces, hair_weights = _leaving(mean, faces, parts, np.array(HAIR_CENTRE), hair_directions())
    return {
        "landmark_faces": np.array([face for face, _ in marks], np.uint16),
        "landmark_weights": np.array([weights for _, weights in marks], np.float32),
        "hair_faces": hair_faces.astype(np.uint16),
        "hair_weights": hair_weights.astype(np.float32),
    }


class _Front:
    """The mean head from the front, without perspective, at a tenth of a millimetre a pixel."""

    def __init__(self, points: Floats, faces: Ints, parts: Ints, inner: NDArray[np.bool_] | None = None) -> None:
        self.size = int(_SPAN / _STEP)
        pixels = np.stack(
            [(points[:, 0] + _SPAN / 2) / _STEP, (_SPAN / 2 - points[:, 1]) / _STEP, 1000 - points[:, 2]], -1
        )
        self.raster = rasteriser.rasterise(pixels, faces, (self.size, self.size), rasteriser.FRONT)
        self.parts = np.where(self.raster.face >= 0, parts[faces[self.raster.face, 0]], -1)
        self.deep = self.parts == 1
        if inner is not None:  # what shows within the opening beside the tongue
            self.deep |= (self.raster.face >= 0) & inner[faces[self.raster.face]].all(-1)

    def skin(self, x: float, y: float) -> tuple[int, Floats]:
        """What is seen at x, y."""
        return self._mark(round((_SPAN / 2 - y) / _STEP), round((x + _SPAN / 2) / _STEP))

    def eye(self, part: int) -> list[tuple[int, Floats]]:
        """Six points around an eyeball, from the corner at the picture's left, clockwise."""
        return self._around(self.parts == part)

    def mouth(self) -> list[tuple[int, Floats]]:
        """Eight points around the opening."""
        _, columns = np.nonzero(self.deep)
        low, high = columns.min(), columns.max()
        out = [self._edge(self.deep, low, 0)]
        out += [self._edge(self.deep, round(low + share * (high - low)), -1) for share in (0.25, 0.5, 0.75)]
        out.append(self._edge(self.deep, high, 0))
        out += [self._edge(self.deep, round(low + share * (high - low)), 1) for share in (0.75, 0.5, 0.25)]
        return out

    def _around(self, region: NDArray[np.bool_]) -> list[tuple[int, Floats]]:
        _, columns = np.nonzero(region)
        low, high = columns.min(), columns.max()
        first, second = round(low + (high - low) * 0.33), round(low + (high - low) * 0.67)
        edge = self._edge
        return [
            edge(region, low, 0),
            edge(region, first, -1),
            edge(region, second, -1),
            edge(region, high, 0),
            edge(region, second, 1),
            edge(region, first, 1),
        ]

    def _edge(self, region: NDArray[np.bool_], column: int, way: int) -> tuple[int, Floats]:
        """The skin next to a region: above (-1), below (1), or beside its first or last column (0)."""
        rows = np.flatnonzero(region[:, column])
        if way:
            row = rows.min() - 3 if way < 0 else rows.max() + 3
            return self._mark(int(row), column)
        outwards = -3 if not region[:, : max(column - 3, 0)].any() else 3
        return self._mark(int(np.median(rows)), column + outwards)

    def _mark(self, row: int, column: int) -> tuple[int, Floats]:
        face = int(self.raster.face[row, column])
        if face < 0:
            raise ValueError(f"The mean head is not seen at row {row}, column {column}.")
        return face, self.raster.weights[row, column].astype(np.float64)


def hair_directions() -> Floats:
    """``(rows, columns, 3)`` unit vectors of the hair's grid."""
    rise, turn = np.meshgrid(np.radians(HAIR_RISES), np.radians(HAIR_TURNS), indexing="ij")
    return np.stack([np.sin(turn) * np.cos(rise), np.sin(rise), np.cos(turn) * np.cos(rise)], -1)


def _leaving(
    mean: Floats, faces: Ints, parts: Ints, origin: Floats, directions: Floats
) -> tuple[NDArray[np.int64], Floats]:
    """Where rays leave the head: triangles and weights for directions ``(..., 3)``."""
    usable = np.flatnonzero(parts[faces[:, 0]] == 0)
    a = mean[faces[usable, 0]] - origin
    u, v = mean[faces[usable, 1]] - mean[faces[usable, 0]], mean[faces[usable, 2]] - mean[faces[usable, 0]]
    chosen = np.zeros(directions.shape[:-1], np.int64)
    weights = np.zeros((*directions.shape[:-1], 3))
    for at in np.ndindex(*directions.shape[:-1]):
        # origin + far * d = corner + b * u + c * v, by Cramer's rule.
        d = directions[at]
        p = np.cross(d, v)
        det = (u * p).sum(1)
        det = np.where(np.abs(det) < 1e-12, np.inf, det)
        b = (-a * p).sum(1) / det
        q = np.cross(-a, u)
        c = (q @ d) / det
        far = (v * q).sum(1) / det
        hit = (b >= -1e-6) & (c >= -1e-6) & (b + c <= 1 + 1e-6) & (far > 0)
        best = int(np.where(hit, far, -np.inf).argmax())
        chosen[at] = usable[best]
        weights[at] = (1 - b[best] - c[best], b[best], c[best])
    return chosen, weights
