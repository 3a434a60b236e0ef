"""How well a detector tells forgeries from originals: self-blends, and what swappers make of validation portraits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import ArrayLike

from hifibench import registry
from hifibench.contracts import Expert, Swapper
from hifibench.errors import UsageError
from hifibench.faces import templates
from hifibench.faces.detect import Detector, match
from hifibench.forensics.faces import Faces
from hifibench.forensics.samples import sample
from hifibench.records import Face, Frame

METHODS = ("re-encode", "source-paste", "faceswap")
"""Re-encoded originals are no forgeries: a detector that tells them from originals sees compression."""

SELF_BLENDS = "self-blends"

_STREAM = 0x6A756467


def auc(real: ArrayLike, fake: ArrayLike) -> float:
    """The share of pairs of a real and a forged picture in which the forged one scores higher, a tie counting half."""
    ordered = np.sort(np.asarray(real, np.float64))
    scores = np.asarray(fake, np.float64)
    below, not_above = (np.searchsorted(ordered, scores, side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * len(ordered)))


def on_self_blends(detectors: Mapping[str, Expert], faces: Faces, seed: int) -> dict[str, float]:
    """AUC on one self-blend a person, against the person's own face after the same degradation.

    Args:
        detectors: name -> detector, all with the output ``fake``.
        faces: people that no detector learned from.
        seed: of the blends.
    """
    made = {}
    for name, detector in detectors.items():
        scores = np.empty((len(faces), 2))
        for row in range(len(faces)):
            pair = sample(faces, row, detector.card.crop, np.random.default_rng([_STREAM, seed, row]))
            scores[row] = [detector.observe(crop[None])["fake"].item() for crop in (pair.real, pair.fake)]
        made[name] = auc(scores[:, 0], scores[:, 1])
    return made


def on_methods(
    detectors: Mapping[str, Expert], faces: Faces, methods: Sequence[str] = METHODS
) -> dict[str, dict[str, float]]:
    """AUC on swaps against all originals, each person receiving the face of the one half the list further on.

    Originals and swaps are detected and cropped alike; swaps that fail or show no face are left out.

    Args:
        detectors: name -> detector.
        faces: people that no detector learned from, at least two.
        methods: names of swappers.

    Returns:
        Detector -> method -> AUC.

    Raises:
        UsageError: too few people, or no swap of a method could be scored.
        MethodError: a method cannot be used here.
    """
    if len(faces) < 2:
        raise UsageError(f"Swaps need at least two people; given {len(faces)}.")
    found = Detector()
    originals = [_scores(detectors, frame, faces.face(row)) for row, frame in enumerate(faces.frames)]
    made: dict[str, dict[str, float]] = {name: {} for name in detectors}
    for method in methods:
        rows = []
        for row, swap in _swaps(method, faces):
            face = match(found.detect(swap), faces.face(row))
            if face is not None:
                rows.append(_scores(detectors, swap, face))
        if not rows:
            raise UsageError(f"{method} made no swap that shows a face; nothing can be said of it.")
        for name in detectors:
            made[name][method] = auc([one[name] for one in originals], [one[name] for one in rows])
    return made


def _scores(detectors: Mapping[str, Expert], frame: Frame, face: Face) -> dict[str, float]:
    scores = {}
    for name, detector in detectors.items():
        crop, _ = templates.take(frame, face, detector.card.crop)
        scores[name] = detector.observe(crop[None])["fake"].item()
    return scores


def _swaps(method: str, faces: Faces) -> list[tuple[int, Frame]]:
    """Row of the target and swapped frame of every pair that could be swapped."""
    from hifibench.pipeline.swap import Job, loaded, swap_jobs

    made = []
    plugin = registry.swappers.get(method)
    with TemporaryDirectory(prefix="hifibench-") as logs, loaded(plugin, "cpu", Path(logs)) as swapper:
        if not isinstance(swapper, Swapper):
            raise UsageError(f"{method} is known by what its authors released; it swaps no portraits.")
        for row in range(len(faces)):
            source = (row + len(faces) // 2) % len(faces)
            job = Job(faces.frames[source], faces.face(source), faces.frames[row], faces.face(row))
            [swap] = swap_jobs(swapper, [job])
            if swap.frame is not None:
                made.append((row, swap.frame))
    return made
