"""The recognisers of InsightFace's model packs, run by the package ``insightface`` from files that the user brings.

Its class for recognisers gets a session of ours: one thread, no telemetry, nothing fetched, and the package alone
decides how its input is scaled. It takes BGR.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from hifibench import assets
from hifibench.contracts import Crop, ExpertCard, ExpertPlugin
from hifibench.errors import MissingError
from hifibench.experts.crops import checked
from hifibench.experts.embedding_map import unit
from hifibench.experts.onnx_recogniser import FEATURES, SIZE, open_recogniser
from hifibench.records import Floats

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_UNSEEN = "nothing was measured with the authors' file, which we have not."


def _card(name: str, network: str, twin: str) -> ExpertCard:
    return ExpertCard(
        name=name,
        summary=f"recogniser of InsightFace's {name.replace('-', '_')}, {network}, through the package insightface",
        role="recognition",
        crop=Crop("arcface", 112),
        outputs={"embedding": "(512,) unit vector"},
        paper="J. Deng et al., ArcFace: Additive angular margin loss for deep face recognition, CVPR 2019",
        licence="non-commercial research",
        assets=(name,),
        similarity="cosine",
        limits=f"By InsightFace's tables the same network as {twin}, so no second opinion; {_UNSEEN}",
    )


CARDS = (
    _card("buffalo-l", "ResNet-50 on WebFace600K", "buffalo-m"),
    _card("buffalo-m", "ResNet-50 on WebFace600K", "buffalo-l"),
    _card("buffalo-s", "MobileFaceNet on WebFace600K", "buffalo-sc and the embedded w600k"),
    _card("buffalo-sc", "MobileFaceNet on WebFace600K", "buffalo-s and the embedded w600k"),
    _card("antelopev2", "ResNet-100 on Glint360K", "arcface-r100 where that is glintr100.onnx"),
)


class PackRecogniser:
    """A pack's recogniser.

    Args:
        card: its card; the file is the first of the card's assets.
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        MissingError: the file is not there, or the package ``insightface`` is not installed.
        UsageError: the file holds another network.
    """

    def __init__(self, card: ExpertCard, device: str) -> None:
        self.card = card
        file = assets.path(card.assets[0])
        recogniser = _insightface()
        wanted = f"the recogniser of the pack {card.name.replace('-', '_')}"
        network: InferenceSession = open_recogniser(file, device, wanted)
        self._network = recogniser(model_file=str(file), session=network)
        # The package reads the size off the file, where free dimensions have names in place of numbers.
        self._network.input_size = (SIZE, SIZE)

    def observe(self, crops: Floats) -> dict[str, Floats]:
        """See `hifibench.contracts.Expert.observe`."""
        raw = np.empty((len(crops), FEATURES), np.float32)
        # One by one, since a batch rounds otherwise than its rows.
        for row, crop in enumerate(checked(self.card, crops)):
            bgr = np.ascontiguousarray(crop[::-1].transpose(1, 2, 0) * np.float32(255))
            raw[row] = self._network.get_feat(bgr)[0]
        return {"embedding": unit(raw)}


def _insightface() -> Any:
    """The package's class for recognisers."""
    try:
        return import_module("insightface.model_zoo").ArcFaceONNX
    except (ImportError, AttributeError) as error:
        raise MissingError(
            f"The packs of InsightFace need the package insightface, which cannot be imported: {error}. Install it "
            "with 'python -m pip install scikit-image' and 'python -m pip install --no-deps insightface tqdm': with "
            "what it asks for itself, it would overwrite OpenCV."
        ) from error


plugins = {card.name: ExpertPlugin(card, partial(PackRecogniser, card)) for card in CARDS}
buffalo_l, buffalo_m, buffalo_s, buffalo_sc, antelopev2 = plugins.values()
