"""GHOST, the public rebuild of AEI-Net whose weights can be had: from the user's files, cropped as its own code crops.

Source: the authors' repository ``ai-forever/ghost`` (Apache-2.0): ``AEI_Net(backbone="unet", num_blocks=2, c_id=512)``
fed with what its ArcFace gives, not brought to unit length. Source and target are cut at 224 pixels by the best of five
templates (InsightFace's of 2019, here ``simswap-224``); the source is then halved for ArcFace, the target enlarged to
256 for the network, and the swap brought back to 224 for pasting.
"""

from __future__ import annotations

from hifibench import user_files
from hifibench.contracts import Crop, Swapper, SwapperCard, SwapperPlugin
from hifibench.records import Cost
from hifibench.torch_swaps import macs, parameters
from hifibench.user_files import UserFile

NAME = "ghost"
"""Of the method."""

_RELEASES = "https://github.com/sberbank-ai/sber-swap/releases/download"
_CROP = Crop("simswap-224", 224)


def _files() -> tuple[UserFile, UserFile]:
    """The generator's file and that of its ArcFace, an iResNet-100."""
    folder = user_files.place(NAME)
    return (
        UserFile(folder / "G_unet_2blocks.pth", f"{_RELEASES}/sber-swap-v2.0/G_unet_2blocks.pth", "Apache-2.0"),
        UserFile(folder / "backbone.pth", f"{_RELEASES}/arcface/backbone.pth", "InsightFace, non-commercial research"),
    )


def load(device: str) -> Swapper:
    """Load the two files; they are read without running code of theirs.

    Raises:
        MissingError: one or both are not in place; says where to get them and where to put them.
        UsageError: one is damaged or holds another network; says what does not fit.
    """
    generator, backbone = _files()
    user_files.need(NAME, (generator, backbone))

    import torch

    from baselines.faceshifter.aei import AEINet
    from baselines.faceshifter.config import Config
    from baselines.faceshifter.ghost_swapper import SIZE, Ghost
    from hifibench.experts import checkpoint, iresnet

    wanted = f"GHOST's AEI-Net with a U-Net and two blocks ({generator.origin})"
    with torch.device("meta"):
        network = AEINet(Config(size=SIZE))
    checkpoint.fill(network, checkpoint.state(generator.path, wanted), generator.path, wanted)
    recogniser = iresnet.load(backbone.path, layers=100)
    return Ghost(_card(), network.to(device), recogniser.to(device))


def _card() -> SwapperCard:
    return SwapperCard(
        name=NAME,
        summary="GHOST: the public AEI-Net (U-Net, 2 blocks) with its authors' weights, from your files",
        source=_CROP,
        target=_CROP,
        paper="A. Groshev et al., GHOST: A new face swap approach for image and video domains, IEEE Access 2022",
        licence="code and generator Apache-2.0; ArcFace weights: non-commercial research",
        limits="Measured is what the network draws. GHOST's own program cuts it out by a mask from 106 landmarks, can "
        "enhance it by a further network, steadies landmarks over the frames of a video, and runs in half precision.",
        weights="".join(user_files.digest(file.path) for file in _files()),
    )


def _count() -> Cost:
    """Of AEI-Net alone: convolutions and linear layers."""
    import torch

    from baselines.faceshifter.aei import AEINet
    from baselines.faceshifter.config import ID_DIM, Config
    from baselines.faceshifter.ghost_swapper import SIZE

    with torch.device("meta"):
        network = AEINet(Config(size=SIZE)).eval()
        count = macs(lambda: network(torch.zeros(1, 3, SIZE, SIZE), torch.zeros(1, ID_DIM)))
    return Cost(parameters(network), 0, count)


ghost = SwapperPlugin(_card(), load, count=_count)
