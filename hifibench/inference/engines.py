"""What runs a swapper's networks, in torch: eagerly, or on a GPU in bfloat16 as compiled CUDA graphs."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from hifibench.contracts import Networks
from hifibench.device import cores, here, out_of_memory
from hifibench.errors import first_line
from hifibench.torch_swaps import Features, draw, look, rows

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_log = logging.getLogger("hifibench")

T = TypeVar("T")

AUTOCAST = "eager autocast"
"""Name of the engine in bfloat16 that there always is."""

FORMS = 128
"""Most batch sizes that are compiled, of all methods of one class together; PyTorch runs any more of them eagerly."""


class Engine(Protocol):
    """Runs networks; what it makes of a row depends on that row alone, but for a GPU's batches."""

    name: str
    """With the version of what runs them, where that is not torch alone."""

    def sources(self, source: Tensor) -> list[Features]:
        """What the generator needs of each of B sources ``(B, 3, H, W)`` in the processor's memory."""
        ...

    def draw(self, target: Tensor, sources: Sequence[Features]) -> Features:
        """The images of B pairs, and their masks where the method makes them; see `hifibench.torch_swaps.draw`.

        Args:
            target: ``(B, 3, H, W)`` in the processor's memory.
            sources: what `sources` gave for each pair's source.
        """
        ...


class SingleThreads:
    """Threads that have one of torch's own each: sums are formed by as many as there are, and rows side by side.

    So neither the number of processors nor ``OMP_NUM_THREADS`` moves a bit.
    """

    def __init__(self) -> None:
        import torch

        self._pool = ThreadPoolExecutor(max(1, cores() // here()), "row", torch.set_num_threads, (1,))

    def map(self, work: Callable[..., T], *items: Iterable[Any]) -> Iterator[T]:
        """As `map`, in order."""
        return self._pool.map(work, *items)


class Eager:
    """The networks as they are, in float32 or under autocast.

    Args:
        networks: of the swapper, on ``device``.
        device: where they are.
        bf16: whether autocast to bfloat16 is on.
    """

    def __init__(self, networks: Networks, device: torch.device, bf16: bool = False) -> None:
        self.name = AUTOCAST if bf16 else "eager"
        self._each = SingleThreads() if device.type == "cpu" else None
        self._networks = networks
        self._device = device
        self._bf16 = bf16

    def sources(self, source: Tensor) -> list[Features]:
        """See `Engine.sources`."""

        def one(row: Tensor) -> Features:
            with self._computing():
                return look(self._networks.source, to_device(row, self._device))

        return list(map(one, rows(source)) if self._each is None else self._each.map(one, rows(source)))

    def draw(self, target: Tensor, sources: Sequence[Features]) -> Features:
        """See `Engine.draw`."""
        import torch

        def some(image: Tensor, seen: Sequence[Features]) -> Features:
            with self._computing():
                return draw(self._networks, to_device(image, self._device), seen)

        if self._each is None:
            return some(target, sources)
        made = self._each.map(some, rows(target), [[one] for one in sources])
        return tuple(torch.cat(part) for part in zip(*made, strict=True))

    @contextmanager
    def _computing(self) -> Iterator[None]:
        import torch

        with (
            torch.no_grad(),
            exact_products(self._device),
            torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16),
        ):
            yield


class Graphs:
    """On CUDA in bfloat16: compiled, and replayed as CUDA graphs; under plain autocast where compiling fails.

    A graph is of one batch size, so batches are filled up to the next power of two. All calls of a process go to one
    thread: up to PyTorch 2.13 no other than the first that makes graphs can.

    Args:
        networks: of the swapper, on ``device``; copies of them are compiled.
        device: a CUDA device.
        compiler: what compiles a network; `torch.compile` with CUDA graphs if it is not given.
    """

    def __init__(self, networks: Networks, device: torch.device, compiler: Callable[..., Any] | None = None) -> None:
        import torch

        def made(network: torch.nn.Module | None) -> Any:
            if network is None:
                return None
            own = copy.deepcopy(network).to(memory_format=torch.channels_last)
            return (compiler or _compile)(own)

        self.name = "torch.compile, CUDA graphs"
        self._device = device
        self._plain = Eager(networks, device, bf16=True)
        self._thread = _graphs_thread()
        self._compiled: Networks | None = None
        try:
            self._compiled = Networks(made(networks.source), made(networks.target), made(networks.generator))
        except Exception as error:
            self._give_up(error)

    def sources(self, source: Tensor) -> list[Features]:
        """See `Engine.sources`."""
        if self._compiled is None:
            return self._plain.sources(source)
        network = self._compiled.source
        return self._tried(
            lambda: [_kept(look(network, to_device(row, self._device))) for row in rows(source)],
            lambda: self._plain.sources(source),
        )

    def draw(self, target: Tensor, sources: Sequence[Features]) -> Features:
        """See `Engine.draw`."""
        networks = self._compiled
        if networks is None:
            return self._plain.draw(target, sources)

        def filled() -> Features:
            import torch

            more = _next_power(len(target)) - len(target)
            wide = torch.cat([target, target[-1:].expand(more, -1, -1, -1)]) if more else target
            made = draw(networks, to_device(wide, self._device), [*sources, *[sources[-1]] * more])
            return _kept(part[: len(target)] for part in made)

        return self._tried(filled, lambda: self._plain.draw(target, sources))

    def _tried(self, compiled: Callable[[], T], plain: Callable[[], T]) -> T:
        import torch._dynamo

        def work() -> T:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
            with (
                torch.no_grad(),
                torch.autocast(self._device.type, torch.bfloat16),
                torch._dynamo.config.patch(recompile_limit=FORMS),
            ):
                return compiled()

        try:
            return self._thread.submit(work).result()
        except Exception as error:
            if out_of_memory(error):
                raise
            self._give_up(error)
            return plain()

    def _give_up(self, error: Exception) -> None:
        _log.warning("torch.compile fails on %s: %s. Plain autocast goes on.", self._device, first_line(error))
        self._compiled = None
        self.name = AUTOCAST


def to_device(images: Tensor, device: torch.device) -> Tensor:
    """Images where the networks are; to a GPU from pinned memory, so that the copy waits for nobody."""
    if device.type != "cuda":
        return images.to(device)
    return images.pin_memory().to(device, non_blocking=True)


@contextmanager
def exact_products(device: torch.device) -> Iterator[None]:
    """While it lasts, a GPU multiplies float32 as float32 and not as TF32; whatever was set before comes back."""
    import torch

    if device.type != "cuda":
        yield
        return
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@cache
def _graphs_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "graphs")


def _compile(network: Any) -> Any:
    import torch

    return torch.compile(network, mode="reduce-overhead", dynamic=False)


def _kept(made: Any) -> Features:
    """Copies: the next replay of a graph writes over what this one gave."""
    return tuple(part.clone() for part in made)


def _next_power(count: int) -> int:
    return 1 << (count - 1).bit_length()
