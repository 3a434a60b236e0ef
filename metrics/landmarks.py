"""Whether the parts of the swapped face lie where those of the target's do, and how metrics read MediaPipe's mesh."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import ExpertCard, Metric
from hifibench.errors import UsageError
from hifibench.records import Floats, Observed
from metrics.inner_points import LANDMARKERS, in_frame
from metrics.inputs import judge, output

N_LANDMARKS = 478
"""Points of MediaPipe's mesh, irises included."""

JAW = (127, 234, 132, 58, 172, 150, 176, 148, 152, 377, 400, 379, 397, 288, 361, 454, 356)
BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
POINTS = (*JAW, *BROWS, *LANDMARKERS["mediapipe"].points)
"""66 mesh indices of a set like that of 300-W, in its order: jaw, brows, nose, eyes, mouth, from the image's left; two
points of the ridge of the nose are left out (`metrics.inner_points`).

Source of the set: C. Sagonas et al., "300 faces in-the-wild challenge", ICCV workshops 2013. The two jaw lines are not
the same places: MediaPipe's is the outline of its mesh.
"""
EYE_CORNERS = (POINTS.index(33), POINTS.index(263))
"""Places of the outer corners of the eyes within `POINTS`: between them lies the inter-ocular distance."""


def landmarks(estimator: str) -> Metric:
    """Landmark error: how far eyes, brows, nose, mouth and jaw of the swap lie from those of the target.

    ``landmarks[estimator]`` is the mean distance of 66 corresponding points of the mesh (`POINTS`) within the frame, in
    % of the distance between the outer corners of the target's eyes: the normalised mean error (NME) of the 300-W
    challenge (Sagonas et al., ICCV workshops 2013). Lower is better. It holds pose, expression and place together, and
    face shape as well: a swap that takes the source's shape, as it should, scores above one that keeps the target's.

    NaN where either face was not seen. Without a bound: a failed pair counts as the largest error of the run in the
    worst case. On generated portraits JPEG 90 alone reads 0.2 %, a shift by one pixel of 512 0.6 %.

    Args:
        estimator: an expert that gives ``landmarks`` of MediaPipe's mesh.

    Raises:
        UsageError: the estimator gives no such mesh.

    Example:
        >>> import pandas as pd
        >>> from hifibench.records import Observed
        >>> target = np.zeros((1, 478, 3), np.float32)
        >>> target[0, 263] = 100, 0, 0
        >>> whole = np.eye(2, 3, dtype=np.float32)[None]
        >>> meshes = target + np.float32([3, 4, 0]), target
        >>> seen = [{"mediapipe": {"landmarks": mesh, "matrix": whole}} for mesh in meshes]
        >>> observed = Observed(pd.DataFrame(index=range(1)), seen[0], {}, seen[1], {})
        >>> landmarks("mediapipe").compute(observed)
        array([5.])
    """
    judge_of_mesh("landmarks", "mesh estimator", estimator)

    def compute(observed: Observed) -> NDArray[np.float64]:
        rows = len(observed.pairs)
        swap, target = (in_frame(seen, estimator, POINTS, rows) for seen in (observed.swap, observed.target))
        one, other = (target[:, corner] for corner in EYE_CORNERS)
        return nme(swap, target, np.linalg.norm(one - other, axis=1))

    return Metric(
        name=f"landmarks[{estimator}]",
        title="Landmark error",
        unit="%",
        direction="down",
        needs=(estimator,),
        compute=compute,
        decimals=2,
        group="attributes",
        scope="pair",
    )


def judge_of_mesh(metric: str, noun: str, given: str, *outputs: str) -> ExpertCard:
    """The card of the expert ``given`` if it gives MediaPipe's mesh and ``outputs``; see `metrics.inputs.judge`."""

    def fits(card: ExpertCard) -> bool:
        mesh = card.outputs.get("landmarks", "").startswith(f"({N_LANDMARKS}, 3)")
        return mesh and {*outputs} <= {*card.outputs}

    return judge(metric, noun, given, fits)


def mesh(seen: Mapping[str, Mapping[str, Floats]], estimator: str, rows: int) -> NDArray[np.float64]:
    """MediaPipe's mesh in every image.

    Args:
        seen: expert -> output -> array ``(rows, …)``.
        estimator: name of the expert.
        rows: number of images.

    Returns:
        ``(rows, 478, 3)`` pixels of the expert's crop, y down, z smaller when nearer; NaN where it saw no face.

    Raises:
        UsageError: as `metrics.inputs.output`.
    """
    return shaped(seen, estimator, "landmarks", rows, (N_LANDMARKS, 3))


def shaped(
    seen: Mapping[str, Mapping[str, Floats]], expert: str, name: str, rows: int, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """`metrics.inputs.output` in its own shape, ``(rows, *shape)``; NaN where the expert saw nothing at all.

    Raises:
        UsageError: as `metrics.inputs.output`; or the output has another shape.
    """
    flat = output(seen, expert, name, rows).astype(np.float64)
    numbers = int(np.prod(shape))
    if not seen[expert]:
        return np.full((rows, *shape), np.nan)
    if flat.shape[1] != numbers:
        raise UsageError(f"{expert!r} gave {flat.shape[1]} numbers of {name!r} per image, expected {shape}.")
    return flat.reshape(rows, *shape)


def nme(a: NDArray[np.float64], b: NDArray[np.float64], unit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean distance of corresponding points, in % of a length.

    Args:
        a: ``(n, k, d)``.
        b: the same.
        unit: ``(n,)`` the length.

    Returns:
        ``(n,)``; NaN where any coordinate is NaN, or where the length is 0.
    """
    distance = np.linalg.norm(a - b, axis=-1).mean(axis=1)
    return np.asarray(100.0 * distance / np.where(unit > 0, unit, np.nan))
