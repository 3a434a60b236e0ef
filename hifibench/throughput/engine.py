"""A method's networks in the number format that was asked for, each of them apart, as they are timed.

What runs is decided as a run decides it (`hifibench.inference`). Unlike a run, which does so to give the same bits
whatever the company, networks in torch get whole batches on a processor too, and images lie on the device already.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from hifibench.contracts import Networks, NetworkSwapper, SwapperCard
from hifibench.errors import first_line
from hifibench.inference import precision_of, quicken
from hifibench.inference.choice import Used
from hifibench.records import Cost, Precision, Status, Swap
from hifibench.throughput.inputs import Batch
from hifibench.throughput.records import Format

if TYPE_CHECKING:
    from torch import Tensor, nn

Features = tuple["Tensor", ...]

VARIANTS = 64
"""Batches and layouts of images that networks are compiled for, at most."""


class Runner(Protocol):
    """Runs the networks of one method."""

    def place(self, image: Tensor) -> Tensor:
        """Images ``(B, 3, H, W)`` where the networks want them."""
        ...

    def source(self, source: Tensor) -> object:
        """What the generator needs of B sources."""
        ...

    def given(self, batch: Batch) -> Any:
        """All that the generator needs besides the targets, made to be kept."""
        ...

    def generate(self, target: Tensor, given: Any) -> Features:
        """The generator alone: image, and mask where there is one."""
        ...

    def through(self, batch: Batch) -> Features:
        """From crops to the generator's output."""
        ...


class Torch:
    """Networks that torch runs: eagerly, under autocast, or compiled beforehand.

    Args:
        networks: on the device.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        bf16: under autocast to bfloat16.
        graphs: they were compiled to CUDA graphs.
    """

    def __init__(self, networks: Networks, device: str, bf16: bool = False, graphs: bool = False) -> None:
        self.networks = networks
        self.channels_last = channels_last(networks)
        self._device, self._bf16, self._graphs = device, bf16, graphs

    def place(self, image: Tensor) -> Tensor:
        """See `Runner.place`; in the layout of the weights."""
        import torch

        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return image.to(self._device).contiguous(memory_format=layout)

    def source(self, source: Tensor) -> Features:
        """See `Runner.source`."""
        with self._computing():
            return tuple(self.networks.source(source))

    def given(self, batch: Batch) -> Features:
        """See `Runner.given`; copies, since a captured graph writes its next output over this one."""
        with self._computing():
            made = [part.clone() for part in self.networks.source(batch.source)]
        with self._computing():
            return (*made, *(part.clone() for part in self._of_target(batch.target)))

    def generate(self, target: Tensor, given: Features) -> Features:
        """See `Runner.generate`."""
        with self._computing():
            return tuple(self.networks.generator(target, *given))

    def through(self, batch: Batch) -> Features:
        """See `Runner.through`."""
        with self._computing():
            source = tuple(self.networks.source(batch.source))
            return tuple(self.networks.generator(batch.target, *source, *self._of_target(batch.target)))

    def _of_target(self, target: Tensor) -> Features:
        return () if self.networks.target is None else tuple(self.networks.target(target))

    def _computing(self) -> Any:
        import torch

        if self._graphs:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        return torch.autocast(self._device.partition(":")[0], torch.bfloat16, enabled=self._bf16)


class OpenVino:
    """Networks that OpenVINO runs on a processor, one request an image, as many streams as torch has threads.

    Args:
        swapper: whose networks they are.
        example: one pair of crops.
        used: what they compute in.
    """

    def __init__(self, swapper: NetworkSwapper, example: Batch, used: Used) -> None:
        import torch

        from hifibench.inference import vino

        streams = torch.get_num_threads()
        self._plain = Torch(swapper.networks, "cpu")
        self._all = vino.OpenVino(swapper, used, streams)
        with torch.no_grad():
            features = self._plain.given(example)
        alone = _Alone(swapper.card, Networks(_constant(features), None, swapper.networks.generator))
        self._generator = vino.OpenVino(alone, used, streams)

    def place(self, image: Tensor) -> Tensor:
        """See `Runner.place`."""
        return image.contiguous()

    def source(self, source: Tensor) -> object:
        """See `Runner.source`."""
        return self._all.sources(source)

    def given(self, batch: Batch) -> list[Features]:
        """See `Runner.given`; by torch, in fp32, a tuple for each row."""
        made = self._plain.given(batch)
        return [tuple(part[row : row + 1].contiguous() for part in made) for row in range(len(batch.target))]

    def generate(self, target: Tensor, given: list[Features]) -> Features:
        """See `Runner.generate`."""
        return self._generator.draw(target, given)

    def through(self, batch: Batch) -> Features:
        """See `Runner.through`."""
        return self._all.draw(batch.target, self._all.sources(batch.source))


class Ready(NamedTuple):
    """Networks that are ready to be timed, and how they run."""

    runner: Runner
    format: Format


def ready(swapper: NetworkSwapper, device: str, precision: Precision, example: Batch) -> Ready:
    """The networks as a run would run them in that format.

    Args:
        swapper: whose they are.
        device: where they are.
        precision: what is asked for; ``auto`` is decided on the example.
        example: some pairs of crops in the processor's memory.

    Raises:
        MethodError: they cannot be run in that format here.
    """
    import torch

    plain = Torch(swapper.networks, device)
    if precision == "fp32":
        return Ready(plain, Format("fp32", "fp32", "torch eager", False, plain.channels_last))
    quick = quicken(swapper, device, precision)
    if precision == "auto":
        with torch.no_grad():
            quick.swap(example.source, example.target)
    choice = precision_of(quick)
    del quick  # and with it whatever was compiled
    if choice is None or choice.form == "fp32":
        said = "" if choice is None else choice.reason
        return Ready(plain, Format(precision, "fp32", "torch eager", False, plain.channels_last, said))
    if choice.engine.startswith("openvino"):
        one = Batch(example.source[:1], example.target[:1])
        form = Format(precision, choice.used, choice.engine, compiled=True, said=choice.reason)
        return Ready(OpenVino(swapper, one, choice.used), form)
    said = ""
    if choice.engine.startswith("torch.compile"):
        graphs = Torch(compiled(swapper.networks), device, bf16=True, graphs=True)
        try:
            with torch.no_grad():
                graphs.through(Batch(graphs.place(example.source[:1]), graphs.place(example.target[:1])))
            return Ready(graphs, Format(precision, "bf16", choice.engine, True, graphs.channels_last))
        except Exception as error:  # compilers raise whatever the operation that they do not know raises
            said = f"torch.compile fails: {first_line(error)}"
    eager = Torch(swapper.networks, device, bf16=True)
    return Ready(eager, Format(precision, "bf16", "torch eager, autocast", False, eager.channels_last, said))


def compiled(networks: Networks) -> Networks:
    """Copies, channels last, each compiled to CUDA graphs of one batch size.

    Those of `hifibench.inference` take images from the processor's memory, and belong to a thread of their own.

    What was compiled before is dropped. By default eight variants of one function are compiled, those of other
    networks of its class and of other batches among them, and what comes after these runs eagerly without a word.
    """
    import torch

    torch.compiler.reset()
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, VARIANTS)

    def made(network: nn.Module) -> Any:
        own = copy.deepcopy(network).to(memory_format=torch.channels_last)
        return torch.compile(own, mode="reduce-overhead", dynamic=False)

    target = None if networks.target is None else made(networks.target)
    return Networks(made(networks.source), target, made(networks.generator))


def channels_last(networks: Networks) -> bool:
    """Whether any convolution of the generator has its weights channels last, and so wants images like that."""
    import torch

    return any(
        one.dim() == 4 and not one.is_contiguous() and one.is_contiguous(memory_format=torch.channels_last)
        for one in networks.generator.parameters()
    )


class _Alone:
    """A method of a generator that is given all features: no more than what an engine asks of a swapper."""

    def __init__(self, card: SwapperCard, networks: Networks) -> None:
        self.card = card
        self.networks = networks

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        """Nobody swaps by it."""
        return Swap(target, None, (Status.FAILED,) * len(target))

    def cost(self) -> Cost:
        """Nobody asks it."""
        return Cost(None, None, None)


def _constant(features: Features) -> nn.Module:
    """A network that finds the same features in every image: the shapes that the generator is converted for."""
    from torch import nn

    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for place, one in enumerate(features):
                self.register_buffer(f"feature_{place}", one)

        def forward(self, image: Tensor) -> Features:
            return tuple(one + 0 * image.mean() for one in self.buffers())

    return Constant().eval()
