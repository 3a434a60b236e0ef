"""The published networks for shape, expression and head pose as experts; the user brings their weights.

Deep3DFaceRecon and RingNet see a face as coefficients of a morphable model, Hopenet sees how the head is turned. The
HifiFace paper (IJCAI 2021, section 4.2) judges shape by RingNet and pose by Hopenet, and trains with the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from hifibench import assets
from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.experts.crops import checked
from hifibench.records import Floats

if TYPE_CHECKING:
    from torch import nn

DEEP3D = ExpertCard(
    name="deep3d",
    summary="Deep3DFaceRecon (ResNet-50): coefficients of the Basel face, pose, light",
    role="reconstruction",
    crop=Crop("deep3d", 224),
    outputs={
        "identity": "(80,) identity coefficients in standard deviations of the Basel model",
        "expression": "(64,) expression coefficients in standard deviations",
        "pose_deg": "(3,) yaw, pitch, roll in degrees",
        "light": "(27,) spherical harmonics of three bands for red, then green, then blue",
    },
    paper="Y. Deng et al., Accurate 3D face reconstruction with weakly-supervised learning: from single image to image "
    "set, CVPRW 2019",
    licence="code MIT; Basel Face Model: non-commercial research",
    assets=("deep3d",),
    limits="Nothing was measured with the authors' weights. Frames are resized bilinearly or by area, not bicubically "
    "as in their code; landmarks are the neutral detector's.",
)

RINGNET = ExpertCard(
    name="ringnet",
    summary="RingNet (ResNet-50 v2 with an iterative regressor): coefficients of the FLAME head",
    role="reconstruction",
    crop=Crop("ringnet", 224),
    outputs={
        "shape": "(100,) FLAME shape coefficients as they are, unweighted",
        "expression": "(50,) FLAME expression coefficients as they are",
        "pose": "(6,) turns of the head, then of the jaw, each an axis times an angle in radians, as they are",
    },
    paper="S. Sanyal et al., Learning to regress 3D face shape and expression from an image without 3D supervision, "
    "CVPR 2019",
    licence="Max Planck licence for RingNet: non-commercial research",
    assets=("ringnet",),
    limits="Nothing was measured with the authors' weights, and the network is built from the paper and its ancestor "
    "HMR, since its own code is not public. How loose its crop should be is chosen here.",
)

HOPENET = ExpertCard(
    name="hopenet",
    summary="Hopenet (ResNet-50 with three heads of 66 bins): yaw, pitch, roll",
    role="pose",
    crop=Crop("hopenet", 224),
    outputs={"pose_deg": "(3,) yaw, pitch, roll in degrees, in [-99, 96]"},
    paper="N. Ruiz et al., Fine-grained head pose estimation without keypoints, CVPRW 2018",
    licence="Apache-2.0",
    assets=("hopenet",),
    limits="Nothing was measured with the authors' weights. Its own error on real heads is about 7 deg, "
    "while swappers differ by about 1 deg. The box is the neutral detector's, not dlib's. In its labels the head is "
    "rolled first, then turned, then pitched; elsewhere it is pitched first: large angles do not compare across "
    "estimators.",
)


class Published:
    """A published network as an expert: each crop by itself, its outputs put into the card's terms.

    Args:
        card: what it is.
        network: frozen and in evaluation mode, from ``(1, 3, S, S)`` RGB in [0, 1] to one tensor or a tuple of them.
        outputs: the network's outputs, ``(B, …)`` each -> the card's.
        device: where the network is.
    """

    def __init__(
        self, card: ExpertCard, network: nn.Module, outputs: Callable[..., Mapping[str, Floats]], device: str
    ) -> None:
        self.card = card
        self._network, self._outputs, self._device = network.to(device), outputs, device

    def observe(self, crops: Floats) -> dict[str, Floats]:
        """See `hifibench.contracts.Expert.observe`."""
        from hifibench.experts.torch_rows import run_rows

        return dict(self._outputs(*run_rows(self._network, checked(self.card, crops), self._device)))


def deep3d_outputs(
    identity: Floats, expression: Floats, texture: Floats, angles: Floats, light: Floats, translation: Floats
) -> dict[str, Floats]:
    """Of the coefficients of `hifibench.experts.deep3d.Deng`, those that the card names.

    The head is turned by R_z R_y R_x, right-handed about axes to the image's right, up, and towards the viewer: the
    three angles are -pitch, yaw and -roll of `hifibench.faces.pose`.
    """
    del texture, translation
    pose_deg = np.degrees(angles[:, [1, 0, 2]] * np.array([1, -1, -1], np.float32))
    return {"identity": identity, "expression": expression, "pose_deg": pose_deg, "light": light}


def ringnet_outputs(camera: Floats, pose: Floats, shape: Floats, expression: Floats) -> dict[str, Floats]:
    """Of the parameters of `hifibench.experts.ringnet.Flame`, those that the card names."""
    del camera
    return {"shape": shape, "expression": expression, "pose": pose}


def hopenet_outputs(pose_deg: Floats) -> dict[str, Floats]:
    """See `hifibench.experts.hopenet.Hopenet`, which has this project's signs already."""
    return {"pose_deg": pose_deg}


def _deep3d(device: str) -> Published:
    from hifibench.experts.deep3d import Deep3dNetwork

    return Published(DEEP3D, Deep3dNetwork(assets.path("deep3d")), deep3d_outputs, device)


def _ringnet(device: str) -> Published:
    from hifibench.experts.ringnet import load

    return Published(RINGNET, load(assets.path("ringnet")), ringnet_outputs, device)


def _hopenet(device: str) -> Published:
    from hifibench.experts.hopenet import load

    return Published(HOPENET, load(assets.path("hopenet")), hopenet_outputs, device)


deep3d = ExpertPlugin(DEEP3D, _deep3d)
ringnet = ExpertPlugin(RINGNET, _ringnet)
hopenet = ExpertPlugin(HOPENET, _hopenet)
