"""HifiFace under training: its networks, and what each of them minimises (paper, Sec. 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, cat, nn

from hifibench.contracts import Crop
from hifibench.faces.recrop import recrop
from hifibench.hififace import losses as paper
from hifibench.hififace.blocks import fuse_norms
from hifibench.hififace.config import Config
from hifibench.hififace.discriminator import Discriminator
from hifibench.hififace.extractor import ID_CROP, FaceCoefficients, SidExtractor
from hifibench.hififace.generator import Generated, Generator
from hifibench.hififace.identity import fuse, v_sid
from hifibench.training.contract import Batch, Losses

TEMPLATE = "ffhq"
"""How training images are aligned: the whole face and some background."""


class _Seen(NamedTuple):
    """What the frozen networks say of a batch, all without gradients."""

    source: FaceCoefficients
    target: FaceCoefficients
    v_source: Tensor
    v_target: Tensor


class HifiFaceTraining:
    """The method's side of `hifibench.training.contract.Trainable`.

    Args:
        config: of the generator; decides the variant.
        extractor: the frozen networks F_3d and F_id.
        perceptual: LPIPS of two batches in [0, 1], ``(B,)``.
        weights: of the losses.
        first_weights: of the losses in the first steps.
        first_steps: how many these are.
        discriminator_width: channels of D relative to StarGAN v2's.
        r1: gamma of the gradient penalty.
        r1_every: steps from one penalty to the next; it is weighted by as much (Karras et al., CVPR 2020, "lazy
            regularisation").
        cyc_every: steps from one cycle to the next, likewise: it runs G a second time.
        feather: width of M_tar's soft edge after the first steps, in parts of the image's side
            (`hifibench.hififace.losses.feathered`).
        teachers: what the extractor was made of, hashes of the user's files included.
        device: where the networks live.
    """

    turns: tuple[str, ...] = ("generator", "discriminator")

    def __init__(
        self,
        config: Config,
        extractor: SidExtractor,
        perceptual: nn.Module,
        weights: paper.Weights,
        first_weights: paper.Weights | None = None,
        first_steps: int = 0,
        discriminator_width: float = 1.0,
        r1: float = 1.0,
        r1_every: int = 1,
        cyc_every: int = 1,
        feather: float = 0.0,
        teachers: Mapping[str, str] | None = None,
        device: str = "cpu",
    ) -> None:
        self.config, self.r1, self.r1_every, self.cyc_every = config, r1, r1_every, cyc_every
        self.weights, self._first_weights, self._first_steps = weights, first_weights or weights, first_steps
        self._ramp = round(feather * config.size)
        self.crop = Crop(TEMPLATE, config.size)
        generator = Generator(config)
        discriminator = Discriminator(replace(config, width=discriminator_width))
        self.networks: Mapping[str, nn.Module] = {
            "generator": generator.to(device).to(memory_format=torch.channels_last),
            "discriminator": discriminator.to(device).to(memory_format=torch.channels_last),
        }
        self._extractor = extractor.requires_grad_(False).to(device).to(memory_format=torch.channels_last)
        self._perceptual = perceptual.requires_grad_(False).to(device).to(memory_format=torch.channels_last)
        self.settings: Mapping[str, Any] = {"method": "hififace", "template": TEMPLATE, **asdict(config)} | {
            "discriminator_width": discriminator_width,
            "teachers": dict(teachers or {}),
        }
        self._generated: Generated | None = None
        self._healthy: dict[str, Tensor] = {}

    def losses(self, turn: str, batch: Batch, step: int) -> Losses:
        """See `hifibench.training.contract.Trainable`."""
        if turn == "generator":
            first = step < self._first_steps
            weights, ramp = (self._first_weights, 0) if first else (self.weights, self._ramp)
            return self._of_generator(batch, weights, ramp, cycle=step % self.cyc_every == 0)
        return self._of_discriminator(batch, step)

    @torch.no_grad()
    def swap(self, source: Tensor, target: Tensor) -> Tensor:
        """See `hifibench.training.contract.Trainable`."""
        seen = self._look(source, target)
        return self._generate(target, fuse(seen.source.coefficients, seen.target.coefficients), seen.v_source).i_r

    def watch(self) -> Mapping[str, Tensor]:
        """The mean of M_r inside and outside the target's face: collapsed masks give 0 inside."""
        return self._healthy

    def compile(self) -> None:
        """Fuse the generator's norms, and compile the recogniser, which most of a step on a processor goes to."""
        fuse_norms(self.networks["generator"])
        self._extractor.recogniser.compile(dynamic=False)

    def _generate(self, target: Tensor, c_fuse: Any, v_id: Tensor) -> Generated:
        generated: Generated = self.networks["generator"](target, v_sid(c_fuse, v_id, self.config))
        return generated

    @torch.no_grad()
    def _look(self, source: Tensor, target: Tensor) -> _Seen:
        both, count = cat([source, target]), len(source)
        coefficients, camera = self._extractor.face_model(both, self.crop)
        v_id = self._extractor.identity(both, self.crop)
        of_source, of_target = (
            FaceCoefficients(type(coefficients)(*(part[half] for part in coefficients)), camera[half])
            for half in (slice(count), slice(count, None))
        )
        return _Seen(of_source, of_target, v_id[:count], v_id[count:])

    def _of_generator(self, batch: Batch, weights: paper.Weights, ramp: int, cycle: bool) -> Losses:
        discriminator = self.networks["discriminator"].requires_grad_(False)
        seen = self._look(batch.source, batch.target)
        c_fuse = fuse(seen.source.coefficients, seen.target.coefficients)
        made = self._generated = self._generate(batch.target, c_fuse, seen.v_source)
        low_crop = Crop(TEMPLATE, self.config.low_size)

        # Both results in one go through the recogniser: fewer, larger convolutions.
        faces = cat([recrop(made.i_r, self.crop, ID_CROP), recrop(made.i_low, low_crop, ID_CROP)])
        v_r, v_low = self._extractor.recogniser(faces).chunk(2)
        parts = {"id": paper.loss_id(seen.v_source, v_r, v_low)}

        model = self._extractor.face_model
        of_result = model(made.i_r, self.crop)
        parts["shape"] = paper.loss_shape(
            model.landmarks(c_fuse, seen.target.camera),
            model.landmarks(*of_result),
            self._extractor.landmarks(made.i_low, low_crop),
        )
        parts["seg"] = paper.loss_seg(paper.feathered(batch.mask, ramp), made.m_low, made.m_r)
        parts["rec"] = paper.loss_rec(made.i_r, made.i_low, batch.target, batch.same)
        parts["lpips"] = self._perceptual(made.i_r, batch.target).mean()
        parts["adv"] = paper.loss_adv_g(discriminator(made.i_r))

        if cycle:
            # Source I_t, target I_r: identity of I_t, expression and pose as they are seen in I_r.
            c_back = fuse(seen.target.coefficients, type(c_fuse)(*(part.detach() for part in of_result.coefficients)))
            parts["cyc"] = paper.loss_cyc(batch.target, self._generate(made.i_r, c_back, seen.v_target).i_r)

        weights = weights._replace(cyc=weights.cyc * self.cyc_every)
        total = sum((getattr(weights, name) * value for name, value in parts.items()), torch.zeros(()))
        face = batch.mask.sum().clamp_min(1)
        self._healthy = {
            "mask_in_face": (made.m_r.detach() * batch.mask).sum() / face,
            "mask_off_face": (made.m_r.detach() * (1 - batch.mask)).sum() / (1 - batch.mask).sum().clamp_min(1),
        }
        return Losses(total, {name: value.detach() for name, value in parts.items()})

    def _of_discriminator(self, batch: Batch, step: int) -> Losses:
        if self._generated is None:
            raise RuntimeError("the discriminator's turn comes after the generator's")
        discriminator = self.networks["discriminator"].requires_grad_(True)
        fake, self._generated = self._generated.i_r.detach(), None
        count = len(fake)
        real_logit, fake_logit = discriminator(cat([batch.target, fake])).split(count)
        parts = {"adv_d": paper.loss_adv_d(real_logit, fake_logit)}
        total = parts["adv_d"]
        if self.r1 > 0 and step % self.r1_every == 0:
            # In float32: second derivatives lose too much in bfloat16.
            with torch.autocast(batch.target.device.type, enabled=False):
                real = batch.target.detach().requires_grad_()
                parts["r1"] = paper.penalty_r1(discriminator(real), real)
            total = total + self.r1 * self.r1_every * parts["r1"]
        return Losses(total, {name: value.detach() for name, value in parts.items()})
