"""Checks of sense: whose face is where, in which colours, and what became of the rest of the picture.

The figures that stand with a threshold were measured on the known pairs; those of sound methods are the range over
``faceswap``, ``hififace`` and its ablations ``n3d``, ``blend`` and ``concat``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hifibench.faces import align
from hifibench.faces.masks import DILATE
from hifibench.selftest.evidence import Evidence, Seen
from hifibench.selftest.finding import Finding, judged

COVERED = 0.25
"""Least share of the face that a mask takes: 0.85 to 0.98 of sound methods, 0.02 to 0.15 of theirs inverted."""

_RIM = 0.01
"""Shares that may differ by resampling at the rim."""


def mask(evidence: Evidence) -> Finding:
    """Finds masks that are inverted, empty, or meant for another place.

    A mask may take in more than the face, as long as the target is drawn there: see `background`.
    """
    if evidence.base.masks[0] is None:
        return Finding("skipped", "the method gives none")
    rows = range(len(evidence.jobs))
    face = _mean([_share(evidence.weight(row), evidence.outline(row)) for row in rows])
    beside = _mean([_share(evidence.weight(row), ~evidence.outline(row, DILATE)) for row in rows])
    said = f"it takes {100 * face:.0f} % of the face and {100 * beside:.0f} % of what lies beside"
    if beside > face + _RIM:
        return Finding("failed", f"{said}: is it inverted? It is 1 where the swap replaces the target")
    return judged(face >= COVERED, said, f"expected {100 * COVERED:.0f} % of the face or more")


BESIDE = 12 / 255
"""Most that may change beside the face, in the mean over that part of the crop.

0 of methods with a mask of their own, 2/255 of JPEG; 27/255 of ``hififace-bare``, which draws the background badly,
40/255 of ``source-paste``, which brings the source's along.
"""


def background(evidence: Evidence) -> Finding:
    """Finds swaps whose background is not the target's: another crop's, the source's, or badly drawn."""
    if evidence.card.kind == "reference":
        return Finding("skipped", "a reference row may take more than the face")
    if evidence.base.masks[0] is None and evidence.card.target.template != "frame":
        return Finding("skipped", "the harness's own mask keeps the target's")
    rows = range(len(evidence.jobs))
    change = _mean([_off(evidence, row, evidence.target_crop(row), evidence.weight(row)) for row in rows])
    said = f"beside the face the picture changes by {255 * change:.2g}/255"
    return judged(change <= BESIDE, said, f"expected {255 * BESIDE:.0f}/255 or less")


MOVED, SCALED, TURNED_DEG = 0.1, 0.08, 5.0
"""Most that the five landmarks may move in the mean over the pairs: eye distances, logarithm of a scale, degrees.

Sound methods: 0.02, 0.016 and 0.2. Moved by 20 of 256 pixels: 0.27. Drawn for ArcFace's template where InSwapper's
was asked for: 0.25, scale 1.12.
"""

MIRRORED = -0.5
"""Yaw of the swap in units of the target's, in the mean: 0.9 to 1 of sound methods, near 0 of pasted sources."""


def place(evidence: Evidence) -> Finding:
    """Finds faces that are not where the target's was: moved, in another template, turned, mirrored, or none at all."""
    swaps, targets = evidence.swaps, evidence.targets
    lost = sum(not one.clear for one in swaps)
    if lost:
        return Finding("failed", f"in {lost} of {len(swaps)} swaps no face is seen where the target's was")
    moved, scale, turned_deg = _motion(targets, swaps)
    said = f"moved by {moved:.3f} eye distances, scaled by {scale:.3f}, turned by {turned_deg:.1f} deg"
    facing = _mean([float(swap.pose_deg[0] / one.pose_deg[0]) for swap, one in zip(swaps, targets, strict=True)])
    if facing < MIRRORED:
        return Finding("failed", f"{said}: the swaps look to the other side than their targets; mirrored?")
    low, high = np.exp(-SCALED), np.exp(SCALED)
    return judged(
        moved <= MOVED and low <= scale <= high and abs(turned_deg) <= TURNED_DEG,
        said,
        f"expected {MOVED:g} at most, {low:.2f} to {high:.2f}, {TURNED_DEG:g} at most; is the card's crop the one that "
        "the method draws?",
    )


REDNESS = 0.25
"""Least R - B of swapped skin, in units of the paler of sources and targets: 1 to 1.5 of sound methods.

An exchange of red and blue turns its sign, and grey has none.
"""

EXCHANGED = 0.5
"""Distance, beside the face, of what a method draws to the target in BGR, in units of that to the target itself.

1 where it draws something else there, 0 where it was handed the target in BGR.
"""


def channels(evidence: Evidence) -> Finding:
    """Finds red and blue exchanged: by the hue of skin in what comes back, by the target beside it in what goes in.

    A network draws skin as it learned to, whatever it is handed (tinted pairs are hardly followed), so skin tells of
    its output. Many methods return the rest of the target too, under the mask or not: that tells what they were
    handed. Not found are exchanges on the way in and out of a method that takes all its colours from the target, and
    in the source alone where only a recogniser sees it (0.02 in cosine).
    """
    source, target, swap = evidence.redness()
    said = f"R - B of skin {swap:+.2f}, of sources {source:+.2f}, of targets {target:+.2f}"
    if swap < REDNESS * min(source, target):
        return Finding("failed", f"{said}: are red and blue exchanged, going in or coming out?")
    whole = [np.ones(image.shape[1:], np.float32) for image in evidence.base.images]
    crops = [evidence.target_crop(row) for row in range(len(whole))]
    direct = _mean([_off(evidence, row, crop, whole[row]) for row, crop in enumerate(crops)])
    in_bgr = _mean([_off(evidence, row, crop[::-1], whole[row]) for row, crop in enumerate(crops)])
    why = "beside the face it draws the target with red and blue exchanged; does it take BGR?"
    return judged(in_bgr >= EXCHANGED * direct, said, why)


GAIN = 0.05
"""Least gain in EdgeFace's cosine with the source, swap against target, in the mean.

Sound methods: 0.25 to 0.35. The target itself has 0, ``hififace-bare``, which learned little, -0.12.
"""


def roles(evidence: Evidence) -> Finding:
    """Finds source and target exchanged: who is seen is the source, and how the head is turned is the target's.

    Expression does not count: a method that brings the source's mouth along is a poor one, but no broken one.
    """
    if evidence.card.kind == "reference":
        return Finding("skipped", "a reference row bounds the scale and swaps nothing")
    swaps, sources, targets = evidence.swaps, evidence.sources, evidence.targets
    now, before, leak = (
        pair.mean() for pair in (_cosines(swaps, sources), _cosines(targets, sources), _cosines(swaps, targets))
    )
    to_target, to_source = _turns_deg(swaps, targets), _turns_deg(swaps, sources)
    said = (
        f"cosine with the source {now:.2f}, the target's is {before:.2f}; with the target {leak:.2f}; "
        f"pose {to_target:.1f} deg off the target's, {to_source:.1f} off the source's"
    )
    if now - before < GAIN:
        why = "are source and target exchanged?" if leak > now + GAIN else "whose face is it?"
        return Finding("failed", f"{said}: expected to gain {GAIN:g} or more; {why}")
    return judged(to_target < to_source, said, "the head is turned as the source's; are source and target exchanged?")


def _off(evidence: Evidence, row: int, crop: NDArray[np.float32], weight: NDArray[np.float32]) -> float:
    """Weighted mean difference, beside the face, of what the method returned for a row to ``crop`` (3, H, W)."""
    difference = weight * np.abs(evidence.base.images[row] - crop).mean(0)
    return _share(difference, ~evidence.outline(row, DILATE))


def _share(values: NDArray[np.float32], where: NDArray[np.bool_]) -> float:
    """Mean over some pixels; 0 if there are none."""
    return float(values[where].mean(dtype=np.float64)) if where.any() else 0.0


def _mean(values: Sequence[float] | NDArray[np.bool_]) -> float:
    return float(np.mean(values))


def _motion(before: Sequence[Seen], after: Sequence[Seen]) -> tuple[float, float, float]:
    """How the five landmarks moved, in the mean: eye distances, a scale, degrees."""
    shifts, scales, turns_deg = [], [], []
    for one, other in zip(before, after, strict=True):
        assert one.face is not None and other.face is not None
        points = one.face.landmarks.astype(np.float64)
        matrix, middle = align.similarity(points, other.face.landmarks), points.mean(0)
        shifts.append((align.apply(matrix, middle) - middle) / np.linalg.norm(points[1] - points[0]))
        scales.append(-np.log(align.shrinkage(matrix)))
        turns_deg.append(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
    return float(np.linalg.norm(np.mean(shifts, axis=0))), float(np.exp(np.mean(scales))), float(np.mean(turns_deg))


def _cosines(a: Sequence[Seen], b: Sequence[Seen]) -> NDArray[np.float64]:
    return np.array([float(one.embedding @ other.embedding) for one, other in zip(a, b, strict=True)])


def _turns_deg(a: Sequence[Seen], b: Sequence[Seen]) -> float:
    return _mean([float(np.linalg.norm(one.pose_deg - other.pose_deg)) for one, other in zip(a, b, strict=True)])
