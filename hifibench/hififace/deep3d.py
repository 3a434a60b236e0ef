"""Deep3DFaceRecon as F_3d, the face model of the paper (Sec. 3.1).

Its camera is a pinhole ten decimetres in front of the face's origin. Camera axes: x to the image's right, y up, z
towards the viewer, in decimetres.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from hifibench.contracts import Crop
from hifibench.experts.deep3d import CROP, Deep3dNetwork
from hifibench.faces.basel import load_basel_front
from hifibench.faces.morphable import MorphableModel
from hifibench.faces.recrop import recrop
from hifibench.hififace.config import DENG
from hifibench.hififace.extractor import FaceCoefficients
from hifibench.hififace.identity import Coefficients

FOCAL = 1015.0
"""Focal length in pixels of the 224-pixel crop."""

CENTRE = 112.0
"""Where the optical axis meets the crop, in pixels, in x and y."""

DISTANCE = 10.0
"""From the camera to the origin of an untranslated face, in decimetres."""


class Deep3dModel(nn.Module):
    """Deep3DFaceRecon as F_3d: 80 identity and 64 expression coefficients, three angles of pose.

    Frozen. Texture and light are worked out by the network, and not used.

    Args:
        checkpoint: ``epoch_20.pth``; see `hifibench.experts.deep3d.Deep3dNetwork`.
        basel: ``BFM_model_front.mat``; see `hifibench.faces.basel.load_basel_front`.
        device: where to put it; ``to`` moves all of it.

    Raises:
        UsageError: one of the files is not what it should be.
        MissingError: torchvision is not installed.
    """

    layout = DENG
    crop = CROP
    mean: Tensor
    identity_basis: Tensor
    expression_basis: Tensor

    def __init__(self, checkpoint: Path, basel: Path, device: str = "cpu") -> None:
        super().__init__()
        model = load_basel_front(basel).only_keypoints().to_torch()
        self._name, self._keypoints = model.name, model.keypoints
        self.register_buffer("mean", model.mean)
        self.register_buffer("identity_basis", model.identity_basis)
        self.register_buffer("expression_basis", model.expression_basis)
        self.network = Deep3dNetwork(checkpoint)
        self.to(device)

    def forward(self, images: Tensor, crop: Crop) -> FaceCoefficients:
        """See `hifibench.hififace.extractor.FaceModel`.

        Identity and expression are as the network gives them: in standard deviations of the Basel model, so near 1
        already. The pose is yaw, pitch and roll in radians. The camera is a rigid motion: R beside t, in decimetres.
        """
        seen = self.network(recrop(images, crop, self.crop))
        about_x, about_y, about_z = seen.angles.unbind(dim=1)
        pose = torch.stack([about_y, -about_x, -about_z], dim=1)
        camera = torch.cat([rotation(seen.angles), seen.translation[:, :, None]], dim=2)
        return FaceCoefficients(Coefficients(seen.identity, seen.expression, pose), camera)

    def landmarks(self, coefficients: Coefficients, camera: Tensor) -> Tensor:
        """See `hifibench.hififace.extractor.FaceModel`; x to the image's right, y up, z towards the viewer."""
        # In float32: in bfloat16, landmarks would move by up to a pixel.
        with torch.autocast(camera.device.type, enabled=False):
            mesh = self._model().shape(coefficients.identity.float(), coefficients.expression.float())
            return project(mesh, camera.float()) / self.crop.size

    def _model(self) -> MorphableModel[Tensor]:
        return MorphableModel(self._name, self.mean, self.identity_basis, self.expression_basis, self._keypoints)


def rotation(angles: Tensor) -> Tensor:
    """R = R_z R_y R_x, the right-handed turns about the axes (Deng et al., Sec. 3).

    In the project's signs the angles are -pitch, yaw and -roll: R is `hifibench.faces.pose.rotation`.

    Args:
        angles: ``(B, 3)`` radians about x, y and z.

    Returns:
        ``(B, 3, 3)``, head to camera.
    """
    about_x, about_y, about_z = angles.unbind(dim=1)
    return _turn(about_z, 0, 1) @ _turn(about_y, 2, 0) @ _turn(about_x, 1, 2)


def project(points: Tensor, camera: Tensor) -> Tensor:
    """Perspective projection, with depth kept in the same unit.

    With p = R X the turned point, t the translation, d the camera's distance and f its focal length,

        x = f (p_x + t_x) / (d - p_z - t_z) + c,    y likewise,    z = f p_z / (d - t_z):

    z is the depth in front of the face's origin, in the scale that x and y have at that depth. The release projects
    x and y alone (Deng et al., Sec. 3); z is this project's, so that landmarks of all face models have depth.

    Args:
        points: ``(B, N, 3)`` decimetres, in the model's coordinates.
        camera: ``(B, 3, 4)``: R beside t, decimetres.

    Returns:
        ``(B, N, 3)`` pixels of the 224-pixel crop, y counted upwards from its lowest row.
    """
    turned = points @ camera[:, :, :3].transpose(1, 2)
    shift = camera[:, None, :, 3]
    away = DISTANCE - shift[..., 2:]
    flat = FOCAL * (turned[..., :2] + shift[..., :2]) / (away - turned[..., 2:]) + CENTRE
    return torch.cat([flat, FOCAL * turned[..., 2:] / away], dim=2)


def _turn(angle: Tensor, a: int, b: int) -> Tensor:
    """Turn axis ``a`` towards axis ``b`` by ``angle`` ``(B,)`` radians: ``(B, 3, 3)``."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    cells = [[torch.full_like(angle, float(row == column)) for column in range(3)] for row in range(3)]
    cells[a][a] = cells[b][b] = cos
    cells[b][a], cells[a][b] = sin, -sin
    return torch.stack([torch.stack(row, dim=1) for row in cells], dim=1)
