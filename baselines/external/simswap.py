"""SimSwap by its authors' code: the user's checkout of neuralchen/SimSwap, run by the user's interpreter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from baselines.external.swapper import LIMITS, Program
from baselines.external.table import CommonTable, program, resolved, stamped
from hifibench.contracts import Crop, SwapperCard, SwapperPlugin
from hifibench.tables import read

PAPER = "R. Chen et al., SimSwap: An efficient framework for high fidelity face swapping, ACM Multimedia 2020"
LICENCE = "CC BY-NC 4.0 (code and weights), not for commercial use"

_WRAPPER = Path(__file__).parent / "wrappers" / "simswap.py"
_CODE = "Clone https://github.com/neuralchen/SimSwap there (CC BY-NC 4.0), or mend the key 'checkout'."
_WEIGHTS = (
    "SimSwap's docs/guidance/preparation.md links arcface_checkpoint.tar and checkpoints.zip; the generator for 512 "
    "pixels is in the release '512_beta' (all CC BY-NC 4.0). Put them into the checkout, or name their places by the "
    "keys 'arcface' and 'checkpoints'."
)
_CROPS = {224: Crop("simswap-224", 224), 512: Crop("ffhq", 512)}
_RUNS = {224: ("people", "latest"), 512: ("512", "550000")}


class SimSwapTable(CommonTable):
    """A method of kind ``simswap-checkout``.

    Attributes:
        python: interpreter of the environment that runs SimSwap.
        checkout: root of the code base.
        size: of the crop, which decides the generator.
        checkpoints: folder that holds ``people/latest_net_G.pth`` or ``512/550000_net_G.pth``; in the checkout by
            default.
        arcface: the recogniser; in the checkout by default.
    """

    python: str
    checkout: Path
    size: Literal[224, 512] = 224
    checkpoints: Path | None = None
    arcface: Path | None = None
    licence: str = LICENCE
    paper: str = PAPER


def make(name: str, table: Mapping[str, Any], folder: Path) -> SwapperPlugin:
    """See `hifibench.contracts.MethodKind.make`."""
    origin = f"The method {name!r}"
    chosen = read(SimSwapTable, table, origin)
    checkout = resolved(chosen.checkout, folder)
    checkpoints = resolved(chosen.checkpoints, folder) if chosen.checkpoints else checkout / "checkpoints"
    arcface = chosen.arcface or Path("arcface_model/arcface_checkpoint.tar")
    recogniser = resolved(arcface, folder if chosen.arcface else checkout)
    run, epoch = _RUNS[chosen.size]
    card = SwapperCard(
        name,
        chosen.summary or f"SimSwap {chosen.size}, the authors' code and weights",
        source=_CROPS[chosen.size],
        target=_CROPS[chosen.size],
        paper=chosen.paper,
        licence=chosen.licence,
        trained_with=chosen.trained_with,
        limits=f"Cropped and pasted by the harness, without the authors' logo and face parsing. {LIMITS}",
        version=chosen.version,
    )
    words = ("--size", str(chosen.size), "--checkpoints", str(checkpoints), "--arcface", str(recogniser))
    made = Program(
        card=card,
        command=(program(chosen.python, folder), str(_WRAPPER), *words, "--run", run, "--epoch", epoch),
        cwd=checkout,
        env=chosen.env,
        start_timeout_s=chosen.start_timeout_s,
        pair_timeout_s=chosen.pair_timeout_s,
        checkout=chosen.at(checkout, origin, _CODE),
        files=(checkpoints / run / f"{epoch}_net_G.pth", recogniser),
        files_origin=_WEIGHTS,
    )
    return stamped(made, {"python": chosen.python, "size": chosen.size, "env": chosen.env}).plugin()
