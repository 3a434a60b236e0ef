"""All that decides what the embedded detectors learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hifibench.errors import UsageError


@dataclass(frozen=True)
class Settings:
    """A training of both detectors and the measurement that ends it.

    Attributes:
        people: portraits to learn from, of the split ``train``.
        judged: portraits for the figures, of the split ``validation``.
        steps: of blend-cnn.
        pairs: real faces a step, each with its self-blend.
        rate: peak of the learning rate.
        weight_decay: of AdamW.
        seam_weight: weight of the seam's loss beside the verdict's.
        order_weight: weight of the loss of the order within a pair.
        average: decay of the moving average of the weights, per step.
        spectra: pairs for the spectral classifier.
        hidden: units of its hidden layer.
        penalty: its L2 penalty.
        seed: decides the rest.
        save_every: steps between checkpoints.
        log_every: steps between lines of the log.
    """

    people: int = 600
    judged: int = 200
    steps: int = 2000
    pairs: int = 8
    rate: float = 2e-3
    weight_decay: float = 0.02
    seam_weight: float = 4.0
    order_weight: float = 0.5
    average: float = 0.998
    spectra: int = 4000
    hidden: int = 48
    penalty: float = 1e-2
    seed: int = 0
    save_every: int = 200
    log_every: int = 50

    def plain(self) -> dict[str, Any]:
        """What decides the result, as plain data."""
        return {name: value for name, value in asdict(self).items() if name not in ("save_every", "log_every")}

    def of(self, names: Sequence[str]) -> dict[str, Any]:
        """Those of some names, as plain data."""
        return {name: self.plain()[name] for name in names}


FOR_NETWORK = (
    "people",
    "steps",
    "pairs",
    "rate",
    "weight_decay",
    "seam_weight",
    "order_weight",
    "average",
    "seed",
)
"""What decides blend-cnn."""

FOR_SPECTRUM = ("people", "spectra", "hidden", "penalty", "seed")
"""What decides the spectral classifier."""


def same(there: Mapping[str, Any], here: Mapping[str, Any], file: Path) -> None:
    """Refuse to go on with a training of other settings; only names that are here are looked at.

    Raises:
        UsageError: names what differs.
    """
    from hifibench.training.checkpoints import differences

    if wrong := differences(here, {name: value for name, value in there.items() if name in here}):
        raise UsageError(
            f"{file} was trained with other settings ({'; '.join(wrong)}). Give the same ones, or another --out."
        )
