"""What hides a part of the target's face, and how much the swap changed it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.experts.truth_pixels import labelled, parsing_of
from hifibench.faces.align import apply, invert
from hifibench.faces.masks import FACE_OVAL, face_mask
from hifibench.heads.labels import OCCLUDER
from hifibench.records import EXACT, Floats, Frame

Mask = NDArray[np.bool_]

LEAST_EXACT, LEAST_ESTIMATED = 0.005, 0.02
"""Shares of the face below which nothing counts as an occluder: a few pixels at the edge say nothing."""

SIDE = 128
"""Square root of the area, in pixels, of the face in which an occluder is looked for."""
RIM, GROW, OPENING = 4, 3, 3
"""Pixels of that face: what is left out at its outline and around its features, and half the width below which
nothing is an occluder (single strands of hair, wrinkles, nostrils)."""
FAR = 5.0
"""From how many standard deviations of its skin a pixel is none."""
FLOORS = (6.0, 3.0, 3.0)
"""Least standard deviations of skin in L*, a*, b*: smoother skin is not known more exactly."""
_SKIN, _SKIN_SD = (14.0, 18.0), (8.0, 9.0)
"""The a*, b* that human skin of any tone has in usual light, roughly, and how widely they scatter."""
_SPREAD = (20.0, 8.0, 8.0)
_ROUNDS = 6
_STIFF = 1e-3

# Not skin, though they belong to the face: brow and eye of either side, lips, nostrils; the hull of each.
_FEATURES = (
    (70, 63, 105, 66, 107, 55, 33, 133, 145, 159, 153, 144, 130, 243, 22, 23, 24, 110),
    (300, 293, 334, 296, 336, 285, 263, 362, 374, 386, 380, 373, 359, 463, 252, 253, 254, 339),
    (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91),
    (98, 97, 2, 326, 327, 64, 294),
)

CARD = ExpertCard(
    name="occlusion",
    summary="how much a swap changed what hides the target's face",
    role="comparison",
    crop=Crop("frame"),
    outputs={
        "exact_l1": "() mean absolute difference in [0, 1] over the known occluder within the hull of the 68 known "
        f"landmarks; infinite where it hides less than {LEAST_EXACT:.1%} of that, NaN where nothing is known",
        "estimated_l1": "() the same over what is taken for an occluder within the face oval; infinite where that is "
        f"less than {LEAST_ESTIMATED:.0%} of it",
    },
    licence="Apache-2.0",
    needs=("mediapipe",),
    limits="An occluder is estimated by colour alone: pixels of the target's face oval, outside brows, eyes, nostrils "
    "and lips, that differ from its skin (a smooth surface in CIELAB). With things drawn over 24 generated portraits "
    "it found 92 % of bars of random colour, with 83 % of their area, and every surgical mask, but no more than 4 of "
    "24 skin-coloured hands, and of them hardly the right pixels. In 72 portraits as they are it found 6, a cap and a "
    "strand of hair of two people. Glasses and single hairs are too thin; dense beards and hard shadows may pass for "
    "one. The exact occluder leaves out the forehead, which the landmarks do not outline. The difference holds "
    "whatever re-encoding and blending change: JPEG 90 reads 0.01.",
)


class Occlusion:
    """The `occlusion` expert."""

    card = CARD

    def compare(self, swap: Frame, target: Frame, seen: Mapping[str, Mapping[str, Floats]]) -> dict[str, Floats]:
        """See `hifibench.contracts.PairExpert.compare`.

        Raises:
            ValueError: the frames, or the target and its parsing map, differ in size.
        """
        parsing = parsing_of(self.card.name, swap, target, seen)
        difference = np.abs(swap.astype(np.float32) - target.astype(np.float32)).mean(2) / 255
        nothing = np.array(np.nan, np.float32)
        found = {"exact_l1": nothing, "estimated_l1": nothing}
        if parsing is not None:
            face = _hull(seen[EXACT]["landmarks"], target.shape[:2])
            found["exact_l1"] = _mean(difference, face & labelled(parsing, [OCCLUDER]), face, LEAST_EXACT)
        mesh = seen.get("mediapipe")
        if mesh is not None and np.isfinite(mesh["landmarks"]).all():
            landmarks = apply(invert(mesh["matrix"].astype(np.float64)), mesh["landmarks"][:, :2])
            face = face_mask(landmarks, target.shape[:2], 0)
            found["estimated_l1"] = _mean(difference, estimated(target, landmarks), face, LEAST_ESTIMATED)
        return found


def estimated(frame: Frame, landmarks: ArrayLike) -> Mask:
    """What hides a face, as far as its colour tells.

    The face is brought to a fixed size. Its skin is a surface of the second degree in each of L*, a*, b*, since light
    falls off smoothly, fitted with weights that leave out what lies far from it, and begun from the pixels that are
    coloured like human skin. What lies `FAR` from it, is wide enough and covers `LEAST_ESTIMATED` of the face in one
    piece hides it.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB.
        landmarks: ``(478, 2)`` pixels of the frame, MediaPipe's mesh.

    Returns:
        ``(H, W)``; all false where the face is too small, or lies too far outside the frame, to say.
    """
    import cv2

    points = np.asarray(landmarks, np.float64)
    nothing = np.zeros(frame.shape[:2], bool)
    oval = points[list(FACE_OVAL)]
    left, top = np.clip(np.floor(oval.min(0)).astype(int), 0, None)
    right, bottom = np.minimum(np.ceil(oval.max(0)).astype(int) + 1, frame.shape[1::-1])
    area = cv2.contourArea(cv2.convexHull(oval.astype(np.float32)))
    if right - left < 8 or bottom - top < 8 or area < 1:
        return nothing
    scale = SIDE / np.sqrt(area)
    size = tuple(max(1, round(scale * side)) for side in (right - left, bottom - top))
    shrinks = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    cut = np.ascontiguousarray(frame[top:bottom, left:right])
    image = np.asarray(cv2.resize(cut, size, interpolation=shrinks), np.uint8)
    scales = np.array(size) / (right - left, bottom - top)
    small = (points - (left, top) + 0.5) * scales - 0.5
    face = face_mask(small, image.shape[:2], 0)
    skin = _skin(face, small)
    if skin.sum() < face.sum() / 4:
        return nothing
    other = np.zeros(face.shape, np.uint8)
    other[skin] = _distance(image, skin) > FAR
    opened = cv2.morphologyEx(other, cv2.MORPH_OPEN, _disc(OPENING))
    number, pieces, stats, _ = cv2.connectedComponentsWithStats(opened)
    large = [piece for piece in range(1, number) if stats[piece, cv2.CC_STAT_AREA] >= LEAST_ESTIMATED * face.sum()]
    whole = (int(right - left), int(bottom - top))
    hidden = cv2.resize(np.isin(pieces, large).astype(np.uint8), whole, interpolation=cv2.INTER_NEAREST)
    nothing[top:bottom, left:right] = hidden > 0
    return nothing


def _skin(face: Mask, landmarks: NDArray[np.float64]) -> Mask:
    """Where a face shows skin if nothing hides it."""
    import cv2

    features = np.zeros(face.shape, np.uint8)
    for indices in _FEATURES:
        hull = cv2.convexHull(np.rint(landmarks[list(indices)]).astype(np.int32))
        cv2.fillConvexPoly(features, hull, 1)
    grown = cv2.dilate(features, np.ones((2 * GROW + 1, 2 * GROW + 1), np.uint8))
    # With a margin, so that the picture's edge counts as the face's outline where it cuts the face.
    inner = cv2.erode(np.pad(face, 1).astype(np.uint8), _disc(RIM))[1:-1, 1:-1]
    skin: Mask = (inner > 0) & (grown == 0)
    return skin


def _distance(image: Frame, skin: Mask) -> NDArray[np.float64]:
    """How far each pixel of ``skin`` lies from the skin's surface of colour, in standard deviations."""
    import cv2

    lab = cv2.cvtColor(image.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)
    colours = lab[skin].astype(np.float64)
    y, x = np.nonzero(skin)
    x, y = (x - x.mean()) * 2 / SIDE, (y - y.mean()) * 2 / SIDE
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 1)
    likely = np.exp(-0.5 * np.square((colours[:, 1:] - _SKIN) / _SKIN_SD).sum(1)) + 1e-4
    middle = [_weighted_median(channel, likely) for channel in colours.T]
    weight = np.exp(-0.5 * np.square((colours - middle) / _SPREAD).sum(1)) + 1e-6
    squares = np.zeros(len(colours))
    for _ in range(_ROUNDS):
        weighted = terms * weight[:, None]
        stiff = _STIFF * weight.sum() * np.diag([0.0, 1, 1, 1, 1, 1])
        residual = colours - terms @ np.linalg.solve(terms.T @ weighted + stiff, weighted.T @ colours)
        near = weight > 0.1
        # 1.4826 takes the median of absolute values to the standard deviation of a normal distribution.
        spread = 1.4826 * np.median(np.abs(residual[near]), axis=0) if near.sum() > 50 else np.zeros(3)
        squares = np.square(residual / np.maximum(spread, FLOORS)).sum(1)
        weight = 1 / np.square(1 + squares / 4)
    return np.asarray(np.sqrt(squares))


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values, kind="stable")
    return float(values[order][np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)])


def _hull(landmarks: ArrayLike, shape: tuple[int, int]) -> Mask:
    """The hull of points ``(N, 2)`` in a frame."""
    import cv2

    canvas = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(canvas, cv2.convexHull(np.rint(np.asarray(landmarks)).astype(np.int32)), 1)
    return canvas.astype(bool)


def _disc(radius: int) -> NDArray[np.uint8]:
    import cv2

    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)


def _mean(difference: Floats, where: Mask, face: Mask, least: float) -> Floats:
    """The mean over an occluder, infinite if it is less than a share of the face: there is nothing to keep."""
    enough = where.any() and where.sum() >= least * face.sum()
    return np.array(difference[where].mean(dtype=np.float64) if enough else np.inf, np.float32)


occlusion = ExpertPlugin(CARD, lambda device: Occlusion())
