"""The SID extractor: frozen networks that turn images into v_sid and into landmarks (paper, Sec. 3.1).

The face model and the recogniser are exchangeable: whatever offers the two small interfaces below can take part.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor, nn

from hifibench.contracts import Crop
from hifibench.faces.morphable import MorphableModel, project
from hifibench.faces.recrop import recrop
from hifibench.hififace.config import TDDFA, FaceModelLayout
from hifibench.hififace.identity import Coefficients, fuse

ID_CROP = Crop("arcface", 112)
"""What the recognisers see."""


class FaceCoefficients(NamedTuple):
    """What a face model says of B faces: the numbers that enter v_sid, and the camera that projects its mesh.

    Attributes:
        coefficients: in units that are near 1, as they enter v_sid.
        camera: ``(B, 3, 4)``: how the head stands before the camera, a turn beside a shift; its scale and projection
            are the face model's own.
    """

    coefficients: Coefficients
    camera: Tensor


class FaceModel(Protocol):
    """F_3d: a differentiable 3D reconstruction."""

    layout: FaceModelLayout

    def __call__(self, images: Tensor, crop: Crop) -> FaceCoefficients:
        """Reconstruct images ``(B, 3, S, S)`` in [0, 1] that are aligned by ``crop``."""
        ...

    def landmarks(self, coefficients: Coefficients, camera: Tensor) -> Tensor:
        """q: projected landmarks ``(B, 68, 3)`` in units of the side of the model's own crop.

        x to the image's right, y up, z towards the viewer.
        """
        ...


class TddfaModel(nn.Module):
    """3DDFA_V2 as F_3d: 40 identity and 10 expression coefficients, three angles of pose."""

    layout = TDDFA
    crop = Crop("box", 120)

    def __init__(self, device: str = "cpu") -> None:
        from hifibench.experts.reconstruction import tddfa_module
        from hifibench.faces.morphable import load_tddfa

        super().__init__()
        self.network = tddfa_module(device)
        self.model: MorphableModel[Tensor] = load_tddfa().only_keypoints().to_torch(device)

    def forward(self, images: Tensor, crop: Crop) -> FaceCoefficients:
        """See `FaceModel`; identity and expression are standard scores, angles are in radians."""
        seen = self.network(recrop(images, crop, self.crop))
        scale = self._scale(seen.identity)
        standard = Coefficients(seen.identity / scale[0], seen.expression / scale[1], angles(seen.camera))
        return FaceCoefficients(standard, seen.camera)

    def landmarks(self, coefficients: Coefficients, camera: Tensor) -> Tensor:
        """See `FaceModel`."""
        scale = self._scale(coefficients.identity)
        mesh = self.model.shape(coefficients.identity * scale[0], coefficients.expression * scale[1])
        return project(mesh, camera) / self.crop.size

    def _scale(self, like: Tensor) -> tuple[Tensor, Tensor]:
        std = self.network.get_buffer("std").to(like)
        return std[12:52], std[52:62]


def angles(camera: Tensor) -> Tensor:
    """Yaw, pitch and roll of a camera ``(B, 3, 4)``, in radians ``(B, 3)``; signs as in `hifibench.records`.

    Differentiable, unlike `hifibench.faces.pose.euler_deg`, and for rotations that a network regressed: the first two
    rows are scaled to unit length and the third is their cross product.
    """
    import torch
    from torch.nn.functional import normalize

    first, second = normalize(camera[:, 0, :3], dim=1), normalize(camera[:, 1, :3], dim=1)
    third = torch.linalg.cross(first, second)
    yaw = -torch.asin(third[:, 0].clamp(-1 + 1e-6, 1 - 1e-6))
    pitch = -torch.atan2(third[:, 1], third[:, 2])
    roll = -torch.atan2(second[:, 0], first[:, 0])
    return torch.stack([yaw, pitch, roll], dim=1)


class Sid(NamedTuple):
    """What the extractor says of a batch of pairs.

    Attributes:
        c_fuse: the source's identity, the target's expression and pose.
        v_id: ``(B, 512)`` identity vector of the source.
        q_fuse: ``(B, 68, 3)`` landmarks that the swap should have.
    """

    c_fuse: Coefficients
    v_id: Tensor
    q_fuse: Tensor


class SidExtractor(nn.Module):
    """F_3d and F_id, frozen. The arrangement of the parts is the paper's; the parts are exchangeable.

    Args:
        face_model: F_3d.
        recogniser: F_id, from ``arcface`` crops of 112 pixels to unit vectors ``(B, 512)``.
    """

    def __init__(self, face_model: FaceModel, recogniser: nn.Module) -> None:
        super().__init__()
        self.face_model = face_model
        self.recogniser = recogniser

    def forward(self, source: Tensor, target: Tensor, crop: Crop) -> Sid:
        """Images ``(B, 3, S, S)`` in [0, 1], aligned by ``crop``, to `Sid`."""
        of_source, of_target = self.face_model(source, crop), self.face_model(target, crop)
        c_fuse = fuse(of_source.coefficients, of_target.coefficients)
        return Sid(c_fuse, self.identity(source, crop), self.face_model.landmarks(c_fuse, of_target.camera))

    def identity(self, images: Tensor, crop: Crop) -> Tensor:
        """Identity vectors v_id of aligned images: ``(B, 512)``."""
        vectors: Tensor = self.recogniser(recrop(images, crop, ID_CROP))
        return vectors

    def landmarks(self, images: Tensor, crop: Crop) -> Tensor:
        """Landmarks of aligned images: ``(B, 68, 3)``, q_r and q_low of the shape loss."""
        seen = self.face_model(images, crop)
        return self.face_model.landmarks(seen.coefficients, seen.camera)
