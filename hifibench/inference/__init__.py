"""How a swapper's networks are run: in which number format, by what, and in what batches (docs/inference.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hifibench.contracts import NetworkSwapper, Swapper
from hifibench.records import Precision

if TYPE_CHECKING:
    from hifibench.inference.choice import Choice


def quicken(swapper: Swapper, device: str, precision: Precision, decided: Choice | None = None) -> Swapper:
    """The same method, its networks run in the number format asked for, each source looked at once.

    Args:
        swapper: loaded; one that shows no networks (`hifibench.contracts.NetworkSwapper`) comes back as it is.
        device: where its networks are.
        precision: ``fp32``: as the swapper itself, on a processor to the bit as on one thread; ``bf16``; ``auto``: the
            quickest engine whose first batch agrees with fp32, in bf16 where this machine computes in it.
        decided: what an earlier process of the same run decided.

    Returns:
        A `hifibench.inference.quick.Quick`, whose ``choice`` says what runs, or the swapper.

    Raises:
        MethodError: what was decided cannot be had here.
    """
    if not isinstance(swapper, NetworkSwapper):
        return swapper
    from hifibench.inference.quick import Quick

    return Quick(swapper, device, precision, decided)


def precision_of(swapper: Swapper) -> Choice | None:
    """What a swapper runs in, as far as it is decided.

    ``None``: it shows no networks, or ``auto`` has met no batch.
    """
    choice: Choice | None = getattr(swapper, "choice", None)
    return choice
