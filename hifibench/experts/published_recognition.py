"""The recognisers that papers judge by and train with, from files that the user brings: cards, and how they are loaded.

CosFace's sphere20 is the judge of HifiFace's Table 1, CurricularFace its teacher, ArcFace's iResNet-100 that of most
rebuilds. InsightFace's packs are in `hifibench.experts.insightface_packs`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hifibench import assets
from hifibench.contracts import Crop, Expert, ExpertCard, ExpertPlugin
from hifibench.experts.crops import checked
from hifibench.experts.embedding_map import unit
from hifibench.experts.onnx_recogniser import FEATURES, open_recogniser, refuse_own_scaling
from hifibench.records import Floats

if TYPE_CHECKING:
    from torch import nn

COSFACE = ExpertCard(
    name="cosface",
    summary="CosFace's sphere20 (ACC99.28), 22.7 M parameters, face and mirror image",
    role="recognition",
    crop=Crop("arcface", 112),
    outputs={"embedding": "(1024,) unit vector"},
    paper="H. Wang et al., CosFace: Large margin cosine loss for deep face recognition, CVPR 2018",
    licence="MIT; training images research only",
    assets=("cosface",),
    similarity="cosine",
    limits="Nothing was measured with the authors' file, which we have not; its code says RGB in [-1, 1]. They aligned "
    "with MTCNN and MATLAB, which counts pixels from 1: their faces may lie a pixel further left and up.",
)

CURRICULARFACE = ExpertCard(
    name="curricularface",
    summary="CurricularFace's IR-101 trained on MS1MV2, 65.1 M parameters",
    role="recognition",
    crop=Crop("arcface", 112),
    outputs={"embedding": "(512,) unit vector"},
    paper="Y. Huang et al., CurricularFace: Adaptive curriculum learning loss for deep face recognition, CVPR 2020",
    licence="code MIT; training images research only",
    assets=("curricularface",),
    similarity="cosine",
    limits="Nothing was measured with the authors' file, which we have not; its code says RGB in [-1, 1], and adds the "
    "mirror image's embedding in its own evaluation only, which is left out here. HifiFace's paper trains with it.",
)

ARCFACE_R100 = ExpertCard(
    name="arcface-r100",
    summary="ArcFace's iResNet-100, 65.2 M parameters, from its .pth or .onnx",
    role="recognition",
    crop=Crop("arcface", 112),
    outputs={"embedding": "(512,) unit vector"},
    paper="J. Deng et al., ArcFace: Additive angular margin loss for deep face recognition, CVPR 2019",
    licence="non-commercial research",
    assets=("arcface-r100",),
    similarity="cosine",
    limits="Which training images the weights saw (MS1MV3, Glint360K…) the file alone tells; nothing was measured with "
    "its authors' files, which we have not.",
)

CARDS = (COSFACE, CURRICULARFACE, ARCFACE_R100)


class TorchRecogniser:
    """A recogniser in PyTorch.

    Args:
        card: its card.
        network: from crops in [-1, 1] to embeddings of any length above 0; frozen and in evaluation mode.
        device: where it is to run.
    """

    def __init__(self, card: ExpertCard, network: nn.Module, device: str) -> None:
        self.card = card
        self._network, self._device = network.to(device), device

    def observe(self, crops: Floats) -> dict[str, Floats]:
        """See `hifibench.contracts.Expert.observe`."""
        from hifibench.experts.torch_rows import run_rows

        (raw,) = run_rows(self._network, checked(self.card, crops) * np.float32(2) - np.float32(1), self._device)
        return {"embedding": unit(raw)}


class OnnxRecogniser:
    """A recogniser of the ArcFace family in ONNX, as ``arcface_torch`` exports it.

    Args:
        card: its card.
        file: its file.
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UsageError: the file holds another network, or one that scales its input itself.
    """

    def __init__(self, card: ExpertCard, file: Path, device: str) -> None:
        self.card = card
        wanted = "an iResNet-100 as InsightFace's arcface_torch exports it, such as glintr100.onnx"
        self._session = open_recogniser(file, device, wanted)
        refuse_own_scaling(file, wanted)
        self._input = self._session.get_inputs()[0].name

    def observe(self, crops: Floats) -> dict[str, Floats]:
        """See `hifibench.contracts.Expert.observe`."""
        raw = np.empty((len(crops), FEATURES), np.float32)
        # One by one, since a batch rounds otherwise than its rows.
        for row, crop in enumerate(checked(self.card, crops) * np.float32(2) - np.float32(1)):
            raw[row] = self._session.run(None, {self._input: crop[None]})[0][0]
        return {"embedding": unit(raw)}


def _cosface(device: str) -> Expert:
    file = assets.path("cosface")
    from hifibench.experts import sphereface

    return TorchRecogniser(COSFACE, sphereface.load(file), device)


def _curricularface(device: str) -> Expert:
    file = assets.path("curricularface")
    from hifibench.experts import curricular

    return TorchRecogniser(CURRICULARFACE, curricular.load(file), device)


def _arcface_r100(device: str) -> Expert:
    file = assets.path("arcface-r100")
    if file.suffix == ".onnx":
        return OnnxRecogniser(ARCFACE_R100, file, device)
    from hifibench.experts import iresnet

    return TorchRecogniser(ARCFACE_R100, iresnet.load(file), device)


cosface = ExpertPlugin(COSFACE, _cosface)
curricularface = ExpertPlugin(CURRICULARFACE, _curricularface)
arcface_r100 = ExpertPlugin(ARCFACE_R100, _arcface_r100)
