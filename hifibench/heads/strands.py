"""The colour of hair: strands over its shell, in one compiled loop over the samples."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hifibench.heads import labels, shading
from hifibench.heads import noise as noises

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

_L_HAIR = labels.HAIR
_FAST = {"reassoc", "contract", "arcp", "nsz", "afn"}  # fast mathematics that still knows infinity


@njit(cache=True, nogil=True, fastmath=_FAST)
def shade_hair(
    face: Ints,
    weights: Floats,
    depth: Floats,
    faces: Ints,
    points: Floats,
    normals: Floats,
    flow: Floats,
    grid: Floats,
    line: Floats,
    rgb: Floats,
    ragged: float,
    hung: bool,
    offset: Floats,
    inside: bool,
    light: Floats,
    key: Floats,
    key_rgb: Floats,
    noise: Floats,
    base_depth: Floats,
    colour: Floats,
    label: NDArray[np.uint8],
) -> None:  # pragma: no cover
    """Lay hair over what was drawn before, where it is nearer and grows; ``base_depth`` is lowered to it.

    ``grid`` holds azimuth and elevation, ``inside`` says that the far wall of the shell is seen from within; the rest
    is as in `shade` and `hifibench.heads.hair`.
    """
    height, width = face.shape
    for at in range(height * width // 4):
        top_row, left_column = 2 * (at // (width // 2)), 2 * (at % (width // 2))
        covered = True
        for sample in range(4):
            i, j = top_row + sample // 2, left_column + sample % 2
            if face[i, j] < 0 or depth[i, j] >= base_depth[i, j]:
                covered = False
        for sample in range(4):
            row, column = top_row + sample // 2, left_column + sample % 2
            f = face[row, column]
            if f < 0 or depth[row, column] >= base_depth[row, column]:
                continue
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            u, v, w = weights[row, column, 0], weights[row, column, 1], weights[row, column, 2]
            turn = u * grid[a, 0] + v * grid[b, 0] + w * grid[c, 0]
            rise = u * grid[a, 1] + v * grid[b, 1] + w * grid[c, 1]
            # Strands: fine across, long along the flow.
            across = turn * (0.25 + 0.75 * np.cos(np.radians(max(rise, 0.0))))
            bend = noises.at(noise, turn * 0.05 + offset[0], rise * 0.05 + offset[1], offset[2])
            fine = noises.at(noise, across * 0.75 + 2 * bend + offset[1], rise * 0.06 + offset[2], offset[0])
            lock = noises.at(noise, across * 0.2 + 1.5 * bend + offset[2], rise * 0.03 + offset[0], offset[1])
            edge = rise - line[min(max(int(turn + 180.5), 0), 360)]
            over = edge + ragged * (0.75 * fine + 0.5 * lock)
            if hung and rise < -32:
                over = min(over, rise + 38 + 2.5 * lock + 1.5 * fine)
            if not hung and edge > -6 and base_depth[row, column] == np.inf:
                over = max(over, 0.5)  # no gap between the hair's edge and the scalp's outline
            if over < 0:
                continue
            px = u * points[a, 0] + v * points[b, 0] + w * points[c, 0]
            py = u * points[a, 1] + v * points[b, 1] + w * points[c, 1]
            pz = u * points[a, 2] + v * points[b, 2] + w * points[c, 2]
            nx = u * normals[a, 0] + v * normals[b, 0] + w * normals[c, 0] + 0.25 * lock
            ny = u * normals[a, 1] + v * normals[b, 1] + w * normals[c, 1]
            nz = u * normals[a, 2] + v * normals[b, 2] + w * normals[c, 2]
            length = 1.0 / (np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9)
            if inside:
                length = -length
            nx, ny, nz = nx * length, ny * length, nz * length
            tx = u * flow[a, 0] + v * flow[b, 0] + w * flow[c, 0]
            ty = u * flow[a, 1] + v * flow[b, 1] + w * flow[c, 1]
            tz = u * flow[a, 2] + v * flow[b, 2] + w * flow[c, 2]
            back = -1.0 / np.sqrt(px * px + py * py + pz * pz)
            hx, hy, hz = px * back + key[0], py * back + key[1], pz * back + key[2]
            length = 1.0 / np.sqrt(hx * hx + hy * hy + hz * hz)
            along = (tx * hx + ty * hy + tz * hz) * length + 0.10 * fine + 0.05 * lock
            spread = max(1 - along * along, 0.0)
            shine = 0.10 * shading.sharpened(spread, 5) * max(nx * key[0] + ny * key[1] + nz * key[2], 0.0)
            tone = max(0.25, 0.95 + 0.30 * fine + 0.26 * lock)
            if inside:
                tone, shine = tone * 0.35, 0.0
            tone *= 0.65 + 0.35 * shading.step(0.0, 5.0, over)
            # Well within the hair one sample does for the whole pixel.
            together = covered and sample == 0 and over > 4
            for near in range(4 if together else 1):
                i, j = (top_row + near // 2, left_column + near % 2) if together else (row, column)
                for k in range(3):
                    tint = 0.25 + 0.75 * np.sqrt(rgb[k])
                    colour[i, j, k] = rgb[k] * tone * shading.lit(light, k, nx, ny, nz) + shine * key_rgb[k] * tint
                label[i, j] = _L_HAIR
                base_depth[i, j] = depth[i, j]
            if together:
                break
