"""FaceShifter of 32 pixels with a recogniser of a few weights, and faces for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn

from baselines.faceshifter.config import Config
from baselines.faceshifter.losses import Weights
from baselines.faceshifter.method import FaceShifterTraining, Stages
from hifibench.contracts import Crop
from hifibench.data.prepared import SCHEMA, PreparedFaces
from hifibench.training.contract import Batch, Optimiser, Plan
from hifibench.training.loop import Loop, accelerator
from hifibench.training.recogniser import AlignedRecogniser
from hifibench.training.settings import Settings

SIZE = 32
CONFIG = Config(size=SIZE, base=3, generator_base=4, widest=8, hear_base=4, hear_widest=6, hear_depth=3)
WEIGHTS = Weights(adv=0.7, att=2.0, id=3.0, rec=5.0, hear_id=1.5, hear_chg=0.8, hear_rec=2.5)
FIRST = WEIGHTS._replace(id=30.0, att=0.1)
HEAR_FROM = 4
PLAN = Plan(
    "tiny",
    size=SIZE,
    batch=4,
    steps=7,
    optimisers=dict.fromkeys(("generator", "discriminator"), Optimiser(lr=1e-3)),
    precision="fp32",
    average=0.9,
)


class Look(nn.Module):
    """A recogniser: 512 numbers of an arcface crop."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(3 * 16, 512)

    def forward(self, crops: Tensor) -> Tensor:
        return self.map(nn.functional.adaptive_avg_pool2d(crops, 4).flatten(1))


def recogniser() -> AlignedRecogniser:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return AlignedRecogniser(Look(), Crop("ffhq", SIZE))


def training(seed: int = 0, **changes: Any) -> FaceShifterTraining:
    stages = replace(Stages(WEIGHTS, HEAR_FROM, first_steps=1, first_weights=FIRST), **changes)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return FaceShifterTraining(CONFIG, recogniser(), stages, {"scales": 2, "layers": 2, "channels": 4})


def pairs(count: int = 4) -> Batch:
    """The first and every third pair are of one person."""
    generator = torch.Generator().manual_seed(2)
    source, target = torch.rand(2, count, 3, SIZE, SIZE, generator=generator)
    return Batch(source, target, torch.arange(count) % 3 == 0, torch.ones(count, 1, SIZE, SIZE))


def write_faces(folder: Path) -> Path:
    """Two images of each of three people."""
    rows = []
    for person in range(3):
        for number in range(2):
            name = f"p{person}/{number}"
            pixels = np.random.default_rng([person, number]).integers(0, 255, (SIZE, SIZE, 4)).astype(np.uint8)
            file = folder / "crops" / f"{name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels, "RGBA").save(file)
            place = {"file": f"crops/{name}.png", "source": f"{name}.jpg", "side": float(SIZE), "content": ""}
            rows.append({"identity": f"p{person}", "image": name, **place, "landmarks": np.zeros(10, np.float32)})
    pd.DataFrame(rows).to_parquet(folder / "index.parquet")
    source = {"kind": "folders", "folder": "faces"}
    settings = {"crop": {"template": "ffhq", "size": SIZE}, "segmenter": "s", "detector": "d", "source": source}
    described = {"schema": SCHEMA, "settings": settings, "counts": {"kept": len(rows)}, "licence": "none"}
    (folder / "prepared.json").write_text(json.dumps(described))
    return folder


def loop(faces: Path, folder: Path, steps: int, save_every: int = 100) -> Loop:
    plan = replace(PLAN, steps=steps)
    settings = Settings(save_every=save_every, log_every=1, compile=False, workers=0)
    return Loop(training(), plan, PreparedFaces(faces), folder, 0, accelerator(plan, "cpu"), settings)
