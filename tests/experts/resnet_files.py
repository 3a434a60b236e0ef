"""A ResNet-50 of random numbers: trunk of the stand-ins for published networks."""

from __future__ import annotations

import torch
from torchvision.models import resnet50


def random_trunk(seed: int = 0) -> torch.nn.Module:
    """torchvision's network without its last layer; weights and statistics random, features of the order of 1."""
    generator = torch.Generator().manual_seed(seed)
    network = resnet50(weights=None).eval()
    network.fc = torch.nn.Identity()
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
