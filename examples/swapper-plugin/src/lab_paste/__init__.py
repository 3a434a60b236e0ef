"""A face swapper to copy: what `hifibench` is told of it.

This module is imported whenever methods are listed, so it holds plain data only; the work is in `lab_paste.swapper`,
which is imported when the method is loaded.
"""

from __future__ import annotations

from pathlib import Path

from hifibench.contracts import Crop, Swapper, SwapperCard, SwapperPlugin

CARD = SwapperCard(
    name="lab-paste",
    summary="Example: the source's face in the target's colours, pasted as an ellipse",
    source=Crop("ffhq", 256),
    target=Crop("ffhq", 256),
    paper="Colours after E. Reinhard et al., Color transfer between images, IEEE CG&A 21(5), 2001",
    licence="Apache-2.0",
    limits=(
        "Aligned by five points and not warped: where source and target look to different sides the features do not "
        "fit the face around them. The mouth, and so the expression, is the source's; hard shadows come along."
    ),
)
"""Raise ``version`` whenever the swapper computes something else: results are cached under the card."""

suite = Path(__file__).with_name("lab-paste.yaml")


def load(device: str) -> Swapper:
    """Load the swapper.

    A method with weights opens them here, on ``device``, and raises `hifibench.errors.MissingError` with what is
    missing and how to get it where they are not there; this one has none and runs on the processor.
    """
    from lab_paste.swapper import LabPaste

    return LabPaste(CARD)


lab_paste = SwapperPlugin(card=CARD, load=load)
