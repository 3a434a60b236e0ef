"""Which points of the rendered head MediaPipe's mesh points are: ``python -m hifibench.heads.correspondence``.

MediaPipe (Apache-2.0) looks at people at rest, without hair or occluder, at poses around the front. Each of its points
is carried back along the camera's ray onto the surface that is seen there, and from there to the mean head. The median
over people is the correspondence; the points on which people agree best are kept, spread over the face.

It says where *MediaPipe* places its points on these heads, its habits included, so it holds for this landmarker alone.
The residual is the spread between people, which bounds what a vertex error against these points can mean.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hifibench.faces import rasteriser
from hifibench.heads import geometry

Floats = NDArray[np.float32]

FILE = geometry.FILE.with_name("mediapipe_points.npz")
KEPT = 150
_PEOPLE = 40
_MEDIAPIPE_MESH = 468
_SURE = 4.0  # mm; points on which people agree less are left out
_STEP = 0.1  # mm per pixel of the mean head's picture


class Points(NamedTuple):
    """A correspondence."""

    indices: NDArray[np.int64]
    """``(k,)`` of MediaPipe's 468 mesh points."""
    corners: NDArray[np.int64]
    """``(k, 3)`` vertices of the head."""
    weights: Floats
    """``(k, 3)`` barycentric."""
    residual_mm: Floats
    """``(k,)`` median distance of the people's own points, on the mean head."""


@cache
def load() -> Points:
    """The shipped correspondence."""
    with np.load(FILE) as file:
        return Points(
            file["indices"].astype(np.int64),
            file["corners"].astype(np.int64),
            file["weights"].astype(np.float32),
            file["residual_mm"].astype(np.float32),
        )


def find(people: int = _PEOPLE, kept: int = KEPT) -> Points:
    """Look for the correspondence with the `mediapipe` expert on people of the training split."""
    from hifibench.data import heads
    from hifibench.experts.landmarker import mediapipe
    from hifibench.faces import align, templates
    from hifibench.faces.detect import Detector
    from hifibench.heads import facts, hair, render
    from hifibench.heads.scene import Scene

    detector, expert = Detector(), mediapipe.load("cpu")
    mean = geometry.load().mean.astype(np.float64)
    rng = np.random.default_rng(0)
    bald = hair.make(next(seed for seed in range(200) if hair.make(seed).style == "bald"))
    found = []
    for person, shot in zip(heads.people("train", people, 77), heads.shots("train", people, 77), strict=True):
        scene = facts.compose(Scene(person, shot))
        still = scene.shot._replace(
            pose_deg=rng.normal(0, 4, 3), gaze_deg=np.zeros(2), expression=np.zeros(52, np.float32), occluder="none"
        )
        scene = scene._replace(shot=still, hair=bald)
        frame = render.render(scene, heads.SIZE).frame
        faces = detector.detect(frame)
        if not faces:
            continue
        crop, matrix = templates.take(frame, faces[0], expert.card.crop)
        seen = expert.observe(crop[None])["landmarks"][0, :_MEDIAPIPE_MESH, :2]  # type: ignore[union-attr]
        found.append(_on_mean_head(scene, align.apply(align.invert(matrix), seen), mean, heads.SIZE))
    return _agreed(np.array(found), mean, kept)


def _on_mean_head(scene: Any, pixels: NDArray[np.float64], mean: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """``(n, 3)`` mm: where the rays of a picture's pixels meet the head, told on the mean head; NaN beside it."""
    from hifibench.heads import render

    model, finer = geometry.load(), 8
    view = render.camera(scene.shot, size)
    corners = view.pixels(view.place(render.face_of(scene)))
    corners[:, :2] = (corners[:, :2] + 0.5) * finer - 0.5
    skin = np.ascontiguousarray(model.faces[model.parts[model.faces[:, 0]] == geometry.SKIN])
    raster = rasteriser.rasterise(corners, skin, (size * finer, size * finer), rasteriser.FRONT)
    at = np.nan_to_num(np.rint((pixels + 0.5) * finer - 0.5), nan=-1).astype(int)
    inside = ((at >= 0) & (at < size * finer)).all(1)
    column, row = np.clip(at, 0, size * finer - 1).T
    face = raster.face[row, column]
    out: NDArray[np.float64] = (mean[skin[face]] * raster.weights[row, column][..., None]).sum(1)
    out[~inside | (face < 0)] = np.nan
    return out


def _agreed(places: NDArray[np.float64], mean: NDArray[np.float64], kept: int) -> Points:
    """Medians of ``(people, points, 3)`` places, snapped to the mean head as seen from the front."""
    model = geometry.load()
    enough = np.isfinite(places[..., 0]).mean(0) > 0.9
    middle = np.nanmedian(places[:, enough], axis=0)
    spread = np.sqrt(np.nanmedian(((places[:, enough] - middle) ** 2).sum(-1), axis=0))
    order = np.flatnonzero(enough)[np.argsort(spread)]
    order = order[: (spread < _SURE).sum()]
    at = dict(zip(np.flatnonzero(enough).tolist(), range(len(middle)), strict=True))
    chosen: list[int] = []
    apart = 12.0  # mm, given way until enough points are found
    while len(chosen) < min(kept, len(order)):
        for point in order.tolist():
            gaps = [np.linalg.norm(middle[at[point]] - middle[at[other]]) for other in chosen]
            if len(chosen) < kept and point not in chosen and (not gaps or min(gaps) > apart):
                chosen.append(point)
        apart *= 0.8
    chosen.sort()
    size = int(300 / _STEP)
    pixels = np.stack([(mean[:, 0] + 150) / _STEP, (150 - mean[:, 1]) / _STEP, 1000 - mean[:, 2]], -1)
    skin = np.ascontiguousarray(model.faces[model.parts[model.faces[:, 0]] == geometry.SKIN])
    raster = rasteriser.rasterise(pixels, skin, (size, size), rasteriser.FRONT)
    rows = [at[point] for point in chosen]
    column = np.rint((middle[rows, 0] + 150) / _STEP).astype(int)
    row = np.rint((150 - middle[rows, 1]) / _STEP).astype(int)
    corners, weights = skin[raster.face[row, column]].astype(np.int64), raster.weights[row, column]
    snapped = (mean[corners] * weights[..., None]).sum(1)
    residual = np.sqrt(np.nanmedian(((places[:, chosen] - snapped) ** 2).sum(-1), axis=0))
    return Points(np.array(chosen), corners, weights, residual.astype(np.float32))


def main() -> None:
    """Write the file and say how well people agree."""
    points = find()
    np.savez_compressed(
        FILE,
        indices=points.indices.astype(np.uint16),
        corners=points.corners.astype(np.uint16),
        weights=points.weights,
        residual_mm=points.residual_mm,
    )
    low, middle, high = np.quantile(points.residual_mm, (0.1, 0.5, 0.9))
    print(f"{len(points.indices)} points; residual {middle:.2f} mm in the median, {low:.2f} to {high:.2f} in 80 %")


if __name__ == "__main__":
    main()
