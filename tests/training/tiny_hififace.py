"""HifiFace with its real teachers at a tiny width, and a script that trains it in a process."""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hifibench.contracts import Crop
from hifibench.data.face_crops import Cropping
from hifibench.data.originals import PortraitSource
from hifibench.data.prepare import prepare
from hifibench.data.prepared import PreparedFaces
from hifibench.hififace.blocks import fuse_norms
from hifibench.hififace.config import TDDFA, Config, Variant
from hifibench.hififace.extractor import SidExtractor
from hifibench.hififace.generator import Generator
from hifibench.hififace.losses import Weights
from hifibench.hififace.method import HifiFaceTraining
from hifibench.hififace.plugins import plugins
from hifibench.hififace.presets import presets
from hifibench.training import memory
from hifibench.training.contract import Batch, Optimiser, Plan, Trainable
from hifibench.training.log import Log
from hifibench.training.loop import Loop, Progress, accelerator
from hifibench.training.settings import Settings


def tiny_plan(variant: Variant = "full", width: float = 1 / 16, **changes: Any) -> Plan:
    """``lite``, narrower and in float32; with settings of its own where those of ``lite`` are matters of taste."""
    lite = presets(variant)["lite"]
    rates = dict.fromkeys(("generator", "discriminator"), Optimiser(lr=4e-4))
    method = {**lite.method, "width": width, "discriminator_width": width, "weights": WEIGHTS, "first_steps": 0}
    fixed = {"precision": "fp32", "same_identity": 0.5, "batch": 2, "steps": 4, "optimisers": rates, "method": method}
    return replace(lite, **fixed | changes)


WEIGHTS = {"shape": 20.0, "id": 10.0, "seg": 60.0, "rec": 20.0, "cyc": 1.0, "lpips": 5.0, "adv": 0.5}

# With a small rate: Adam's first steps turn the sign of a gradient near zero, which is chance, into a whole step.
SHARED = tiny_plan(optimisers=dict.fromkeys(("generator", "discriminator"), Optimiser(lr=1e-5)))
"""What several processes are compared by."""


def with_teachers(plan: Plan, extractor: SidExtractor, perceptual: nn.Module, **changes: Any) -> HifiFaceTraining:
    """As the plugin makes it, but with teachers that are loaded already."""
    chosen = plan.method
    config = Config(plan.size, chosen["width"], chosen["variant"], TDDFA)
    given = {name: chosen[name] for name in ("discriminator_width", "r1", "r1_every")}
    return HifiFaceTraining(config, extractor, perceptual, Weights(**chosen["weights"]), **given | changes)


def write_portraits(folder: Path, people: int) -> Path:
    """Two crops of 128 pixels of each of some generated people."""
    prepare(PortraitSource(people, 2), Cropping(Crop("ffhq", 128), 0), folder)
    return folder


class Rows(Progress):
    """Keeps every step's losses and writes them."""

    def __init__(self, folder: Path) -> None:
        self._log = Log(folder, 0)

    def row(self, step: int, values: Mapping[str, float]) -> None:
        self._log.row(step, values)


def made(plan: Plan) -> Trainable:
    """The method as the plugin makes it, always with the same weights."""
    training = plugins[plan.method["variant"]].training
    assert training is not None
    torch.manual_seed(0)
    return training().make(plan, "cpu")


def train(data: Path, folder: Path, plan: Plan) -> Loop:
    """Train with a row per step."""
    machine = accelerator(plan, "cpu")
    settings = Settings(save_every=plan.steps, log_every=1, compile=False)
    loop = Loop(made(plan), plan, PreparedFaces(data), folder, 0, machine, settings)
    loop.run(Rows(folder) if machine.is_main_process else None)
    return loop


def rows(folder: Path) -> list[dict[str, float]]:
    """The log as numbers; a loss that was not computed in a step is absent from its row."""
    with (folder / "losses.csv").open(newline="") as stream:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(stream)]


def ready(preset: str, batch: int) -> tuple[Plan, Trainable, dict[str, torch.optim.Optimizer], Batch]:
    """All that a step of a preset takes, on random pairs."""
    plan = replace(presets("full")[preset], batch=batch)
    method = made(plan)
    optimisers = {turn: torch.optim.Adam(network.parameters()) for turn, network in method.networks.items()}
    return plan, method, optimisers, memory._random_pairs(plan.size, batch, torch.device("cpu"))


def measure_peak(preset: str, batch: int) -> None:
    """Print what two steps need by `hifibench.training.memory`, and what they took, in bytes."""
    plan, method, optimisers, pairs = ready(preset, batch)
    before = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    machine = accelerator(plan, "cpu")
    for step in range(2):
        for turn in method.turns:
            with machine.autocast():
                total = method.losses(turn, pairs, step).total
            optimisers[turn].zero_grad()
            total.backward()
            optimisers[turn].step()
    # Not getrusage: its peak is inherited from the parent across fork and exec.
    [peak] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    took = int(peak.split()[1]) * 1024 - before
    # Afterwards: the steps would find the memory that a trial before them had used.
    print(json.dumps({"need": memory.need(method, plan).more(batch), "took": took}))


def step_once() -> None:
    """Print of a step of each network at the paper's size whether it is finite and moves all, and their seconds."""
    _, method, optimisers, pair = ready("paper-256", 1)
    begin = time.perf_counter()
    turns = []
    for turn in method.turns:
        before = [one.detach().clone() for one in method.networks[turn].parameters()]
        total = method.losses(turn, pair, 0).total
        total.backward()
        optimisers[turn].step()
        moved = [not torch.equal(*both) for both in zip(before, method.networks[turn].parameters(), strict=True)]
        turns.append({"finite": bool(torch.isfinite(total)), "moved": all(moved)})
    print(json.dumps({"turns": turns, "seconds": time.perf_counter() - begin}))


def compare_sizes() -> None:
    """Print of both of the paper's sizes the blocks of F_up, and what a pair needs, in bytes.

    With a quarter of the paper's channels: both at full width are 12 GB, half of what a small machine has.
    """
    seen = []
    for preset in ("paper-256", "paper-512"):
        plan = presets("full")[preset]
        plan = replace(plan, method={**plan.method, "width": 1 / 4, "discriminator_width": 1 / 4})
        method = made(plan)
        seen.append({"blocks": len(method.networks["generator"].f_up), "pair": memory.need(method, plan).pair})
    print(json.dumps(seen))


def compare_fused_norms() -> None:
    """Print by how much fused norms change the image, and each gradient relative to its largest entry."""
    torch.manual_seed(0)
    config = Config(size=128, width=1 / 16, face_model=TDDFA)
    plain, fused = Generator(config), Generator(config)
    fused.load_state_dict(plain.state_dict())
    fused.to(memory_format=torch.channels_last)
    fuse_norms(fused)
    target, v_sid = torch.rand(2, 3, 128, 128), torch.randn(2, config.style_dim)
    seen = []
    for generator in (plain, fused):
        made = generator(target, v_sid)
        ((made.i_r - 0.5).square().mean() + made.i_low.square().mean() + made.m_low.mean()).backward()
        seen.append((made.i_r.detach(), {name: one.grad for name, one in generator.named_parameters()}))
    (image, gradients), (other, others) = seen
    changes = {
        name: float((one - others[name]).abs().max() / (one.abs().max() + 1e-2)) for name, one in gradients.items()
    }
    print(json.dumps({"image": float((image - other).abs().max()), "gradients": changes}))


if __name__ == "__main__":
    torch.set_num_threads(1)
    match sys.argv[1:]:
        case ["train", data, folder]:
            train(Path(data), Path(folder), SHARED)
        case ["peak", preset, batch]:
            measure_peak(preset, int(batch))
        case ["step"]:
            step_once()
        case ["sizes"]:
            compare_sizes()
        case ["fused"]:
            compare_fused_norms()
