"""Whether a training fits the memory of its device: said before the first step, not by the system in the middle of it.

What does not depend on the batch (weights, gradients, Adam's two moments, the averaged weights, the frozen networks)
is counted. What grows with it, the tensors that the forward pass keeps for the backward pass, is counted in a trial
of every turn on one and on two random pairs: both are linear in the batch.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hifibench.errors import UsageError
from hifibench.training.contract import Batch, Plan, Trainable

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

MARGIN = 1.35
"""Peak of a real step over what is counted: gradients on their way back, work space, what the allocator cannot use.

On a processor 1.18 and 1.26 (``paper-256``, one pair and two) to 1.26-1.31 (``lite``, 2 to 12 pairs) were measured, by
the largest resident size of a process over two steps; not measured on GPUs.
"""


_CONTROL_GROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Need:
    """Memory of one process in bytes, without the margin.

    Attributes:
        held: weights, trained and frozen ones: in memory already once the method is made.
        fixed: gradients, moments, averaged weights, and what the turns keep whatever the batch.
        pair: what the turns keep for every pair in the process's share of the batch.
    """

    held: int
    fixed: int
    pair: int

    def total(self, pairs: int) -> int:
        """Peak of a process that trains on ``pairs`` at a time, in bytes, with the margin."""
        return self.held + self.more(pairs)

    def more(self, pairs: int) -> int:
        """What comes on top of ``held``."""
        return round(MARGIN * (self.fixed + pairs * self.pair))

    def pairs_in(self, free: float) -> int:
        """Most pairs at a time for which ``free`` bytes on top of ``held`` suffice; may be 0."""
        return max(0, int((free / MARGIN - self.fixed) // self.pair))


class _TooLargeError(Exception):
    """The trial itself does not fit."""


def needed(method: Trainable, plan: Plan, batch_share: int) -> int:
    """Peak memory of one process in bytes.

    Args:
        method: on the device that it trains on; not changed, and neither is PyTorch's random state.
        plan: decides the image size, the precision and whether weights are averaged.
        batch_share: pairs of a step that the process computes.
    """
    return need(method, plan).total(batch_share)


def check(method: Trainable, plan: Plan, device: str, processes: int, free: int) -> None:
    """Compare what a training needs with what is free.

    Args:
        method: see `needed`.
        plan: with the batch over all processes.
        device: ``cpu``, ``cuda`` or ``cuda:N``; processes on a processor share its memory, GPUs have theirs.
        processes: among which the batch is shared out evenly.
        free: bytes that were free when nothing but the method's weights was in memory (`free_bytes`).

    Raises:
        UsageError: it does not fit; says what is needed, what is free and which batch would fit.
    """
    if device == "cpu":
        free //= int(os.environ.get("LOCAL_WORLD_SIZE", processes))
    share = plan.batch // processes
    try:
        found = need(method, plan, limit=free)
    except _TooLargeError:
        raise UsageError(
            _words(plan, device, f"more than {_gb(free)} for one pair alone", free, processes, 0)
        ) from None
    if found.more(share) > free:
        wanted = f"{_gb(found.more(share))} for a batch of {plan.batch}"
        raise UsageError(_words(plan, device, wanted, free, processes, found.pairs_in(free)))


def need(method: Trainable, plan: Plan, limit: float = float("inf")) -> Need:
    """Count what a training takes.

    Args:
        method: see `needed`.
        plan: see `needed`.
        limit: bytes at which the trial gives up.
    """
    networks = list(_modules(vars(method).values()))
    weights = _unique(tensor for network in networks for tensor in _tensors(network))
    trained = _unique(one for turn in plan.optimisers for one in method.networks[turn].parameters())
    averaged = _unique(method.networks["generator"].parameters()) if plan.average else {}
    kept = [_kept(method, plan, networks, weights, pairs, limit) for pairs in (1, 2)]
    pair = max(1, kept[1] - kept[0])
    fixed = 3 * sum(trained.values()) + sum(averaged.values()) + max(0, kept[0] - pair)
    return Need(sum(weights.values()), fixed, pair)


def free_bytes(device: str) -> int:
    """Memory that this process could still get there, in bytes."""
    if device == "cpu":
        import psutil

        return min(int(psutil.virtual_memory().available), _left_in_container())
    import torch

    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + cached


def _left_in_container() -> int:
    """What a control group leaves of its limit (Linux, version 2), in bytes; very many where there is none."""
    try:
        limit, used = ((_CONTROL_GROUP / f"memory.{name}").read_text().strip() for name in ("max", "current"))
    except OSError:
        return sys.maxsize
    return max(0, int(limit) - int(used)) if limit.isdecimal() else sys.maxsize


def _kept(
    method: Trainable, plan: Plan, networks: list[nn.Module], weights: Mapping[int, int], pairs: int, limit: float
) -> int:
    """Most that any turn keeps for its backward pass, in bytes, apart from weights."""
    import torch

    from hifibench.training import precision

    device = next(method.networks["generator"].parameters()).device
    bf16 = precision.choose(plan.precision, str(device)) == "bf16"
    batch = _random_pairs(plan.size, pairs, device)
    given = weights.keys() | _unique(batch).keys()
    most = 0
    with _undone(networks, device):
        try:
            for turn in method.turns:
                found: dict[int, torch.UntypedStorage] = {}  # held, so that no address is given out twice

                def keep(tensor: Tensor, found: dict[int, torch.UntypedStorage] = found) -> Tensor:
                    storage = tensor.untyped_storage()
                    if storage.data_ptr() not in given:
                        found[storage.data_ptr()] = storage
                        if len(found) % 16 == 0 and _bytes(found) > limit:
                            raise _TooLargeError
                    return tensor

                with (
                    torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
                    torch.autocast(device.type, torch.bfloat16, enabled=bf16),
                ):
                    method.losses(turn, batch, 0)
                most = max(most, _bytes(found))
        except torch.OutOfMemoryError:
            raise _TooLargeError from None
    return most


def _random_pairs(size: int, pairs: int, device: torch.device) -> Batch:
    import torch

    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, pairs, 3, size, size, generator=generator).to(device)
    source, target = (one.contiguous(memory_format=torch.channels_last) for one in images)
    return Batch(source, target, torch.ones(pairs, dtype=torch.bool, device=device), target[:, :1].round())


@contextmanager
def _undone(networks: list[nn.Module], device: torch.device) -> Iterator[None]:
    """Afterwards random state and buffers, such as running statistics, are what they were."""
    import torch

    buffers = [(one, one.clone()) for network in networks for one in network.buffers()]
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield
    with torch.no_grad():
        for one, before in buffers:
            one.copy_(before)


def _modules(values: Iterable[Any]) -> Iterator[nn.Module]:
    """The networks among the attributes of a method, trained or frozen."""
    from torch import nn

    for value in values:
        if isinstance(value, nn.Module):
            yield value
        elif isinstance(value, Mapping):
            yield from _modules(value.values())
        elif isinstance(value, list | tuple):
            yield from _modules(value)


def _tensors(network: nn.Module) -> Iterator[Tensor]:
    yield from network.parameters()
    yield from network.buffers()


def _unique(tensors: Iterable[Any]) -> dict[int, int]:
    """Address -> bytes of the storages behind tensors, each once."""
    storages = (tensor.untyped_storage() for tensor in tensors)
    return {storage.data_ptr(): storage.nbytes() for storage in storages}


def _bytes(storages: Mapping[int, torch.UntypedStorage]) -> int:
    return sum(storage.nbytes() for storage in storages.values())


def _words(plan: Plan, device: str, wanted: str, free: int, processes: int, share: int) -> str:
    each = f" in each of {processes} processes" if processes > 1 else ""
    fits = f"--batch {share * processes} would fit" if share else "no batch would fit: take a smaller preset"
    return f"The preset {plan.name} needs {wanted}{each}, and {device} has {_gb(free)} free for it; {fits}."


def _gb(count: float) -> str:
    return f"{count / 1e9:.1f} GB"
