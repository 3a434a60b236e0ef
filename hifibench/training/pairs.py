"""Which images are swapped with which in a step of training.

Pair i of step n is a function of the seed, n and i alone. So the order of the data needs no state in a checkpoint and
does not depend on the number of processes or of workers that read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hifibench.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from hifibench.data.prepared import PreparedFaces

_STREAM = 0x7061697273


@dataclass(frozen=True)
class TrainingPair:
    """Rows of the data set, and whether the images are mirrored."""

    source: int
    target: int
    same: bool
    flip_source: bool
    flip_target: bool


class Pairs:
    """Random pairs of a prepared data set.

    Args:
        rows: per identity, the rows of its images.
        seed: with the step and the place in the batch it decides everything.
        same_identity: share of pairs that show one person twice, in two different images.
        flip: mirror images at random.

    Raises:
        UsageError: there are too few identities, or none with two images where such pairs are asked for.
    """

    def __init__(
        self, rows: tuple[NDArray[np.intp], ...], seed: int, same_identity: float = 0.5, flip: bool = False
    ) -> None:
        if not 0 <= same_identity <= 1:
            raise UsageError(f"The share of pairs of one identity is {same_identity}; give one in [0, 1].")
        self._rows = rows
        self._several = tuple(group for group in rows if len(group) >= 2)
        if same_identity > 0 and not self._several:
            raise UsageError(
                f"None of the {len(rows)} identities of the training data has two images, and {same_identity:.0%} of "
                "the pairs are to show one person twice. Add images of the same people, or set the share to 0."
            )
        if same_identity < 1 and len(rows) < 2:
            raise UsageError(
                f"The training data shows {len(rows)} identity; swapping between people needs two. Add another folder."
            )
        self._seed, self._same, self._flip = seed, same_identity, flip

    def at(self, step: int, place: int) -> TrainingPair:
        """Pair ``place`` of a step."""
        rng = np.random.default_rng([_STREAM, self._seed, step, place])
        same = bool(rng.random() < self._same)
        if same:
            group = self._several[rng.integers(len(self._several))]
            source, target = rng.choice(group, 2, replace=False)
        else:
            one = int(rng.integers(len(self._rows)))
            other = (one + 1 + int(rng.integers(len(self._rows) - 1))) % len(self._rows)
            source, target = rng.choice(self._rows[one]), rng.choice(self._rows[other])
        flips = rng.random(2) < 0.5 if self._flip else np.zeros(2, bool)
        return TrainingPair(int(source), int(target), same, bool(flips[0]), bool(flips[1]))


class PairImages:
    """A map-style data set for `torch.utils.data.DataLoader`: index ``step * batch + place`` to the pair's tensors."""

    def __init__(self, data: PreparedFaces, pairs: Pairs, batch: int) -> None:
        self._data, self._pairs, self._batch = data, pairs, batch

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Source, target (``(3, S, S)`` uint8), whether they are one person, mask (``(1, S, S)`` uint8, 0 or 255)."""
        import cv2
        import torch

        pair = self._pairs.at(*divmod(index, self._batch))
        source, target = self._data.load(pair.source), self._data.load(pair.target)

        def tensor(pixels: NDArray[np.uint8], flip: bool) -> Tensor:
            turned = cv2.flip(pixels, 1) if flip else pixels
            return torch.from_numpy(np.ascontiguousarray(np.atleast_3d(turned).transpose(2, 0, 1)))

        return (
            tensor(source.frame, pair.flip_source),
            tensor(target.frame, pair.flip_target),
            torch.tensor(pair.same),
            tensor(target.mask, pair.flip_target),
        )


def indices(first: int, last: int, batch: int, rank: int, processes: int) -> range | list[int]:
    """Indices that one of several processes reads for steps ``first`` to ``last - 1``, in order.

    Raises:
        UsageError: the batch cannot be shared out evenly.
    """
    if batch % processes:
        raise UsageError(
            f"A batch of {batch} pairs cannot be shared evenly among {processes} processes; give --batch a multiple "
            f"of {processes}."
        )
    if processes == 1:
        return range(first * batch, last * batch)
    share = batch // processes
    return [step * batch + rank * share + i for step in range(first, last) for i in range(share)]
