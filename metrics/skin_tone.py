"""Whether the swapped face has the skin colour of the target, or of the source."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Metric
from hifibench.faces.mesh_shape import HALVES
from hifibench.records import Observed
from metrics.inputs import one_of
from metrics.landmarks import judge_of_mesh, shaped

OTHERS = ("target", "source")
N_VERTICES = 468
_MIRROR = {int(left): int(right) for right, left in HALVES}


def both_sides(left: tuple[int, ...]) -> NDArray[np.int64]:
    """Mesh vertices of the image's left half, or on the midline, and their mirror images, each once, in order."""
    return np.unique(np.array([*left, *(_MIRROR[vertex] for vertex in left)], np.int64))


FOREHEAD = (8, 9, 69, 104, 108, 151)
CHEEK = (36, 50, 100, 101, 117, 118, 119, 142, 187, 203, 205)
NOSE = (3, 4, 5, 6, 51, 134, 195, 196, 197, 198, 236)
SKIN: NDArray[np.int64] = both_sides(FOREHEAD + CHEEK + NOSE)
"""``(48,)`` vertices on forehead, cheeks and nose: no lips, eyes, brows, nostrils or edges, and little beard."""
LEAST = 10
"""Vertices whose colour must be known, or there is none of the skin."""

_LINEAR_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def skin_tone(estimator: str, other: str = "target") -> Metric:
    """Skin tone error: how different the skin of the swap looks from that of the target, or of the source.

    ``skin_tone[estimator,target]``, ``skin_tone[estimator,source]``: CIEDE2000 between the median colours in CIELAB
    (D65) of the skin, which is `SKIN`: vertices of the mesh on forehead, cheeks and nose. In units of that difference:
    1 is just seen by a trained eye, 5 by anybody; lower is better. A swap cannot be near both where source and target
    differ, and the field does not agree which it should be near to: blending and FaceShifter keep the target's, who
    takes skin for a part of identity asks for the source's.

    It is the colour in the picture, light, exposure and white balance included: against the source, who stands in
    another light, it can be small only by chance. NaN where a face was not seen, or shows fewer than `LEAST` of the
    vertices. Without a reachable bound: a failed pair counts as the largest error of the run in the worst case.

    Floors on generated portraits: JPEG 90 0.2, a shift by a pixel 0.1; two views of one person in changed light 3, two
    people 14.

    Args:
        estimator: an expert that gives ``colours`` at the vertices of MediaPipe's mesh.
        other: one of `OTHERS`: whose skin it should be.

    Raises:
        UsageError: the estimator gives no such colours, or there is no such word.

    Source:
        G. Sharma, W. Wu and E. N. Dalal, "The CIEDE2000 color-difference formula", Color Research & Application 2005.

    Example:
        >>> import pandas as pd
        >>> from hifibench.records import Observed
        >>> grey, white = (np.full((1, 468, 3), level, np.float32) for level in (0.5, 1.0))
        >>> swap, target = {"mediapipe": {"colours": grey}}, {"mediapipe": {"colours": white}}
        >>> observed = Observed(pd.DataFrame(index=range(1)), swap, swap, target, {})
        >>> skin_tone("mediapipe", "target").compute(observed).round(1)
        array([33.4])
        >>> skin_tone("mediapipe", "source").compute(observed)
        array([0.])
    """
    judge_of_mesh("skin_tone", "estimator of skin colours", estimator, "colours")
    one_of("skin_tone", "other image", other, OTHERS)

    def compute(observed: Observed) -> NDArray[np.float64]:
        rows = len(observed.pairs)
        swap, wanted = (
            skin_lab(shaped(seen, estimator, "colours", rows, (N_VERTICES, 3)))
            for seen in (observed.swap, observed.source if other == "source" else observed.target)
        )
        return ciede2000(swap, wanted)

    return Metric(
        name=f"skin_tone[{estimator},{other}]",
        title=f"Skin tone to {other}",
        unit="",
        direction="down",
        needs=(estimator,),
        compute=compute,
        decimals=2,
        group="attributes" if other == "target" else "identity",
        scope="pair",
    )


def skin_lab(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """The colour of the skin.

    Args:
        colours: ``(n, 468, 3)`` sRGB in [0, 1] at the vertices of MediaPipe's mesh; NaN where not known.

    Returns:
        ``(n, 3)`` L*, a*, b*: medians over `SKIN`; NaN where fewer than `LEAST` are known.
    """
    lab = rgb_to_lab(np.asarray(colours, np.float64)[:, SKIN])
    known = np.isfinite(lab).all(2).sum(1) >= LEAST
    found = np.full((len(lab), 3), np.nan)
    found[known] = np.nanmedian(lab[known], axis=1)
    return found


def linear(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """SRGB values in [0, 1], any shape, in proportion to the light that they stand for (IEC 61966-2-1)."""
    high = ((np.clip(rgb, 0.04, None) + 0.055) / 1.055) ** 2.4
    return np.where(rgb <= 0.04045, rgb / 12.92, high)


def rgb_to_lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """SRGB ``(..., 3)`` in [0, 1] to CIELAB with the white point D65 (2 degrees)."""
    xyz = linear(rgb) @ _LINEAR_TO_XYZ.T / (0.95047, 1.0, 1.08883)
    cube = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(cube, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def ciede2000(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """The CIEDE2000 difference of colours ``(..., 3)`` in CIELAB, with all parametric factors 1; symmetric.

    The formula's numbers and names are those of Sharma et al. (2005), eq. 2-22.
    """
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0)
    mean_chroma7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(mean_chroma7 / (mean_chroma7 + 25.0**7))
    c1, c2 = np.hypot(stretch * a1, b1), np.hypot(stretch * a2, b2)
    h1, h2 = np.arctan2(b1, stretch * a1) % (2 * np.pi), np.arctan2(b2, stretch * a2) % (2 * np.pi)
    grey = c1 * c2 == 0
    # Difference and mean go along the shorter arc between the two; a grey has no hue, and takes the other's.
    across = np.abs(h2 - h1) > np.pi
    turn = h2 - h1 - 2 * np.pi * np.where(across, np.sign(h2 - h1), 0.0)
    hue = np.where(grey, h1 + h2, (h1 + h2) / 2 + np.pi * across)
    delta_hue = 2 * np.sqrt(c1 * c2) * np.sin(turn / 2)
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    t = (
        1
        - 0.17 * np.cos(hue - np.radians(30))
        + 0.24 * np.cos(2 * hue)
        + 0.32 * np.cos(3 * hue + np.radians(6))
        - 0.20 * np.cos(4 * hue - np.radians(63))
    )
    from_50 = np.square(mean_l - 50)
    s_l = 1 + 0.015 * from_50 / np.sqrt(20 + from_50)
    s_c, s_h = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    blue = np.radians(30) * np.exp(-np.square((np.degrees(hue) % 360 - 275) / 25))
    r_t = -2 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)) * np.sin(2 * blue)
    lightness, chroma, tint = (l2 - l1) / s_l, (c2 - c1) / s_c, delta_hue / s_h
    return np.asarray(np.sqrt(lightness**2 + chroma**2 + tint**2 + r_t * chroma * tint))
