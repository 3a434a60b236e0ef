"""The frozen networks that HifiFace trains and runs with, by name or from the user's files.

Embedded are 3DDFA_V2 and InsightFace's ``w600k``; the paper's own are Deep3DFaceRecon and CurricularFace, which the
user brings as their authors' files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from hifibench.errors import UsageError
from hifibench.hififace.config import DENG, ID_DIM, TDDFA, FaceModelLayout
from hifibench.registry import did_you_mean

if TYPE_CHECKING:
    from torch import nn

    from hifibench.hififace.extractor import FaceModel, SidExtractor

LAYOUTS: Mapping[str, FaceModelLayout] = MappingProxyType({"3ddfa": TDDFA, "deep3d": DENG})
"""Face models by name, with what of them enters v_sid."""


def layout(name: str) -> FaceModelLayout:
    """What of a face model enters v_sid; loads nothing.

    Raises:
        UsageError: no face model has that name.
    """
    if name not in LAYOUTS:
        raise UsageError(f"There is no face model {name!r}.{did_you_mean(name, [*LAYOUTS])}")
    return LAYOUTS[name]


def load_face_model(
    name: str = "3ddfa",
    device: str = "cpu",
    *,
    face_model_file: Path | None = None,
    bfm_file: Path | None = None,
) -> FaceModel:
    """F_3d, frozen.

    Args:
        name: ``3ddfa`` (embedded) or ``deep3d``.
        device: where to put it.
        face_model_file: for ``deep3d``, its checkpoint ``epoch_20.pth``.
        bfm_file: for ``deep3d``, its Basel face ``BFM_model_front.mat``.

    Raises:
        UsageError: no face model has that name, its files are not named, are not what they should be, or are named
            for a model that brings its own.
        MissingError: a file of the embedded one is absent and cannot be fetched, or torchvision is not installed.
    """
    layout(name)
    files = {"checkpoint (epoch_20.pth)": face_model_file, "Basel face (BFM_model_front.mat)": bfm_file}
    if name == "3ddfa":
        given = [f"{role} {file}" for role, file in files.items() if file is not None]
        if given:
            raise UsageError(f"The face model '3ddfa' brings its own files; given a {' and a '.join(given)}.")
        from hifibench.hififace.extractor import TddfaModel

        return TddfaModel(device)
    if face_model_file is None or bfm_file is None:
        missing = [role for role, file in files.items() if file is None]
        raise UsageError(f"The face model 'deep3d' is not embedded: name your file of its {' and its '.join(missing)}.")
    from hifibench.hififace.deep3d import Deep3dModel

    return Deep3dModel(face_model_file, bfm_file, device)


def load_recogniser(file: Path | None = None, device: str = "cpu") -> nn.Module:
    """F_id, frozen: from ``arcface`` crops ``(B, 3, 112, 112)`` RGB in [0, 1] to unit vectors ``(B, 512)`` in float32.

    Args:
        file: an ``.onnx`` file of the ArcFace family, from ``(B, 3, 112, 112)`` RGB in [-1, 1] to ``(B, 512)``, at any
            batch size; or, under any other ending, a PyTorch checkpoint of CurricularFace or of an ArcFace IResNet,
            whose own keys say which of them and how deep. ``None`` takes ``w600k``, which is embedded.
        device: where to put it.

    Raises:
        UsageError: there is no such file, or it holds another network.
        MissingError: the embedded one is absent and cannot be fetched.
    """
    if file is None:
        from hifibench.experts.recognition import w600k_module

        return w600k_module(device)
    return _from_file(file).to(device)


def make_extractor(face_model: FaceModel, recogniser: nn.Module, device: str = "cpu") -> SidExtractor:
    """The frozen part of HifiFace from its two networks.

    Args:
        face_model: F_3d, on ``device``.
        recogniser: F_id.
        device: where all of it is to be.
    """
    from hifibench.hififace.extractor import SidExtractor

    return SidExtractor(face_model, recogniser).eval().requires_grad_(False).to(device)


def _from_file(file: Path) -> nn.Module:
    from torch import Tensor, nn
    from torch.nn.functional import normalize

    if not file.is_file():
        raise UsageError(f"There is no recogniser {file}. Give an .onnx or .pth file of the ArcFace family.")

    class Recogniser(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = _network(file)

        def forward(self, crops: Tensor) -> Tensor:
            return normalize(self.network(crops * 2 - 1).float(), dim=1)

    return Recogniser()


def _network(file: Path) -> nn.Module:
    """From RGB in [-1, 1] to embeddings of any length above 0."""
    if file.suffix.lower() != ".onnx":
        from hifibench.experts import recogniser_files

        return recogniser_files.load(file)
    from hifibench.experts.onnx import to_torch

    network = to_torch(file)
    _try(file, network)
    return network


def _try(file: Path, network: nn.Module) -> None:
    """Run it on two images, so that a wrong network is told before the first step."""
    import torch

    try:
        with torch.no_grad():
            shape = tuple(network(torch.zeros(2, 3, 112, 112)).shape)
    except Exception as error:  # what operations of a wrong size raise has no common base class but this
        raise UsageError(
            f"{file} does not run on images (2, 3, 112, 112): {error}. Give a recogniser of that input whose "
            "batch size is free."
        ) from error
    if shape != (2, ID_DIM):
        raise UsageError(
            f"{file} gives {shape} for two images; expected (2, {ID_DIM}). Give a recogniser of the ArcFace family "
            f"with embeddings of {ID_DIM} numbers."
        )
