"""What a product in single precision proves about who is near whom.

A gallery row whose score plus error (`hifibench.nearest.factors`) stays below what k others surely reach is none of the
k nearest; all others are compared in double precision.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hifibench.errors import HifibenchError
from hifibench.nearest.factors import Asked
from hifibench.records import Floats

_SLACK = 2.0**-50
"""Per term of a sum, what the double precision of nearness may lose, some four times as large as need be."""


def floor(reached: NDArray[np.float64], asked: Asked) -> Floats:
    """What a score has to reach to stand among those that surely reach ``reached``, ``(q,)`` float32.

    Args:
        reached: ``(q,)`` scores that k rows have at least; -inf where there are no k.
        asked: the queries.
    """
    terms = asked.left.shape[1] + 8
    lowered = reached - terms * _SLACK * (asked.size + np.abs(reached))
    with np.errstate(over="ignore"):  # beyond the range of float32, its last number or -inf is as good
        return np.asarray(np.nextafter(lowered.astype(np.float32), np.float32(-np.inf)))


def scores(
    near: NDArray[np.float64], asked: Asked, row: NDArray[np.int64] | slice = slice(None)
) -> NDArray[np.float64]:
    """The scores that belong to nearness, in double precision: of all queries or of ``row``."""
    return (near + asked.offset[row]) * asked.factor[row]


def verify(
    score: Floats, exact: NDArray[np.float64], error: Floats, size: NDArray[np.float64], finder: str, terms: int
) -> None:
    """See that products are as exact as they must be, on those that were formed in double precision too.

    Args:
        score: ``(p,)`` products in single precision.
        exact: ``(p,)`` the same in double precision.
        error: ``(p,)`` the most by which they may differ.
        size: ``(p,)`` `Asked.size` of the queries.
        finder: what formed them, for the message.
        terms: of each product.

    Raises:
        HifibenchError: they are not: numbers of fewer digits were used.
    """
    off = np.abs(score - exact)
    if (wrong := off > error + terms * _SLACK * (size + np.abs(exact))).any():
        worst = int(np.argmax(np.where(wrong, off, 0)))
        raise HifibenchError(
            f"Products by {finder} are off by {off[worst]:.2g}, in single precision by {error[worst]:.2g} at most: "
            "numbers of fewer digits were used, and near faces could be missed. Switch TF32 and the like off, or "
            "search with NumPy (products='numpy')."
        )
