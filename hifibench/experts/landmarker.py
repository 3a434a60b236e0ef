"""MediaPipe's face landmarker: mesh, blendshapes and head pose."""

from __future__ import annotations

import atexit
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from hifibench import assets
from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.experts.crops import checked, to_bytes
from hifibench.experts.pool import Pool
from hifibench.faces.pose import euler_deg, nearest_rotation
from hifibench.records import Floats

if TYPE_CHECKING:
    from mediapipe.tasks.python.vision import FaceLandmarker

N_LANDMARKS, N_BLENDSHAPES = 478, 52

CARD = ExpertCard(
    name="mediapipe",
    summary="MediaPipe face landmarker: 478-point mesh, 52 blendshapes, head pose",
    role="landmarks",
    crop=Crop("box", 256),
    outputs={
        "landmarks": "(478, 3) pixels of the crop; z in the same scale, smaller is nearer",
        "blendshapes": "(52,) 0..1, in the order of `BLENDSHAPES`",
        "pose_deg": "(3,) yaw, pitch, roll in degrees",
        "transform": "(4, 4) canonical face (cm, x right, y up, z to the viewer) to camera",
    },
    paper="Kartynnik et al., Real-time facial surface geometry from monocular video, CVPRW 2019; "
    "Grishchenko et al., Attention mesh, CVPRW 2020",
    licence="Apache-2.0",
    assets=("mediapipe-face-landmarker",),
)


class Landmarker:
    """The `mediapipe` expert; may be used from several threads."""

    card = CARD

    def __init__(self) -> None:
        self._pool: Pool[FaceLandmarker] = Pool(self._make)

    def _make(self) -> FaceLandmarker:
        opened = _closed_at_exit()
        from mediapipe.tasks.python.core.base_options import BaseOptions
        from mediapipe.tasks.python.vision import FaceLandmarker, FaceLandmarkerOptions, RunningMode

        options = FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(assets.path("mediapipe-face-landmarker"))),
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
        opened.add(landmarker)
        return landmarker

    def observe(self, crops: Floats) -> dict[str, Floats]:
        """See `hifibench.contracts.Expert.observe`."""
        images = to_bytes(checked(self.card, crops))
        outputs = {
            "landmarks": np.full((len(crops), N_LANDMARKS, 3), np.nan, np.float32),
            "blendshapes": np.full((len(crops), N_BLENDSHAPES), np.nan, np.float32),
            "pose_deg": np.full((len(crops), 3), np.nan, np.float32),
            "transform": np.full((len(crops), 4, 4), np.nan, np.float32),
        }
        size = self.card.crop.size
        for row, image in enumerate(images):
            with self._pool.borrow() as landmarker:
                seen = landmarker.detect(_image(image))
            if not seen.face_landmarks:
                continue
            points = np.array([(point.x, point.y, point.z) for point in seen.face_landmarks[0]])
            # MediaPipe's unit is the image's side, measured from the outer edge of the first pixel.
            outputs["landmarks"][row] = points * size - (0.5, 0.5, 0)
            outputs["blendshapes"][row] = [shape.score for shape in seen.face_blendshapes[0]]
            transform = seen.facial_transformation_matrixes[0]
            outputs["pose_deg"][row] = euler_deg(nearest_rotation(transform[:3, :3]))
            outputs["transform"][row] = transform
        return outputs


mediapipe = ExpertPlugin(card=CARD, load=lambda device: Landmarker())


def _image(pixels: NDArray[np.uint8]) -> object:
    import mediapipe

    return mediapipe.Image(mediapipe.ImageFormat.SRGB, pixels)


@cache
def _closed_at_exit() -> WeakSet[FaceLandmarker]:
    """Landmarkers to close when the interpreter exits; left open, their destructors would complain on the way out.

    Call it before MediaPipe is first imported: exit handlers run in reverse order, and once MediaPipe's own has run,
    closing is silent (the process frees the memory anyway).
    """
    opened: WeakSet[FaceLandmarker] = WeakSet()

    def close() -> None:
        for landmarker in list(opened):
            # Raised where MediaPipe was imported earlier by somebody else and its threads are already gone.
            with suppress(RuntimeError):
                landmarker.close()

    atexit.register(close)
    return opened


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
