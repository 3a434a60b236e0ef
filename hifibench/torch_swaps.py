"""What swappers made of torch networks do alike: rows by themselves on a processor, and counting their cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from hifibench.records import Cost

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

T = TypeVar("T")


def by_rows(generate: Callable[[Tensor, Tensor], T], source: Tensor, target: Tensor, device: torch.device) -> list[T]:
    """What a network makes of B pairs: of each by itself on a processor, of all at once elsewhere.

    On a processor a batch is hardly faster, and a row's last bits would depend on its company.

    Args:
        generate: pairs ``(b, 3, …)`` -> what is made of them, b rows.
        source: ``(B, 3, Hs, Ws)``.
        target: ``(B, 3, Ht, Wt)``.
        device: where the network is.
    """
    if device.type != "cpu":
        return [generate(source, target)]
    return [generate(source[i : i + 1], target[i : i + 1]) for i in range(len(source))]


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
