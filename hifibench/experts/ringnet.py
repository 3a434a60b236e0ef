"""RingNet: from a loose crop of a face to the parameters of the FLAME head, in PyTorch.

Source: S. Sanyal et al., "Learning to regress 3D face shape and expression from an image without 3D supervision", CVPR
2019: a ResNet-50 whose 2,048 features go through two fully-connected layers of 512 into 159 parameters. Its authors
published a checkpoint and no code of the network. By their word it follows HMR (A. Kanazawa et al., "End-to-end
recovery of human shape and pose", CVPR 2018, section 3.3): the second ResNet-50 of TF-Slim, and a regressor that adds
three corrections to a start estimate. That there are three is what the names in the published graph say.

The residual network is not that of timm (``resnetv2_50``): TF-Slim's strides come with the last unit of a block, its
convolutions that no normalisation follows have biases, and its first pooling pads on the right and below alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hifibench.errors import MissingError, UsageError
from hifibench.experts import checkpoint
from hifibench.experts.frozen import Frozen

FORMAT = "hifibench ringnet 1"
"""What the metadata of a converted file call it."""

UNITS = (3, 4, 6, 3)
"""Residual units of the four blocks; all blocks but the last halve the size in their last unit."""

SIZES = (3, 6, 100, 50)
"""Camera, pose, shape and expression: 159 parameters."""

STAGES = 3
EPSILON = 1e-5

MOST = 1 << 14
"""No layer that a converted file names is wider: a network of any width would be built before its weights are seen."""

WANTED = "what 'hifibench assets convert ringnet CHECKPOINT' writes"
"""What the file should be, for messages."""


class Flame(NamedTuple):
    """What B crops are seen as.

    Attributes:
        camera: ``(B, 3)``: scale and shift of the projection.
        pose: ``(B, 6)`` radians: the turns of the head and of the jaw, each an axis times an angle.
        shape: ``(B, 100)``, the first shape coefficients of FLAME.
        expression: ``(B, 50)``, the first expression coefficients.
    """

    camera: Tensor
    pose: Tensor
    shape: Tensor
    expression: Tensor


class Norm(nn.Module):
    """Batch normalisation by the statistics of training, then ReLU."""

    moving_mean: Tensor
    moving_variance: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.register_buffer("moving_mean", torch.zeros(width))
        self.register_buffer("moving_variance", torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, width, H, W)`` to the same."""
        normed = functional.batch_norm(x, self.moving_mean, self.moving_variance, self.gamma, self.beta, eps=EPSILON)
        return functional.relu(normed)


class Unit(nn.Module):
    """A bottleneck with its normalisations before the convolutions; nothing follows the sum."""

    def __init__(self, inward: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.preact = Norm(inward)
        self.shortcut = nn.Conv2d(inward, 4 * width, 1, stride) if inward != 4 * width else None
        self.conv1, self.norm1 = nn.Conv2d(inward, width, 1, bias=False), Norm(width)
        self.conv2, self.norm2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False), Norm(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inward, H, W)`` to ``(B, 4 width, H / stride, W / stride)``."""
        active = self.preact(x)
        short = x[:, :, :: self.stride, :: self.stride] if self.shortcut is None else self.shortcut(active)
        branch: Tensor = self.conv3(self.norm2(self.conv2(self.norm1(self.conv1(active)))))
        return short + branch


class RingNet(Frozen):
    """The network, with fresh weights, in evaluation mode for good.

    Args:
        hidden: width of the regressor.
        width: of the first convolution; 64 in the release.
    """

    start: Tensor

    def __init__(self, hidden: int = 512, width: int = 64) -> None:
        super().__init__()
        self.hidden, self.width = hidden, width
        self.conv1 = nn.Conv2d(3, width, 7, 2, padding=3)
        blocks, inward = [], width
        for number, count in enumerate(UNITS):
            units = []
            for unit in range(count):
                last = unit == count - 1 and number < len(UNITS) - 1
                units.append(Unit(inward, width << number, 2 if last else 1))
                inward = 4 * (width << number)
            blocks.append(nn.Sequential(*units))
        self.block1, self.block2, self.block3, self.block4 = blocks
        self.postnorm = Norm(inward)
        self.fc1 = nn.Linear(inward + sum(SIZES), hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, sum(SIZES))
        self.register_buffer("start", torch.zeros(1, sum(SIZES)))
        self.eval()

    def features(self, crops: Tensor) -> Tensor:
        """Crops ``(B, 3, 224, 224)`` RGB in [0, 1] to ``(B, 2048)``."""
        x = self.conv1(crops * 2 - 1)
        # Beyond the edge lies what no maximum picks.
        x = functional.max_pool2d(functional.pad(x, (0, 1, 0, 1), value=-torch.inf), 3, 2)
        x = self.block4(self.block3(self.block2(self.block1(x))))
        pooled: Tensor = self.postnorm(x).mean(dim=(2, 3))
        return pooled

    def forward(self, crops: Tensor) -> Flame:
        """Crops ``(B, 3, 224, 224)`` RGB in [0, 1] to parameters; the dropout of training is left out."""
        features = self.features(crops)
        theta = self.start.expand(len(crops), -1)
        for _ in range(STAGES):
            state = torch.cat([features, theta], dim=1)
            theta = theta + self.fc3(functional.relu(self.fc2(functional.relu(self.fc1(state)))))
        camera, pose, shape, expression = torch.split(theta, list(SIZES), dim=1)
        return Flame(camera, pose, shape, expression)


def load(file: Path) -> RingNet:
    """Load a converted checkpoint: frozen, differentiable with respect to the crops.

    Args:
        file: what ``hifibench assets convert ringnet`` wrote.

    Returns:
        The network on the CPU in float32, in evaluation mode.

    Raises:
        MissingError: there is no such file.
        UsageError: it is damaged, or something else.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    if not file.is_file():
        raise MissingError(f"There is no converted RingNet {file}. Give {WANTED}.")
    try:
        with safe_open(str(file), "pt") as opened:
            metadata: dict[str, str] = opened.metadata() or {}
        weights = load_file(str(file))
    except SafetensorError as error:
        raise UsageError(f"{file} is no whole safetensors file ({error}). Give {WANTED}.") from error
    if metadata.get("format") != FORMAT:
        raise UsageError(f"{file} is of the form {metadata.get('format')!r}; expected {FORMAT!r}. Give {WANTED}.")
    with torch.device("meta"):
        network = RingNet(*_widths(metadata.get("config", ""), file))
    return checkpoint.fill(network, weights, file, WANTED)


def _widths(config: str, file: Path) -> tuple[int, int]:
    """Widths of the regressor and of the first convolution, as the metadata give them."""
    try:
        read = json.loads(config)
        hidden, width = read["hidden"], read["width"]
    except (ValueError, TypeError, KeyError):
        hidden = width = None
    if not all(isinstance(one, int) and 0 < one <= MOST for one in (hidden, width)):
        raise UsageError(f"{file} does not say how wide its network is (config: {config!r}). Give {WANTED}.")
    return hidden, width
