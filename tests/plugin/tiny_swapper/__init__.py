"""What a third party's package looks like: a swapper that mirrors the target's face, a metric and a suite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hifibench.contracts import Crop, Metric, SwapperCard, SwapperPlugin
from hifibench.records import Cost, Observed, Status, Swap

if TYPE_CHECKING:
    from torch import Tensor

suite = Path(__file__).with_name("tiny.yaml")


class Mirror:
    """Replaces the target's face by its mirror image."""

    card = SwapperCard(
        "tiny-mirror", "mirrors the target's face", source=Crop("arcface", 112), target=Crop("ffhq", 256)
    )

    def swap(self, source: Tensor, target: Tensor) -> Swap:
        """Mirror left and right."""
        return Swap(target.flip(-1), None, (Status.OK,) * len(target))

    def cost(self) -> Cost:
        """Nothing is learned."""
        return Cost(0, 0, 0)


mirror = SwapperPlugin(Mirror.card, lambda device: Mirror())


def tiny_size() -> Metric:
    """Height of the face box on the swap, relative to the target's."""

    def compute(observed: Observed) -> object:
        swap, target = observed.swap["detector"]["box"], observed.target["detector"]["box"]
        return (swap[:, 3] - swap[:, 1]) / (target[:, 3] - target[:, 1])

    return Metric("tiny_size", "Height", "", "up", (), compute)  # type: ignore[arg-type]
