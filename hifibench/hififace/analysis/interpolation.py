"""Between two faces: the 3D identity first, then the identity vector (paper, Fig. 11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import torch

from hifibench.hififace.analysis.faces import AlignedPair, ends, picture
from hifibench.hififace.analysis.judge import Column, Judge, Judged
from hifibench.hififace.analysis.study import Study
from hifibench.hififace.extractor import Sid
from hifibench.hififace.generator import Generated
from hifibench.hififace.identity import interpolate
from hifibench.hififace.swapper import HifiFace

NAME = "interpolation"

COLUMNS = {
    "cosine_source": Column("id_cosine[edgeface]", "source"),
    "cosine_target": Column("id_cosine[edgeface]", "target"),
    "shape_source_sd": Column("shape[3ddfa]", "source"),
    "shape_target_sd": Column("shape[3ddfa]", "target"),
    "shape_source_mm": Column("shape[mediapipe]", "source"),
    "shape_target_mm": Column("shape[mediapipe]", "target"),
}
"""What is measured of every swap. EdgeFace and MediaPipe took no part in training, 3DDFA did."""


class Weights(NamedTuple):
    """psi_in = a psi_s + b psi_t; v_in = c v_s + d v_t."""

    a: float
    b: float
    c: float
    d: float


_THIRDS = tuple(float(Fraction(k, 3)) for k in range(4))

STEPS = (
    *(Weights(a, 1 - a, 0.0, 1.0) for a in _THIRDS),
    *(Weights(1.0, 0.0, c, 1 - c) for c in _THIRDS[1:]),
)
"""The seven columns of the figure: from the target's identity to its shape's becoming the source's, to the source."""

ABOUT = {
    "psi_in": "a psi_s + b psi_t, identity coefficients of the 3D face model; expression and pose are the target's",
    "v_in": "c v_s + d v_t, sum of two unit vectors as in the paper, not brought back to unit length",
}


def between(swapper: HifiFace, pair: AlignedPair, weights: Weights) -> tuple[Generated, float]:
    """The swap of an interpolated identity, and the length of v_in."""
    crop, extractor = swapper.card.target, swapper.extractor
    with torch.no_grad():
        device = next(swapper.generator.parameters()).device
        # In the layout of `HifiFace.generate`, whose last bits depend on it.
        source, target = (
            side.batch.to(device, memory_format=torch.channels_last) for side in (pair.source, pair.target)
        )
        of_source, of_target = extractor.face_model(source, crop), extractor.face_model(target, crop)
        c_in = interpolate(of_source.coefficients, of_target.coefficients, weights.a, weights.b)
        v_in = weights.c * extractor.identity(source, crop) + weights.d * extractor.identity(target, crop)
        sid = Sid(c_in, v_in, extractor.face_model.landmarks(c_in, of_target.camera))
        return swapper.draw(target, sid), float(v_in.norm())


def study(
    swapper: HifiFace, pairs: Sequence[AlignedPair], judge: Judge, advance: Callable[[], None] = lambda: None
) -> Study:
    """Fig. 11 for n pairs.

    Args:
        swapper: trained.
        pairs: prepared with ``judge.observer``.
        judge: made for `COLUMNS`.
        advance: called after each pair.

    Returns:
        Table: a row per pair and column: ``pair, column`` (from 1), ``a, b, c, d, v_in_norm`` and `COLUMNS`. Arrays:
        ``swaps`` ``(n, 7, S, S, 3)`` beside ``pair, source, target``.
    """
    import pandas as pd

    rows, swaps, judged = [], [], []
    for pair in pairs:
        for column, weights in enumerate(STEPS, 1):
            made, norm = between(swapper, pair, weights)
            rows.append({"pair": pair.pair, "column": column, **weights._asdict(), "v_in_norm": norm})
            swaps.append(picture(made.i_r))
            judged.append(Judged(pair, pair.paste(made.i_r, made.m_r)))
        advance()
    table = pd.DataFrame(rows).assign(**judge.score(judged))
    stacked = np.stack(swaps)
    arrays = {**ends(pairs), "swaps": stacked.reshape(len(pairs), len(STEPS), *stacked.shape[1:])}
    return Study(NAME, table, arrays, ABOUT)
