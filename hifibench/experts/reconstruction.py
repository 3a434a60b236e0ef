"""3DDFA_V2: a face as coefficients of a morphable model, with pose and landmarks.

The network's 62 numbers are standard scores of its training set's parameters. De-normalised they are a camera
``(3, 4)`` = s R beside t, 40 identity and 10 expression coefficients. The camera's y points up and its unit is a
pixel of the 120-pixel crop.

Source: J. Guo et al., "Towards fast, accurate and stable 3D dense face alignment", ECCV 2020.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple

import numpy as np

from hifibench import assets
from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.experts.crops import checked
from hifibench.experts.onnx import run_rows, to_torch
from hifibench.faces.morphable import ArrayT, load_tddfa, project
from hifibench.faces.pose import euler_deg, nearest_rotation
from hifibench.onnx_session import session
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
    limits="On 40 generated portraits: JPEG 90 moves the pose by 0.1 deg, the identity by 0.04 and the expression by "
    "0.02 sd (L2 means), a shift by one pixel by 0.1 deg, 0.06 and 0.04 sd. Pictures turned by 10 deg read 10.0 +- 0.5 "
    "deg of roll; mirrored ones miss the mirrored angles by 1.1, 1.2, 0.8 deg rms. Heads rendered at up to 30 deg read "
    "0.9 of their yaw and 0.8 of their pitch (0.7 below 15 deg). Identity between views of one generated person 0.9 "
    "sd, between people 1.9 sd (d' 1.8).",
)


class Coefficients(NamedTuple, Generic[ArrayT]):
    """De-normalised coefficients of B crops: fit for `MorphableModel.shape` and `project`.

    Attributes:
        camera: ``(B, 3, 4)``: s R beside t.
        identity: ``(B, 40)``, alpha.
        expression: ``(B, 10)``, beta.
    """

    camera: ArrayT
    identity: ArrayT
    expression: ArrayT


class Tddfa:
    """The `3ddfa` expert; may be used from several threads."""

    card = CARD

    def __init__(self) -> None:
        self._session = session(assets.path("tddfa-mb1"))
        self._mean, self._std = _statistics()
        self._model = load_tddfa().only_keypoints()

    def observe(self, crops: Floats) -> dict[str, Floats]:
        """See `hifibench.contracts.Expert.observe`."""
        scores = self._scores(crops)
        # Row by row, since matrix products of several rows round differently.
        landmarks = [self._landmarks(row[None]) for row in scores]
        camera = self._denormalise(scores).camera
        return {
            "identity": scores[:, N_CAMERA:-N_EXPRESSION],
            "expression": scores[:, -N_EXPRESSION:],
            "pose_deg": euler_deg(nearest_rotation(camera[:, :, :3])).astype(np.float32),
            "landmarks": np.array(landmarks, np.float32).reshape(-1, 68, 3),
        }

    def coefficients(self, crops: Floats) -> Coefficients[Floats]:
        """The de-normalised coefficients of B crops, for use with `MorphableModel.shape` and `project`.

        Args:
            crops: as for `observe`.
        """
        return self._denormalise(self._scores(crops))

    def _scores(self, crops: Floats) -> Floats:
        bgr = checked(self.card, crops)[:, ::-1] * np.float32(255)
        return run_rows(self._session, np.ascontiguousarray((bgr - np.float32(127.5)) / np.float32(128)))

    def _denormalise(self, scores: Floats) -> Coefficients[Floats]:
        camera, alpha, beta = np.split(scores * self._std + self._mean, [N_CAMERA, N_CAMERA + N_IDENTITY], axis=1)
        return Coefficients(camera.reshape(-1, 3, 4), alpha, beta)

    def _landmarks(self, scores: Floats) -> Floats:
        camera, alpha, beta = self._denormalise(scores)
        return to_pixels(project(self._model.shape(alpha, beta), camera))


def to_pixels(points: Floats) -> Floats:
    """Camera coordinates ``(..., 3)`` as pixels of the crop.

    The network was trained on pixel centres counted from one with y upwards.
    """
    return points * np.array([1, -1, 1], np.float32) + np.array([-1, SIZE, 0], np.float32)


def tddfa_module(device: str = "cpu") -> nn.Module:
    """The network for training: frozen, differentiable with respect to the crops.

    Returns:
        A module from ``(B, 3, 120, 120)`` RGB in [0, 1] (template ``box``) to `Coefficients` in float32, also under
        autocast.
    """
    import torch
    from torch import nn

    class Reconstructor(nn.Module):
        mean: Tensor
        std: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.network = to_torch(assets.path("tddfa-mb1"))
            mean, std = _statistics()
            self.register_buffer("mean", torch.from_numpy(mean))
            self.register_buffer("std", torch.from_numpy(std))

        def forward(self, crops: Tensor) -> Coefficients[Tensor]:
            scores = self.network((crops.flip(1) * 255 - 127.5) / 128)
            values = scores.float() * self.std + self.mean
            camera, identity, expression = values.split([N_CAMERA, N_IDENTITY, N_EXPRESSION], dim=1)
            return Coefficients(camera.reshape(-1, 3, 4), identity, expression)

    return Reconstructor().to(device)


def _statistics() -> tuple[Floats, Floats]:
    """Mean and standard deviation of the training set's parameters, ``(62,)`` each."""
    arrays = load_arrays(assets.path("tddfa-param-stats"))
    return arrays["mean"].astype(np.float32), arrays["std"].astype(np.float32)


tddfa = ExpertPlugin(CARD, lambda device: Tddfa(), cpu_only=True)
