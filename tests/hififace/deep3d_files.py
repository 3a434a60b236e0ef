"""Small stand-ins for the two files of Deep3DFaceRecon, of the right layout and made of random numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.io import savemat
from torchvision.models import resnet50

WIDTHS = {"id": 80, "exp": 64, "tex": 80, "angle": 3, "gamma": 27, "txy": 2, "tz": 1}
VERTICES = 90


def random_trunk(generator: torch.Generator) -> torch.nn.Module:
    """A ResNet-50 whose weights and running statistics are random, its features of the order of 1."""
    network = resnet50(weights=None).eval()
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.8, 1.2, generator=generator)
        elif name.endswith(("running_mean", "bias")):
            value.normal_(0, 0.1, generator=generator)
        elif value.ndim == 4:
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
        elif name.endswith("bn3.weight"):
            value.fill_(0.3)  # so that the residual branches do not pile up
    return network


def state(seed: int = 0) -> dict[str, torch.Tensor]:
    """A whole ``net_recon``."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {f"backbone.{name}": value for name, value in random_trunk(generator).state_dict().items()}
    tensors = {name: value for name, value in tensors.items() if not name.startswith("backbone.fc.")}
    for number, width in enumerate(WIDTHS.values()):
        tensors[f"final_layers.{number}.weight"] = torch.randn(width, 2048, 1, 1, generator=generator) * 0.01
        tensors[f"final_layers.{number}.bias"] = torch.randn(width, generator=generator) * 0.1
    return tensors


def flat_state() -> dict[str, torch.Tensor]:
    """A ``net_recon`` of the right shapes that takes next to no room: every tensor is one zero, repeated."""
    with torch.device("meta"):
        trunk = resnet50(weights=None).state_dict()
    shapes = {f"backbone.{name}": value.shape for name, value in trunk.items()}
    shapes = {name: shape for name, shape in shapes.items() if not name.startswith("backbone.fc.")}
    for number, width in enumerate(WIDTHS.values()):
        shapes[f"final_layers.{number}.weight"] = torch.Size((width, 2048, 1, 1))
        shapes[f"final_layers.{number}.bias"] = torch.Size((width,))
    return {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}


def basel_arrays(seed: int = 0) -> dict[str, Any]:
    """The arrays of a ``BFM_model_front.mat`` of 90 vertices, about as large as a face in decimetres."""
    generator = np.random.default_rng(seed)
    rows = 3 * VERTICES
    return {
        "meanshape": generator.normal(0.3, 0.5, (1, rows)),
        "idBase": generator.normal(0, 0.02, (rows, 80)),
        "exBase": generator.normal(0, 0.02, (rows, 64)),
        "keypoints": generator.permutation(VERTICES)[None, :68] + 1.0,
        "tri": np.ones((5, 3)),
        "meantex": generator.uniform(0, 255, (1, rows)),
    }


def write_basel(path: Path, **changes: Any) -> Path:
    """Write `basel_arrays` with changes; ``None`` leaves an array out."""
    arrays = {**basel_arrays(), **changes}
    savemat(path, {name: value for name, value in arrays.items() if value is not None})
    return path


def write_checkpoint(path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    """Write a checkpoint as the release does: optimiser and schedule beside the network."""
    torch.save(
        {"net_recon": tensors, "opt_00": {"state": {}, "param_groups": []}, "sched_00": {"last_epoch": 20}}, path
    )
    return path
