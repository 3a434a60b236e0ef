"""The table of FSGAN in a user's TOML file, and the program that it describes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from baselines.external.swapper import LIMITS, Program
from baselines.external.table import CommonTable, Seconds, program, resolved, stamped
from hifibench.contracts import Crop, SwapperCard, SwapperPlugin
from hifibench.tables import read

PAPER = (
    "Y. Nirkin, Y. Keller, T. Hassner, FSGANv2: Improved subject agnostic face swapping and reenactment, TPAMI 45(1), "
    "2023 (ICCV 2019)"
)
LICENCE = "code CC0; weights as their authors give them, on request"

FILES = (
    "WIDERFace_DSFD_RES152.pth",
    "hopenet_robust_alpha1.pth",
    "hr18_wflw_landmarks.pth",
    "celeba_unet_256_1_2_segmentation_v2.pth",
    "nfv_msrunet_256_1_2_reenactment_v2.1.pth",
    "ijbc_msrunet_256_1_2_inpainting_v2.pth",
    "ijbc_msrunet_256_1_2_blending_v2.pth",
    "vggface2_vgg19_256_1_2_id.pth",
)
"""Weights of v2, as the authors' ``download_fsgan_models.py`` names them."""

_WRAPPER = Path(__file__).with_name("wrapper.py")
_CODE = "Clone https://github.com/YuvalNirkin/fsgan there (CC0), or mend the key 'checkout'."
_WEIGHTS = (
    "Run 'python download_fsgan_models.py -m v2' in the checkout; a checkout without that script asks for the request "
    "form of its README. The code is CC0, the weights are given for research. Name their folder by the key 'weights'."
)


class FsganTable(CommonTable):
    """A method of kind ``fsgan``.

    Attributes:
        python: interpreter of the environment that runs FSGAN.
        checkout: root of the code base.
        weights: folder with the files of v2; ``weights`` in the checkout by default.
        finetune: fine-tune the reenactment generator on every source, as the paper's best results do: minutes a pair,
            and other scores.
        frames: length of the clip that a still becomes.
        codec: four letters of the video codec, of the clips and of FSGAN's own.
    """

    python: str
    checkout: Path
    weights: Path | None = None
    finetune: bool = False
    frames: int = Field(12, ge=10, le=250)
    codec: str = Field("mp4v", min_length=4, max_length=4)
    start_timeout_s: Seconds = 300.0
    pair_timeout_s: Seconds = 600.0
    licence: str = LICENCE
    paper: str = PAPER


def make(name: str, table: Mapping[str, Any], folder: Path) -> SwapperPlugin:
    """See `hifibench.contracts.MethodKind.make`."""
    origin = f"The method {name!r}"
    chosen = read(FsganTable, table, origin)
    checkout = resolved(chosen.checkout, folder)
    weights = resolved(chosen.weights, folder) if chosen.weights else checkout / "weights"
    tuned = "on, per source" if chosen.finetune else "off"
    card = SwapperCard(
        name,
        chosen.summary or f"FSGAN v2, the authors' code and weights; fine-tuning {tuned}",
        source=Crop("frame"),
        target=Crop("frame"),
        paper=chosen.paper,
        licence=chosen.licence,
        trained_with=chosen.trained_with,
        limits=f"A method for videos: stills are shown to it as clips of {chosen.frames} equal frames and the middle "
        f"one is taken, so all of the frame went through {chosen.codec} video twice. Fine-tuning {tuned}. Faces whose "
        f"box is below 54 pixels are not swapped. {LIMITS}",
        version=chosen.version,
    )
    words = ["--weights", str(weights), "--frames", str(chosen.frames), "--codec", chosen.codec]
    made = Program(
        card=card,
        command=(
            program(chosen.python, folder),
            str(_WRAPPER),
            *words,
            *(["--finetune"] if chosen.finetune else []),
        ),
        cwd=checkout,
        env=chosen.env,
        start_timeout_s=chosen.start_timeout_s,
        pair_timeout_s=chosen.pair_timeout_s,
        checkout=chosen.at(checkout, origin, _CODE),
        files=tuple(weights / file for file in FILES),
        files_origin=_WEIGHTS,
    )
    decided = ("python", "finetune", "frames", "codec", "env")
    return stamped(made, {name: getattr(chosen, name) for name in decided}).plugin()
