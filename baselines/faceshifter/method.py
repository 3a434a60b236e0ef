"""FaceShifter under training: both stages, one after the other, and what each of them minimises (Sec. 3).

Until `Stages.hear_from` steps are done the generator's turn trains AEI-Net against its discriminators. From then on
AEI-Net is frozen, the discriminators rest, and the generator's turn trains HEAR-Net. Which stage a step is of follows
from its number alone, so that a training resumed on either side of the border, or on it, goes on as one that was not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from baselines.faceshifter import losses as paper
from baselines.faceshifter.aad import fuse_aad
from baselines.faceshifter.config import Config
from baselines.faceshifter.network import FaceShifterNet, Refined
from baselines.faceshifter.occlusions import occlude
from hifibench.contracts import Crop
from hifibench.training.contract import Batch, Losses
from hifibench.training.patch_discriminator import MultiscaleDiscriminator
from hifibench.training.recogniser import AlignedRecogniser

TEMPLATE = "ffhq"
"""How training images are aligned: the whole face and some background, as in the paper."""


@dataclass(frozen=True)
class Stages:
    """What decides a step beside the networks.

    Attributes:
        weights: of the losses.
        hear_from: steps of the first stage; all later ones are of the second.
        first_steps: steps at the beginning that have weights of their own.
        first_weights: these.
        occluded: share of the targets that the second stage lays something over.
    """

    weights: paper.Weights
    hear_from: int
    first_steps: int = 0
    first_weights: paper.Weights | None = None
    occluded: float = 0.5


class FaceShifterTraining:
    """The method's side of `hifibench.training.contract.Trainable`.

    Args:
        config: of the networks.
        recogniser: z_id, of images aligned as the training's are.
        stages: weights and lengths.
        discriminator: arguments of `MultiscaleDiscriminator`.
        device: where the networks live.
    """

    turns: tuple[str, ...] = ("generator", "discriminator")

    def __init__(
        self,
        config: Config,
        recogniser: AlignedRecogniser,
        stages: Stages,
        discriminator: Mapping[str, Any],
        device: str = "cpu",
    ) -> None:
        self.config, self.stages = config, stages
        self.crop = Crop(TEMPLATE, config.size)
        self._net = FaceShifterNet(config).to(device).to(memory_format=torch.channels_last)
        judge = MultiscaleDiscriminator(**discriminator).to(device).to(memory_format=torch.channels_last)
        self.networks: Mapping[str, nn.Module] = {"generator": self._net, "discriminator": judge}
        self._recogniser = recogniser.requires_grad_(False).eval().to(device)
        self.settings: Mapping[str, Any] = {"method": "faceshifter", "template": TEMPLATE, **asdict(config)}
        self._fake: Tensor | None = None
        self._watched: dict[str, Tensor] = {}

    def losses(self, turn: str, batch: Batch, step: int) -> Losses | None:
        """See `hifibench.training.contract.Trainable`."""
        second = step >= self.stages.hear_from
        self._enter(second)
        if turn == "generator":
            return self._of_hear(batch) if second else self._of_aei(batch, step)
        return None if second else self._of_discriminator(batch)

    @torch.no_grad()
    def swap(self, source: Tensor, target: Tensor) -> Tensor:
        """See `hifibench.training.contract.Trainable`."""
        modes = {module: module.training for module in self._net.modules()}
        self._net.eval()
        z_s, z_t = self._recogniser(torch.cat([source, target])).chunk(2)
        made: Refined = self._net(to_network(target), z_s, z_t)
        for module, mode in modes.items():
            module.training = mode
        return to_image(made.y)

    def watch(self) -> Mapping[str, Tensor]:
        """``id_cosine`` of swap and source in the last step; in the second stage ``error``, the mean of |dY_t|, too."""
        return self._watched

    def compile(self) -> None:
        """Fuse the AAD layers, and compile the recogniser, which most of a step on a processor goes to."""
        fuse_aad(self._net)
        self._recogniser.network.compile(dynamic=False)

    def _enter(self, second: bool) -> None:
        """Freeze one stage's network and free the other's; norms of a frozen network keep to their statistics."""
        self._net.aei.requires_grad_(not second).train(not second)
        self._net.hear.requires_grad_(second).train(second)

    def _of_aei(self, batch: Batch, step: int) -> Losses:
        first = step < self.stages.first_steps and self.stages.first_weights is not None
        weights = self.stages.first_weights if first and self.stages.first_weights else self.stages.weights
        judge = self.networks["discriminator"].requires_grad_(False)
        x_s, x_t = _self_swaps(batch.source, batch.target, batch.same), to_network(batch.target)
        with torch.no_grad():
            z_s = self._recogniser(x_s)
        y_hat, z_att = self._net.first(x_t, z_s)
        image = self._fake = to_image(y_hat)
        z_y = self._recogniser(image)
        parts = {
            "adv": paper.loss_adv_g([scale[-1] for scale in judge(image)]),
            "att": paper.loss_att(self._net.aei.encoder(y_hat), z_att),
            "id": paper.loss_id(z_y, z_s),
            "rec": paper.loss_rec(y_hat, x_t, batch.same),
        }
        self._watched = {"id_cosine": _cosine(z_y, z_s)}
        return _weighted(weights, parts)

    def _of_discriminator(self, batch: Batch) -> Losses:
        if self._fake is None:
            raise RuntimeError("the discriminator's turn comes after the generator's")
        judge = self.networks["discriminator"].requires_grad_(True)
        fake, self._fake = self._fake.detach(), None
        both = [scale[-1] for scale in judge(torch.cat([batch.target.to(fake.dtype), fake]))]
        real_logits, fake_logits = zip(*(one.split(len(fake)) for one in both), strict=True)
        total = paper.loss_adv_d(real_logits, fake_logits)
        return Losses(total, {"adv_d": total.detach()})

    def _of_hear(self, batch: Batch) -> Losses:
        # Half of the sources are the targets themselves (Sec. 4); an occluded target's identity is seen without it.
        same = torch.arange(len(batch.target), device=batch.target.device) % 2 == 0
        x_s = _self_swaps(batch.source, batch.target, same)
        x_t, _ = occlude(to_network(batch.target), self.stages.occluded)
        with torch.no_grad():
            z_s, z_t = self._recogniser(torch.cat([x_s, to_image(x_t)])).chunk(2)
        made: Refined = self._net(x_t, z_s, z_t)
        z_y = self._recogniser(to_image(made.y))
        parts = {
            "hear_id": paper.loss_hear_id(z_y, z_s),
            "hear_chg": paper.loss_hear_chg(made.y_hat, made.y),
            "hear_rec": paper.loss_hear_rec(made.y, x_t, same),
        }
        self._watched = {"id_cosine": _cosine(z_y, z_s), "error": made.delta.abs().mean()}
        return _weighted(self.stages.weights, parts)


def to_network(image: Tensor) -> Tensor:
    """[0, 1] to [-1, 1]."""
    return image * 2 - 1


def to_image(made: Tensor) -> Tensor:
    """[-1, 1] to [0, 1]."""
    return made / 2 + 0.5


def _self_swaps(source: Tensor, target: Tensor, same: Tensor) -> Tensor:
    """X_s, which in the paper is X_t itself where it is of the same person."""
    return torch.where(same[:, None, None, None], target, source)


def _cosine(z_y: Tensor, z_s: Tensor) -> Tensor:
    return (z_y.detach().float() * z_s.float()).sum(1).mean()


def _weighted(weights: paper.Weights, parts: Mapping[str, Tensor]) -> Losses:
    each = [getattr(weights, name) * value for name, value in parts.items()]
    return Losses(sum(each[1:], each[0]), {name: value.detach() for name, value in parts.items()})
