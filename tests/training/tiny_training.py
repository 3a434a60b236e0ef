"""A trainable of 16 pixels and a few hundred weights, faces for it, and a script that trains it in a process."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from hifibench.contracts import Crop
from hifibench.data.prepared import SCHEMA, PreparedFaces
from hifibench.training.contract import Batch, Losses, Optimiser, Plan
from hifibench.training.log import Log
from hifibench.training.loop import Loop, Progress, accelerator
from hifibench.training.settings import Settings

SIZE = 16
PLAN = Plan(
    "tiny",
    size=SIZE,
    batch=4,
    steps=12,
    optimisers={"generator": Optimiser(lr=1e-2), "discriminator": Optimiser(lr=1e-2)},
    flip=True,
    precision="fp32",
    average=0.9,
    method={"noise": 0.05},
)
SETTINGS = Settings(save_every=4, log_every=3, compile=False)


def write_faces(folder: Path, images: Sequence[int] = (3, 3, 2, 1), size: int = SIZE) -> Path:
    """A prepared set of as many people as numbers are given, with so many images each."""
    rows = []
    for person, count in enumerate(images):
        for number in range(count):
            name = f"p{person:02d}/{number}"
            rng = np.random.default_rng([person, number])
            pixels = rng.integers(0, 60, (size, size, 4)) + rng.integers(0, 190, 4)
            pixels[..., 3] = 0
            pixels[size // 4 : -size // 4, size // 4 : size // 2, 3] = 255  # off-centre: a mirrored mask shows
            file = folder / "crops" / f"{name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8), "RGBA").save(file)
            rows.append(
                {
                    "identity": f"p{person:02d}",
                    "image": name,
                    "file": f"crops/{name}.png",
                    "source": f"{name}.jpg",
                    "side": float(size),
                    "landmarks": np.zeros(10, np.float32),
                    "content": "",
                }
            )
    pd.DataFrame(rows).to_parquet(folder / "index.parquet")
    source = {"kind": "folders", "folder": "/home/somebody"}
    settings = {"crop": {"template": "ffhq", "size": size}, "segmenter": "s", "detector": "d", "source": source}
    description = {"schema": SCHEMA, "settings": settings, "counts": {"kept": sum(images)}, "licence": "none"}
    (folder / "prepared.json").write_text(json.dumps(description))
    return folder


class TinyGenerator(nn.Module):
    """Source and target to an image and a mask. The norm has running statistics, which checkpoints must hold too."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(6, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.last = nn.Conv2d(width, 4, 3, padding=1)

    def forward(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        made = self.last(F.leaky_relu(self.norm(self.first(torch.cat([source, target], dim=1))))).sigmoid()
        mask = made[:, 3:]
        return mask * made[:, :3] + (1 - mask) * target, mask


class Tiny:
    """Fulfils `hifibench.training.contract.Trainable`."""

    turns = ("generator", "discriminator")
    crop = Crop("ffhq", SIZE)

    def __init__(self, plan: Plan, width: int = 4, seed: int = 0, norm: bool = True) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            generator = TinyGenerator(width)
            discriminator = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.LeakyReLU(), nn.Flatten(), nn.Linear(128, 1))
        if not norm:
            generator.norm = nn.Identity()  # type: ignore[assignment]  # batch statistics depend on the share of the batch
        self.networks: Mapping[str, nn.Module] = {"generator": generator, "discriminator": discriminator}
        self.settings = {"method": "tiny", "width": width}
        self.noise = plan.method["noise"]
        self.batches: list[Batch] = []
        self.swapped_with: Mapping[str, Tensor] = {}
        self.compiled = False
        self._made: Tensor | None = None
        self._watched: dict[str, Tensor] = {}

    def losses(self, turn: str, batch: Batch, step: int) -> Losses:
        generator, discriminator = self.networks["generator"], self.networks["discriminator"]
        if turn == "generator":
            self.batches.append(batch)
            # Random numbers of the step, which a resumed training must draw again.
            source = batch.source + self.noise * torch.randn_like(batch.source)
            self._made, mask = generator(source, batch.target)
            parts = {
                "rec": ((self._made - batch.target).abs().mean((1, 2, 3)) * batch.same).mean(),
                "id": (self._made.mean((2, 3)) - batch.source.mean((2, 3))).square().mean(),
                "seg": (mask - batch.mask).abs().mean(),
                "adv": F.softplus(-discriminator(self._made)).mean(),
            }
            self._watched = {"mask_in_face": (mask.detach() * batch.mask).sum() / batch.mask.sum()}
            total = parts["rec"] + 5 * parts["id"] + parts["seg"] + 0.1 * parts["adv"]
        else:
            assert self._made is not None
            parts = {
                "adv_d": F.softplus(discriminator(self._made.detach())).mean()
                + F.softplus(-discriminator(batch.target)).mean()
            }
            total = parts["adv_d"]
            if step % 4 == 0:
                real = batch.target.detach().requires_grad_()
                (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
                parts["r1"] = gradient.square().sum((1, 2, 3)).mean()
                total = total + parts["r1"]
        return Losses(total, {name: value.detach() for name, value in parts.items()})

    def swap(self, source: Tensor, target: Tensor) -> Tensor:
        self.swapped_with = {name: one.clone() for name, one in self.networks["generator"].state_dict().items()}
        self.networks["generator"].eval()
        swapped: Tensor = self.networks["generator"](source, target)[0]
        self.networks["generator"].train()
        return swapped

    def watch(self) -> Mapping[str, Tensor]:
        return self._watched

    def compile(self) -> None:
        self.compiled = True


class Written(Progress):
    """Rows to ``losses.csv``, as the command writes them; waits a little after each where asked."""

    def __init__(self, folder: Path, step: int, pause_s: float = 0) -> None:
        self._log, self._pause_s = Log(folder, step), pause_s

    def row(self, step: int, values: Mapping[str, float]) -> None:
        self._log.row(step, values)
        time.sleep(self._pause_s)


def make_loop(
    data: Path, folder: Path, plan: Plan = PLAN, settings: Settings = SETTINGS, method: Tiny | None = None
) -> Loop:
    method = method or Tiny(plan)
    return Loop(method, plan, PreparedFaces(data), folder, 7, accelerator(plan, "cpu"), settings)


def weights(loop: Loop) -> dict[str, Tensor]:
    """All that a training ends with: networks, average, moments."""
    found = {
        f"{name}.{key}": value for name, one in loop.method.networks.items() for key, value in one.state_dict().items()
    }
    found |= {f"exported.{key}": value for key, value in loop.exported.state_dict().items()}
    for turn, optimiser in loop._optimisers.items():
        for index, state in optimiser.state_dict()["state"].items():
            found |= {f"adam.{turn}.{index}.{key}": value for key, value in state.items()}
    return {key: value.clone() for key, value in found.items()}


def assert_same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    """Bit by bit."""
    assert one.keys() == other.keys()
    differing = [key for key in one if not torch.equal(one[key], other[key])]
    assert not differing


def main(data: str, folder: str, steps: str, pause_s: str, norm: str) -> None:
    """Train in this process, which may be one of several, and leave all weights in ``weights.pt``."""
    torch.set_num_threads(1)
    plan = replace(PLAN, steps=int(steps), method={"noise": 0.05 if norm == "norm" else 0.0})
    loop = make_loop(Path(data), Path(folder), plan, method=Tiny(plan, norm=norm == "norm"))
    first = loop.accelerator.is_main_process
    loop.run(Written(Path(folder), loop.step, float(pause_s)) if first else None)
    torch.save(weights(loop), Path(folder) / f"weights-{loop.accelerator.process_index}.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
