"""Batches that fit into the device's memory: one that does not is halved, and so are all after it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hifibench.contracts import Swapper, SwapperCard
from hifibench.device import out_of_memory
from hifibench.errors import MethodError, first_line
from hifibench.records import Cost, Swap

if TYPE_CHECKING:
    from torch import Tensor

_log = logging.getLogger("hifibench")


class Fitting:
    """A swapper that gets no more pairs at once than fit.

    Args:
        swapper: any.
    """

    def __init__(self, swapper: Swapper) -> None:
        self._swapper = swapper
        self._most = 0

    @property
    def card(self) -> SwapperCard:
        """The swapper's own."""
        return self._swapper.card

    def cost(self) -> Cost:
        """The swapper's own."""
        return self._swapper.cost()

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        """See `hifibench.contracts.Swapper.swap`.

        Raises:
            MethodError: not even one pair fits.
        """
        size = min(self._most or len(target), len(target))
        while True:
            try:
                made = [
                    self._swapper.swap(source[at : at + size], target[at : at + size])
                    for at in range(0, len(target), max(size, 1))
                ]
            except Exception as error:
                if not out_of_memory(error):
                    raise
                said = first_line(error)
                if size <= 1:
                    raise MethodError(
                        f"The device's memory does not hold one pair ({said}). Free some of it, or name another "
                        "device (--device cpu)."
                    ) from error
            else:
                if size < len(target) and size != self._most:
                    _log.warning(
                        "%s: %d pairs do not fit into memory; %d at once do.", self.card.name, len(target), size
                    )
                    self._most = size
                return _joined(made)
            # Here the error is gone, and with it what its frames held.
            size //= 2
            _empty()


def _empty() -> None:
    """Give back what torch holds for later."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _joined(parts: list[Swap]) -> Swap:
    import torch

    if len(parts) == 1:
        return parts[0]
    masks = [part.mask for part in parts if part.mask is not None]
    messages = [part.messages or ("",) * len(part.status) for part in parts]
    return Swap(
        torch.cat([part.image for part in parts]),
        torch.cat(masks) if len(masks) == len(parts) else None,
        tuple(status for part in parts for status in part.status),
        tuple(message for part in messages for message in part) if any(part.messages for part in parts) else (),
    )
