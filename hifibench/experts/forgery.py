"""Forgery detectors: how sure a trained network is that a face was forged. The user brings their files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hifibench import assets
from hifibench.brought.forgery import DFDC as DFDC_FILES
from hifibench.brought.forgery import XCEPTION as XCEPTION_FILE
from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.experts.crops import checked
from hifibench.records import Floats

if TYPE_CHECKING:
    from torch import nn

_FAKE = "(1,) probability 0..1 that the face is forged"

XCEPTION = ExpertCard(
    name="xception-ffpp",
    summary="Xception of FaceForensics++, trained on the faces of all its forgeries at c23",
    role="forgery",
    crop=Crop("ffpp-xception", 299),
    outputs={"fake": _FAKE},
    paper="A. Rössler et al., FaceForensics++: Learning to detect manipulated facial images, ICCV 2019",
    licence="FaceForensics++ terms, non-commercial research",
    assets=(XCEPTION_FILE.name,),
    limits="Trained on FaceForensics++ itself, so it knows the forgeries and the compression of that data set and says "
    "little of others. The face's box is that of the detector here, not of dlib. Never run here with its own weights.",
)

DFDC = ExpertCard(
    name="dfdc-ensemble",
    summary="mean of the seven EfficientNet-B7 of the Deepfake Detection Challenge's winner, 456 M parameters",
    role="forgery",
    crop=Crop("dfdc", 380),
    outputs={"fake": _FAKE},
    paper="S. Seferbekov, first place in the Deepfake Detection Challenge, 2020",
    licence="MIT; trained on the data of the Deepfake Detection Challenge",
    assets=tuple(file.name for file in DFDC_FILES),
    limits="One face at a time in float32 and 1.9 GB of memory; the winner weighed 32 frames of a video against each "
    "other, in half precision, with boxes of MTCNN, and enlarged small faces bicubically, not bilinearly. Never run "
    "here with its own weights.",
)


class ForgeryDetector:
    """The mean of what one or several networks say.

    Args:
        card: of the detector.
        networks: on ``device``, frozen, in evaluation mode; each maps crops ``(1, 3, S, S)`` RGB in [0, 1] to a
            probability ``(1, 1)``.
        device: where they are.
    """

    def __init__(self, card: ExpertCard, networks: Sequence[nn.Module], device: str) -> None:
        self.card = card
        self._networks, self._device = networks, device

    def observe(self, crops: Floats) -> dict[str, Floats]:
        """See `hifibench.contracts.Expert.observe`."""
        from hifibench.experts.torch_rows import run_rows

        inputs = checked(self.card, crops)
        said = np.stack([run_rows(network, inputs, self._device)[0] for network in self._networks])
        fake: Floats = said.mean(0, dtype=np.float64).astype(np.float32)
        return {"fake": fake}


def load_xception(device: str) -> ForgeryDetector:
    """The `xception-ffpp` expert; raises as `hifibench.experts.xception.load`."""
    from hifibench.experts import xception

    return ForgeryDetector(XCEPTION, [xception.load(assets.path(XCEPTION.assets[0])).to(device)], device)


def load_dfdc(device: str) -> ForgeryDetector:
    """The `dfdc-ensemble` expert; raises as `hifibench.experts.dfdc.load`."""
    from hifibench.experts import dfdc

    # All that lack are told at once, before the first is loaded.
    assets.ensure(DFDC.assets)
    return ForgeryDetector(DFDC, [dfdc.load(assets.path(name)).to(device) for name in DFDC.assets], device)


xception_ffpp = ExpertPlugin(XCEPTION, load_xception)
dfdc_ensemble = ExpertPlugin(DFDC, load_dfdc)
