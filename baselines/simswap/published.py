"""SimSwap by its authors' own weights, for 224 and for 512 pixels, from files that the user has fetched.

Source: the code base neuralchen/SimSwap, whose networks and conventions these are: the source is aligned as the target
is, standardised by ImageNet's mean and deviation, and brought to 112 pixels by the nearest neighbour; the generator
sees the target in [0, 1] as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from baselines.simswap.config import PUBLISHED_224, PUBLISHED_512, Config
from hifibench import user_files
from hifibench.contracts import Crop, Swapper, SwapperCard, SwapperPlugin
from hifibench.errors import MissingError
from hifibench.records import Cost
from hifibench.user_files import UserFile

if TYPE_CHECKING:
    from torch import Tensor, nn

    from baselines.simswap.generator import Generator

LICENCE = "CC BY-NC 4.0 (code and weights), not for commercial use"

ARCFACE = "arcface_checkpoint.tar"
"""The recogniser's file, beside the generator's."""

_RELEASES = "https://github.com/neuralchen/SimSwap/releases/download"
_UNUSED = "BottleNeck."


class Published(NamedTuple):
    """One of the authors' generators.

    Attributes:
        config: its shape.
        crop: of source and target alike.
        file: name of its file.
        origin: where the file comes from.
        spare: whether the file also holds weights that the authors' network has no use for.
    """

    config: Config
    crop: Crop
    file: str
    origin: str
    spare: bool


GENERATORS: Mapping[str, Published] = {
    "simswap-224": Published(
        PUBLISHED_224,
        Crop("simswap-224", 224),
        "latest_net_G.pth",
        f"{_RELEASES}/1.0/checkpoints.zip, in it people/latest_net_G.pth",
        spare=False,
    ),
    "simswap-512": Published(
        PUBLISHED_512,
        Crop("ffhq", 512),
        "550000_net_G.pth",
        f"{_RELEASES}/512_beta/512.zip, in it 550000_net_G.pth",
        spare=True,
    ),
}
"""By the names of the methods."""


def plugin(name: str) -> SwapperPlugin:
    """The method of that name; its files are looked for in ``<cache>/methods/<name>/``.

    Reads the files for the card's hash where they are there.
    """
    from baselines.simswap import PAPER

    published = GENERATORS[name]
    size = published.config.size
    card = SwapperCard(
        name=name,
        summary=f"SimSwap {size}, the authors' weights in the harness's own network",
        source=published.crop,
        target=published.crop,
        paper=PAPER,
        licence=LICENCE,
        limits=f"Swaps {size} pixels. Detected, pasted and masked by the harness, without the authors' face parsing "
        "and logo.",
        weights=_digest(_files(name)),
    )
    return SwapperPlugin(card, partial(_load, card), count=partial(_count, published.config))


def load_generator(published: Published, file: Path) -> Generator:
    """The authors' generator with their weights, on the CPU, frozen.

    Args:
        published: which one.
        file: a plain state dict as ``torch.save`` wrote it.

    Raises:
        MissingError: there is no such file.
        UsageError: it is damaged, asks for code, or does not fit the network (the message names what does not).
    """
    import torch

    from baselines.simswap.generator import Generator
    from hifibench.experts import checkpoint

    wanted = f"SimSwap's {published.file} ({published.origin})"
    weights = checkpoint.state(file, wanted)
    with torch.device("meta"):
        network = Generator(published.config)
    if published.spare:
        # The blocks of the file for 512 pixels also hold norms and a convolution that no published code applies; the
        # authors' own loader drops them too. More halvings than the network has would matter, and stay refused.
        known = network.state_dict()
        weights = {key: value for key, value in weights.items() if key in known or not key.startswith(_UNUSED)}
    return checkpoint.fill(network, weights, file, wanted)


def identity(arcface: nn.Module) -> nn.Module:
    """SimSwap's identity vectors of unit length, of crops ``(B, 3, S, S)`` RGB in [0, 1] of any size.

    Args:
        arcface: from ``(B, 3, 112, 112)``, standardised, to ``(B, 512)``.
    """
    import torch
    from torch import nn
    from torch.nn import functional as F

    from hifibench.experts.arcface_pickle import MEAN, STD

    class Identity(nn.Module):
        mean: Tensor
        std: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.arcface = arcface
            for name, values in (("mean", MEAN), ("std", STD)):
                self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

        def forward(self, crops: Tensor) -> Tensor:
            small = F.interpolate((crops - self.mean) / self.std, size=(112, 112), mode="nearest")
            return F.normalize(self.arcface(small), dim=1)

    return Identity().requires_grad_(False).eval()


def _load(card: SwapperCard, device: str) -> Swapper:
    import torch

    from baselines.simswap.swapper import SimSwap
    from hifibench.experts import arcface_pickle

    files = _files(card.name)
    user_files.need(card.name, files)
    if _digest(files) != card.weights:
        raise MissingError(f"The files of {card.name} have changed since this process began. Run the command again.")
    weights, arcface = (file.path for file in files)
    generator = load_generator(GENERATORS[card.name], weights).to(device).to(memory_format=torch.channels_last)
    return SimSwap(card, generator, identity(arcface_pickle.load(arcface)).to(device))


def _files(name: str) -> tuple[UserFile, UserFile]:
    """The generator's and the recogniser's."""
    published, folder = GENERATORS[name], user_files.place(name)
    return (
        UserFile(folder / published.file, published.origin, LICENCE),
        UserFile(folder / ARCFACE, f"{_RELEASES}/1.0/{ARCFACE}, as it is", LICENCE),
    )


def _digest(files: tuple[UserFile, ...]) -> str:
    """Of all files, for the card."""
    return "".join(user_files.digest(file.path) for file in files)


def _count(config: Config) -> Cost:
    from baselines.simswap.generator import count

    return count(config)
