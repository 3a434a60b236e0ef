"""Finds the directions of pose, expression and light in the generator's style space.

``python -m hifibench.data.directions --faces 400`` makes faces of the training split, has experts look at them, and
asks how what they saw depends on the style:

1. The styles are written in their first principal components ``p``, which hold 90 % of their variance.
2. Each attribute is regressed on them, ``y = w p + b`` with a ridge; five-fold cross-validation tells how linear it is.
3. One direction per attribute is the *smallest* step that raises it by one unit and leaves the others as they are: the
   rows of ``pinv(W)``. A small step also keeps the person: of the choices tried, steps of least Mahalanobis length and
   steps that leave the components of a recogniser's embedding alone both lost more likeness per degree of yaw.
4. Further faces are moved along the directions and observed again, which gives the gain ``G[i, j]``, the change of
   attribute j per unit asked of attribute i. Predictions shrink (ridge, noise), so G is not the identity;
   ``inv(G) D`` corrects slopes and cross-talk at once.
5. Step 4 is repeated with the corrected directions on faces not used so far, and its gain is saved beside them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hifibench.contracts import Crop
from hifibench.data.generator import STYLE_DIM, Generator
from hifibench.data.seeds import SPLITS
from hifibench.data.style_space import ATTRIBUTES, StyleSpace, shipped_path
from hifibench.errors import UsageError
from hifibench.records import Floats, Frame

if TYPE_CHECKING:
    from hifibench.contracts import Expert
    from hifibench.faces.detect import Detector

Array = NDArray[np.float64]

COMPONENTS = 100
RIDGE = 30.0
FOLDS = 5
MEAN_SAMPLES = 20_000
_MEAN_STREAM = 0x6D65616E

STEP = np.array([8.0, 6.0, 0.2, 0.06, 0.1, 0.06])
"""Steps by which the gain is measured, in the order and units of `ATTRIBUTES`, there and back."""

_ALIGNED = Crop("arcface", 112)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Rec. 601 weights of R, G, B."""

# Rows and columns of the aligned crop, well inside the cheeks whichever way the head is turned a little.
_CHEEK_ROWS, _CHEEK_LEFT, _CHEEK_RIGHT = slice(55, 85), slice(14, 40), slice(72, 98)
_FACE = (slice(35, 95), slice(20, 92))


class Observer:
    """Reads the attributes of a frame off MediaPipe's landmarker and off the luminance of the aligned face.

    * ``yaw``, ``pitch``: degrees, with the signs of `hifibench.records`;
    * ``smile``: mean of the blendshape scores mouthSmileLeft and mouthSmileRight, 0 to 1;
    * ``mouth_open``: blendshape score jawOpen, 0 to 1;
    * ``light_side``: (right - left) / (right + left), mean luminance of the cheeks on the image's right and left;
    * ``brightness``: mean luminance of the face, 0 to 1.
    """

    def __init__(self) -> None:
        from mediapipe.tasks.python.vision.face_landmarker import Blendshapes

        from hifibench.experts.landmarker import mediapipe
        from hifibench.faces.detect import Detector

        self._detector: Detector = Detector()
        self._landmarker: Expert = mediapipe.load("cpu")  # type: ignore[assignment]
        self._smile = [Blendshapes.MOUTH_SMILE_LEFT, Blendshapes.MOUTH_SMILE_RIGHT]
        self._jaw = Blendshapes.JAW_OPEN

    def observe(self, frame: Frame) -> Array:
        """The attributes of the face in a frame ``(H, W, 3)`` uint8 RGB, ``(A,)``; NaN if there is none."""
        from hifibench.faces import templates

        face = self._detector.choose(frame)
        if face is None:
            return np.full(len(ATTRIBUTES), np.nan)
        crop, _ = templates.take(frame, face, self._landmarker.card.crop)
        seen = self._landmarker.observe(crop[None])
        yaw, pitch, _ = seen["pose_deg"][0]
        scores = seen["blendshapes"][0]
        aligned, _ = templates.take(frame, face, _ALIGNED)
        return np.array([yaw, pitch, scores[self._smile].mean(), scores[self._jaw], *light(aligned)], np.float64)


def light(aligned: Floats) -> tuple[float, float]:
    """``light_side`` and ``brightness`` of a face ``(3, 112, 112)`` float32 RGB in [0, 1], aligned as for ArcFace."""
    luma = np.tensordot(_LUMA, aligned, 1)
    left, right = luma[_CHEEK_ROWS, _CHEEK_LEFT].mean(), luma[_CHEEK_ROWS, _CHEEK_RIGHT].mean()
    return float((right - left) / (right + left + 1e-6)), float(luma[_FACE].mean())


def mean_style(generator: Generator) -> Floats:
    """The mean of many mapped points of the prior, ``(512,)`` float32; seeded, so always the same."""
    latents = np.random.default_rng(_MEAN_STREAM).standard_normal((MEAN_SAMPLES, STYLE_DIM), np.float32)
    mean: Floats = generator.mapped(latents).mean(0, np.float64).astype(np.float32)
    return mean


def ridge(inputs: Array, outputs: Array, strength: float) -> Array:
    """Weights ``(K, A)`` of the ridge regression of centred ``outputs`` ``(N, A)`` on centred ``inputs`` ``(N, K)``."""
    gram = inputs.T @ inputs + strength * np.eye(inputs.shape[1])
    return np.asarray(np.linalg.solve(gram, inputs.T @ outputs), np.float64)


def cross_validated(inputs: Array, outputs: Array, strength: float, folds: int = FOLDS) -> Array:
    """Pearson's r, ``(A,)``, of outputs with what a regression says that did not see them."""
    fold = np.arange(len(inputs)) % folds
    predicted = np.empty_like(outputs)
    for k in range(folds):
        rest, held = fold != k, fold == k
        x, y = inputs[rest].mean(0), outputs[rest].mean(0)
        predicted[held] = (inputs[held] - x) @ ridge(inputs[rest] - x, outputs[rest] - y, strength) + y
    a, b = predicted - predicted.mean(0), outputs - outputs.mean(0)
    r: Array = (a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0))
    return r


def fit(styles: Array, attributes: Array) -> tuple[Array, Array]:
    """Directions of least length.

    Args:
        styles: ``(N, 512)``.
        attributes: ``(N, A)``, what was seen on their faces.

    Returns:
        Directions ``(A, 512)`` per unit, and the cross-validated r ``(A,)``.

    Raises:
        UsageError: there are no more faces than components.
    """
    if len(styles) <= COMPONENTS:
        raise UsageError(f"{len(styles)} faces cannot tell {COMPONENTS} components apart; take 200 or more (--faces).")
    centred = styles - styles.mean(0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:COMPONENTS]
    components, observed = centred @ axes.T, attributes - attributes.mean(0)
    weights = ridge(components, observed, RIDGE)
    directions = np.asarray(np.linalg.pinv(weights) @ axes, np.float64)
    return directions, cross_validated(components, observed, RIDGE)


def measure_gain(styles: Floats, directions: Array, generator: Generator, observer: Observer) -> Array:
    """``(A, A)``: change of attribute j per unit asked of attribute i, averaged over faces, steps there and back."""
    gain = np.empty((len(ATTRIBUTES), len(ATTRIBUTES)))
    for i, step in enumerate(STEP):
        ahead, back = (
            [observer.observe(frame) for frame in generator.render((styles + sign * step * directions[i]).astype("f4"))]
            for sign in (1, -1)
        )
        gain[i] = np.nanmean(np.subtract(ahead, back), 0) / (2 * step)
    return gain


def find(faces: int, held_out: int) -> StyleSpace:
    """All of it; prints what is measured on the way.

    Args:
        faces: for the regression; about 0.2 s each on two cores.
        held_out: faces to correct the directions with, and as many again to verify them; 2.5 s each.

    Raises:
        UsageError: too few faces.
        MissingError: a network is absent.
    """
    generator, observer = Generator(), Observer()
    mean = mean_style(generator)
    # The far end of the training seeds: nobody who trains on the first thousands meets them.
    seeds = SPLITS["train"][-(faces + 2 * held_out) :]
    styles = generator.truncated(seeds, mean)
    regressed, correcting, verifying = np.split(styles, [faces, faces + held_out])

    attributes = np.stack([observer.observe(generator.render(style[None])[0]) for style in regressed])
    whole = np.isfinite(attributes).all(1)
    directions, r = fit(regressed[whole].astype(np.float64), attributes[whole])
    print(f"{whole.sum()} of {faces} faces seen")
    first = measure_gain(correcting, directions, generator, observer)
    directions = np.asarray(np.linalg.solve(first, directions), np.float64)
    gain = measure_gain(verifying, directions, generator, observer)

    relative = gain * STEP[:, None] / STEP
    print(f"{'':12}{'spread':>9}{'r':>7}{'slope':>7}  cross-talk, in steps of the column, per step of the row")
    for i, name in enumerate(ATTRIBUTES):
        cells = " ".join(f"{value:6.2f}" for value in relative[i])
        print(f"{name:12}{attributes[whole, i].std():9.3f}{r[i]:7.2f}{first[i, i]:7.2f}  {cells}")
    return StyleSpace(mean, *(array.astype(np.float32) for array in (directions, r, gain)))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line: find the directions and write them where the package reads them, or elsewhere."""
    parser = argparse.ArgumentParser(prog="python -m hifibench.data.directions", description=find.__doc__)
    parser.add_argument("--faces", type=int, default=400, help="faces for the regression")
    parser.add_argument("--held-out", type=int, default=8, help="faces to correct, and as many to verify")
    parser.add_argument("--out", type=Path, default=shipped_path(), help="the .npz file to write")
    given = parser.parse_args(arguments)
    find(given.faces, given.held_out).save(given.out)


if __name__ == "__main__":
    main()
