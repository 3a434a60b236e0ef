"""What a swapper gives to be trained, and what it is given: the contract between the loop and the methods.

The loop owns devices, precision, optimisers, checkpoints and logs; a method owns its networks and its losses. A step
takes the *turns* of a method one after the other on the same batch, each with an optimiser of its own: for a GAN
first ``generator``, then ``discriminator``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from hifibench.contracts import Crop, SwapperPlugin
    from hifibench.records import Cost


class Batch(NamedTuple):
    """Pairs to learn from, aligned by the method's crop.

    Attributes:
        source: I_s, ``(B, 3, S, S)`` float32 RGB in [0, 1].
        target: I_t, the same.
        same: ``(B,)`` bool, whether both show one person.
        mask: M_tar, ``(B, 1, S, S)`` float32, 1 on the target's face.
    """

    source: Tensor
    target: Tensor
    same: Tensor
    mask: Tensor


class Losses(NamedTuple):
    """What a turn minimises, and what is logged of it.

    Attributes:
        total: scalar with a gradient.
        parts: name -> value, unweighted, detached; each becomes a column of the log.
    """

    total: Tensor
    parts: Mapping[str, Tensor]


@dataclass(frozen=True)
class Optimiser:
    """Adam for one turn.

    Attributes:
        lr: learning rate.
        betas: of Adam; floats, since PyTorch refuses the integer 0.
    """

    lr: float = 1e-4
    betas: tuple[float, float] = (0.0, 0.99)


@dataclass(frozen=True)
class Plan:
    """A preset: all that decides a training beside the data and the seed.

    Attributes:
        name: of the preset.
        size: side of the training images in pixels.
        batch: pairs in a step, over all processes.
        steps: length of the schedule.
        optimisers: turn -> its optimiser.
        same_identity: share of the pairs that show one person twice.
        flip: whether images are mirrored at random, source and target each for itself.
        precision: ``bf16`` (autocast) or ``fp32``.
        average: decay per step of the moving average of the generator's weights that is exported; 0: none.
        method: what only the method understands (width, weights of losses…); plain JSON values.
    """

    name: str
    size: int
    batch: int
    steps: int
    optimisers: Mapping[str, Optimiser]
    same_identity: float = 0.5
    flip: bool = False
    precision: str = "bf16"
    average: float = 0.0
    method: Mapping[str, Any] = field(default_factory=dict)


class Trainable(Protocol):
    """A swapper under training.

    Attributes:
        networks: name -> network to train, all kept in checkpoints; ``generator`` among them.
        turns: order of the updates in a step; every turn is the name of the network it updates.
        crop: how the training images are aligned, and their size.
        settings: plain JSON values that a checkpoint must agree with to be resumed (variant, size, width…).
    """

    networks: Mapping[str, nn.Module]
    turns: tuple[str, ...]
    crop: Crop
    settings: Mapping[str, Any]

    def losses(self, turn: str, batch: Batch, step: int) -> Losses | None:
        """What ``turn`` minimises on this batch; called under autocast, the turns of a step in their order.

        ``None`` lets the turn rest in this step, as the discriminator does in a second stage without one. The means
        are over the given part of the batch: with several processes the loop averages their gradients.
        """
        ...

    def swap(self, source: Tensor, target: Tensor) -> Tensor:
        """Swaps ``(B, 3, S, S)`` of the current weights, for the grids; called without gradients."""
        ...

    def watch(self) -> Mapping[str, Tensor]:
        """Numbers of the last step that say whether training is healthy, such as ``mask_in_face``; may be empty."""
        ...

    def compile(self) -> None:
        """Compile what gains from it on this device; called once if the user did not forbid it."""
        ...


@dataclass(frozen=True)
class TrainerPlugin:
    """How a swapper's plugin says that it can be trained (`hifibench.contracts.SwapperPlugin.training`).

    Attributes:
        presets: name -> the plan.
        assets: plan -> names of the asset files that training opens.
        count: plan -> parameters and multiply-accumulates of what is trained to swap.
        make: (plan, device) -> the trainable, weights drawn from PyTorch's current random state.
        export: (generator, card, file) -> writes the weights that the swapper loads; the card says how they came about.
        open: (name, file) -> the method of that name with exported weights.
    """

    presets: Mapping[str, Plan]
    assets: Callable[[Plan], Sequence[str]]
    count: Callable[[Plan], Cost]
    make: Callable[[Plan, str], Trainable]
    export: Callable[[nn.Module, dict[str, Any], Path], None]
    open: Callable[[str, Path], SwapperPlugin]
