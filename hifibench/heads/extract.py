"""Makes ``geometry.npz`` out of `anny` (code Apache-2.0, MakeHuman's data CC0): ``python -m hifibench.heads.extract``.

anny's head is not linear in its sliders: macroscopic ones (age, gender, weight, descent) multiply each other and local
ones have two halves. The shipped head is therefore a linear model of its own: heads drawn at random from anny's
sliders, moved and turned onto their mean by the cranium and the upper face, then principal components. Expressions are
anny's 52 ARKit blend shapes, which are linear. The head frame is that of the mean: x to the image's right, y up, z to
the viewer, millimetres.

Only this module imports anny. The harness reads the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hifibench.faces import rasteriser
from hifibench.heads import marks
from hifibench.heads.geometry import FILE

Floats = NDArray[np.float64]

COMPONENTS = 100
_HEADS = 1500
_LOCAL_SD = {  # of local sliders, which run from -1 to 1; those of the cranium and the neck make monsters soon
    **dict.fromkeys(("cheek", "chin", "eyebrows", "eye", "mouth", "nose"), 0.45),
    **dict.fromkeys(("ear", "forehead"), 0.3),
    **dict.fromkeys(("head", "neck"), 0.15),
}
_KEPT_SIZE = 0.5  # share of the differences in size that stays
_LEAST = 0.02  # mm; smaller displacements of an expression are left out


class Drawn(NamedTuple):
    """What is asked of anny."""

    heads: Floats
    """``(n, vertices, 3)`` mm."""
    expressions: Floats
    """``(52, vertices, 3)`` mm."""
    names: tuple[str, ...]
    faces: NDArray[np.int32]
    parts: NDArray[np.int32]
    """``(vertices,)``: 0 skin, 1 tongue, 2 left eye, 3 right eye (the person's)."""
    ears: NDArray[np.bool_]


def draw(heads: int = _HEADS, seed: int = 0) -> Drawn:
    """Heads of random sliders and all expressions from anny."""
    import torch
    from anny import Anny
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    model: Any = Anny(
        rig="makehuman-head", topology="head", local_changes="default", facial_actions="all", phenotypes="all"
    )
    rng = np.random.default_rng(seed)
    macro = np.full((heads, len(model.phenotype_labels)), 0.5)
    for name, low, high in (("gender", 0, 1), ("age", 0.55, 1), ("muscle", 0, 1), ("weight", 0, 1)):
        macro[:, model.phenotype_labels.index(name)] = rng.uniform(low, high, heads)
    descent = [model.phenotype_labels.index(name) for name in ("african", "asian", "caucasian")]
    macro[:, descent] = rng.dirichlet((0.5, 0.5, 0.5), heads)
    still = torch.zeros(1, len(model.facial_action_labels), dtype=torch.float64)
    local = _local(model.local_change_labels, heads, rng)
    shapes = []
    for start in range(0, heads, 50):
        chunk = slice(start, start + 50)
        weights = model._get_phenotype_blendshape_coefficients(
            torch.from_numpy(macro[chunk]), torch.from_numpy(local[chunk]), still
        )
        shapes.append(
            (model.template_vertices + torch.einsum("bk,kvd->bvd", weights, model.blendshapes)).detach().numpy()
        )
    faces = model.faces.numpy().astype(np.int32)
    count = len(model.template_vertices)
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    _, parts = connected_components(coo_matrix((np.ones(len(ends)), ends.T), shape=(count, count)))
    rows = dict(zip(model.blendshape_labels, model.blendshapes.numpy(), strict=True))
    named = {label.split(":")[1]: value for label, value in rows.items() if not label.startswith("phenotype")}
    size = np.linalg.norm(named["l-ear-scale-incr"], axis=1) + np.linalg.norm(named["r-ear-scale-incr"], axis=1)
    return Drawn(
        _in_head_axes(np.concatenate(shapes)),
        _in_head_axes(np.stack([named[name] for name in model.facial_action_labels])),
        tuple(model.facial_action_labels),
        faces,
        parts.astype(np.int32),
        size > 0.12 * size.max(),
    )


def _local(names: list[str], heads: int, rng: np.random.Generator) -> Floats:
    """Random local sliders; a pair of left and right moves nearly together."""
    values = rng.normal(size=(heads, len(names)))
    out = np.zeros_like(values)
    for i, name in enumerate(names):
        words = name.split("-")
        spread = _LOCAL_SD.get(words[1 if words[0] in "lr" else 0], 0.0)
        value = values[:, i]
        if name.startswith("r-"):
            value = values[:, names.index("l-" + name[2:])] + 0.2 * value
        out[:, i] = np.clip(spread * value, -1, 1) * (0.25 if name.endswith("trans-out") else 1.0)
    return out


def _in_head_axes(points: Floats) -> Floats:
    """Anny's metres with z up and the face towards -y, as the project's head frame in mm."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1) * 1000.0


def aligned(heads: Floats, parts: NDArray[np.int32]) -> Floats:
    """Heads moved and turned onto their mean, the origin in the middle of the mean head's cranium and upper face.

    Half of the differences in size (root mean square distance from the middle, as a ratio) is taken away.
    """
    mean = heads.mean(0)
    steady = (parts == 0) & (mean[:, 1] > np.quantile(mean[:, 1], 0.35))
    for step in range(3):
        goal = mean[steady] - mean[steady].mean(0)
        moved = []
        for head in heads:
            centre = head[steady].mean(0)
            u, _, vt = np.linalg.svd((head[steady] - centre).T @ goal)
            scale = float(np.linalg.norm(goal) / np.linalg.norm(head[steady] - centre)) ** (
                1 - _KEPT_SIZE if step == 0 else 0
            )
            moved.append(scale * (head - centre) @ (u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt))
        heads = np.array(moved)
        mean = heads.mean(0)
    return heads


def components(heads: Floats, count: int) -> tuple[Floats, Floats]:
    """Mean ``(vertices, 3)`` and ``(count, vertices, 3)`` directions, each scaled to one standard deviation."""
    mean = heads.mean(0)
    offsets = (heads - mean).reshape(len(heads), -1)
    variance, vectors = np.linalg.eigh(offsets @ offsets.T / (len(heads) - 1))
    order = np.argsort(variance)[::-1][:count]
    directions = vectors[:, order].T @ offsets / np.sqrt(len(heads) - 1)
    directions *= np.sign(directions[np.arange(count), np.abs(directions).argmax(1)])[:, None]
    return mean, directions.reshape(count, *mean.shape)


@njit(cache=True)
def openness(
    points: Floats, normals: Floats, triangles: Floats, directions: Floats, reach: float
) -> Floats:  # pragma: no cover
    """Share of the sky over each vertex that the head itself does not hide within ``reach`` mm, cosine-weighted."""
    out = np.zeros(len(points))
    for i in range(len(points)):
        seen = total = 0.0
        o = points[i] + 0.3 * normals[i]
        for k in range(len(directions)):
            d = directions[k]
            cosine = d[0] * normals[i, 0] + d[1] * normals[i, 1] + d[2] * normals[i, 2]
            if cosine <= 0:
                continue
            total += cosine
            hit = False
            for t in range(len(triangles)):
                a, u, v = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                px, py, pz = d[1] * v[2] - d[2] * v[1], d[2] * v[0] - d[0] * v[2], d[0] * v[1] - d[1] * v[0]
                det = u[0] * px + u[1] * py + u[2] * pz
                if abs(det) < 1e-9:
                    continue
                sx, sy, sz = o[0] - a[0], o[1] - a[1], o[2] - a[2]
                b = (sx * px + sy * py + sz * pz) / det
                if b < 0 or b > 1:
                    continue
                qx, qy, qz = sy * u[2] - sz * u[1], sz * u[0] - sx * u[2], sx * u[1] - sy * u[0]
                c = (d[0] * qx + d[1] * qy + d[2] * qz) / det
                if c < 0 or b + c > 1:
                    continue
                far = (v[0] * qx + v[1] * qy + v[2] * qz) / det
                if 0.05 < far < reach:
                    hit = True
                    break
            if not hit:
                seen += cosine
        out[i] = seen / max(total, 1e-9)
    return out


def normals_of(points: Floats, faces: NDArray[np.int32]) -> Floats:
    """Vertex normals, weighted by area."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    flat = np.cross(b - a, c - a)
    out = np.zeros_like(points)
    for k in range(3):
        np.add.at(out, faces[:, k], flat)
    unit: Floats = out / (np.linalg.norm(out, axis=1, keepdims=True) + 1e-12)
    return unit


def _sphere_of_directions(count: int) -> Floats:
    k = np.arange(count) + 0.5
    up, turn = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    flat = np.sqrt(1 - up**2)
    return np.stack([flat * np.cos(turn), up, flat * np.sin(turn)], -1)


def _openness(drawn: Drawn, mean: Floats) -> Floats:
    """The most open of three faces, so that lids and lips are not dark once they open or shut."""
    skin = drawn.faces[drawn.parts[drawn.faces[:, 0]] == 0]

    def weighted(**weights: float) -> Floats:
        moved = mean.copy()
        for name, value in weights.items():
            moved += value * drawn.expressions[drawn.names.index(name)]
        return moved

    out = np.zeros(len(mean))
    for points in (mean, weighted(eyeBlinkLeft=1.0, eyeBlinkRight=1.0), weighted(jawOpen=0.5)):
        a, b, c = (points[skin[:, k]] for k in range(3))
        seen = openness(points, normals_of(points, skin), np.stack([a, b - a, c - a], 1), _sphere_of_directions(96), 90)
        out = np.maximum(out, seen)
    return out


def _behind(mean: Floats, faces: NDArray[np.int32]) -> Floats:
    """How far each vertex lies behind what is seen of the mean head from the front, mm."""
    step = 0.25
    size = int(320 / step)
    pixels = np.stack([(mean[:, 0] + 160) / step, (160 - mean[:, 1]) / step, 1000 - mean[:, 2]], -1)
    raster = rasteriser.rasterise(pixels, faces, (size, size), rasteriser.FRONT)
    at = np.clip(np.rint(pixels[:, :2]).astype(int), 0, size - 1)
    behind: Floats = np.nan_to_num(pixels[:, 2] - raster.depth[at[:, 1], at[:, 0]], posinf=0.0, neginf=0.0)
    return behind


def build(drawn: Drawn) -> dict[str, NDArray[Any]]:
    """The arrays of ``geometry.npz``; see `hifibench.heads.geometry.Geometry`."""
    mean, directions = components(aligned(drawn.heads, drawn.parts), COMPONENTS)
    moves = [np.flatnonzero(np.linalg.norm(delta, axis=1) > _LEAST) for delta in drawn.expressions]
    skin = drawn.faces[drawn.parts[drawn.faces[:, 0]] == 0]
    behind = _behind(mean, skin)
    inner = (drawn.parts == 0) & (np.abs(mean[:, 0]) < 34) & (mean[:, 1] < -48) & (mean[:, 1] > -98) & (behind > 5)
    kept = marks.face_vertices(mean, drawn.parts, behind, drawn.ears)
    return {
        "mean": mean.astype(np.float32),
        "basis": directions.astype(np.float16),
        "faces": drawn.faces.astype(np.uint16),
        "parts": drawn.parts.astype(np.uint8),
        "ears": drawn.ears,
        "inner": inner,
        "openness": np.rint(255 * _openness(drawn, mean)).astype(np.uint8),
        "names": np.array(drawn.names),
        "moved": np.concatenate(moves).astype(np.uint16),
        "counts": np.array([len(rows) for rows in moves], np.uint16),
        "moves": np.concatenate([delta[rows] for delta, rows in zip(drawn.expressions, moves, strict=True)]).astype(
            np.float16
        ),
        "face_vertices": kept.astype(np.uint16),
        **marks.find(mean, drawn.expressions, drawn.names, drawn.faces, drawn.parts, inner),
    }


def main(path: Path = FILE) -> None:
    """Write the file."""
    arrays: dict[str, Any] = build(draw())
    np.savez_compressed(path, **arrays)


if __name__ == "__main__":
    main()
