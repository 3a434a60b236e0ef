"""Training of blend-cnn: each step sees some people, whole and self-blended. Resumes to the same weights."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hifibench.contracts import Crop
from hifibench.errors import UsageError
from hifibench.forensics.faces import Faces
from hifibench.forensics.network import SIZE, BlendNetwork
from hifibench.forensics.samples import Sample, sample
from hifibench.forensics.settings import FOR_NETWORK, Settings, same
from hifibench.pipeline.progress import Reporter
from hifibench.training import checkpoints
from hifibench.training.average import WeightAverage

CROP = Crop("dfdc", SIZE)
"""The box and a third of it on each side: seams of squares that reach beyond the face lie within."""

_KEEP = 2
_WARM = 50
_STREAM = 0x626C6E64


class Trained(NamedTuple):
    """What a training gives.

    Attributes:
        network: of averaged weights, in evaluation mode.
        hours: that it took, those before interruptions included.
    """

    network: BlendNetwork
    hours: float


def train(faces: Faces, settings: Settings, folder: Path, reporter: Reporter) -> Trained:
    """Train from scratch, or from the newest checkpoint in the folder.

    Args:
        faces: people of the training split.
        settings: what decides the result.
        folder: for checkpoints.
        reporter: told the losses every now and then.

    Raises:
        UsageError: the checkpoint is damaged or of other settings; another number of steps is none, as long as the
            learning rate does not fall yet.
        MissingError: the disk is full.
    """
    torch.manual_seed(settings.seed)
    network = BlendNetwork().to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=settings.weight_decay)
    average = WeightAverage(network, settings.average)
    first, before = _resume(folder, settings, network, average, optimiser)
    begin = time.monotonic() - before
    sums, counted = np.zeros(len(Losses._fields)), 0
    for step in range(first, settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.rate * schedule(step, settings.steps)
        rng = np.random.default_rng([_STREAM, settings.seed, step])
        rows = rng.integers(len(faces), size=settings.pairs)
        made = _step(network, optimiser, settings, [sample(faces, int(row), CROP, rng) for row in rows])
        average.follow(optimiser)
        sums, counted = sums + made, counted + 1
        if (step + 1) % settings.log_every == 0:
            said = ", ".join(f"{name} {one:.3f}" for name, one in zip(Losses._fields, sums / counted, strict=True))
            reporter.say(f"step {step + 1}: {said}")
            sums, counted = np.zeros(len(Losses._fields)), 0
        if (step + 1) % settings.save_every == 0 or step + 1 == settings.steps:
            state = {
                "settings": settings.of(FOR_NETWORK),
                "seconds": time.monotonic() - begin,
                "network": network.state_dict(),
                "average": average.network.state_dict(),
                "optimiser": optimiser.state_dict(),
            }
            checkpoints.save(folder, step + 1, state, _KEEP)
    averaged = average.network.eval()
    assert isinstance(averaged, BlendNetwork)
    return Trained(averaged, (time.monotonic() - begin) / 3600)


def schedule(step: int, steps: int) -> float:
    """The share of the learning rate: up over the first steps, then level, over the last quarter down to zero."""
    return min(1.0, (step + 1) / _WARM, (steps - step) / max(1.0, steps - decays_from(steps)))


def decays_from(steps: int) -> int:
    """The step from which the learning rate falls: before it, trainings of other lengths are alike."""
    return steps - steps // 4


class Losses(NamedTuple):
    """Terms of the loss, scalars.

    Attributes:
        verdict: cross-entropy of the verdict.
        order: ``-log sigmoid`` of how far the self-blend's logit lies above that of the face it was made from: what
            the two have in common cannot mislead it.
        seam: cross-entropy of the seam over all places.
        right: share of right verdicts, no loss.
    """

    verdict: Tensor
    order: Tensor
    seam: Tensor
    right: Tensor


def losses(network: BlendNetwork, crops: Tensor, seams: Tensor) -> Losses:
    """What a batch of pairs says of the network.

    Args:
        network: in training mode.
        crops: ``(2 N, 3, S, S)`` RGB in [0, 1]: a face, its self-blend, the next face…
        seams: ``(2 N, S, S)`` in [0, 1], zero on whole faces.
    """
    logits, places = network.taught(crops)
    logits = logits[:, 0]
    fake = torch.tensor([0.0, 1.0], device=logits.device).repeat(len(logits) // 2)
    order = F.softplus(logits[0::2] - logits[1::2]).mean()
    # A seam may be a pixel wide: a place of 8 by 8 pixels has one if any of its pixels does.
    wanted = F.adaptive_max_pool2d(seams, places.shape[-2:])
    right = ((logits > 0) == (fake > 0.5)).float().mean()
    verdict = F.binary_cross_entropy_with_logits(logits, fake)
    return Losses(verdict, order, F.binary_cross_entropy_with_logits(places, wanted), right)


def _step(
    network: BlendNetwork, optimiser: torch.optim.Optimizer, settings: Settings, pairs: list[Sample]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    crops = torch.from_numpy(np.stack([image for pair in pairs for image in (pair.real, pair.fake)]))
    seams = torch.from_numpy(np.stack([image for pair in pairs for image in (0 * pair.seam, pair.seam)]))
    crops = crops.contiguous(memory_format=torch.channels_last)
    verdict, order, seam, right = losses(network, crops, seams)
    optimiser.zero_grad(set_to_none=True)
    (verdict + settings.order_weight * order + settings.seam_weight * seam).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimiser.step()
    return np.array([verdict.item(), order.item(), seam.item(), right.item()])


def _resume(
    folder: Path, settings: Settings, network: BlendNetwork, average: WeightAverage, optimiser: torch.optim.Optimizer
) -> tuple[int, float]:
    """Take up the newest checkpoint; returns its step and the seconds that it took, zeros where there is none."""
    done = checkpoints.steps(folder)
    if not done:
        return 0, 0.0
    file = checkpoints.path(folder, done[-1])
    state = checkpoints.load(file)
    try:
        there = state["settings"]
        if done[-1] <= min(map(decays_from, (int(there["steps"]), settings.steps))):
            there = {**there, "steps": settings.steps}
        same(there, settings.of(FOR_NETWORK), file)
        network.load_state_dict(state["network"])
        average.network.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise UsageError(f"{file} is no checkpoint of this training. Move it away, or give another --out.") from error
    return done[-1], float(state["seconds"])
