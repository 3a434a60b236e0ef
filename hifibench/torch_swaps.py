"""What swappers made of torch networks do alike: swap row by row from the networks they show, and count their cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hifibench.contracts import Networks, SwapperCard
from hifibench.records import Cost, Status, Swap

if TYPE_CHECKING:
    from torch import Tensor, nn

Features = tuple["Tensor", ...]
"""What a network gives for one image: tensors ``(1, …)``."""


class NetworkSwaps:
    """A `hifibench.contracts.NetworkSwapper` that swaps by what its networks give one after the other.

    Args:
        card: the card it is loaded under; its crops are those that the networks were trained with.
        networks: frozen, in evaluation mode, all on one device.
        trainable: what training the method updates.
        frozen: networks that it needs beside it and never trains.
    """

    def __init__(self, card: SwapperCard, networks: Networks, trainable: nn.Module, frozen: nn.Module) -> None:
        self._card = card
        self._networks = networks
        self._trainable = trainable
        self._frozen = frozen
        self._device = next(trainable.parameters()).device

    @property
    def card(self) -> SwapperCard:
        """The card it was loaded under."""
        return self._card

    @property
    def networks(self) -> Networks:
        """Its networks, the same objects at every call."""
        return self._networks

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        """See `hifibench.contracts.Swapper.swap`; never fails. The mask is the generator's own, where it makes one."""
        import torch

        with torch.no_grad():
            sources = [look(self._networks.source, row.to(self._device)) for row in rows(source)]
            return as_swap(draw(self._networks, target.to(self._device), sources))

    def cost(self) -> Cost:
        """Parameters, and multiply-accumulates of one swap, the frozen networks' looks included."""
        import torch

        source, target = (torch.zeros(1, 3, crop.size, crop.size) for crop in (self._card.source, self._card.target))
        return cost(lambda: self.swap(source, target), self._trainable, self._frozen)


def rows(batch: Tensor) -> list[Tensor]:
    """B tensors ``(1, …)`` of one ``(B, …)``."""
    return [batch[i : i + 1] for i in range(len(batch))]


def look(network: nn.Module, image: Tensor) -> Features:
    """What a network gives for one image ``(1, 3, H, W)`` on its device.

    Sources are looked at one by one everywhere: what is computed once for many pairs must not depend on the company
    in which the source came first.
    """
    seen: Features = network(image)
    return seen


def draw(networks: Networks, target: Tensor, sources: Sequence[Features]) -> Features:
    """What the generator makes of B pairs: of each by itself on a processor, of all at once elsewhere.

    On a processor a batch is hardly faster, and a row's last bits would depend on its company.

    Args:
        networks: of the swapper.
        target: ``(B, 3, H, W)`` on their device.
        sources: what `look` gave for each pair's source.

    Returns:
        The image ``(B, 3, H, W)`` and, of some methods, its mask ``(B, 1, H, W)``.
    """
    import torch

    if target.device.type == "cpu" and len(target) > 1:
        made = [draw(networks, row, [seen]) for row, seen in zip(rows(target), sources, strict=True)]
        return tuple(torch.cat(part) for part in zip(*made, strict=True))
    of_source = [torch.cat(part) if len(part) > 1 else part[0] for part in zip(*sources, strict=True)]
    of_target = () if networks.target is None else networks.target(target)
    drawn: Features = networks.generator(target, *of_source, *of_target)
    return drawn


def as_swap(made: Features) -> Swap:
    """The image, and the mask where there is one, as a swapper returns them: float32, in the processor's memory."""
    image, *masks = (part.float().cpu() for part in made)
    return Swap(image, masks[0] if masks else None, (Status.OK,) * len(image))


def macs(run: Callable[[], object]) -> int:
    """Multiply-accumulates of all convolutions and matrix products that a call makes, on any device, ``meta`` too."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    count: int = counter.get_total_flops() // 2
    return count


def parameters(network: nn.Module) -> int:
    """How many numbers a network has to learn, or was given."""
    return sum(one.numel() for one in network.parameters())


def cost(run: Callable[[], object], trainable: nn.Module, frozen: nn.Module | None = None) -> Cost:
    """Parameters, and multiply-accumulates of one swap, which ``run`` makes, the frozen networks' looks included."""
    return Cost(parameters(trainable), 0 if frozen is None else parameters(frozen), macs(run))
