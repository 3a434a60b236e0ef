"""Face recognisers: how alike two faces are.

EdgeFace and dlib judge; the MobileFaceNet of InsightFace's ``w600k`` pack also exists as a torch module, to train
against. A method that trained with one of them is not judged by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hifibench import assets
from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.experts.crops import checked, to_bytes
from hifibench.experts.dlib_resnet import network
from hifibench.experts.onnx import run_rows, to_torch
from hifibench.onnx_session import session
from hifibench.records import Floats

if TYPE_CHECKING:
    from torch import nn

EDGEFACE = ExpertCard(
    name="edgeface",
    summary="EdgeFace-S (gamma 0.5) recogniser, 3.7 M parameters",
    role="recognition",
    crop=Crop("arcface", 112),
    outputs={"embedding": "(512,) unit vector"},
    paper="A. George et al., EdgeFace: Efficient face recognition model for edge devices, T-BIOM 2024",
    licence="non-commercial research",
    assets=("edgeface-s",),
    similarity="cosine",
    limits="40 generated portraits: cosine 0.999 to itself after JPEG 90 or a shift by a pixel, 0.18 between people.",
)

W600K = ExpertCard(
    name="w600k",
    summary="InsightFace MobileFaceNet trained with ArcFace on WebFace600K, 3.4 M parameters",
    role="recognition",
    crop=Crop("arcface", 112),
    outputs={"embedding": "(512,) unit vector"},
    paper="J. Deng et al., ArcFace: Additive angular margin loss for deep face recognition, CVPR 2019",
    licence="non-commercial research",
    assets=("w600k-mbf",),
    similarity="cosine",
    limits="40 generated portraits: cosine 0.999 to itself after JPEG 90 or a shift by a pixel, 0.12 between people.",
)

DLIB = ExpertCard(
    name="dlib",
    summary="dlib's ResNet face descriptor, 5.6 M parameters",
    role="recognition",
    crop=Crop("dlib", 150),
    outputs={"embedding": "(128,) compared by L2 distance; 0.6 is the usual limit for one person"},
    paper="D. E. King, Dlib-ml: A machine learning toolkit, JMLR 2009",
    licence="CC0-1.0",
    assets=("dlib-resnet",),
    similarity="l2",
    version=2,
    limits="40 generated portraits: distance 0.02 to itself after JPEG 90 or a shift by a pixel, 0.76 between people.",
)


class ArcFaceOnnx:
    """A recogniser of the ArcFace family: RGB scaled to [-1, 1], embedding brought to unit length."""

    def __init__(self, card: ExpertCard) -> None:
        self.card = card
        self._session = session(assets.path(card.assets[0]))

    def observe(self, crops: Floats) -> dict[str, Floats]:
        """See `hifibench.contracts.Expert.observe`."""
        raw = run_rows(self._session, checked(self.card, crops) * np.float32(2) - np.float32(1))
        return {"embedding": raw / np.linalg.norm(raw, axis=1, keepdims=True)}


class DlibResnet:
    """dlib's face descriptor, computed once per chip, without jitter; chips are bytes, as in the library."""

    card = DLIB

    def __init__(self) -> None:
        self._session = session(network(assets.path(DLIB.assets[0])).SerializeToString())

    def observe(self, crops: Floats) -> dict[str, Floats]:
        """See `hifibench.contracts.Expert.observe`."""
        chips = to_bytes(checked(self.card, crops)).transpose(0, 3, 1, 2)
        return {"embedding": run_rows(self._session, np.ascontiguousarray(chips, np.float32))}


def w600k_module(device: str = "cpu") -> nn.Module:
    """The `w600k` recogniser for training: frozen, differentiable with respect to the crops.

    Returns:
        A module from ``(B, 3, 112, 112)`` RGB in [0, 1] (template ``arcface``) to ``(B, 512)`` unit vectors in
        float32, also under autocast.
    """
    from torch import Tensor, nn
    from torch.nn.functional import normalize

    class Recognizer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = to_torch(assets.path(W600K.assets[0]))

        def forward(self, crops: Tensor) -> Tensor:
            return normalize(self.network(crops * 2 - 1).float(), dim=1)

    return Recognizer().to(device)


edgeface = ExpertPlugin(EDGEFACE, lambda device: ArcFaceOnnx(EDGEFACE), cpu_only=True)
w600k = ExpertPlugin(W600K, lambda device: ArcFaceOnnx(W600K), cpu_only=True)
dlib = ExpertPlugin(DLIB, lambda device: DlibResnet(), cpu_only=True)
