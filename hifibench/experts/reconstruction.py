"""3DDFA_V2: a face as coefficients of a morphable model, with pose and landmarks.

The network's 62 numbers are standard scores of its training set's parameters. De-normalised they are a camera
``(3, 4)`` = s R beside t, 40 identity and 10 expression coefficients. The camera's y points up and its unit is a
pixel of the 120-pixel crop.

Source: J. Guo et al., "Towards fast, accurate and stable 3D dense face alignment", ECCV 2020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hifibench import assets
from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.experts.crops import checked
from hifibench.experts.onnx import run_rows, session, to_torch
from hifibench.faces.morphable import load_tddfa, project
from hifibench.faces.pose import euler_deg, nearest_rotation
from hifibench.records import Floats
from hifibench.unpickle import load_arrays

if TYPE_CHECKING:
    from torch import Tensor, nn

SIZE = 120
N_CAMERA, N_IDENTITY, N_EXPRESSION = 12, 40, 10

CARD = ExpertCard(
    name="3ddfa",
    summary="3DDFA_V2 (MobileNet): morphable-model coefficients, pose, 68 landmarks",
    role="reconstruction",
    crop=Crop("box", SIZE),
    outputs={
        "identity": "(40,) identity coefficients in standard deviations of the training set",
        "expression": "(10,) expression coefficients in standard deviations of the training set",
        "pose_deg": "(3,) yaw, pitch, roll in degrees",
        "landmarks": "(68, 3) pixels of the crop, iBUG order; z in the same scale, larger is nearer",
    },
    paper="J. Guo et al., Towards fast, accurate and stable 3D dense face alignment, ECCV 2020",
    licence="code MIT; Basel Face Model: non-commercial research",
    assets=("tddfa-mb1", "tddfa-param-stats", "tddfa-bfm"),
)


class Tddfa:
    """The `3ddfa` expert; may be used from several threads."""

    card = CARD

    def __init__(self) -> None:
        self._session = session(assets.path("tddfa-mb1"))
        self._mean, self._std = _statistics()
        self._model = load_tddfa().only_keypoints()

    def observe(self, crops: Floats) -> dict[str, Floats]:
        """See `hifibench.contracts.Expert.observe`."""
        bgr = checked(self.card, crops)[:, ::-1] * np.float32(255)
        scores = run_rows(self._session, np.ascontiguousarray((bgr - np.float32(127.5)) / np.float32(128)))
        # Row by row, since matrix products of several rows round differently.
        landmarks = [self._landmarks(row[None])[0] for row in scores]
        camera = (scores * self._std + self._mean)[:, :N_CAMERA].reshape(-1, 3, 4)
        return {
            "identity": scores[:, N_CAMERA:-N_EXPRESSION],
            "expression": scores[:, -N_EXPRESSION:],
            "pose_deg": euler_deg(nearest_rotation(camera[:, :, :3])).astype(np.float32),
            "landmarks": np.array(landmarks, np.float32).reshape(-1, 68, 3),
        }

    def _landmarks(self, scores: Floats) -> Floats:
        camera, alpha, beta = np.split(scores * self._std + self._mean, [N_CAMERA, N_CAMERA + N_IDENTITY], axis=1)
        points = project(self._model.shape(alpha, beta), camera.reshape(-1, 3, 4))
        return to_pixels(points)


def to_pixels(points: Floats) -> Floats:
    """Camera coordinates ``(..., 3)`` as pixels of the crop.

    The network was trained on pixel centres counted from one with y upwards.
    """
    return points * np.float32([1, -1, 1]) + np.float32([-1, SIZE, 0])


class Coefficients(NamedTuple):
    """What `tddfa_module` returns for B crops, de-normalised: fit for `MorphableModel.shape` and `project`.

    Attributes:
        camera: ``(B, 3, 4)``.
        identity: ``(B, 40)``, alpha.
        expression: ``(B, 10)``, beta.
    """

    camera: Tensor
    identity: Tensor
    expression: Tensor


def tddfa_module(device: str = "cpu") -> nn.Module:
    """The network for training: frozen, differentiable with respect to the crops.

    Returns:
        A module from ``(B, 3, 120, 120)`` RGB in [0, 1] (template ``box``) to `Coefficients` in float32, also under
        autocast.
    """
    import torch
    from torch import Tensor, nn

    class Reconstructor(nn.Module):
        mean: Tensor
        std: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.network = to_torch(assets.path("tddfa-mb1"))
            mean, std = _statistics()
            self.register_buffer("mean", torch.from_numpy(mean))
            self.register_buffer("std", torch.from_numpy(std))

        def forward(self, crops: Tensor) -> Coefficients:
            scores = self.network((crops.flip(1) * 255 - 127.5) / 128)
            values = scores.float() * self.std + self.mean
            camera, identity, expression = values.split([N_CAMERA, N_IDENTITY, N_EXPRESSION], dim=1)
            return Coefficients(camera.reshape(-1, 3, 4), identity, expression)

    return Reconstructor().to(device)


def _statistics() -> tuple[Floats, Floats]:
    """Mean and standard deviation of the training set's parameters, ``(62,)`` each."""
    arrays = load_arrays(assets.path("tddfa-param-stats"))
    return arrays["mean"].astype(np.float32), arrays["std"].astype(np.float32)


tddfa = ExpertPlugin(CARD, lambda device: Tddfa())
