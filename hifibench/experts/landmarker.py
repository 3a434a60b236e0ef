"""MediaPipe's face landmarker: mesh, blendshapes, head pose, and the colours that lie under the mesh."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hifibench import assets
from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.experts.crops import checked, to_bytes
from hifibench.experts.pool import Pool
from hifibench.faces import canonical
from hifibench.faces.mesh_shape import HALVES, shape_mm
from hifibench.faces.pose import euler_deg
from hifibench.records import Floats

if TYPE_CHECKING:
    from mediapipe.tasks.python.core.base_options import BaseOptions
    from mediapipe.tasks.python.vision import FaceLandmarker

N_LANDMARKS = 478
N_VERTICES = 468
"""Landmarks that are vertices of the mesh; the irises come after them."""
PATCH = 3
"""Side in pixels of the crop of what a vertex's colour is the mean of."""
# fmt: off
BLENDSHAPES = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft",
    "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight",
    "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
)
# fmt: on
"""Names of the 52 blendshapes (ARKit's, without the tongue, after a neutral one), in the order of the output; left and
right are the person's."""

CARD = ExpertCard(
    name="mediapipe",
    summary="MediaPipe face landmarker: 478-point mesh, 52 blendshapes, head pose",
    role="landmarks",
    crop=Crop("box", 256),
    outputs={
        "landmarks": "(478, 3) pixels of the crop; z in the same scale, smaller is nearer",
        "blendshapes": "(52,) 0..1, in the order of `BLENDSHAPES`",
        "pose_deg": "(3,) yaw, pitch, roll in degrees, from the mesh's rigid points (`hifibench.faces.canonical`)",
        "shape": "(513,) 171 points of one half of the face, x, y, z each, in mm of a head of canonical size "
        "(`hifibench.faces.mesh_shape`)",
        "transform": "(4, 4) MediaPipe's own pose: canonical face (cm, y up, z to the viewer) to perspective camera",
        "colours": f"({N_VERTICES}, 3) RGB in [0, 1] at each vertex of the mesh, the mean of {PATCH} x {PATCH} pixels "
        "of the crop; NaN for vertices outside it",
    },
    paper="Kartynnik et al., Real-time facial surface geometry from monocular video, CVPRW 2019; "
    "Grishchenko et al., Attention mesh, CVPRW 2020",
    licence="Apache-2.0",
    assets=("mediapipe-face-landmarker",),
    limits="On 40 generated portraits: JPEG 90 moves the pose by 0.18 deg, the shape by 0.12 mm (rms over points), the "
    "blendshapes by 0.05 (all L2 means), a shift by one pixel no more. Pictures turned by 10 deg read 10.0 +- 0.2 deg "
    "of roll; mirrored ones miss the mirrored angles by 0.6, 0.6, 0.2 deg rms. Large turns read short: heads rendered "
    "at up to 30 deg read 0.8 of their yaw and pitch. Shape between views of one generated person 1.6 mm, "
    "between people 3.4 mm (d' 2.2). Colours are the picture's: of a vertex that is turned away, or covered, that of "
    "what lies before it.",
    version=2,
)


class Landmarker:
    """The `mediapipe` expert; may be used from several threads."""

    card = CARD

    def observe(self, crops: Floats) -> dict[str, Floats]:
        """See `hifibench.contracts.Expert.observe`."""
        images = to_bytes(checked(self.card, crops))
        outputs = {
            "landmarks": np.full((len(crops), N_LANDMARKS, 3), np.nan, np.float32),
            "blendshapes": np.full((len(crops), len(BLENDSHAPES)), np.nan, np.float32),
            "pose_deg": np.full((len(crops), 3), np.nan, np.float32),
            "shape": np.full((len(crops), 3 * len(HALVES)), np.nan, np.float32),
            "transform": np.full((len(crops), 4, 4), np.nan, np.float32),
            "colours": np.full((len(crops), N_VERTICES, 3), np.nan, np.float32),
        }
        size = self.card.crop.size
        for row, image in enumerate(images):
            with _pool().borrow() as landmarker:
                seen = landmarker.detect(_image(image))
            if not seen.face_landmarks:
                continue
            points = np.array([(point.x, point.y, point.z) for point in seen.face_landmarks[0]])
            # MediaPipe's unit is the image's side, measured from the outer edge of the first pixel.
            outputs["landmarks"][row] = points * size - (0.5, 0.5, 0)
            outputs["blendshapes"][row] = [shape.score for shape in seen.face_blendshapes[0]]
            outputs["transform"][row] = seen.facial_transformation_matrixes[0]
            mesh = outputs["landmarks"][row]
            outputs["pose_deg"][row] = euler_deg(canonical.fit(mesh).rotation)
            outputs["shape"][row] = shape_mm(mesh).ravel()
            outputs["colours"][row] = colours(image, mesh[:N_VERTICES, :2])
        return outputs


def colours(image: NDArray[np.uint8], points: Floats) -> Floats:
    """Mean colours of small patches of a picture.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        points: ``(N, 2)`` pixels, the patches' middles; colours between pixels are interpolated.

    Returns:
        ``(N, 3)`` float32 RGB in [0, 1]; NaN for points outside the picture. A patch that reaches beyond it sees its
        edge repeated.
    """
    places = np.asarray(points, np.float64)
    middle = np.floor(places)
    share = (places - middle)[..., None]
    # Three pixels around a place between two of them: four pixels, of which the outer ones count in part.
    ones = np.ones_like(share)
    weights = np.concatenate([1 - share, ones, ones, share], -1) / PATCH
    last = np.array(image.shape[1::-1]) - 1
    taps = np.clip(middle[..., None].astype(np.int64) + np.arange(-1, 3), 0, last[:, None])
    patches = image[taps[:, 1, :, None], taps[:, 0, None, :]].astype(np.float64)
    sampled = np.einsum("ni,nj,nijc->nc", weights[:, 1], weights[:, 0], patches) / 255
    sampled[~((places >= 0) & (places <= last)).all(1)] = np.nan
    found: Floats = sampled.astype(np.float32)
    return found


mediapipe = ExpertPlugin(card=CARD, load=lambda device: Landmarker(), cpu_only=True)


@cache
def _pool() -> Pool[FaceLandmarker]:
    """The process's landmarkers, kept until it exits.

    MediaPipe must not be left to the garbage collector or to the end of the interpreter: a landmarker's destructor
    waits for a thread that may have ended already and never returns, or calls functions that are gone and prints so.
    One reference too many keeps every landmarker from being destroyed; the process frees the memory.
    """

    def make() -> FaceLandmarker:
        landmarker = _open()
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(landmarker))
        return landmarker

    return Pool(make)


def _base_options() -> BaseOptions:
    """Which model to open, and that nobody is to be told.

    MediaPipe's library reports its use to its makers over HTTPS, once a minute, and has no switch for that. Given no
    authority to trust, it breaks the connection off before anything of the report is sent.
    """
    from mediapipe.tasks.python.core.base_options import BaseOptions

    class Unreported(BaseOptions):  # type: ignore[misc]  # untyped
        def to_ctypes(self) -> Any:
            options = super().to_ctypes()
            options.ca_bundle_path = os.devnull.encode()
            return options

    return Unreported(model_asset_path=str(assets.path("mediapipe-face-landmarker")))


def _open() -> FaceLandmarker:
    from mediapipe.tasks.python.vision import FaceLandmarker, FaceLandmarkerOptions, RunningMode

    options = FaceLandmarkerOptions(
        base_options=_base_options(),
        running_mode=RunningMode.IMAGE,
        num_faces=1,
        # The crop was made around a face that the neutral detector is sure of.
        min_face_detection_confidence=0.2,
        min_face_presence_confidence=0.2,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    with _quiet():
        landmarker = FaceLandmarker.create_from_options(options)
        # The inference threads log when they first run.
        landmarker.detect(_image(np.zeros((256, 256, 3), np.uint8)))
    return landmarker


def _image(pixels: NDArray[np.uint8]) -> Any:
    import mediapipe

    return mediapipe.Image(mediapipe.ImageFormat.SRGB, pixels)


_stderr = threading.Lock()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what native code writes to the standard error stream to ourselves, unless the block fails.

    MediaPipe's library logs a few lines about itself for each landmarker and offers no switch for that.
    """
    with _stderr, tempfile.TemporaryFile() as kept:
        sys.stderr.flush()
        shown = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(shown, 2)
            kept.seek(0)
            os.write(2, kept.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)
