"""SimSwap under training: its networks, and what each of them minimises (paper, Sec. 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.simswap import losses as paper
from baselines.simswap.config import Config
from baselines.simswap.generator import Generator, fuse_adain
from hifibench.contracts import Crop
from hifibench.training.contract import Batch, Losses
from hifibench.training.patch_discriminator import MultiscaleDiscriminator
from hifibench.training.recogniser import AlignedRecogniser

TEMPLATE = "ffhq"
"""How training images are aligned: the whole face and some background."""


@dataclass(frozen=True)
class Schedule:
    """What is weighted how, and when.

    Attributes:
        weights: of the generator's losses.
        first_weights: of these in the first steps.
        first_steps: how many these are.
        wfm_from: m of weak feature matching: the first of the discriminators' layers that counts.
        gp: lambda_GP, the weight of the gradient penalty.
        gp_every: steps from one penalty to the next; it is weighted by as much (Karras et al., CVPR 2020, "lazy
            regularisation").
        jitter: pixels by which a swap is moved at most before the recogniser sees it, mirrored every other time; none
            where it is 0.
    """

    weights: paper.Weights
    first_weights: paper.Weights
    first_steps: int = 0
    wfm_from: int = 3
    gp: float = 1e-5
    gp_every: int = 1
    jitter: int = 0


class SimSwapTraining:
    """The method's side of `hifibench.training.contract.Trainable`.

    Args:
        config: of the generator.
        recogniser: F_id, frozen, of images of this training's crop.
        schedule: weights and their times.
        discriminator: arguments of `MultiscaleDiscriminator`.
        device: where the networks live.
    """

    turns: tuple[str, ...] = ("generator", "discriminator")

    def __init__(
        self,
        config: Config,
        recogniser: AlignedRecogniser,
        schedule: Schedule,
        discriminator: Mapping[str, Any],
        device: str = "cpu",
    ) -> None:
        self.config, self.schedule = config, schedule
        self.crop = Crop(TEMPLATE, config.size)
        generator, discriminators = Generator(config), MultiscaleDiscriminator(**discriminator)
        self.networks: Mapping[str, nn.Module] = {
            "generator": generator.to(device).to(memory_format=torch.channels_last),
            "discriminator": discriminators.to(device).to(memory_format=torch.channels_last),
        }
        self._recogniser = recogniser.requires_grad_(False).eval().to(device)
        self.settings: Mapping[str, Any] = {
            "method": "simswap",
            "template": TEMPLATE,
            **asdict(config),
            "discriminator": dict(discriminator),
        }
        self._swap: Tensor | None = None
        self._watched: dict[str, Tensor] = {}

    def losses(self, turn: str, batch: Batch, step: int) -> Losses:
        """See `hifibench.training.contract.Trainable`."""
        return self._of_generator(batch, step) if turn == "generator" else self._of_discriminator(batch, step)

    @torch.no_grad()
    def swap(self, source: Tensor, target: Tensor) -> Tensor:
        """See `hifibench.training.contract.Trainable`; by the norms' running statistics, as after training."""
        generator = self.networks["generator"]
        training = generator.training
        image: Tensor = generator.eval()(target, self._recogniser(source))
        generator.train(training)
        return image

    def watch(self) -> Mapping[str, Tensor]:
        """``id_cosine`` of swaps and sources in the last step."""
        return self._watched

    def compile(self) -> None:
        """Fuse the ID blocks, and compile the recogniser, which most of a step on a processor goes to."""
        fuse_adain(self.networks["generator"])
        self._recogniser.network.compile(dynamic=False)

    def _of_generator(self, batch: Batch, step: int) -> Losses:
        schedule = self.schedule
        weights = schedule.first_weights if step < schedule.first_steps else schedule.weights
        discriminator = self.networks["discriminator"].requires_grad_(False)
        with torch.no_grad():
            v_s, d_t = self._recogniser(batch.source), discriminator(batch.target)
        i_r: Tensor = self.networks["generator"](batch.target, v_s)
        self._swap = i_r.detach()
        v_r, d_r = self._recogniser(moved(i_r, schedule.jitter)), discriminator(i_r)
        parts = {
            "id": paper.loss_id(v_r, v_s),
            "rec": paper.loss_rec(i_r, batch.target, batch.same),
            "adv": paper.loss_adv_g(d_r),
            "wfm": paper.loss_wfm(d_r, d_t, schedule.wfm_from),
        }
        self._watched = {"id_cosine": 1 - parts["id"].detach()}
        each = [getattr(weights, name) * value for name, value in parts.items()]
        return Losses(sum(each[1:], each[0]), {name: value.detach() for name, value in parts.items()})

    def _of_discriminator(self, batch: Batch, step: int) -> Losses:
        if self._swap is None:
            raise RuntimeError("the discriminator's turn comes after the generator's")
        discriminator = self.networks["discriminator"].requires_grad_(True)
        i_r, self._swap = self._swap, None
        both = discriminator(torch.cat([batch.target.to(i_r.dtype), i_r]))
        d_t, d_r = ([[layer.chunk(2)[half] for layer in scale] for scale in both] for half in range(2))
        parts = {"adv_d": paper.loss_adv_d(d_t, d_r)}
        total = parts["adv_d"]
        if self.schedule.gp > 0 and step % self.schedule.gp_every == 0:
            # In float32: second derivatives lose too much in bfloat16.
            with torch.autocast(batch.target.device.type, enabled=False):
                i = paper.between(batch.target, i_r)
                parts["gp"] = paper.loss_gp(discriminator(i), i)
            total = total + self.schedule.gp * self.schedule.gp_every * parts["gp"]
        return Losses(total, {name: value.detach() for name, value in parts.items()})


def moved(images: Tensor, most: int) -> Tensor:
    """All images of a batch moved alike by up to ``most`` pixels, the border repeated, and mirrored or not.

    A recogniser that always sees swaps in one place is soon pleased by marks that are no part of a face; moved, they
    should please it less. Meant for that, and not yet tried in a whole training.
    """
    if most == 0:
        return images
    down, right, mirrored = (int(torch.randint(high, ())) for high in (2 * most + 1, 2 * most + 1, 2))
    height, width = images.shape[-2:]
    padded = F.pad(images, (most, most, most, most), mode="replicate")
    cut = padded[..., down : down + height, right : right + width]
    return cut.flip(-1) if mirrored else cut
